"""The tables of a search's page: results, the best trials, what failed, what was rejected, the settings."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kerasnets.evaluation.compare import difference_of_means
from kerasnets.reporting.page import BAD, GOOD, OFF, OPEN, Badge, Block, Column, Fold, Table, TableRow, Text, table
from kerasnets.search.report_figures import budget_in_words, is_share
from kerasnets.search.results import as_text, latest_of_each_run, ranking
from kerasnets.search.trial import COMPLETED, RUNNING, TrialRecord
from kerasnets.studies.report_costs import time_in_words

_FIRST = 10  # rows that are shown at once


def per_cent(share: float) -> str:
    """A share with two digits."""
    return f"{100 * share:.2f} %"


def interval_in_words(ends: Sequence[float] | None) -> str:
    """An interval of shares, as far as shares go; empty without one, or where it has no width since nothing varied."""
    if not ends or ends[0] == ends[1]:
        return ""
    return f"{100 * max(0.0, ends[0]):.2f} to {100 * min(1.0, ends[1]):.2f} %"


def result_table(winner: TrialRecord, final: Mapping[str, Any], references: Sequence[Mapping[str, Any]]) -> Table:
    """The winner's accuracy on validation and test images, with the networks that it is held against.

    Args:
        winner: The best run.
        final: Of the runs on all training images: ``accuracies``, and perhaps ``seeds``, ``n`` and ``interval``;
            empty before there are any.
        references: Others trained for the same time, each a ``name`` and ``accuracies``.
    """
    columns = [Column("network"), Column("accuracy", True), Column(""), Column("95 % interval", True)]
    columns += [Column("seeds", True), Column("training", True), Column("measured on")]
    columns += [Column("winner less this", True)]
    images = f"{final['n']:,} test images" if isinstance(final.get("n"), int) else "test images"
    share = "" if winner.val_accuracy is None else per_cent(winner.val_accuracy)
    rows = [TableRow(["winner", share, Badge("OPTIMISTIC", OFF), "", "1", "", "validation images", ""])]
    accuracies = final.get("accuracies") or []
    if accuracies:
        rows.append(_tested("winner, trained again", final, images, [Badge("TESTED", GOOD), ""]))
    for reference in references:
        if reference.get("accuracies"):
            words = _difference(alone(final), alone(reference)) if accuracies else ["", ""]
            rows.append(_tested(str(reference.get("name", "reference")), reference, images, words))
    return Table(columns, rows)


def alone(numbers: Mapping[str, Any]) -> Sequence[float]:
    """Accuracies without test-time augmentation, which is no part of a network, where both are known."""
    return numbers.get("accuracies_alone") or numbers["accuracies"]


def _tested(name: str, numbers: Mapping[str, Any], images: str, words: Sequence[str | Badge]) -> TableRow:
    accuracies, interval = numbers["accuracies"], interval_in_words(numbers.get("interval"))
    badge, difference = words
    seconds = numbers.get("train_seconds")
    training = _time(float(np.mean(seconds))) if seconds else ""
    accuracy = per_cent(float(np.mean(accuracies)))
    return TableRow([name, accuracy, badge, interval, str(len(accuracies)), training, images, difference])


def _difference(ours: Sequence[float], theirs: Sequence[float]) -> list[str | Badge]:
    difference, interval = difference_of_means(ours, theirs)
    text = f"{100 * difference:+.2f} points"
    if interval is None:
        return [Badge("ONE SEED" if min(len(ours), len(theirs)) < 2 else "NO SPREAD", OPEN), text]
    low, high = interval
    word = Badge("WINNER IS BETTER", GOOD) if low > 0 else Badge("WINNER IS WORSE", BAD) if high < 0 else None
    return [word or Badge("NO DIFFERENCE SEEN", OPEN), f"{text} ({100 * low:+.2f} to {100 * high:+.2f})"]


def best_blocks(records: Sequence[TrialRecord], objective: str) -> list[Block]:
    """The runs from best to worst with what they chose; those after the first ten are folded."""
    runs = ranking(records)
    if not runs:
        return [Text("No trial is completed.")]
    same, _ = _shared(runs)
    columns = [Column("place", True), Column("trial"), Column("run")]
    columns += [] if is_share(objective) else [Column("score", True)]
    columns += [Column("validation accuracy", True), Column("budget", True), Column("training", True)]
    columns += [Column("weights", True), Column("million FLOPs", True), Column("images/s", True)]
    rows = [_row(place, run, objective, same) for place, run in enumerate(runs, start=1)]
    blocks: list[Block] = [Table(columns, rows[:_FIRST])]
    if same:
        text = ", ".join(f"{name} {as_text(value)}" for name, value in same.items())
        blocks.append(Text(f"The same in all of them: {text}.", "muted"))
    if len(rows) > _FIRST:
        blocks.append(Fold(f"The other {len(rows) - _FIRST} runs", [Table(columns, rows[_FIRST:])]))
    return blocks


def _shared(runs: Sequence[TrialRecord]) -> tuple[dict[str, Any], list[str]]:
    """Choices that all runs have in common, with their values, and the names of the others."""
    names = list(dict.fromkeys(name for run in runs for name in run.values))
    first = runs[0].values
    same = [
        name for name in names if len(runs) > 1 and all(name in run.values for run in runs)
        and len({str(run.values[name]) for run in runs}) == 1
    ]  # fmt: skip
    return {name: first[name] for name in same}, [name for name in names if name not in same]


def _row(place: int, run: TrialRecord, objective: str, same: Mapping[str, Any]) -> TableRow:
    cells = [str(place), run.trial, run.run]
    cells += [] if is_share(objective) else [f"{run.score:.4f}"]
    cells += [
        "" if run.val_accuracy is None else per_cent(run.val_accuracy),
        budget_in_words(run.budget, run.unit),
        "" if run.train_seconds is None else _time(run.train_seconds),
        "" if run.weights is None else f"{run.weights:,}",
        "" if run.flops is None else f"{run.flops / 1e6:,.4g}",
        "" if run.images_per_second is None else f"{run.images_per_second:,.0f}",
    ]
    chosen = [f"{name} {as_text(value)}" for name, value in run.values.items() if name not in same]
    return TableRow(cells, ", ".join(chosen))


def _time(seconds: float) -> str:
    return time_in_words(seconds) if seconds >= 10 else f"{seconds:.2g} s"


def lost_blocks(records: Sequence[TrialRecord]) -> list[Block]:
    """The runs that diverged or failed, with the reason of each."""
    lost = [record for record in latest_of_each_run(records) if record.status not in (COMPLETED, RUNNING)]
    if not lost:
        return [Text("No trial diverged or failed.")]
    columns = [Column("what"), Column("trial"), Column("run"), Column("budget", True), Column("time", True)]
    rows = []
    for record in lost:
        chosen = ", ".join(f"{name} {as_text(value)}" for name, value in record.values.items())
        cells = [record.trial, record.run, budget_in_words(record.budget, record.unit), _time(record.seconds)]
        why = record.reason or "No reason was written down."
        rows.append(TableRow([Badge(record.status.upper(), BAD), *cells], f"{why} Its choices: {chosen}"))
    if len(rows) <= _FIRST:
        return [Table(columns, rows)]
    return [Table(columns, rows[:_FIRST]), Fold(f"The other {len(rows) - _FIRST}", [Table(columns, rows[_FIRST:])])]


def rejected_blocks(rejected: Mapping[str, Any]) -> list[Block]:
    """How many samples of the space were rejected before training, by reason."""
    if not rejected:
        return [Text("No sample was rejected.")]
    counts = sorted(rejected.items(), key=lambda item: (-_count(item[1]), item[0]))
    return [table({"samples": True, "reason": False}, [[f"{_count(count):,}", reason] for reason, count in counts])]


def _count(value: Any) -> int:
    return value if isinstance(value, int) else 0


def fact_table(facts: Mapping[str, Any], heading: str) -> Block:
    """Names with values; those that are None are left out."""
    rows = [[str(name), as_text(value)] for name, value in facts.items() if value is not None]
    return table({heading: False, "value": False}, rows)
