"""`train_finally`: runs the final training of a search, the winner's and that of the networks beside it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerasnets.search.config import SearchConfig
from kerasnets.search.final import final_cells, rival_cells, test_result
from kerasnets.search.live_table import Display, Silent
from kerasnets.studies.cells import Cell
from kerasnets.studies.results import CellResult, read_cell
from kerasnets.studies.runner import run_study
from kerasnets.training.config import TrainConfig


@dataclass
class FinalOutcome:
    """What came of the final training.

    Attributes:
        final: Of the winner, see `test_result`; None while none of its runs is finished.
        reference: The same of each network that it is held against, with its ``name``.
        signals: Numbers of the signals that have stopped it.
    """

    final: dict[str, Any] | None = None
    reference: list[dict[str, Any]] = field(default_factory=list)
    signals: list[int] = field(default_factory=list)


def train_finally(
    config: SearchConfig,
    winner: TrainConfig,
    path: Path,
    seconds_left: float | None,
    needed: float,
    display: Display,
) -> FinalOutcome:
    """Trains the winner on all training images and tests it, and then those that it is held against.

    What another call has done already is not done again.

    Args:
        config: The search.
        winner: The winner's trial.
        path: Folder of the final runs.
        seconds_left: Time that is left for all of them; None if it does not matter.
        needed: Time that they are going to need, see `final_seconds`.
        display: Told what happens.
    """
    outcome = FinalOutcome()
    cells = final_cells(config, winner, path, seconds_left, needed, config.workers)
    winners = _run(config, path, cells, outcome, display)
    outcome.final = test_result(winners)
    if outcome.signals or outcome.final is None or not config.rivals:
        return outcome
    cells = rival_cells(config, winners)
    display.message(f"Beside it, each for {cells[0].config.max_time}: {', '.join(config.rivals)}")
    results = _run(config, path, cells, outcome, display)
    for name in config.rivals:
        result = test_result([rival for rival in results if rival.cell.setting == name])
        outcome.reference += [] if result is None else [{"name": name} | result]
    return outcome


def _run(
    config: SearchConfig, path: Path, cells: Sequence[Cell], outcome: FinalOutcome, display: Display
) -> list[CellResult]:
    from kerasnets.studies.live_table import LiveTable

    ran = run_study(
        path,
        path,
        cells,
        jobs=max(1, config.workers),
        nice=config.nice,
        display=None if isinstance(display, Silent) else LiveTable(),
    )
    if ran.exit_code > 128:
        outcome.signals.append(ran.exit_code - 128)
    return [read_cell(path, cell) for cell in cells]
