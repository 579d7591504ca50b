"""Run folders written by hand, for tests that read them: no network is trained."""

import json

import numpy as np
import pytest
from PIL import Image

CLASSES = ("cat", "dog", "<script>alert(1)</script>")
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], np.int32)
RIGHT_BUT_FOUR = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 0], np.int32)
CONFIG = "dataset: digits\narch: lazynet\narch_options:\n  width: 64\nseed: 3\nepochs: 3\nlearning_rate: 0.1\n"


def write_run_folder(
    path, *, config=CONFIG, epochs=3, status="finished", classes=CLASSES, labels=LABELS, predicted=RIGHT_BUT_FOUR,
    final=0.5, seconds=60.0, hardware="a processor, 2 cores", pictures=True,
):  # fmt: skip
    """Writes the files that training leaves in a run folder.

    The last test accuracy is that of ``predicted``; train loss falls from 2 by halves; test loss is 1.5 throughout.
    """
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config)
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    data = {"class_names": list(classes), "class_counts": {"train": [9] * len(classes), "test": counts}}
    (path / "data.json").write_text(json.dumps(data))
    n, correct = len(labels), int((labels == predicted).sum())
    lines = [
        "epoch,learning_rate,gradient_norm,train_loss,train_accuracy,penalty,val_loss,val_accuracy,test_loss,test_accuracy"
    ]
    for epoch in range(1, epochs + 1):
        accuracy = correct / n if epoch == epochs and status == "finished" else final * epoch / epochs
        lines.append(f"{epoch},0.1,1.5,{2 * 0.5**epoch},{0.9 * epoch / epochs},0.0,,,1.5,{accuracy}")
    (path / "results.csv").write_text("\n".join(lines) + "\n")
    test = {
        "accuracy": correct / n, "loss": 1.5, "correct": correct, "n": n, "interval": [0.3906, 0.8619], "split": "test",
        "selection": "last epoch", "epoch": epochs, "tta": "none", "accuracy_without_tta": correct / n,
    }  # fmt: skip
    summary = {
        "status": status, "dataset": "digits", "arch": "lazynet", "seed": 3, "epochs": epochs, "train_images": 500,
        "test": test if status == "finished" else None, "seconds": {"total": seconds + 5, "train": seconds},
        "images_per_second": 1234.5, "peak_memory_bytes": 2**30, "hardware": hardware, "precision": "float32",
        "weights": 650, "flops_per_image": 1_280_000, "limit_train": None,
    }  # fmt: skip
    (path / "summary.json").write_text(json.dumps(summary))
    environment = {
        "packages": {"keras": "3.15.1"},
        "python": "3.11.7",
        "processor": hardware,
        "command": "train digits",
    }
    (path / "env.json").write_text(json.dumps(environment))
    if status == "finished":
        shares = np.eye(len(classes), dtype=np.float32)[predicted] * 0.7 + 0.1
        np.savez(path / "predictions.npz", labels=labels, log_probabilities=np.log(shares))
        for name in ("misclassified.png", "confusion_matrix.png") if pictures else ():
            Image.new("L", (30, 20), 128).save(path / name)
    return path


@pytest.fixture(scope="session")
def write_run():
    """The function that writes a run folder; see `write_run_folder`."""
    return write_run_folder
