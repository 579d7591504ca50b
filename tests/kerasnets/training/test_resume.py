"""Runs that are stopped in every way end bit-equal to one that was not."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.runs.checkpoint import checkpoint_files, load_checkpoint, load_newest
from kerasnets.training.config import TrainConfig
from kerasnets.training.interrupt import Interrupted
from kerasnets.training.train import resume, train

# Dropout, batch normalisation, augmentation, moving averages, a schedule by step, and a last batch that is small.
NETWORK = """
import keras
from kerasnets.layers import FusedBatchNormalization
from kerasnets.models import MODELS
from kerasnets.models.names import MODEL_FACTS, Facts

def dropnet(image_shape, num_classes):
    inputs = keras.Input(image_shape)
    x = keras.layers.Conv2D(4, 3)(inputs)
    x = keras.layers.ReLU()(FusedBatchNormalization()(x))
    x = keras.layers.Dropout(0.3)(keras.layers.Flatten()(x))
    x = keras.layers.Dropout(0.2)(keras.layers.Dense(12, activation="relu")(x))
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits", dtype="float32")(x), name="dropnet")

MODELS["dropnet"] = dropnet
MODEL_FACTS["dropnet"] = Facts(source="test", image_shape=(8, 8, 1), num_classes=10)
"""
DRIVER = (
    """
import json, os, signal, sys
"""
    + NETWORK
    + """
from kerasnets.runs import files
from kerasnets.training.config import TrainConfig
from kerasnets.training.train import train

config, place = json.loads(sys.argv[1]), sys.argv[2]

class Kill(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if place == "epoch" and self.model.optimizer.iterations.numpy() == 13:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_epoch_end(self, epoch, logs=None):
        if place == "end" and epoch == 1:  # the checkpoint of its last step is written, its row is not
            os.kill(os.getpid(), signal.SIGKILL)

if place == "write":
    replace, count = os.replace, 0
    def fatal(source, target):
        global count
        count += str(target).endswith(".ckpt") and "step-" in str(target)
        if count == 3:
            with open(source, "r+b") as file:
                file.truncate(os.path.getsize(source) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
    os.replace = fatal
train(TrainConfig(**config), callbacks=[Kill()] if place != "write" else [])
"""
)
SETTINGS = {
    "dataset": "digits",
    "arch": "dropnet",
    "epochs": 4,
    "batch_size": 32,
    "limit_train": 250,
    "validation": 0.2,
    "ema": 0.9,
    "schedule": "cosine",
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "weight_decay": 0.01,
    "crop_padding": 1,
    "flip": "random",
    "precision": "float32",
    "checkpoint_seconds": 0.0,
    "seed": 5,
}


class StopAt(keras.callbacks.Callback):
    """Sends a signal to this process after a number of steps."""

    def __init__(self, step, number=signal.SIGINT):
        super().__init__()
        self._step, self._number = step, number

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self._step:
            os.kill(os.getpid(), self._number)


class Passive(keras.callbacks.Callback):
    """Has a batch hook, so that steps are called one at a time."""

    def on_train_batch_end(self, batch, logs=None):
        pass


@pytest.fixture(scope="module", autouse=True)
def network():
    """Adds the test's network for as long as this module runs."""
    from kerasnets.models import MODELS
    from kerasnets.models.names import MODEL_FACTS

    exec(NETWORK, {})
    yield
    del MODELS["dropnet"], MODEL_FACTS["dropnet"]


def config_in(folder) -> TrainConfig:
    return TrainConfig(**SETTINGS, output=str(folder))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped."""
    return train(config_in(tmp_path_factory.mktemp("whole")))


def assert_same(run, reference):
    """Weights, optimiser, averages, best weights, rows and test result are equal to the last bit."""
    arrays, meta = load_newest(run.path / "checkpoints")[1:3]
    expected, expected_meta = load_newest(reference.path / "checkpoints")[1:3]
    assert arrays.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)
    assert meta["callbacks"][1] == expected_meta["callbacks"][1]
    assert (run.path / "results.csv").read_bytes() == (reference.path / "results.csv").read_bytes()
    assert run.summary["test"] == reference.summary["test"]
    assert run.summary["best"] == reference.summary["best"]
    best, expected = (
        load_checkpoint(r.path / "checkpoints" / r.summary["checkpoints"]["best"])[0] for r in (run, reference)
    )
    assert best.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(best[name], value, err_msg=name)


def killed(folder, place):
    """Runs the driver in a process that kills itself, and returns the run folder it leaves."""
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, json.dumps(SETTINGS | {"output": str(folder)}), place],
        env=os.environ | {"PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-2000:]
    return next(folder.glob("digits/*"))


def test_two_runs_are_equal(whole, tmp_path):
    assert_same(train(config_in(tmp_path)), whole)


def test_steps_in_one_call_or_one_by_one_are_equal(whole, tmp_path):
    run = train(config_in(tmp_path), callbacks=[Passive()])
    np.testing.assert_array_equal(run.results.to_numpy(), whole.results.to_numpy())


@pytest.mark.parametrize(("step", "number"), [(3, signal.SIGINT), (14, signal.SIGTERM), (20, signal.SIGINT)])
def test_signal_then_resume(whole, tmp_path, step, number):
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(step, number)])
    assert stop.value.signal_number == number
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == handlers
    from kerasnets.runs import Run

    assert Run(stop.value.run_path).status == "interrupted"
    assert_same(resume(stop.value.run_path), whole)


@pytest.mark.slow
def test_stopped_twice(whole, tmp_path):
    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(9)])
    with pytest.raises(Interrupted):
        resume(stop.value.run_path, callbacks=[StopAt(16)])
    assert_same(resume(stop.value.run_path), whole)


@pytest.mark.parametrize("place", ["epoch", "end", "write"])
def test_kill_then_resume(whole, tmp_path, place):
    path = killed(tmp_path, place)
    if place == "write":
        assert list(path.glob("checkpoints/.*.partial"))
    assert_same(resume(path), whole)
    assert not list(path.glob("**/.*.partial"))


def test_damaged_checkpoint_is_passed_over(whole, tmp_path):
    class Told:
        messages = []

        def message(self, text):
            self.messages.append(text)

        def steps(self, *arguments):
            pass

        def epoch(self, *arguments):
            pass

        def close(self):
            pass

    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(17)])
    newest, older = checkpoint_files(stop.value.run_path / "checkpoints")
    data = bytearray(newest.read_bytes())
    data[len(data) // 2] ^= 1
    newest.write_bytes(data)
    run = resume(stop.value.run_path, progress=Told())
    assert any("sha256" in text and older.name in text for text in Told.messages)
    assert_same(run, whole)


def test_every_checkpoint_damaged(tmp_path):
    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(17)])
    for path in checkpoint_files(stop.value.run_path / "checkpoints"):
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(InputError, match="Start a new run"):
        resume(stop.value.run_path)


def test_changed_configuration_is_refused(tmp_path):
    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(10)])
    text = (stop.value.run_path / "config.yaml").read_text()
    (stop.value.run_path / "config.yaml").write_text(text.replace("batch_size: 32", "batch_size: 16"))
    with pytest.raises(InputError, match="changed since"):
        resume(stop.value.run_path)


@pytest.mark.parametrize("key", ["mean", "class_counts", "class_names"])
def test_changed_images_are_refused(tmp_path, key):
    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(10)])
    file = stop.value.run_path / "data.json"
    data = json.loads(file.read_text())
    data[key] = data[key][:-1] if key == "class_names" else {"train": [1]} if key == "class_counts" else [0.1]
    file.write_text(json.dumps(data))
    words = key.replace("_", " ")
    with pytest.raises(InputError, match=f"images that it began with. Received: another {words} than in .*data.json"):
        resume(stop.value.run_path)
    assert json.loads(file.read_text()) == data


def test_finished_run_is_left_alone(whole):
    before = {path: path.stat().st_mtime_ns for path in whole.path.rglob("*") if path.is_file()}
    assert resume(whole.path).status == "finished"
    assert {path: path.stat().st_mtime_ns for path in whole.path.rglob("*") if path.is_file()} == before


def test_other_conditions_are_named(tmp_path):
    with pytest.raises(Interrupted) as stop:
        train(config_in(tmp_path), callbacks=[StopAt(10)])
    environment = json.loads((stop.value.run_path / "env.json").read_text())
    environment["intra_op_threads"] = 77
    (stop.value.run_path / "env.json").write_text(json.dumps(environment))
    log = resume(stop.value.run_path).log
    assert "intra_op_threads: 77 before" in log[log.event == "resumed"].iloc[0].differences[0]
