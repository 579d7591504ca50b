"""Where a study keeps its ledger and report, and what is there of its runs."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from kerasnets.studies.cells import Cell, cell_path, make_cells
from kerasnets.studies.ledger import Ledger
from kerasnets.studies.results import CellResult, read_cell
from kerasnets.studies.study import Study


def study_folder(output: str | Path, study: Study, scale: float = 1.0) -> Path:
    """The folder of a study's ledger and report.

    Scaled runs have one of their own, so that nothing of them is ever seen beside the full study's numbers.
    """
    return Path(output) / (study.name if scale == 1 else f"{study.name}-scale-{scale:g}")


def read_cells(output: str | Path, study: Study, cells: Sequence[Cell], scale: float = 1.0) -> list[CellResult]:
    """What has come of each cell, with the reason of those that were given up."""
    given_up = Ledger(study_folder(output, study, scale) / "ledger.jsonl").given_up()
    return [read_cell(output, cell, failed=given_up.get(cell.key, "")) for cell in cells]


def seeds_to_report(output: str | Path, study: Study, scale: float = 1.0, seeds: int | None = None) -> int:
    """How many seeds a report is about: as many as were asked for, and more if more have been run."""
    seeds = study.seeds if seeds is None else seeds
    while True:
        more = [cell for cell in make_cells(study, seeds=seeds + 1, scale=scale) if cell.seed == seeds]
        if not any((cell_path(output, cell) / "summary.json").is_file() for cell in more):
            return seeds
        seeds += 1


def repeat_command(
    name: str, study: Study, *, output: str | Path, scale: float, seeds: int, precision: str = "float32"
) -> str:
    """The command that runs a study again: ``kerasnets-study run lenet-bn --data-dir DIR --seeds 5``."""
    words = ["kerasnets-study", "run", name, "--data-dir", "DIR"]
    words += ["--scale", f"{scale:g}"] if scale != 1 else []
    words += ["--precision", precision] if precision != "float32" else []
    words += ["--seeds", str(seeds)] if seeds != study.seeds else []
    words += ["--output", str(output)] if str(output) != "studies" else []
    return shlex.join(words)
