"""Replicas compute what one device computes: on two logical CPUs, in a process of their own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.models.names import MODEL_FACTS, Facts
from kerasnets.training.config import TrainConfig
from kerasnets.training.distribute import is_small_step, make_strategy, set_threads, use_one_thread_if_small

SCRIPT = """
import dataclasses, json, sys
import numpy as np
import keras
import tensorflow as tf
from kerasnets.training.distribute import make_strategy

strategy = make_strategy("cpu:2")  # before TensorFlow starts
import kerasnets.training.setup as setup_module
setup_module.make_strategy = lambda devices: strategy if devices == "cpu:2" else tf.distribute.get_strategy()

from kerasnets.models import MODELS
from kerasnets.models.names import MODEL_FACTS, Facts
from kerasnets.layers import FusedBatchNormalization
from kerasnets.runs.checkpoint import load_newest
from kerasnets.training.config import TrainConfig
from kerasnets.training.interrupt import Interrupted
from kerasnets.training.train import train, resume
from pipelines.source import Split
from pipelines.sources import load_source
from pipelines.stored_images import StoredImages

def normnet(image_shape, num_classes, dropout=0.0):
    inputs = keras.Input(image_shape)
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    x = keras.layers.ReLU()(FusedBatchNormalization()(x))
    x = keras.layers.Dropout(0.3)(x) if dropout else x
    x = keras.layers.Dense(num_classes, name="logits")(keras.layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, x, name="normnet")

for name, dropout in (("normnet", 0.0), ("dropnet", 0.3)):
    MODELS[name] = lambda shape, classes, dropout=dropout: normnet(shape, classes, dropout)
    MODEL_FACTS[name] = Facts(source="test", image_shape=(8, 8, 1), num_classes=10)

def config(devices, **changes):
    settings = dict(dataset="digits", arch="normnet", epochs=2, batch_size=25, limit_train=101, ema=0.9,
                    precision="float32", crop_padding=1, checkpoint_seconds=0.0, weight_decay=0.01,
                    bias_weight_decay=0.0)
    return TrainConfig(**(settings | changes), devices=devices, output=sys.argv[1] + "/" + devices)

class Stop(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        if self.model.optimizer.iterations.numpy() == 7:
            import os, signal
            os.kill(os.getpid(), signal.SIGINT)

def arrays(run):
    return load_newest(run.path / "checkpoints")[1]

one, two = train(config("cpu")), train(config("cpu:2"))
result = {"difference": max(float(np.abs(arrays(one)[name] - value).max()) for name, value in arrays(two).items())}
result["rows"] = [run.results[["train_loss", "train_accuracy", "gradient_norm"]].values.tolist() for run in (one, two)]
result["test"] = [run.summary["test"]["correct"] for run in (one, two)]

muon = [arrays(train(config(devices, optimizer="muon", epochs=1))) for devices in ("cpu", "cpu:2")]
result["muon_difference"] = max(float(np.abs(muon[0][name] - value).max()) for name, value in muon[1].items())

# Copies of the weights on each replica, after training.
seen = {}
class Look(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        copies = [strategy.experimental_local_results(weight.value) for weight in self.model.weights]
        seen["spread"] = max(float(np.abs(first.numpy() - second.numpy()).max()) for first, second in copies)
mixed = config("cpu:2", arch="dropnet", optimizer="muon", early_sizes=[[6, 0.5]], mixup=0.2, cutmix=1.0,
               policy="trivialaugment", cutout=2)
whole = train(mixed, callbacks=[Look()])
result["spread"] = seen["spread"]

# The run that is stopped reads its training images batch by batch.
digits = load_source("digits")
held = digits.splits["train"]
reads = []
def read(rows):
    reads.append(len(rows))
    return held.images[rows]
stored = StoredImages(read, np.arange(len(held)), held.images.shape[1:])
splits = {**digits.splits, "train": Split(images=stored, labels=held.labels)}
source = dataclasses.replace(digits, splits=splits)
try:
    train(mixed, source=source, callbacks=[Stop()])
except Interrupted as stop:
    again = resume(stop.run_path, source=source)
result["read_in_batches"] = any(count < 30 for count in reads)
result["resumed"] = all(np.array_equal(arrays(again)[name], value) for name, value in arrays(whole).items())

# Dropout masks differ between the replicas.
from kerasnets.training.step import reseed, seed_states
with strategy.scope():
    layer = keras.layers.Dropout(0.5)
    model = keras.Sequential([keras.Input((64,)), layer])
@tf.function
def masks():
    def replica_masks():
        replica = tf.cast(tf.distribute.get_replica_context().replica_id_in_sync_group, tf.int64)
        reseed(seed_states(model), 1, tf.constant(3, tf.int64), replica, 2)
        return model(tf.ones((4, 64)), training=True)
    return strategy.experimental_local_results(strategy.run(replica_masks))
first, second = (mask.numpy() for mask in masks())
result["same_mask"] = bool(np.array_equal(first, second))
print("RESULT" + json.dumps(result))
"""


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    root = str(Path(__file__).parents[3])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path_factory.mktemp("runs"))],
        env=os.environ | {"PYTHONPATH": root, "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.partition("RESULT")[2])


@pytest.mark.slow
def test_two_replicas_equal_one_device(result):
    # 101 images in batches of 25: the last batch has one image for two replicas.
    assert result["difference"] < 2e-5
    one, two = result["rows"]
    for row, other in zip(one, two, strict=True):
        assert other == pytest.approx(row, rel=1e-4)
    assert result["test"][0] == result["test"][1]


@pytest.mark.slow
def test_two_replicas_equal_one_device_with_muon(result):
    assert result["muon_difference"] < 2e-5


@pytest.mark.slow
def test_replicas_stay_equal(result):
    assert result["spread"] == 0.0


@pytest.mark.slow
def test_resume_under_a_strategy_is_exact_with_everything_on_and_wherever_the_images_are(result):
    """The uninterrupted run has its images in memory; both shrink, augment and mix them."""
    assert result["read_in_batches"]
    assert result["resumed"]


@pytest.mark.slow
def test_replicas_draw_different_dropout(result):
    assert not result["same_mask"]


def test_one_device_needs_no_strategy():
    assert make_strategy("cpu").num_replicas_in_sync == 1


def test_logical_cpus_after_the_start():
    tf.constant(0.0)
    with pytest.raises(InputError, match="before TensorFlow starts. Received: TensorFlow running with 1 CPU device"):
        make_strategy("cpu:2")


def test_threads_after_the_start():
    tf.constant(0.0)
    with pytest.raises(InputError, match="threads must be set before TensorFlow starts. Received: 63"):
        set_threads(63)
    set_threads(0)


def config(arch="coolnet_v7", batch_size=4, **settings):
    return TrainConfig(dataset="cifar10", arch=arch, batch_size=batch_size, **settings)


@pytest.mark.parametrize(
    "image_shape, settings, small",
    [
        ((32, 32, 3), {}, True),  # 3 * 4 * 1,303,440 = 15.6 million operations
        ((32, 32, 3), {"batch_size": 12}, True),  # 46.9 million
        ((32, 32, 3), {"batch_size": 13}, False),  # 50.8 million
        ((64, 64, 3), {"batch_size": 3}, True),  # four times as many pixels as published
        ((64, 64, 3), {"batch_size": 4}, False),
        ((8, 8, 1), {"batch_size": 200}, True),  # a sixteenth
        ((32, 32, 3), {"devices": "cpu"}, True),
        ((32, 32, 3), {"devices": "cpu:2"}, False),
        ((32, 32, 3), {"arch": "cifarnet", "batch_size": 1}, False),
        ((32, 32, 3), {"arch": "scratch_mlp", "arch_options": {"width": 100, "l2": 0.1}}, True),
        ((32, 32, 3), {"arch": "scratch_mlp", "arch_options": {"width": 50}}, False),  # cost unknown
        ((32, 32, 3), {"arch": "boringnet", "arch_options": {"activation": "relu"}}, True),
        ((32, 32, 3), {"arch": "somebodys"}, False),
    ],
)
def test_which_steps_are_small(image_shape, settings, small):
    assert is_small_step(config(**settings), image_shape) is small


def test_a_network_of_unknown_cost_and_a_gpu_are_not_small(monkeypatch):
    monkeypatch.setitem(MODEL_FACTS, "tried", Facts(source="test", image_shape=(32, 32, 3), num_classes=10))
    assert not is_small_step(config("tried"), (32, 32, 3))
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["a GPU"] if kind == "GPU" else [])
    assert not is_small_step(config(), (32, 32, 3))


@pytest.fixture
def threads(monkeypatch):
    """Stands in for TensorFlow's setting before its start; what is in the list is what it was set to."""
    numbers = []
    monkeypatch.setattr(tf.config.threading, "set_intra_op_parallelism_threads", numbers.append)
    monkeypatch.setattr(tf.config.threading, "get_intra_op_parallelism_threads", lambda: (numbers or [0])[-1])
    return numbers


@pytest.mark.parametrize(
    "settings, begun, expected",
    [
        ({}, {}, [1]),
        ({"batch_size": 64}, {}, []),
        ({"threads": 2}, {}, []),  # asked for
        ({}, {"intra_op_threads": 0}, []),  # begun before, or through the library
        ({"batch_size": 64}, {"intra_op_threads": 1}, [1]),
        ({}, {"intra_op_threads": 2}, []),
    ],
)
def test_one_thread_for_a_small_step(threads, settings, begun, expected):
    use_one_thread_if_small(config(**settings), (32, 32, 3), begun)
    assert threads == expected


def test_a_number_that_is_set_stays(threads):
    threads.append(2)
    use_one_thread_if_small(config(), (32, 32, 3), {})
    assert threads == [2]


def test_a_small_step_after_the_start_changes_nothing():
    tf.constant(0.0)
    before = tf.config.threading.get_intra_op_parallelism_threads()
    use_one_thread_if_small(config(), (32, 32, 3), {})
    assert tf.config.threading.get_intra_op_parallelism_threads() == before
