"""The only door through which a saved network comes in: a run folder, or a SavedModel that `export` wrote.

A run is rebuilt from its settings and plain arrays: nothing in it is executed. A SavedModel is a program: loading and
calling one can read and write files with your rights. Load only what you made yourself or whose maker you trust.
"""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from kerasnets.errors import InputError, closest
from kerasnets.evaluation.predictor import BatchedPredictor, Predictor
from kerasnets.export.card import CARD, read_card
from kerasnets.models import build_model, output_kind
from kerasnets.runs.checkpoint import checkpoint_files, load_checkpoint
from kerasnets.runs.folder import check_model_path
from kerasnets.runs.run import Run
from kerasnets.training.config import load_config
from kerasnets.training.losses import evaluated_loss
from kerasnets.training.state import restore

WHICH = ("selected", "last", "best")


def load_predictor(path: str | Path, which: str = "selected") -> BatchedPredictor:
    """Loads a run or an exported network as a predictor.

    Args:
        path: Run folder, or folder that `export` wrote.
        which: Weights of a run: ``selected`` as the run's own result (the best epoch's where a validation split chose
            one, otherwise the last), ``last`` or ``best``. An exported network has only the selected ones.

    Returns:
        `Predictor` of a run, `BatchedPredictor` of an exported network.

    Raises:
        InputError: The path is neither, is damaged, or has no such weights.
    """
    path = Path(path)
    if which not in WHICH:
        raise InputError(f"which must name weights of a run. Received: '{which}'. {closest(which, WHICH)}")
    check_model_path(path)
    if (path / "saved_model.pb").is_file() or (path / CARD).is_file():
        return _load_exported(path, which)
    return _load_run(path, which)


def _load_run(path: Path, which: str) -> Predictor:
    run, config = Run(path), load_config(path / "config.yaml")
    data = _needed(run, "data", "class_names", "image_shape", "mean", "std")
    precision = _needed(run, "environment", "precision")["precision"]
    arrays, selection = _read_weights(run, which)
    model = build_model(
        config.arch, data["image_shape"], len(data["class_names"]), precision=precision, **config.arch_options
    )
    # Where a run keeps a moving average, that is what it evaluates; best weights are stored averaged already.
    group = "ema" if any(name.startswith("ema/") for name in arrays) else "model"
    restore(arrays, **{group: model.weights})
    return Predictor(
        model,
        class_names=data["class_names"],
        image_shape=data["image_shape"],
        mean=data["mean"],
        std=data["std"],
        name=str(path),
        selection=selection,
        loss=evaluated_loss(config.loss, output_kind(model)),
        resize=config.resize,
    )


def _needed(run: Run, part: str, *keys: str) -> dict[str, Any]:
    values = getattr(run, part)
    for key in keys:
        if not isinstance(values, dict) or key not in values:
            name = {"data": "data.json", "environment": "env.json"}[part]
            raise InputError(f"{run.path / name} must say {key}. Received: a file without it, so the run is damaged.")
    return values


def _read_weights(run: Run, which: str) -> tuple[dict[str, np.ndarray], str]:
    """Returns a checkpoint's arrays and how they were chosen. A damaged file is never replaced by another one."""
    folder = run.path / "checkpoints"
    newest = next(iter(checkpoint_files(folder)), None)
    if newest is None:
        raise InputError(f"A run with a checkpoint was expected. Received: {run.path}, which has none yet. Train on.")
    arrays, meta = load_checkpoint(newest)
    best = meta["state"]["best"]
    if which == "best" and not best:
        raise InputError(f"{run.path} has no best weights: it had no validation split. Use the last ones.")
    if best and which != "last":
        return load_checkpoint(folder / best["file"])[0], "best validation accuracy"
    if run.status == "finished":
        return arrays, "last epoch"
    return arrays, f"last checkpoint of a run that is {run.status}, {meta['state']['epoch']} epochs done"


def _load_exported(path: Path, which: str) -> BatchedPredictor:
    card = read_card(path)
    if which != "selected":
        raise InputError(f"An exported network has only its selected weights. Received: which='{which}' for {path}.")
    check_files(path, card["sha256"])
    archive = tf.saved_model.load(str(path))
    return exported_predictor(archive, card)


def exported_predictor(archive: Any, card: dict[str, Any]) -> BatchedPredictor:
    """Wraps what `tf.saved_model.load` returned. The predictor keeps it alive: its variables die with it."""
    return BatchedPredictor(
        lambda images: archive.serve(images)["log_probabilities"],
        class_names=card["class_names"],
        image_shape=card["image_shape"],
        name=card["name"],
        selection=card["selection"],
        loss=card["loss"],
        resize=card["config"].get("resize", "squash"),
    )


def check_files(path: Path, expected: dict[str, str]) -> None:
    """Compares the files of an exported network with their sha256.

    Raises:
        InputError: A file is missing or has changed.
    """
    for name, digest in expected.items():
        file = path / name
        if not file.is_file() or sha256(file) != digest:
            what = "has changed since" if file.is_file() else "is missing since"
            raise InputError(f"{path} is damaged. Received: {name}, which {what} the export. Export the run again.")


def sha256(file: Path) -> str:
    """Returns the sha256 of a file in hexadecimal digits."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
