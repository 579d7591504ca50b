"""The line shows how far the work is on a terminal, and nothing elsewhere."""

import re

import pytest
from rich.console import Console

from kerasnets.cli import live_line
from kerasnets.cli.live_line import LiveLine


@pytest.fixture
def terminal(monkeypatch):
    """Makes standard error a terminal of 100 columns."""

    def console(stderr):
        return Console(stderr=stderr, force_terminal=True, width=100)

    monkeypatch.setattr(live_line, "Console", console)


def last_line(capsys):
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", capsys.readouterr().err)
    return [line for line in re.split(r"[\r\n]+", text) if line.strip()][-1]


def test_on_a_terminal_it_counts(capsys, terminal):
    with LiveLine("Reading [red] files", 40) as line:
        line.advance(10)
        line.advance(5)
    assert re.match(r"Reading \[red\] files .* 15/40 ", last_line(capsys))


def test_bytes_are_shown_in_larger_units(capsys, terminal):
    with LiveLine("Fetching", of_bytes=True) as line:
        line.update(1_500_000, 3_000_000, "train.gz")
    assert re.match("train.gz .* 1.5/3.0 MB", last_line(capsys))


def test_elsewhere_nothing_is_shown(capsys):
    with LiveLine("Reading files", 40) as line:
        line.advance(40)
        assert capsys.readouterr() == ("", "")
        line.message("[red] done, after a text that is longer than a line of eighty columns, which is not broken")
    assert capsys.readouterr().err.endswith("which is not broken\n")
