"""The end of a run: the test split once, tables, figures and ``summary.json``."""

import io
import time
from pathlib import Path
from typing import Any

import numpy as np

from kerasnets.evaluation.evaluate import Evaluation, evaluate
from kerasnets.evaluation.predictor import Predictor
from kerasnets.reporting import write_figures
from kerasnets.runs.checkpoint import load_checkpoint
from kerasnets.runs.files import write_bytes_atomic, write_json_atomic, write_text_atomic
from kerasnets.training.environment import peak_memory_bytes, processor_name
from kerasnets.training.loop_state import LoopState, Parts
from kerasnets.training.state import capture, restore
from pipelines.source import ImageSource


def select_weights(parts: Parts, state: LoopState) -> tuple[str, int]:
    """Puts the weights that are to be evaluated into the model.

    With a validation split these are the best epoch's, otherwise the last epoch's; in both cases the moving average
    when the run has one.

    Returns:
        The selection rule in words, and the epoch (counted from 1).
    """
    if state.best:
        arrays, _ = load_checkpoint(parts.folder.checkpoints / state.best["file"])
        restore(arrays, model=parts.model.weights)
        return "best validation accuracy", state.best["epoch"]
    if parts.averages:
        restore(capture(model=parts.averages), model=parts.model.weights)
    return "last epoch", state.epoch


def finish(parts: Parts, state: LoopState, source: ImageSource, predictor: Predictor, loss: str) -> dict[str, Any]:
    """Evaluates the test split, the only time that a run without a test curve does, and writes the results.

    Returns:
        The content of ``summary.json``.
    """
    start = time.perf_counter()
    selection, epoch = select_weights(parts, state)
    test = None
    if "test" in source.splits:
        evaluation = evaluate(predictor, source, "test", tta=parts.config.tta, loss=loss, selection=selection)
        test = _test_result(evaluation, selection, epoch)
        _write_evaluation(parts.folder.path, evaluation)
    state.seconds["evaluation"] += time.perf_counter() - start
    pause = describe_place(parts, state) if parts.until else None
    # Figures are drawn from the files of the folder, this one among them; the time they took is added after.
    summarise(parts, state, "running", selection=selection, test=test)
    start = time.perf_counter()
    write_figures(parts.folder.path, images=source.splits["test"].images if test else None)
    state.seconds["report"] += time.perf_counter() - start
    return summarise(parts, state, "finished", selection=selection, test=test, pause=pause)


def describe_place(parts: Parts, state: LoopState) -> dict[str, Any]:
    """How far a run has come, and how good it is there.

    Inside an epoch the validation split is evaluated for it, in time that is not the run's. The checkpoint must be
    written by then.

    Returns:
        ``epochs`` and ``seconds`` of the run so far, ``train_loss`` of the epoch, and ``val_loss`` and ``val_accuracy``
        with the weights as they are, which need not be the best; None without a validation split.
    """
    sums, row = state.sums, state.rows[-1] if state.rows else {}
    if state.step:
        loss, accuracy = parts.evaluate("val") if parts.validated else (None, None)
        row = {"train_loss": sums["loss"] / max(1.0, sums["count"]), "val_loss": loss, "val_accuracy": accuracy}
    # An epoch may have been ended before its last step, by max_time.
    begun = state.epoch if state.step else state.epoch - 1
    values = {key: row.get(key) for key in ("val_loss", "val_accuracy", "train_loss")}
    place = {"epochs": begun + sums["steps"] / parts.steps_per_epoch, "seconds": sum(state.seconds.values())}
    return place | values


def summarise(
    parts: Parts,
    state: LoopState,
    status: str,
    *,
    selection: str | None = None,
    test: dict[str, Any] | None = None,
    pause: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes ``summary.json`` and returns its content."""
    config, rows = parts.config, state.rows
    curve = [row["test_accuracy"] for row in rows if "test_accuracy" in row]
    summary = {
        "run": str(parts.folder.path),
        "status": status,
        "stopped": state.stopped,
        "dataset": config.dataset,
        "arch": config.arch,
        "seed": config.seed,
        "epochs": len(rows),
        "selection": selection,
        "test": test,
        "test_curve": _curve(curve) if curve else None,
        "last": rows[-1] if rows else None,
        "best": next((row for row in rows if state.best and row["epoch"] == state.best["epoch"]), None),
        "seconds": {"total": sum(state.seconds.values())} | state.seconds,
        "images_per_second": state.timed_images / state.seconds["train"] if state.seconds["train"] else None,
        "peak_memory_bytes": peak_memory_bytes(),
        "hardware": processor_name(),
        "limit_train": config.limit_train,
        "bad_files": parts.meta["data"]["bad_files"],
        "checkpoints": {"last": _last_checkpoint(parts), "best": state.best["file"] if state.best else None},
    } | parts.meta["sizes"]
    if pause:
        summary["pause"] = pause
    write_json_atomic(parts.folder.path / "summary.json", summary)
    return summary


def _curve(accuracies: list[float]) -> dict[str, Any]:
    return {
        "epochs": len(accuracies),
        "mean_accuracy": float(np.mean(accuracies)),
        "split": "test",
        "selection": f"mean of the last {len(accuracies)} epochs",
    }


def _last_checkpoint(parts: Parts) -> str | None:
    names = sorted(path.name for path in parts.folder.checkpoints.glob("step-*.ckpt"))
    return names[-1] if names else None


def _test_result(evaluation: Evaluation, selection: str, epoch: int) -> dict[str, Any]:
    return {
        "accuracy": evaluation.accuracy,
        "loss": evaluation.loss,
        "correct": evaluation.correct,
        "n": evaluation.n,
        "interval": list(evaluation.interval),
        "split": "test",
        "selection": selection,
        "epoch": epoch,
        "tta": evaluation.tta,
        "accuracy_without_tta": evaluation.accuracy_without_tta,
    }


def _write_evaluation(path: Path, evaluation: Evaluation) -> None:
    import pandas as pd

    write_text_atomic(path / "per_class.csv", evaluation.per_class.to_csv(index=False, lineterminator="\n"))
    names = list(evaluation.class_names)
    table = pd.DataFrame(evaluation.confusion, index=pd.Index(names, name="true"), columns=names)
    write_text_atomic(path / "confusion_matrix.csv", table.to_csv(lineterminator="\n"))
    buffer = io.BytesIO()
    np.savez(buffer, labels=evaluation.labels, log_probabilities=evaluation.log_probabilities)
    write_bytes_atomic(path / "predictions.npz", buffer.getvalue())
