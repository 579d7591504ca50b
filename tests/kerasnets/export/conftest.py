"""A run folder as training leaves it, made by hand: a small network with weights that no training would give."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from kerasnets.models import build_model
from kerasnets.runs.checkpoint import save_checkpoint
from kerasnets.training.config import TrainConfig, config_to_yaml

NAMES = ["cat", "dog", "ship"]
SHAPE = (12, 10, 3)
DATA = {
    "dataset": "digits", "class_names": NAMES, "image_shape": list(SHAPE), "mean": [0.4, 0.5, 0.6],
    "std": [0.2, 0.25, 0.3], "split_sizes": {"test": 9}, "class_counts": {"test": [3, 3, 3]}, "origin": "/home/someone",
}  # fmt: skip
RESULT = {
    "accuracy": 0.5, "loss": 1.0, "correct": 5, "n": 10, "interval": [0.2, 0.8], "split": "test",
    "selection": "last epoch", "epoch": 2,
}  # fmt: skip


def random_weights(seed, arch="lenet_bn"):
    """Weights of every kind, moving statistics too, none of them as in a fresh network."""
    model = build_model(arch, SHAPE, len(NAMES), seed=0)
    generator = np.random.default_rng(seed)
    draws = [generator.uniform(-1, 1, weight.shape).astype(np.float32) for weight in model.weights]
    return [
        np.abs(draw) + 0.5 if "variance" in weight.path else draw
        for weight, draw in zip(model.weights, draws, strict=True)
    ]


def named(group, weights):
    return {f"{group}/{number:04d}": weight for number, weight in enumerate(weights)}


def write_run(path, *, best=None, ema=None, status="finished", arch="lenet_bn", loss="cross_entropy", dataset="digits"):
    """Writes a run; its newest checkpoint holds random_weights(1), an older one random_weights(0)."""
    folder = path / "checkpoints"
    folder.mkdir(parents=True)
    config = TrainConfig(dataset=dataset, arch=arch, data_dir="/home/someone", loss=loss, epochs=2)
    (path / "config.yaml").write_text(config_to_yaml(config))
    (path / "data.json").write_text(json.dumps(DATA))
    (path / "env.json").write_text(json.dumps({"precision": "float32", "packages": {"keras": "3.15.1"}}))
    summary = {"status": status, "test": RESULT if status == "finished" else None, "limit_train": 100}
    (path / "summary.json").write_text(json.dumps(summary))
    state = {"epoch": 2, "step": 0, "best": {"file": "best-00001.ckpt", "epoch": 1} if best else None}
    save_checkpoint(folder / "step-000000010.ckpt", named("model", random_weights(0, arch)), {"state": state})
    arrays = named("model", random_weights(1, arch)) | {"optimizer/0000": np.zeros(3)}
    arrays |= named("ema", ema) if ema else {}
    save_checkpoint(folder / "step-000000020.ckpt", arrays, {"state": state})
    if best:
        save_checkpoint(folder / "best-00001.ckpt", named("model", best), {"epoch": 1})
    return path


@pytest.fixture(scope="session")
def by_hand():
    """What the tests of this folder share: tests cannot import each other."""
    return SimpleNamespace(
        names=NAMES, shape=SHAPE, data=DATA, result=RESULT, random_weights=random_weights, write_run=write_run
    )


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "digits" / "lenet_bn-s0-12345678")


@pytest.fixture(scope="session")
def images():
    """Noise of one colour an image: pure noise would look the same to every network."""
    generator = np.random.default_rng(0)
    colours = generator.uniform(0, 255, (20, 1, 1, 3))
    return np.clip(colours + generator.normal(0, 20, (20, *SHAPE)), 0, 255).astype(np.uint8)
