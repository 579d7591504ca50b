"""`kerasnets VERB ...`: the same commands under one name."""

import importlib
import sys
from collections.abc import Sequence

from kerasnets import __version__
from kerasnets.cli.command import run_command
from kerasnets.errors import InputError, closest

VERBS = {
    "train": "train a network, or resume a run",
    "evaluate": "measure a run or an exported model on a data set",
    "export": "write a run's network as a SavedModel",
    "predict": "say what is on images",
    "search": "search a network and its recipe, on one machine or several",
    "study": "run a study, a published one or your own, and say what holds",
    "report": "write the page of a run, or of several side by side",
    "data": "list, look at, fetch and check data sets",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the verb's own command with the words that follow it.

    Returns:
        That command's exit code.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in VERBS:
        return importlib.import_module(f"kerasnets.cli.{words[0]}").main(words[1:])
    return run_command("kerasnets", _without_verb, words)


def _without_verb(words: list[str]) -> int:
    if words and words[0] == "--version":
        print(f"kerasnets {__version__}")
        return 0
    if words and words[0] not in ("-h", "--help"):
        raise InputError(f"The first word must be a verb. Received: {words[0]!r}. {closest(words[0], VERBS)}")
    print("usage: kerasnets VERB ...\n")
    for verb, purpose in VERBS.items():
        print(f"  {verb:<10}{purpose}")
    print("\nkerasnets VERB --help tells more; kerasnets-train is the same as kerasnets train, and so on.")
    return 0
