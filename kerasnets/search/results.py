"""What the trials of a search have come to: their records, table, ranking, best score so far, Pareto front."""

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from kerasnets.errors import InputError
from kerasnets.runs.files import write_text_atomic
from kerasnets.search.trial import COMPLETED, RUNNING, TrialRecord

_COLUMNS = (
    "trial", "run", "status", "score", "val_accuracy", "budget", "epochs", "seconds", "weights", "flops", "unit",
    "initial_budget", "bracket", "round", "val_loss", "train_loss", "train_seconds", "search_seconds",
    "images_per_second", "peak_memory_bytes", "worker", "reason",
)  # fmt: skip
_WHOLE = ("weights", "flops", "bracket", "round", "peak_memory_bytes")
_NUMBERS = (
    "score", "budget", "initial_budget", "bracket", "round", "epochs", "val_accuracy", "val_loss", "train_loss",
    "weights", "flops", "train_seconds", "seconds", "search_seconds", "images_per_second", "peak_memory_bytes",
)  # fmt: skip
_NEEDED = ("budget", "initial_budget", "epochs", "seconds", "search_seconds")


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def read_records(search_folder: str | Path, tell: Callable[[str], None] = _say) -> list[TrialRecord]:
    """Reads what is known of the trials that have ended, in the order of their numbers.

    Args:
        search_folder: Folder of the search; one without trials has no records.
        tell: Gets a line for each file that is damaged; such a trial is left out.
    """
    files = sorted(Path(search_folder, "results").glob("*.json"), key=lambda file: _order(file.stem))
    records = []
    for file in files:
        try:
            records.append(_read(file))
        except (InputError, ValueError, OSError) as problem:
            tell(f"{file} holds no record of a trial and is left out: {' '.join(str(problem).split())}")
    return records


def _order(trial: str) -> tuple[int, str]:
    """Numbers with more digits come later, whatever they begin with."""
    return len(trial), trial


def _read(file: Path) -> TrialRecord:
    values = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(values, dict):
        raise InputError(f"A record must map names to values. Received: {type(values).__name__}.")
    record = TrialRecord.from_dict(values)
    if not isinstance(record.values, dict):
        raise InputError(f"values must map names of choices to values. Received: {record.values!r}.")
    for name in _NUMBERS:
        value = getattr(record, name)
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number and (value is not None or name in _NEEDED):
            raise InputError(f"{name} must be a finite number. Received: {value!r}.")
    if record.status == COMPLETED and record.score is None:
        raise InputError("score must be a finite number for a completed trial. Received: None.")
    return record


def trials_table(records: Sequence[TrialRecord]) -> pd.DataFrame:
    """One row a trial; what was chosen stands in columns called ``hp.NAME``, empty where a choice was not in use."""
    choices = dict.fromkeys(name for record in records for name in record.values)
    columns: dict[str, pd.Series] = {}
    for name in _COLUMNS:
        dtype = "Int64" if name in _WHOLE else "float64" if name in _NUMBERS else "object"
        columns[name] = pd.Series([getattr(record, name) for record in records], dtype=dtype)
    for name in choices:
        # As objects whole numbers stay whole beside empty places.
        columns[f"hp.{name}"] = pd.Series([record.values.get(name) for record in records], dtype="object")
    return pd.DataFrame(columns)


def write_trials_csv(search_folder: str | Path, records: Sequence[TrialRecord]) -> Path:
    """Writes `trials_table` into ``trials.csv`` of the search, whole or not at all.

    Raises:
        OSError: The folder cannot be written.
    """
    path = Path(search_folder, "trials.csv")
    write_text_atomic(path, trials_table(records).to_csv(index=False, lineterminator="\n"))
    return path


def latest_of_each_run(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The record of each run with the most budget that has ended, in the order of their trials."""
    latest: dict[str, TrialRecord] = {}
    for record in records:
        before = latest.get(record.run)
        if record.status != RUNNING and (before is None or _reach(record) > _reach(before)):
            latest[record.run] = record
    return sorted(latest.values(), key=lambda record: _order(record.trial))


def _reach(record: TrialRecord) -> tuple[float, tuple[int, str]]:
    return record.budget, _order(record.trial)


def ranking(records: Iterable[TrialRecord]) -> list[TrialRecord]:
    """The runs of a search from best to worst, each with the record of its latest budget.

    A run that diverged or failed with its latest budget is not among them: its network, trained to the end, would do so
    again. Of equal scores the one with less training comes first.
    """
    completed = [record for record in latest_of_each_run(records) if record.status == COMPLETED]
    return sorted(completed, key=lambda record: (-record.score, _training(record), _order(record.trial)))


def _training(record: TrialRecord) -> float:
    return record.seconds if record.train_seconds is None else record.train_seconds


def best_so_far(records: Iterable[TrialRecord]) -> list[tuple[float, float]]:
    """Each time in seconds at which the best score of the completed trials rose, with that score."""
    completed = [record for record in records if record.status == COMPLETED]
    steps: list[tuple[float, float]] = []
    for record in sorted(completed, key=lambda record: (record.search_seconds, _order(record.trial))):
        if not steps or record.score > steps[-1][1]:
            steps.append((record.search_seconds, record.score))
    return steps


def pareto_front(points: Sequence[tuple[float, float]]) -> list[int]:
    """Which of the points (cost, accuracy) have no other that is as cheap and as accurate, and better in one of both.

    Returns:
        Their places, from the cheapest to the most accurate; of equal points the first.
    """
    front: list[int] = []
    for place in sorted(range(len(points)), key=lambda place: (points[place][0], -points[place][1], place)):
        if not front or points[place][1] > points[front[-1]][1]:
            front.append(place)
    return front


def as_text(value: Any) -> str:
    """A choice as it is shown to people: ``yes``, ``no``, numbers with four digits, all else as it is."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
