"""`write_run_report`: the page of one run, and of several runs side by side."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from kerasnets.errors import InputError
from kerasnets.evaluation.compare import holm, p_in_words
from kerasnets.reporting.captions import result_caption, run_caption
from kerasnets.reporting.page import (
    BAD,
    GOOD,
    OPEN,
    Badge,
    Block,
    Bullets,
    Figure,
    Figures,
    Fold,
    Page,
    Section,
    Tally,
    Text,
    check_report_path,
    table,
    to_html,
    write_report_file,
)
from kerasnets.reporting.paired import PairedTest, paired_test
from kerasnets.reporting.run_blocks import (
    class_comparison,
    confusion_blocks,
    cost_rows,
    mistake_blocks,
    per_class_blocks,
    setting_rows,
    software_rows,
)
from kerasnets.reporting.run_curves import curves_of_one, curves_of_several
from kerasnets.reporting.run_facts import RunFacts, read_run

_TONES = {"finished": GOOD, "diverged": BAD}
_MOST_PICTURES = 6  # runs side by side whose pictures are in the page; each is a few hundred kB


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two runs held against each other.

    Attributes:
        first: One.
        second: The other.
        test: What their predictions say; None where they cannot be compared.
        p_holm: The p-value, corrected over all pairs of the report; None without a test.
        why_not: Why there is no test.
    """

    first: RunFacts
    second: RunFacts
    test: PairedTest | None
    p_holm: float | None
    why_not: str = ""


@dataclass(frozen=True, kw_only=True)
class RunReport:
    """A report that was written: where, and the numbers in it."""

    path: Path
    runs: list[RunFacts]
    pairs: list[Pair]

    def to_json(self) -> dict[str, Any]:
        """The numbers as plain JSON values."""
        keys = ("accuracy", "correct", "n", "interval", "loss", "split", "selection", "epoch", "tta")
        return {
            "report": str(self.path),
            "runs": [
                {"letter": run.letter, "run": str(run.path), "status": run.summary["status"]}
                | {key: run.test.get(key) for key in keys}
                for run in self.runs
            ],
            "pairs": [
                {"first": pair.first.letter, "second": pair.second.letter, "why_not": pair.why_not or None}
                | ({} if pair.test is None else vars(pair.test) | {"p_holm": pair.p_holm})
                for pair in self.pairs
            ],
        }


def write_run_report(run_paths: Sequence[Path], output: Path) -> RunReport:
    """Writes the page of a run, or of several side by side, as one file of HTML.

    Args:
        run_paths: Run folders, at least one, each once; they need not be at their end.
        output: The file, which may be an older report.

    Raises:
        InputError: A folder is no run, or named twice, or damaged, or the output is something that is no report.
        OSError: The output cannot be written.
    """
    check_report_path(output)
    if not run_paths:
        raise InputError("At least one run folder must be given. Received: none.")
    wholes = [Path(path).resolve() for path in run_paths]
    double = [str(path) for path, whole in zip(run_paths, wholes, strict=True) if wholes.count(whole) > 1]
    if double:
        raise InputError(f"Each run must be named once. Received: {' and '.join(double)}, which are the same.")
    runs = [read_run(path, place) for place, path in enumerate(run_paths)]
    pairs = compare(runs)
    page = page_of_one(runs[0]) if len(runs) == 1 else page_of_several(runs, pairs)
    return RunReport(path=write_report_file(output, to_html(page)), runs=runs, pairs=pairs)


def compare(runs: Sequence[RunFacts]) -> list[Pair]:
    """Holds every two runs against each other that were tested on the same images."""
    pairs, tests = list(itertools.combinations(runs, 2)), []
    for first, second in pairs:
        why_not = _why_not(first, second)
        tests.append((None if why_not else paired_test(first.correct, second.correct), why_not))
    corrected = iter(holm([test.p for test, _ in tests if test])[0].tolist())
    return [
        Pair(first=first, second=second, test=test, p_holm=next(corrected) if test else None, why_not=why_not)
        for (first, second), (test, why_not) in zip(pairs, tests, strict=True)
    ]


def _why_not(first: RunFacts, second: RunFacts) -> str:
    for run in (first, second):
        if run.labels is None:
            return f"{run.letter} was not evaluated on a test split."
    if first.class_names != second.class_names:
        return "Their classes are not the same."
    if not np.array_equal(first.labels, second.labels):
        return "Their test images are not the same: the labels differ."
    return ""


def page_of_one(run: RunFacts) -> Page:
    """All about one run."""
    head: list[Block] = [Tally("Run", [_status(run)]), Text(str(run.path), "muted")]
    sections = [Section("Why it stopped", _diagnosis(run.diagnosis))] if run.diagnosis else []
    sections += [
        Section("Curves", _figures(curves_of_one(run), wide=True)),
        Section("Confusion matrix", confusion_blocks(run)),
        Section("Classes", per_class_blocks(run)),
        Section("Most confident mistakes", mistake_blocks(run)),
        Section("Settings", [table({"setting": False, "value": False}, setting_rows([run]))]),
        Section("Costs", [table({"": False, "value": True}, cost_rows([run]))]),
        Section("Software and hardware", [table({"": False, "value": False}, software_rows([run]))]),
    ]
    sections = [section for section in sections if section.blocks]
    return Page(run_caption(run.summary), f"{_capital(result_caption(run.summary))}.", head, sections)


def page_of_several(runs: Sequence[RunFacts], pairs: Sequence[Pair]) -> Page:
    """Runs side by side."""
    columns = {"": False} | dict.fromkeys([run.letter for run in runs], False)
    numbers = {"": False} | dict.fromkeys([run.letter for run in runs], True)
    differing = setting_rows(runs, differing=True)
    same = Text("All settings are the same.")
    sections = [
        Section("Results", [_result_table(runs), *_test_notes(runs)]),
        Section("Pairs", _pair_blocks(pairs)),
        Section("Settings that differ", [table(columns, differing) if differing else same]),
        Section("Curves", _figures(curves_of_several(runs))),
        Section("Classes", class_comparison(runs)),
        Section("Mistakes of each run", _mistakes_of_each(runs)),
        Section("Costs", [table(numbers, cost_rows(runs))]),
        Section("Software and hardware that differ", _software(runs, columns)),
    ]
    datasets = list(dict.fromkeys(str(run.summary["dataset"]) for run in runs))
    lead = f"On {' and '.join(datasets)}."
    return Page(f"{len(runs)} runs side by side", lead, [], [section for section in sections if section.blocks])


def _figures(figures: list[Figure], wide: bool = False) -> list[Block]:
    return [Figures(figures, wide)] if figures else []


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _status(run: RunFacts) -> Badge:
    status = str(run.summary["status"])
    return Badge(status.upper(), _TONES.get(status, OPEN))


def _diagnosis(diagnosis: dict[str, Any]) -> list[Block]:
    first = diagnosis["first"]
    where = f"In epoch {diagnosis['epoch']}, step {diagnosis['step_in_epoch']}, something was not finite any more: "
    place = f"first the {first['place']} {first.get('name') or ''}".rstrip() + "."
    remedies = [f"Try {remedy}." for remedy in diagnosis["try"]]
    return [Text(where + place), Text(diagnosis["cause"], "warning"), Bullets(remedies)]


def _result_table(runs: Sequence[RunFacts]) -> Block:
    columns = {"": False, "run": False, "status": False, "test accuracy": True, "95 % interval": True, "n": True}
    columns |= {"test loss": True, "network of": False}
    rows = []
    for run in runs:
        test, row = run.test, [run.letter, str(run.path), _status(run)]
        if not test:
            rows.append([*row, "", "", "", "", "not evaluated"])
            continue
        low, high = test["interval"]
        views = f", averaged over {test['tta']}" if test.get("tta", "none") != "none" else ""
        epoch = f" ({test['epoch']})" if test.get("epoch") else ""
        rows.append(
            [
                *row,
                f"{test['accuracy']:.2%}".replace("%", " %"),
                f"{100 * low:.2f} to {100 * high:.2f} %",
                f"{test['n']:,}",
                "" if test["loss"] is None else f"{test['loss']:.4f}",
                f"{test['selection']}{epoch}{views}",
            ]
        )
    return table(columns, rows)


def _test_notes(runs: Sequence[RunFacts]) -> list[Block]:
    blocks: list[Block] = [Text("Intervals are Wilson's, over test images: other seeds vary more than that.", "muted")]
    for key, what in (("selection", "The networks were not chosen by one rule"), ("tta", "Test-time augmentation")):
        values = list(dict.fromkeys(str(run.test[key]) for run in runs if run.test.get(key)))
        if len(values) > 1:
            blocks.append(Text(f"{what}: {', '.join(values)}. The numbers do not compare like with like.", "warning"))
    return blocks


def _pair_blocks(pairs: Sequence[Pair]) -> list[Block]:
    tested, others = [pair for pair in pairs if pair.test], [pair for pair in pairs if not pair.test]
    blocks: list[Block] = []
    if tested:
        columns = {"pair": False, "images": True, "first alone right": True, "second alone right": True}
        columns |= {"difference": True, "95 % interval": True, "p": True, "p, Holm": True, "": False}
        blocks.append(table(columns, [_pair_row(pair) for pair in tested]))
        blocks.append(
            Text(
                "McNemar's exact test on the same test images, with Holm's correction over the pairs. It speaks of "
                "these networks and not of other seeds of the same settings.",
                "muted",
            )
        )
    reasons = [f"{pair.first.letter} and {pair.second.letter} are not compared. {pair.why_not}" for pair in others]
    return [*blocks, *([Bullets(reasons)] if reasons else [])]


def _pair_row(pair: Pair) -> list[str | Badge]:
    test, low, high = pair.test, *(100 * end for end in pair.test.interval)
    better = pair.first if test.difference > 0 else pair.second
    seen = pair.p_holm <= 0.05
    return [
        f"{pair.first.letter} and {pair.second.letter}",
        f"{test.n:,}",
        f"{test.only_first:,}",
        f"{test.only_second:,}",
        f"{100 * test.difference:+.2f} points",
        f"{low:+.2f} to {high:+.2f}",
        p_in_words(test.p),
        p_in_words(pair.p_holm),
        Badge(f"{better.letter} IS BETTER" if seen else "NO DIFFERENCE SEEN", GOOD if seen else OPEN),
    ]


def _mistakes_of_each(runs: Sequence[RunFacts]) -> list[Block]:
    if len(runs) > _MOST_PICTURES:
        return [Text(f"Left out with more than {_MOST_PICTURES} runs. The report of each run has them.", "muted")]
    return [Fold(run.name, [*confusion_blocks(run), *mistake_blocks(run)]) for run in runs if run.labels is not None]


def _software(runs: Sequence[RunFacts], columns: dict[str, bool]) -> list[Block]:
    rows = [row for row in software_rows(runs) if len(set(row[1:])) > 1]
    return [table(columns, rows)] if rows else [Text("All the same.")]
