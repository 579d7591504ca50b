"""`RunFacts`: all that a run folder says for a report, read once."""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import confusion_matrix, per_class_table
from kerasnets.runs.run import Run


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """A run, read.

    Attributes:
        letter: What stands for it beside other runs: A, B, ...
        path: Its folder.
        config: Every setting.
        summary: Content of ``summary.json``.
        environment: Content of ``env.json``, empty without one.
        curve: One row an epoch, as in ``results.csv``, or none.
        class_names: Names in index order, empty where they are not known.
        labels: (n,) integers of the evaluated split; None if it was not evaluated.
        predictions: (n,) integers, likewise.
        diagnosis: Why it diverged, if it did.
    """

    letter: str
    path: Path
    config: dict[str, Any]
    summary: dict[str, Any]
    environment: dict[str, Any]
    curve: pd.DataFrame
    class_names: list[str]
    labels: np.ndarray | None
    predictions: np.ndarray | None
    diagnosis: dict[str, Any] | None

    @property
    def name(self) -> str:
        """The letter and the folder's own name."""
        return f"{self.letter}: {self.path.name}"

    @property
    def test(self) -> dict[str, Any]:
        """The test result, empty without one."""
        return self.summary.get("test") or {}

    @property
    def correct(self) -> np.ndarray | None:
        """(n,) bool: whether it is right."""
        return None if self.labels is None else self.predictions == self.labels

    @property
    def confusion(self) -> np.ndarray | None:
        """(classes, classes) counts, rows true."""
        if self.labels is None:
            return None
        return confusion_matrix(self.labels, self.predictions, len(self.class_names))

    @property
    def per_class(self) -> pd.DataFrame | None:
        """One row a class, see `per_class_table`."""
        if self.labels is None:
            return None
        return per_class_table(self.labels, self.predictions, self.class_names)

    def picture(self, name: str) -> bytes | None:
        """The bytes of a PNG file of the folder; None without it."""
        return (self.path / name).read_bytes() if (self.path / name).is_file() else None


def read_run(path: str | Path, place: int) -> RunFacts:
    """Reads a run folder, also one that is not at its end.

    Args:
        path: The folder.
        place: Which of several runs it is, from 0.

    Raises:
        InputError: It is no run folder, it has not come to the end of an epoch, or a file in it is damaged.
    """
    run = Run(path)
    has = {name: (run.path / name).is_file() for name in ("env.json", "data.json", "results.csv", "diagnosis.json")}
    class_names = run.data["class_names"] if has["data.json"] else []
    labels, predictions = _predictions(run.path / "predictions.npz")
    if labels is not None and not class_names:
        raise InputError(f"{run.path} must have data.json beside predictions.npz. Received: none.")
    return RunFacts(
        letter=chr(ord("A") + place) if place < 26 else str(place + 1),
        path=run.path,
        config=run.config,
        summary=run.summary,
        environment=run.environment if has["env.json"] else {},
        curve=run.results if has["results.csv"] else pd.DataFrame({"epoch": []}),
        class_names=class_names,
        labels=labels,
        predictions=predictions,
        diagnosis=_json(run.path / "diagnosis.json") if has["diagnosis.json"] else None,
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise InputError(f"{path} must be JSON. Received: {error}.") from None


def _predictions(path: Path) -> tuple[np.ndarray | None, np.ndarray | None]:
    if not path.is_file():
        return None, None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return arrays["labels"], arrays["log_probabilities"].argmax(axis=1)
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} must be the file that training wrote. Received: a damaged one ({reason}).") from None
