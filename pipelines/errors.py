"""DataError: what `pipelines` raises for everything that the user can mend; and how it helps with a mistyped name."""

import difflib
from collections.abc import Iterable


class DataError(ValueError):
    """A mistake in the data or in what was asked of it: one line says what was expected, what received, what to do.

    The command line prints it without a traceback and exits 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question for the end of a message, with the known name that is closest, or "" where none is near."""
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" Did you mean '{near[0]}'?" if near else ""
