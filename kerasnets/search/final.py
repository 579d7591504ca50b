"""The winner, trained again on all training images with seeds of its own, and what that gives on the test images.

Beside it, if asked for, networks that it is held against, trained for the same time.
"""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kerasnets.models.options import check_options
from kerasnets.recipes import recipe
from kerasnets.runs.files import write_json_atomic
from kerasnets.search.config import SearchConfig
from kerasnets.search.trial import TrialRecord
from kerasnets.studies.cells import Cell
from kerasnets.studies.results import CellResult
from kerasnets.training.config import TrainConfig, config_from_dict

# Starting a process, reading the data, compiling and evaluating, beside the training itself.
_SECONDS_BESIDE = 10.0
# What is the same for a network that the winner is held against: the images and the number format. Not the test-time
# augmentation: it belongs to a recipe, and an adaptive one asks a network that still guesses ten times for every image.
_ALIKE = ("data_dir", "cache_bytes", "image_size", "resize", "channels", "max_bad", "precision", "threads")
# Where the time is short, the search and the final training share it alike.
_MOST_OF_THE_TIME = 0.5


def final_config(config: SearchConfig, winner: TrainConfig) -> TrainConfig:
    """The winner's run on all training images: the same, but for validation and the limit of the trials."""
    return winner.replace(validation=0.0, limit_train=None, threads=0, seed=config.seed + 1)


def final_seconds(config: SearchConfig, best: TrialRecord | None, train_images: int, at_a_time: int) -> float:
    """Estimates what the final training takes, of all seeds and of the networks beside it, by the speed of the trial.

    Args:
        config: The search.
        best: The record of the winner so far; None if there is none yet.
        train_images: Training images without any limit.
        at_a_time: Runs side by side.
    """
    if best is None or not config.final_seeds:
        return 0.0
    rounds = _rounds(config, at_a_time)
    if config.unit == "seconds":
        return rounds * (best.budget + _SECONDS_BESIDE)
    if not best.images_per_second:
        return rounds * _SECONDS_BESIDE
    return rounds * (config.epochs * train_images / best.images_per_second + _SECONDS_BESIDE)


def _rounds(config: SearchConfig, at_a_time: int) -> int:
    """How many final runs come one after the other."""
    at_a_time = max(1, at_a_time)
    own, others = config.final_seeds, config.final_seeds * len(config.rivals)
    return math.ceil(own / at_a_time) + math.ceil(others / at_a_time)


def reserve(config: SearchConfig, max_seconds: float, needed: float) -> float:
    """How much of the time the final training is left: what it needs, but not more than half of all."""
    return min(needed, _MOST_OF_THE_TIME * max_seconds) if config.final_seeds else 0.0


def final_cells(
    config: SearchConfig, winner: TrainConfig, path: Path, seconds_left: float | None, needed: float, at_a_time: int
) -> list[Cell]:
    """The final runs, one for each seed, the same ones again in a later call.

    Args:
        config: The search.
        winner: The winner's trial.
        path: Folder of the final runs.
        seconds_left: Time that is left for all of them; None if it does not matter.
        needed: Time that they are going to need. If it is more, each gets its share, and its schedule is planned to
            end by then.
        at_a_time: Runs side by side.
    """
    base = final_config(config, winner)
    plan = _read_plan(path / "plan.json")
    if plan is not None and plan.replace(max_time=base.max_time) == base:
        base = plan
    elif config.unit == "epochs" and seconds_left is not None and needed > seconds_left:
        share = max(5.0, seconds_left / _rounds(config, at_a_time) - _SECONDS_BESIDE)
        base = base.replace(max_time=f"{share:.0f}s")
    path.mkdir(parents=True, exist_ok=True)
    write_json_atomic(path / "plan.json", base.to_dict())
    return [
        Cell(setting="winner", config=base.replace(seed=config.seed + 1 + number))
        for number in range(config.final_seeds)
    ]


def rival_config(config: SearchConfig, name: str, winner: TrainConfig, max_time: str) -> TrainConfig:
    """The run of a network that the winner is held against: its own recipe in the winner's time.

    Args:
        config: The search.
        name: Of the network.
        winner: The winner's final run, whose seed and images it shares.
        max_time: Its time.

    Raises:
        InputError: There is no such network.
    """
    alike = {field: getattr(winner, field) for field in _ALIKE}
    whole = recipe(config.dataset, name, **alike, seed=winner.seed, max_time=max_time)
    return whole.replace(arch_options=check_options(whole.arch, whole.arch_options))


def rival_cells(config: SearchConfig, winners: Sequence[CellResult]) -> list[Cell]:
    """The runs of the networks that the winner is held against, one for each seed of the winner's that is finished.

    Their time is that of the winner's plan; without one it is what its runs took in the mean, compiling and training.

    Args:
        config: The search.
        winners: The final runs of the winner.
    """
    finished = [result for result in winners if result.status == "finished"]
    spent = [result.summary["seconds"] for result in finished]
    mean = float(np.mean([seconds["compile"] + seconds["train"] for seconds in spent])) if spent else 0.0
    return [
        Cell(
            setting=name,
            config=rival_config(config, name, result.cell.config, result.cell.config.max_time or f"{mean:.1f}s"),
        )
        for result in finished
        for name in config.rivals
    ]


def _read_plan(file: Path) -> TrainConfig | None:
    try:
        return config_from_dict(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def test_result(results: Sequence[CellResult]) -> dict[str, Any] | None:
    """What the final runs give on the test images, each of which has seen them once; None while none is finished.

    The interval at 95 % counts that other seeds would give other networks (Student's t of the seeds' standard error)
    and that other test images would count otherwise (the binomial's normal approximation), added as independent errors;
    that of a single run is of its test images alone. ``accuracies_alone`` are those without test-time augmentation, by
    which networks are compared.
    """
    finished = [result for result in results if result.status == "finished" and result.summary.get("test")]
    if not finished:
        return None
    tests = [result.summary["test"] for result in finished]
    accuracies = [test["accuracy"] for test in tests]
    mean = float(np.mean(accuracies))
    if len(accuracies) == 1:
        interval, deviation = list(tests[0]["interval"]), None
    else:
        from scipy import stats

        deviation = float(np.std(accuracies, ddof=1))
        seeds = float(stats.t.ppf(0.975, len(accuracies) - 1)) * deviation / math.sqrt(len(accuracies))
        images = float(stats.norm.ppf(0.975)) * math.sqrt(mean * (1 - mean) / tests[0]["n"])
        half = math.hypot(seeds, images)
        interval = [max(0.0, mean - half), min(1.0, mean + half)]
    return {
        "seeds": [result.cell.seed for result in finished],
        "accuracies": accuracies,
        "accuracies_alone": [test["accuracy_without_tta"] for test in tests],
        "n": tests[0]["n"],
        "mean": mean,
        "standard_deviation": deviation,
        "interval": interval,
        "selection": tests[0]["selection"],
        "seconds": [result.summary["seconds"]["total"] for result in finished],
        "train_seconds": [result.summary["seconds"]["train"] for result in finished],
        "max_time": finished[0].cell.config.max_time,
        "runs": [str(result.path) for result in finished],
    }
