"""What is shown while a study runs: a live table on a terminal, one line a cell when piped."""

import contextlib
import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kerasnets.studies.cells import Cell
from kerasnets.studies.results import CellResult
from kerasnets.training.progress import format_seconds

# The table must fit on a small terminal.
_ROWS = 8
# The end of a log that holds its last epoch for sure.
_TAIL_BYTES = 20_000


class EpochLog:
    """The last epoch in a run's ``log.jsonl``, which is read only when it has changed.

    Args:
        path: The file, which need not exist.

    Attributes:
        epoch: Epochs done.
        epoch_seconds: What an epoch takes, None before the first is done.
    """

    def __init__(self, path: Path):
        self.path = path
        self.epoch = 0
        self.epoch_seconds: float | None = None
        self._changed: int | None = None

    def look(self) -> None:
        """Reads the end of the file again if need be."""
        try:
            changed = os.stat(self.path).st_mtime_ns
        except FileNotFoundError:
            return
        if changed == self._changed:
            return
        self._changed = changed
        with open(self.path, "rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            lines = file.read().split(b"\n")
        for line in reversed(lines):
            # What cannot be read is half a line, or being written.
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                if self._take(json.loads(line)):
                    return

    def _take(self, event: dict[str, Any]) -> bool:
        if event["event"] != "epoch":
            return False
        spent = sum(seconds for name, seconds in event["seconds"].items() if name not in ("setup", "compile"))
        self.epoch, self.epoch_seconds = event["epoch"], spent / event["epoch"]
        return True


@dataclass(frozen=True, kw_only=True)
class RunningCell:
    """A cell that is being run.

    Attributes:
        cell: The cell.
        seconds: Since its process began.
        epoch: Epochs done.
        epoch_seconds: What an epoch takes, None before the first is done.
    """

    cell: Cell
    seconds: float
    epoch: int = 0
    epoch_seconds: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """By the epochs so far; None before the first."""
        return None if self.epoch_seconds is None else self.epoch_seconds * max(0, self.cell.config.epochs - self.epoch)

    @property
    def seconds_in_all(self) -> float | None:
        """What a cell of this kind takes from its beginning, by the epochs so far; None before the first."""
        if self.epoch_seconds is None:
            return None
        # The process may have gone on with a cell of which another had done much.
        return max(self.seconds + self.seconds_left, self.epoch_seconds * self.cell.config.epochs)


@dataclass(frozen=True, kw_only=True)
class StudyProgress:
    """How far a study has come.

    Attributes:
        study: Its name.
        done: Cells done.
        running: Cells being run.
        waiting: Cells to come.
        failed: Cells given up, with the reason.
        seconds_left: Estimate for all that is left, None while nothing is known.
    """

    study: str
    done: int
    running: Sequence[RunningCell]
    waiting: int
    failed: Sequence[tuple[Cell, str]] = ()
    seconds_left: float | None = None


class Display(Protocol):
    """What the runner tells; a class with these methods can be passed as ``display``."""

    def message(self, text: str) -> None:
        """Shows one line that stays."""

    def done(self, result: CellResult, seconds: float | None) -> None:
        """Is told of a cell that has come to its end, and how long that took."""

    def failed(self, cell: Cell, reason: str, *, given_up: bool) -> None:
        """Is told of a failed attempt, and whether it was the last."""

    def show(self, progress: StudyProgress) -> None:
        """Is told about twice a second where the study is."""

    def close(self) -> None:
        """Ends the live table."""


class Silent:
    """Shows nothing."""

    def message(self, text: str) -> None:
        """Shows nothing."""

    def done(self, result: CellResult, seconds: float | None) -> None:
        """Shows nothing."""

    def failed(self, cell: Cell, reason: str, *, given_up: bool) -> None:
        """Shows nothing."""

    def show(self, progress: StudyProgress) -> None:
        """Shows nothing."""

    def close(self) -> None:
        """Shows nothing."""


class LiveTable:
    """Shows a study on standard error.

    Args:
        console: Where to; standard error without it.
    """

    def __init__(self, console: Console | None = None):
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None

    def message(self, text: str) -> None:
        """Prints one line, above the table if there is one."""
        self.console.print(Text(text), soft_wrap=True)

    def done(self, result: CellResult, seconds: float | None) -> None:
        """Prints the result as a line that stays."""
        words = [str(result.cell), describe_result(result), "" if seconds is None else format_seconds(seconds)]
        self.message("  ".join(word for word in words if word))

    def failed(self, cell: Cell, reason: str, *, given_up: bool) -> None:
        """Prints the failure as a line that stays."""
        self.message(f"{cell}  {'given up' if given_up else 'failed, is tried again'}: {reason}")

    def show(self, progress: StudyProgress) -> None:
        """Renews the table, on a terminal."""
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(table_of(progress), refresh=True)

    def close(self) -> None:
        """Ends the live table."""
        if self._live is not None:
            self._live.stop()
            self._live = None


def describe_result(result: CellResult) -> str:
    """Says in a few words what a cell came to: ``test accuracy 61.20 %``."""
    if result.status == "diverged":
        return "diverged"
    test = result.summary.get("test")
    return f"test accuracy {100 * test['accuracy']:.2f} %" if test else "finished"


def table_of(progress: StudyProgress) -> Group:
    """Returns the live table: a line for the study, one for each running cell, and one for each that was given up."""
    left = "" if progress.seconds_left is None else f", about {format_seconds(progress.seconds_left)} left"
    total = progress.done + len(progress.running) + progress.waiting + len(progress.failed)
    counts = f"{progress.done} of {total} done, {len(progress.running)} running, {len(progress.failed)} failed"
    table = Table.grid(padding=(0, 2))
    for running in progress.running[:_ROWS]:
        table.add_row(*map(_line, _running_words(running)))
    lines = [_line(f"given up: {cell}: {reason}") for cell, reason in progress.failed[-_ROWS // 2 :]]
    return Group(_line(f"{progress.study}: {counts}{left}"), table, *lines)


def _running_words(running: RunningCell) -> list[str]:
    words = [str(running.cell), f"epoch {running.epoch + 1}/{running.cell.config.epochs}"]
    if running.epoch_seconds is None:
        return [*words, "", f"{format_seconds(running.seconds)} so far"]
    if running.seconds_left == 0:
        return [str(running.cell), "last evaluation", "", ""]
    return [*words, f"{format_seconds(running.epoch_seconds)} an epoch", f"{format_seconds(running.seconds_left)} left"]


def _line(text: str) -> Text:
    # A name or reason may hold brackets, which rich would take for its markup.
    return Text(text, no_wrap=True, overflow="ellipsis")


def seconds_left(
    waiting: Sequence[Cell], running: Sequence[RunningCell], took: Mapping[str, Sequence[float]], jobs: int
) -> float | None:
    """Estimates how long the rest of a study takes.

    A cell takes as long as the finished ones of its setting took on average, or else as the running one of its setting
    is going to, or else as the average of all settings that are known.

    Args:
        waiting: Cells to come.
        running: Cells being run.
        took: Seconds of the finished cells of each setting.
        jobs: How many run side by side.

    Returns:
        Seconds, or None while nothing is known.
    """
    known = {cell.cell.setting: cell.seconds_in_all for cell in running if cell.seconds_in_all is not None}
    known |= {setting: math.fsum(seconds) / len(seconds) for setting, seconds in took.items() if seconds}
    if not known:
        return None
    average = math.fsum(known.values()) / len(known)
    rest = [
        max(0.0, known.get(cell.cell.setting, average) - cell.seconds)
        if cell.seconds_left is None
        else cell.seconds_left
        for cell in running
    ]
    to_come = [known.get(cell.setting, average) for cell in waiting]
    return max([math.fsum(rest + to_come) / jobs, *rest, *to_come])
