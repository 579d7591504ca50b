"""The umbrella command hands its words to the verb's own command."""

import importlib

import pytest

from kerasnets import __version__
from kerasnets.cli.main import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_gets_the_words_after_it(monkeypatch, verb):
    received = []
    module = importlib.import_module(f"kerasnets.cli.{verb}")
    monkeypatch.setattr(module, "main", lambda argv: received.append(argv) or 5)
    assert main([verb, "a", "--b"]) == 5
    assert received == [["a", "--b"]]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_verb_the_verbs_are_listed(capsys, words):
    assert main(words) == 0
    text = capsys.readouterr().out
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kerasnets {__version__}\n"


def test_an_unknown_verb_is_answered_with_the_nearest(capsys):
    assert main(["trian"]) == 2
    assert capsys.readouterr().err == (
        "kerasnets: error: The first word must be a verb. Received: 'trian'. "
        "Known: data, evaluate, export, predict, report, search, study, train. Did you mean 'train'?\n"
    )
