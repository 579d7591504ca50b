"""Commands that begin with a verb."""

import pytest

from kerasnets.cli.verbs import run_verb
from kerasnets.errors import InputError

VERBS = {"list": "the things", "show": "one thing"}


def run(*words):
    return run_verb("things", VERBS, {"list": lambda rest: 5, "show": lambda rest: len(rest)}, list(words))


def test_the_words_behind_the_verb_are_handed_on():
    assert run("show", "a", "--b", "list") == 3
    assert run("list") == 5


@pytest.mark.parametrize("words", [[], ["-h"], ["--help"]])
def test_without_a_verb_they_are_listed(capsys, words):
    assert run(*words) == 0
    assert "usage: things VERB ...\n\n  list      the things\n  show      one thing\n" in capsys.readouterr().out


def test_an_unknown_verb():
    with pytest.raises(InputError, match="must be a verb. Received: 'shwo'. Known: list, show. Did you mean 'show'"):
        run("shwo")
