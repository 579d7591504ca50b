"""`CellResult`: what a cell's own folder says of it, and of no other."""

import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import example_losses
from kerasnets.runs.run import Run
from kerasnets.studies.cells import Cell, cell_key, cell_path
from kerasnets.studies.study import Measure
from kerasnets.training.config import TrainConfig, config_from_dict

DONE = ("finished", "diverged")
# What a packed cell has in place of the predictions, which are thirty times as large.
ANSWERS_FILE = "answers.npz"


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What a network said of each test image; one entry an image.

    Attributes:
        labels: (n,) integers, the true classes.
        predicted: (n,) integers, the most probable classes.
        losses: (n,) float32, the loss that the test split was evaluated with, without penalties.
    """

    labels: np.ndarray
    predicted: np.ndarray
    losses: np.ndarray

    @property
    def correct(self) -> np.ndarray:
        """Whether each is right, (n,) bool."""
        return self.predicted == self.labels


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """A cell and what has come of it.

    Attributes:
        cell: The cell.
        path: Its folder, which need not exist.
        status: ``missing``, ``running`` (or killed on the way), ``interrupted``, ``finished``, ``diverged`` or
            ``failed``.
        reason: Why it failed.
    """

    cell: Cell
    path: Path
    status: str
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is left to run; a run that diverged is a result too."""
        return self.status in DONE

    @cached_property
    def summary(self) -> dict[str, Any]:
        """Content of ``summary.json``."""
        return Run(self.path).summary

    @cached_property
    def data(self) -> dict[str, Any]:
        """Content of ``data.json``."""
        return Run(self.path).data

    @cached_property
    def curve(self) -> pd.DataFrame:
        """One row an epoch, as in ``results.csv``; none for a run that diverged in its first."""
        return Run(self.path).results if (self.path / "results.csv").is_file() else pd.DataFrame({"epoch": []})

    @cached_property
    def predictions(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Labels (n,) and log-probabilities (n, classes) of the test split; None without them, as in packed runs."""
        file = self.path / "predictions.npz"
        if not file.is_file():
            return None
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["labels"], arrays["log_probabilities"]

    @cached_property
    def answers(self) -> Answers | None:
        """What the last epoch's network said of the test images; None for a run that diverged."""
        if self.predictions is None:
            return read_answers(self.path / ANSWERS_FILE)
        labels, log_probabilities = self.predictions
        losses = example_losses(log_probabilities, labels, _evaluated_loss(self.cell.config)).astype(np.float32)
        return Answers(labels=labels, predicted=log_probabilities.argmax(axis=1), losses=losses)

    def value(self, measure: Measure, *, guess: bool = True) -> float | None:
        """The number that this cell has for a measure; None if it has none.

        Args:
            measure: Which number.
            guess: Whether a run that diverged counts after its end as a network that guesses, with accuracy 1/classes
                and the loss of equal probabilities; otherwise it has no number there.
        """
        if not self.done:
            return None
        if self.status == "diverged" and measure.epoch is None:
            return self._guess(measure.quantity) if guess else None
        if measure.quantity == "train_seconds":
            return float(self.summary["seconds"]["train"])
        if measure.quantity == "class_accuracy":
            return self._class_accuracy(measure.class_name)
        if measure.quantity == "late_dip":
            accuracies = self._column("test_accuracy")
            there = len(accuracies) > 0 and np.isfinite(accuracies).all()
            return float(accuracies.max() - accuracies[-1]) if there else None
        if measure.quantity == "gap":
            train, test = (self._at(name, measure.epoch) for name in ("train_accuracy", "test_accuracy"))
            return None if train is None or test is None else train - test
        if measure.quantity == "test_objective":
            loss, penalty = (self._at(name, measure.epoch) for name in ("test_loss", "penalty"))
            return None if loss is None or penalty is None else loss + penalty
        return self._at(measure.quantity, measure.epoch)

    def _at(self, column: str, epoch: int | None) -> float | None:
        values = self._column(column)
        place = len(values) - 1 if epoch is None else epoch - 1
        good = 0 <= place < len(values) and math.isfinite(values[place])
        return float(values[place]) if good else None

    def _column(self, name: str) -> np.ndarray:
        return self.curve[name].to_numpy(np.float64) if name in self.curve else np.empty(0)

    def _guess(self, quantity: str) -> float | None:
        if not quantity.startswith("train_") and "test" not in self.data["class_counts"]:
            return None  # nobody was asked
        classes = len(self.data["class_names"])
        squares = (classes - 1) / classes**2  # mean over classes of (1/classes - target) ** 2
        loss = squares if self.cell.config.loss == "mse" else math.log(classes)
        guesses = {"accuracy": 1 / classes, "loss": loss, "gap": 0.0}
        return guesses.get(quantity.removeprefix("test_").removeprefix("train_").removeprefix("class_"))

    def _class_accuracy(self, name: str) -> float | None:
        if self.answers is None or name not in self.data["class_names"]:
            return None
        of_class = self.answers.labels == self.data["class_names"].index(name)
        return float(self.answers.correct[of_class].mean())


def _evaluated_loss(config: TrainConfig) -> str:
    """The loss that the test split was evaluated with, see `training.losses.evaluated_loss`."""
    name = "cross_entropy" if config.loss == "cross_entropy_unstable" else config.loss
    squashed = name == "cross_entropy" and config.arch_options.get("output") == "probabilities"
    return "cross_entropy_on_probabilities" if squashed else name


def read_answers(file: Path) -> Answers | None:
    """Reads what a packed cell has in place of the predictions; None if there is no such file.

    Raises:
        ValueError: It holds other arrays, or objects, which are not loaded.
    """
    if not file.is_file():
        return None
    with np.load(file, allow_pickle=False) as arrays:
        held = {name: arrays[name] for name in arrays.files}
    if set(held) != set(Answers.__dataclass_fields__) or len({array.shape for array in held.values()}) != 1:
        raise ValueError(f"{file.name} must hold {', '.join(Answers.__dataclass_fields__)} of one length")
    return Answers(**held)


def read_cell(output: str | Path, cell: Cell, *, failed: str = "") -> CellResult:
    """Reads what a cell's folder says.

    Args:
        output: Folder of all studies.
        cell: The cell.
        failed: Why it was given up, if it was.

    Returns:
        What has come of it; ``failed`` too if the folder holds another configuration than its name says, of which
        nothing is used.
    """
    path = cell_path(output, cell)
    if not (path / "config.yaml").is_file():
        return CellResult(cell=cell, path=path, status="failed" if failed else "missing", reason=failed)
    run = Run(path)
    try:
        same = cell_key(config_from_dict(run.config)) == cell.key
    except InputError as error:
        return CellResult(cell=cell, path=path, status="failed", reason=str(error))
    if not same:
        reason = f"{path} holds another config.yaml than it is named by. Move the folder away and run the study again."
        return CellResult(cell=cell, path=path, status="failed", reason=reason)
    status = run.status if (path / "summary.json").is_file() else "running"
    if failed and status not in DONE:
        return CellResult(cell=cell, path=path, status="failed", reason=failed)
    return CellResult(cell=cell, path=path, status=status)
