"""Commands that begin with a verb: ``kerasnets-data show``, ``kerasnets-study run``."""

from collections.abc import Callable, Mapping

from kerasnets.errors import InputError, closest


def run_verb(
    command: str, verbs: Mapping[str, str], handlers: Mapping[str, Callable[[list[str]], int]], argv: list[str]
) -> int:
    """Hands the words behind the verb to its handler; without a verb, or for --help, lists the verbs.

    Args:
        command: Name of the command.
        verbs: What each verb does, in a few words.
        handlers: What does it; returns the exit code.
        argv: Words of the command line.

    Raises:
        InputError: The first word is no verb.
    """
    if argv and argv[0] in verbs:
        return handlers[argv[0]](argv[1:])
    if argv and argv[0] not in ("-h", "--help"):
        raise InputError(f"The first word must be a verb. Received: {argv[0]!r}. {closest(argv[0], verbs)}")
    print(f"usage: {command} VERB ...\n")
    for verb, purpose in verbs.items():
        print(f"  {verb:<10}{purpose}")
    print(f"\n{command} VERB --help tells more.")
    return 0
