"""`write_study_report`: the report of a study as one file of HTML, as Markdown with drawings, and as a table."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from kerasnets.reporting.markdown import to_markdown
from kerasnets.reporting.page import (
    BAD,
    GOOD,
    MARKER,
    OPEN,
    Badge,
    Block,
    Code,
    Figure,
    Figures,
    Page,
    Section,
    Tally,
    Text,
    check_report_path,
    to_html,
    write_report_file,
)
from kerasnets.reporting.svg import standalone
from kerasnets.runs.files import write_text_atomic
from kerasnets.studies.report_costs import (
    DIFFERENT_HARDWARE,
    assumption_blocks,
    cost_blocks,
    environment_blocks,
    failure_blocks,
    hardware,
    reason,
    setting_table,
)
from kerasnets.studies.report_figures import accuracy_bars, class_figures, curve_figures
from kerasnets.studies.report_verdicts import claim_blocks, class_table, row_blocks, tallies
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Measure
from kerasnets.studies.study_results import StudyResults, study_results
from kerasnets.studies.verdicts import LOSSES

__all__ = ["StudyResults", "study_page", "study_results", "write_study_report"]

_CELL_MEASURES = ("test_accuracy", "train_accuracy", "test_loss", "train_loss", "train_seconds")
_CURVES_CAPTION = (
    "Lines are means over seeds, bands reach from the lowest to the highest seed, diamonds are published numbers. "
    "Numbers that are not finite are left out; a run that diverged ends early."
)


def write_study_report(results: StudyResults, folder: Path) -> list[Path]:
    """Writes ``report.html``, ``report.md``, ``cells.csv`` and ``figures/*.svg`` into a study's folder.

    ``report.html`` holds all it shows; ``report.md`` shows the files in ``figures``. An older report is replaced.

    Returns:
        The files written.

    Raises:
        InputError: Something that is no report has the name of one.
        OSError: The folder cannot be written.
    """
    folder = Path(folder)
    for name in ("report.html", "report.md"):
        check_report_path(folder / name)
    page = study_page(results)
    drawings = {f"{figure.name}.svg": standalone(figure.svg, MARKER) for figure in _figures(page)}
    written = [write_report_file(folder / "figures" / name, text) for name, text in drawings.items()]
    for old in (folder / "figures").glob("*.svg"):
        # Of a setting or quantity that the study no longer has; files of others stay.
        if old.name not in drawings and MARKER in old.read_text(encoding="utf-8", errors="replace")[:500]:
            old.unlink()
    written.append(write_report_file(folder / "report.html", to_html(page)))
    written.append(write_report_file(folder / "report.md", to_markdown(page, "figures")))
    cells = cell_table(results.cells, results.scale)
    write_text_atomic(folder / "cells.csv", cells.to_csv(index=False, lineterminator="\n"))
    return [*written, folder / "cells.csv"]


def study_page(results: StudyResults) -> Page:
    """All that is said of a study, from the verdicts to the software that it was run with."""
    bars, classes = accuracy_bars(results), class_table(results.row_verdicts)
    curves = curve_figures(results)
    sections = [
        Section("Claims", claim_blocks(results.claim_verdicts)),
        Section("Published numbers", row_blocks(results.row_verdicts)),
    ]
    if curves:
        sections.append(
            Section("Curves", [Text(_curves_caption(results), "muted"), Figures(curves, wide=_shared_out(curves))])
        )
    if classes:
        drawings = class_figures(results)
        sections.append(
            Section("Accuracy of each class", [classes, *([Figures(drawings, wide=True)] if drawings else [])])
        )
    if bars:
        sections.append(Section("Final test accuracy", [Figures([bars], wide=True)]))
    sections += [
        Section("Costs", cost_blocks(results)) if results.done else Section("Costs", [Text("No run is done.")]),
        Section("What failed or is missing", failure_blocks(results)),
        Section("What was run", [setting_table(results)]),
        Section("Assumptions", assumption_blocks(results)),
        Section("To repeat it", [Code(results.command), *environment_blocks(results.cells)]),
    ]
    return Page(f"Study {results.study.name}", results.study.question, _head(results), sections)


def _head(results: StudyResults) -> list[Block]:
    blocks: list[Block] = []
    if results.scale != 1:
        blocks.append(Text(f"SCALED to {results.scale:g} of the full cost", "shout"))
        blocks.append(
            Text(
                "Fewer epochs and images than published: every number and verdict here is of the scaled runs. No "
                "published number can be reproduced by them.",
                "warning",
            )
        )
    tones = {"finished": GOOD, "diverged": BAD, "failed": BAD}
    statuses = list(dict.fromkeys(cell.status for cell in results.cells))
    counts = [
        (sum(cell.status == status for cell in results.cells), Badge(status.upper(), tones.get(status, OPEN)))
        for status in sorted(statuses, key=lambda status: (status != "finished", status))
    ]
    blocks += [*tallies(results), Tally("Runs", counts)]
    places = hardware(results.done) if results.done else []
    if len(places) > 1:
        blocks.append(Text(f"{DIFFERENT_HARDWARE} It was: {'; '.join(places)}.", "warning"))
    return blocks


def _curves_caption(results: StudyResults) -> str:
    losses = sorted({cell.cell.config.loss for cell in results.cells})
    if len(losses) == 1:
        return _CURVES_CAPTION
    return f"{_CURVES_CAPTION} Losses are each setting's own ({', '.join(losses)}): only those of one kind compare."


def _shared_out(curves: list[Figure]) -> bool:
    """Whether each quantity has several drawings, which then stand side by side."""
    return any(figure.name.endswith("-2") for figure in curves)


def _figures(page: Page) -> list[Figure]:
    blocks = [block for section in page.sections for block in section.blocks]
    return [figure for block in blocks if isinstance(block, Figures) for figure in block.figures]


def cell_table(cells: Sequence[CellResult], scale: float = 1.0) -> pd.DataFrame:
    """One row a run: what it was, what came of it, and what it cost.

    Losses of runs that diverged are left out; their accuracies are those of guessing.

    Args:
        cells: What came of each run.
        scale: Share of the full cost with which they were run.
    """
    rows = []
    for cell in cells:
        summary = cell.summary if (cell.path / "summary.json").is_file() else {}
        row = {
            "setting": cell.cell.setting,
            "seed": cell.cell.seed,
            "key": cell.cell.key,
            "status": cell.status,
            "scale": scale,
            "epochs": summary.get("epochs"),
            "train_images": summary.get("train_images"),
        }
        row |= {
            quantity: cell.value(Measure(quantity=quantity), guess=quantity not in LOSSES)
            for quantity in _CELL_MEASURES
        }
        row |= {key: summary.get(key) for key in ("images_per_second", "peak_memory_bytes", "precision", "hardware")}
        rows.append(row | {"reason": "" if cell.status == "finished" else reason(cell)})
    table = pd.DataFrame(rows)
    whole = ["epochs", "train_images", "peak_memory_bytes"]
    return table.astype(dict.fromkeys(whole, "Int64"))
