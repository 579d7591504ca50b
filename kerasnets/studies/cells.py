"""Cells: the runs of a study, one for each setting and seed, each known by the hash of its whole configuration."""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kerasnets.errors import InputError, closest
from kerasnets.studies.study import Study
from kerasnets.training.config import TrainConfig, config_hash
from pipelines.catalog import CATALOG

# Of a data set of image files a part may be there, of these all or nothing.
_IN_ONE_PIECE = ("cifar10", "cifar100", "digits", "fashion_mnist", "mnist")


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One run of a study.

    Attributes:
        setting: Name of its setting.
        config: Everything that decides what it computes.
    """

    setting: str
    config: TrainConfig

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self.config.seed

    @property
    def key(self) -> str:
        """16 hexadecimal digits that name what it computes, and its folder."""
        return cell_key(self.config)

    def __str__(self) -> str:
        return f"{self.setting}, seed {self.seed}"


def cell_key(config: TrainConfig) -> str:
    """Returns 16 hexadecimal digits of the sha256 of the configuration.

    All of it counts but for where the data is, where results go and how many threads are used: two cells with the same
    key compute the same, so studies share them. A release that adds a setting to `TrainConfig` gives every cell another
    key: what was run before it is not taken for what would be run now.
    """
    return config_hash(config, digits=16)


def make_cells(
    study: Study, *, seeds: int | None = None, scale: float = 1.0, only: Sequence[str] = (), data_dir: str | None = None
) -> list[Cell]:
    """Returns the cells of a study in the order in which they are run: all settings once, then the next seed.

    Args:
        study: What to run.
        seeds: How many seeds, 0 and up; without it as many as the study says.
        scale: Share of the full cost, see `scaled`.
        only: Names of settings, or beginnings of cell keys; all if empty.
        data_dir: Folder that holds the data set.

    Raises:
        InputError: A number is out of range, or a name in ``only`` is none.
    """
    seeds = study.seeds if seeds is None else seeds
    if type(seeds) is not int or not 1 <= seeds <= 10_000:
        raise InputError(f"seeds must be a whole number from 1 to 10000. Received: {seeds!r}.")
    place = {} if data_dir is None else {"data_dir": data_dir}
    cells = [
        Cell(
            setting=setting.name,
            config=dataclasses.replace(scaled(study.config(setting, seed=seed), scale, study.train_images), **place),
        )
        for seed in range(seeds)
        for setting in study.settings
    ]
    _check_different(study, cells)
    chosen = {cell.key for name in only for cell in _named(name, cells)}
    return [cell for cell in cells if not only or cell.key in chosen]


def scaled(config: TrainConfig, scale: float, train_images: int | None) -> TrainConfig:
    """Returns a configuration that costs about a share of the full one.

    Epochs and training images shrink alike, each by the square root of the share; where the number of images is not
    known, the epochs alone shrink. It is known of the standard sets that come in one piece. The rules of rounding: at
    least one epoch, at least 100 images.

    Args:
        config: The full run.
        scale: The share.
        train_images: Training images of the data set, if the study says how many.

    Raises:
        InputError: The share is not above 0 and at most 1.
    """
    if not isinstance(scale, int | float) or not 0 < scale <= 1:
        raise InputError(f"scale must be above 0 and at most 1. Received: {scale!r}. 0.1 costs a tenth.")
    if scale == 1:
        return config
    if train_images is None and config.dataset in _IN_ONE_PIECE:
        train_images = CATALOG[config.dataset].num_images["train"]
    known = [count for count in (config.limit_train, train_images) if count is not None]
    images = min(known, default=0)
    factor = math.sqrt(scale) if images else scale
    epochs = max(1, round(config.epochs * factor))
    changes = {"epochs": epochs, "test_curve": min(config.test_curve, epochs)}
    if images:
        changes["limit_train"] = min(images, max(100, round(images * factor)))
    return dataclasses.replace(config, **changes)


def cell_path(output: str | Path, cell: Cell) -> Path:
    """The folder of a cell, below the folder of all studies."""
    return Path(output) / "cells" / cell.key


def _named(name: str, cells: list[Cell]) -> list[Cell]:
    found = [
        cell for cell in cells if name in (cell.setting, str(cell)) or (len(name) >= 4 and cell.key.startswith(name))
    ]
    if not found:
        names = list(dict.fromkeys(cell.setting for cell in cells))
        raise InputError(
            f"--only must name a setting or the beginning of a cell's key. Received: {name!r}. {closest(name, names)}"
        )
    return found


def _check_different(study: Study, cells: list[Cell]) -> None:
    """Two settings that compute the same would be one run counted twice."""
    settings: dict[str, str] = {}
    for cell in cells:
        other = settings.setdefault(cell.key, cell.setting)
        if other != cell.setting:
            raise InputError(
                f"Settings of study {study.name!r} must differ in what they compute. Received: {other!r} and "
                f"{cell.setting!r}, which are the same run{' at this scale' if cell.config.limit_train else ''}."
            )
