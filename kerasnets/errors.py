"""The one error that means "the user can mend this", and how an unknown name is answered."""

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what was asked for: one line that says what was expected, what was received and what to do.

    The command line prints it without a traceback and exits 2.
    """


def closest(name: str, known: Iterable[str]) -> str:
    """Names the known choices and the nearest one, to end an error message with.

    Args:
        name: What was received.
        known: What would have been accepted.

    Returns:
        For example ``"Known: adamw, sgd. Did you mean 'sgd'?"``; without a near match the question is left out.
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"Known: {', '.join(names)}." + (f" Did you mean '{near[0]}'?" if near else "")
