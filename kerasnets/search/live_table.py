"""What is shown while a search runs: a live table of the best trials on a terminal, one line a trial when piped."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from kerasnets.search.trial import COMPLETED, TrialRecord
from kerasnets.training.progress import format_seconds

# The table must fit on a small terminal.
_BEST, _RUNNING = 5, 4


@dataclass(frozen=True, kw_only=True)
class RunningTrial:
    """A trial that is being run.

    Attributes:
        trial: Its number.
        budget: Epochs or seconds that its run will have had.
        seconds: Since its process began.
        values: What was chosen.
    """

    trial: str
    budget: float
    seconds: float
    values: Mapping[str, Any] = field(default_factory=dict)


class Display(Protocol):
    """What a search tells; a class with these methods can be passed as ``display``."""

    def message(self, text: str) -> None:
        """Shows one line that stays."""

    def begin(self, name: str, unit: str, max_trials: int | None, max_seconds: float | None) -> None:
        """Is told what is searched, and what ends it."""

    def ended(self, record: TrialRecord) -> None:
        """Is told of a trial that has ended, also of those that earlier calls have run (before `show`)."""

    def show(self, running: Sequence[RunningTrial], seconds: float) -> None:
        """Is told about twice a second what runs, and how old the search is."""

    def close(self) -> None:
        """Ends the live table."""


class Silent:
    """Shows nothing."""

    def message(self, text: str) -> None:
        """Shows nothing."""

    def begin(self, name: str, unit: str, max_trials: int | None, max_seconds: float | None) -> None:
        """Shows nothing."""

    def ended(self, record: TrialRecord) -> None:
        """Shows nothing."""

    def show(self, running: Sequence[RunningTrial], seconds: float) -> None:
        """Shows nothing."""

    def close(self) -> None:
        """Shows nothing."""


class LiveTable:
    """Shows a search on standard error.

    Args:
        console: Where to; standard error without it.
    """

    def __init__(self, console: Console | None = None):
        self.console = console or Console(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._records: dict[str, TrialRecord] = {}
        self._name, self._unit = "", "epochs"
        self._max_trials: int | None = None
        self._max_seconds: float | None = None
        self._ended = 0

    def message(self, text: str) -> None:
        """Prints one line, above the table if there is one."""
        self.console.print(Text(text), soft_wrap=True)

    def begin(self, name: str, unit: str, max_trials: int | None, max_seconds: float | None) -> None:
        """Notes what is searched, and what ends it."""
        self._name, self._unit, self._max_trials, self._max_seconds = name, unit, max_trials, max_seconds

    def ended(self, record: TrialRecord) -> None:
        """Prints the trial as a line that stays."""
        self._note(record)
        self.message(describe(record, self._best()))

    def earlier(self, records: Sequence[TrialRecord]) -> None:
        """Notes the trials that earlier calls have run, without a line for each."""
        for record in records:
            self._note(record)

    def _note(self, record: TrialRecord) -> None:
        self._ended += 1
        before = self._records.get(record.run)
        if record.status == COMPLETED and (before is None or record.budget >= before.budget):
            self._records[record.run] = record

    def _best(self) -> list[TrialRecord]:
        return sorted(self._records.values(), key=lambda record: -record.score)

    def show(self, running: Sequence[RunningTrial], seconds: float) -> None:
        """Renews the table, on a terminal."""
        if not self.console.is_terminal:
            return
        if self._live is None:
            self._live = Live(console=self.console, transient=True, auto_refresh=False)
            self._live.start()
        self._live.update(self._table(running, seconds), refresh=True)

    def close(self) -> None:
        """Ends the live table."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _table(self, running: Sequence[RunningTrial], seconds: float) -> Group:
        of = f" of {self._max_trials}" if self._max_trials else ""
        left = "" if self._max_seconds is None else f", {format_seconds(max(0.0, self._max_seconds - seconds))} left"
        head = f"{self._name}: {self._ended}{of} trials, {format_seconds(seconds)} so far{left}"
        table = Table.grid(padding=(0, 2))
        for trial in running[:_RUNNING]:
            words = (trial.trial, f"to {_amount(trial.budget, self._unit)}", format_seconds(trial.seconds), "running")
            table.add_row(*map(_line, (*words, short_values(trial.values))))
        for record in self._best()[:_BEST]:
            words = (record.trial, _amount(record.budget, self._unit), f"{100 * record.val_accuracy:.2f} %", "")
            table.add_row(*map(_line, (*words, short_values(record.values))))
        return Group(_line(head), table)


def describe(record: TrialRecord, best: Sequence[TrialRecord]) -> str:
    """Says in a line what came of a trial."""
    number = f"trial {record.trial}"
    if record.status != COMPLETED:
        return f"{number}  {record.status}: {record.reason}"
    mark = "  best so far" if best and best[0].trial == record.trial else ""
    amount = _amount(record.budget, record.unit)
    return (
        f"{number}  {100 * record.val_accuracy:.2f} % of validation after {amount}, {format_seconds(record.seconds)}"
        f"{mark}  {short_values(record.values)}"
    )


def short_values(values: Mapping[str, Any]) -> str:
    """The choices in a line that may be cut off at its end."""
    return " ".join(f"{name}={_short(value)}" for name, value in values.items())


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _amount(budget: float, unit: str) -> str:
    if unit == "seconds":
        return f"{budget:.4g} s"  # rungs that lie close together are told apart
    return f"{budget:g} {'epoch' if budget == 1 else 'epochs'}"


def _line(text: str) -> Text:
    # A name may hold brackets, which rich would take for its markup.
    return Text(text, no_wrap=True, overflow="ellipsis")
