"""`write_search_report`: ``search.html``, all that a search has found on one page."""

import json
import math
import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from kerasnets.recipes import BEST_FILE, SEARCH
from kerasnets.reporting.page import (
    BAD,
    GOOD,
    OPEN,
    Badge,
    Block,
    Code,
    Figure,
    Figures,
    Fold,
    Page,
    Section,
    Tally,
    Text,
    to_html,
    write_report_file,
)
from kerasnets.search.importance import Importance, importance
from kerasnets.search.report_figures import choices_figure, cost_figures, importance_figure, time_figure
from kerasnets.search.report_tables import (
    best_blocks,
    fact_table,
    interval_in_words,
    lost_blocks,
    per_cent,
    rejected_blocks,
    result_table,
)
from kerasnets.search.results import ranking, read_records
from kerasnets.search.trial import COMPLETED, DIVERGED, FAILED, TrialRecord
from kerasnets.studies.report_costs import time_in_words

_TONES = {"finished": GOOD, COMPLETED: GOOD, DIVERGED: BAD, FAILED: BAD}
_UNCERTAIN = 0.2  # of what is explained, below which the shares are hardly more than chance


def write_search_report(search_folder: str | Path, tell: Callable[[str], None] | None = None) -> Path:
    """Writes ``search.html`` into the folder of a search, over an older one; it may be at any stage.

    What is read are the records of the trials, and ``summary.json``, ``search.yaml`` and ``best.yaml``, each of which
    may be missing.

    Args:
        search_folder: The folder.
        tell: Gets a line for each record that is damaged; without it, standard error does.

    Returns:
        The file.

    Raises:
        InputError: Something that is no report has its name.
        OSError: The folder cannot be written.
    """
    folder = Path(search_folder)
    records = read_records(folder) if tell is None else read_records(folder, tell)
    return write_report_file(folder / "search.html", to_html(search_page(folder, records)))


def search_page(folder: Path, records: Sequence[TrialRecord]) -> Page:
    """All that is said of a search, from the winner to the software that it was run with."""
    facts = _Facts(folder)
    found = importance(records)
    name = facts.text("search") or folder.absolute().name
    about = "Each run stands here once, with its latest budget."
    sections = [
        Section("Score over time", _figures(time_figure(records, facts.objective, facts.unit(records)), wide=True)),
        Section("What the best have in common", _choice_blocks(records, facts.objective, found)),
        Section("Accuracy and cost", _figures(*cost_figures(records), wide=True)),
        Section("The best trials", [Text(about, "muted"), *best_blocks(records, facts.objective)]),
        Section("What diverged or failed", lost_blocks(records)),
        Section("Rejected before training", rejected_blocks(facts.mapping("rejected"))),
        Section("Settings", _setting_blocks(facts)),
        Section("To repeat it", _repeat_blocks(folder, facts, records)),
    ]
    return Page(f"Search {name}", _verdict(records, facts), _head(records, facts), _not_empty(sections))


def _not_empty(sections: Sequence[Section]) -> list[Section]:
    return [section for section in sections if section.blocks]


class _Facts:
    """What ``summary.json`` says beside the trials; a part that is missing or of another kind is empty.

    Args:
        folder: Of the search.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            values = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            values = {}
        self.values: dict[str, Any] = values if isinstance(values, dict) else {}

    def text(self, key: str) -> str:
        value = self.values.get(key)
        return "" if value is None else str(value)

    def mapping(self, key: str) -> dict[str, Any]:
        value = self.values.get(key)
        return value if isinstance(value, dict) else {}

    @property
    def objective(self) -> str:
        return self.text("objective") or "val_accuracy"

    def unit(self, records: Sequence[TrialRecord]) -> str:
        return next((record.unit for record in records), "epochs")

    def final(self, winner: TrialRecord) -> dict[str, Any]:
        """Of the winner's runs on all training images; empty before there are any, or if they were of an older one."""
        tested = self.mapping("winner").get("run", winner.run)
        return _with_accuracies(self.mapping("final")) if tested == winner.run else {}

    @property
    def references(self) -> list[dict[str, Any]]:
        value = self.values.get("reference")
        found = [_with_accuracies(item) for item in value if isinstance(item, dict)] if isinstance(value, list) else []
        return [item for item in found if item]

    @property
    def settings(self) -> dict[str, Any]:
        """Of the search, from its own file."""
        try:
            values = yaml.safe_load((self.folder / "search.yaml").read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            values = None
        return values if isinstance(values, dict) else self.mapping("settings")


def _with_accuracies(values: dict[str, Any]) -> dict[str, Any]:
    """The values without what is no number; nothing if no accuracy is left."""
    given = values.get("accuracies")
    accuracies = [value for value in given if _is_number(value)] if isinstance(given, list) else []
    interval = values.get("interval")
    whole = isinstance(interval, list) and len(interval) == 2 and all(map(_is_number, interval))
    return values | {"accuracies": accuracies, "interval": interval if whole else None} if accuracies else {}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _verdict(records: Sequence[TrialRecord], facts: _Facts) -> str:
    """The sentence at the head of the page."""
    winner = next(iter(ranking(records)), None)
    if winner is None:
        return "No trial is completed yet." if not records else "No trial is completed: there is no winner."
    tried = len(ranking(records))
    name = f"Trial {winner.trial} is the best of {tried} network{'s' * (tried > 1)} tried"
    final = facts.final(winner)
    if not final:
        share = (
            "" if winner.val_accuracy is None else f", with {per_cent(winner.val_accuracy)} of the validation images"
        )
        return f"{name}{share}. It has not been tested yet."
    mean = sum(final["accuracies"]) / len(final["accuracies"])
    ends = interval_in_words(final["interval"])
    interval = f" (95 % interval {ends})" if ends else ""
    count = len(final["accuracies"])
    seeds = "one seed" if count == 1 else f"{count} seeds"
    right = f"{per_cent(mean)} of the test images right{interval}, {seeds}"
    return f"{name}. Trained again on all training images it gets {right}."


def _head(records: Sequence[TrialRecord], facts: _Facts) -> list[Block]:
    blocks: list[Block] = []
    if facts.text("status"):
        blocks.append(Tally("Search", [Badge(facts.text("status").upper(), _TONES.get(facts.text("status"), OPEN))]))
    counts = [
        (count, Badge(status.upper(), _TONES.get(status, OPEN)))
        for status in dict.fromkeys([COMPLETED, *sorted({record.status for record in records})])
        if (count := sum(record.status == status for record in records))
    ]
    blocks += [Tally("Trials", counts)] if counts else []
    ranked = ranking(records)
    if ranked:
        final = facts.final(ranked[0])
        blocks.append(result_table(ranked[0], final, facts.references))
        if final and facts.references:
            blocks.append(
                Text(
                    "Differences are on the images alone, without test-time augmentation, which belongs to a recipe.",
                    "muted",
                )
            )
        blocks.append(
            Text(
                "The validation score is optimistic: it is the highest of many, and was chosen by it. What a network "
                "does on images that had no part in the choice is the test accuracy.",
                "muted",
            )
        )
        if not final:
            blocks.append(
                Text("The winner has not been trained again and tested: no number here is its own.", "warning")
            )
    return blocks


def _figures(*figures: Figure | None, wide: bool = False) -> list[Block]:
    drawn = [figure for figure in figures if figure is not None]
    return [Figures(drawn, wide)] if drawn else []


def _choice_blocks(records: Sequence[TrialRecord], objective: str, found: Importance | None) -> list[Block]:
    blocks: list[Block] = []
    if found is not None:
        blocks.append(
            Text(
                f"A random forest predicts {max(0.0, found.explained):.0%} of the variance of scores that it has not "
                f"seen, from the choices of {found.n} runs.".replace("%", " %"),
                "muted",
            )
        )
        if found.explained < _UNCERTAIN:
            blocks.append(Text("That is little: the order of the choices is hardly more than chance.", "warning"))
    elif records:
        blocks.append(Text("Too few runs, or too alike, to say which choices matter.", "muted"))
    figures = [choices_figure(records, objective, found), importance_figure(found) if found else None]
    return [*blocks, *_figures(*figures, wide=True)]


def _setting_blocks(facts: _Facts) -> list[Block]:
    return [fact_table(facts.settings, "setting")] if facts.settings else []


def _repeat_blocks(folder: Path, facts: _Facts, records: Sequence[TrialRecord]) -> list[Block]:
    blocks: list[Block] = [Code(facts.text("command"))] if facts.text("command") else []
    if (folder / BEST_FILE).is_file():
        best, whole = shlex.quote(str(folder / BEST_FILE)), shlex.quote(f"{SEARCH}{folder}")
        blocks += [
            Text("To train the winner on all training images, and its network and settings on other data:"),
            Code(f"kerasnets-train --config {best}\nkerasnets-train DATASET --arch {whole}"),
            Fold(BEST_FILE, [Code((folder / BEST_FILE).read_text(encoding="utf-8", errors="replace"))]),
        ]
    ranked = ranking(records)
    if ranked:
        blocks += [
            Text("Each trial is a run of its own. Curves of the winner's:"),
            Code(f"kerasnets-report {shlex.quote(str(folder / ranked[0].run))}"),
        ]
    seconds = facts.values.get("seconds")
    own = {"time": time_in_words(seconds) if _is_number(seconds) else None, "hardware": facts.text("hardware") or None}
    known = own | facts.mapping("versions")
    return [*blocks, fact_table(known, "")] if any(known.values()) else blocks
