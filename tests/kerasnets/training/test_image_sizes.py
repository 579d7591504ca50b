"""Smaller images first: the plan of sizes, what it costs, networks that can take them, and whole runs."""

import json
import os
import signal
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.layers import FusedBatchNormalization
from kerasnets.models import MODELS, build_model, flops_per_image
from kerasnets.models.names import MODEL_FACTS, Facts
from kerasnets.runs.checkpoint import load_newest
from kerasnets.training import setup as making
from kerasnets.training.config import TrainConfig
from kerasnets.training.image_sizes import ImageSizes, accept_sizes
from kerasnets.training.interrupt import Interrupted
from kerasnets.training.progress import Silent
from kerasnets.training.setup import prepare, training_stream
from kerasnets.training.train import resume, train
from pipelines.resize import shrink
from pipelines.source import ImageSource, Split
from pipelines.sources import load_source

SIZES = ImageSizes([[16, 2], [24, 1]], 32)


def poolnet(image_shape, num_classes):
    """Weights that do not depend on the image size; normalisation and dropout have states of their own."""
    inputs = keras.Input(image_shape)
    x = keras.layers.Conv2D(4, 3, kernel_regularizer=keras.regularizers.L2(0.01))(inputs)
    x = keras.layers.Dropout(0.2)(keras.layers.ReLU()(FusedBatchNormalization()(x)))
    x = keras.layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, keras.layers.Dense(num_classes, name="logits", dtype="float32")(x), name="poolnet")


@pytest.fixture(scope="module", autouse=True)
def network():
    """Adds the test's network for as long as this module runs."""
    MODELS["poolnet"] = poolnet
    MODEL_FACTS["poolnet"] = Facts(source="test", image_shape=(8, 8, 1), num_classes=10)
    yield
    del MODELS["poolnet"], MODEL_FACTS["poolnet"]


def config(output="runs", **settings) -> TrainConfig:
    defaults = {
        "dataset": "digits",
        "arch": "poolnet",
        "epochs": 2,
        "early_sizes": [[6, 0.5]],
        "batch_size": 25,
        "limit_train": 101,
        "momentum": 0.9,
        "schedule": "cosine",
        "crop_padding": 1,
        "flip": "random",
        "ema": 0.9,
        "precision": "float32",
        "checkpoint_seconds": 0.0,
    }
    return TrainConfig(**defaults | settings, output=str(output))


def test_size_and_cost_of_every_epoch():
    assert [SIZES.at(epoch) for epoch in range(6)] == [16, 16, 24, 32, 32, 32]
    assert [SIZES.cost(epoch) for epoch in range(4)] == [0.25, 0.25, 0.5625, 1.0]
    assert [ImageSizes([], 32).at(epoch) for epoch in (0, 99)] == [32, 32]


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [(10, [[16, 3], [24, 2]]), (4, [[16, 1], [24, 1]]), (2, [[16, 1]]), (1, [])],
)
def test_shares_become_whole_epochs(epochs, expected):
    # 0.3 and 0.5 of the run; of two epochs, 0.6 is nearest to 1, and the last epoch is never small
    assert ImageSizes.planned([[16, 0.3], [24, 0.5]], epochs, 32) == ImageSizes(expected, 32)
    assert ImageSizes.planned([[16, 0.9]], epochs, 32).at(epochs - 1) == 32


def test_planned_anew_for_fewer_or_more_epochs():
    shares = [[16, 0.25], [24, 0.5]]
    whole = ImageSizes.planned(shares, 12, 32)
    assert whole.early == [[16, 3], [24, 3]]
    assert whole.replanned(shares, 12, begun=1) == whole
    assert whole.replanned(shares, 8, begun=1).early == [[16, 2], [24, 2]]
    assert whole.replanned(shares, 4, begun=2).early == [[16, 2]]  # two were made already, which is half of four
    assert whole.replanned(shares, 1, begun=2).early == [[16, 2]]
    shorter = whole.replanned(shares, 6, begun=1)
    assert shorter.early == [[16, 2], [24, 1]]
    assert shorter.replanned(shares, 12, begun=3).early == [[16, 2], [24, 4]]  # not back to 16
    assert shorter.replanned(shares, 12, begun=4).early == [[16, 2], [24, 1]]  # nor from the full size


def test_in_words():
    assert str(SIZES) == "16x16 for 2 epochs, then 24x24 for 1 epoch, then 32x32"


@pytest.mark.parametrize("steps", [1, 19, 20, 25, 30, 31, 60])
def test_work_is_the_sum_over_the_steps(steps):
    expected = sum(([0.25] * 20 + [0.5625] * 10 + [1.0] * 30)[:steps])
    assert SIZES.work(steps, 10) == pytest.approx(expected)


def within(seconds, done, sizes=SIZES, compile_seconds=0.0) -> int:
    return sizes.steps_within(seconds, done=done, steps_per_epoch=10, step_seconds=2.0, compile_seconds=compile_seconds)


def test_steps_that_fit_into_a_time():
    # Steps cost 0.5 s, from the 20th on 1.125 s, from the 30th on 2 s.
    assert within(4.9, done=1) == 9
    assert within(9.5 + 1.125 * 3, done=1) == 19 + 3
    assert within(2.5 + 11.25 + 2 * 7, done=15) == 5 + 10 + 7
    assert within(9.0, done=40) == 4
    assert within(-3.0, done=5) == 0
    assert within(9.0, done=3, sizes=ImageSizes([], 32)) == 4


def test_sizes_to_come_are_compiled_first():
    assert within(2.5 + 3.0 + 1.125 * 4, done=15, compile_seconds=3.0) == 5 + 4
    assert within(2.5 + 2.9, done=15, compile_seconds=3.0) == 5
    assert within(3.0 + 1.125 * 4, done=20, compile_seconds=3.0) == 4
    assert within(1.125 * 4, done=21, compile_seconds=3.0) == 4


def test_model_takes_smaller_images_with_the_same_weights():
    model = build_model("poolnet", (8, 8, 1), 10, seed=1)
    weights = model.get_weights()
    accept_sizes(model, "poolnet", [[6, 1], [3, 1]], (8, 8, 1))
    images = np.random.default_rng(1).normal(size=(5, 6, 6, 1)).astype(np.float32)
    smaller = build_model("poolnet", (6, 6, 1), 10, seed=2)
    smaller.set_weights(weights)
    np.testing.assert_array_equal(model(images), smaller(images))
    for value, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_array_equal(value, expected)
    # 36 positions of 3x3 kernels, and 4 features into 10 classes: at the full size as before
    assert flops_per_image(model) == 2 * (9 * 4 * 36 + 40) and model.input_shape == (None, 8, 8, 1)


@pytest.mark.parametrize("arch", ["lenet_bn", "cifarnet"])
def test_networks_that_depend_on_the_size(arch):
    model = build_model(arch, (32, 32, 3), 10)
    with pytest.raises(InputError, match=f"do not depend on the image size. Received: size 24 with {arch}, .* Use"):
        accept_sizes(model, arch, [[32, 1], [24, 1]], (32, 32, 3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"early_sizes": [[9, 0.5]]}, "must not be larger than the images, 8x8. Received: .*9, 0.5.* Take smaller"),
        ({"arch": "lazynet"}, "Received: size 6 with lazynet, built for 8x8. Use speednet"),
        ({"early_sizes": [[2, 0.5]]}, "Received: size 2 with poolnet"),  # smaller than a 3x3 kernel
    ],
)
def test_no_folder_after_a_mistake(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        train(config(tmp_path / "runs", **settings))
    assert os.listdir(tmp_path) == []


def oblong() -> ImageSource:
    images = np.random.default_rng(2).integers(0, 256, (20, 8, 9, 1), dtype=np.uint8)
    split = Split(images=images, labels=np.arange(20, dtype=np.int32) % 2)
    return ImageSource(name="oblong", class_names=("a", "b"), splits={"train": split}, origin="made up")


def test_images_that_are_not_square():
    with pytest.raises(
        InputError, match="early_sizes needs square images. Received: .*6, 0.5.* of 8x9. Set early_sizes"
    ):
        prepare(config(limit_train=None), oblong(), Silent())
    setup = prepare(config(limit_train=None, early_sizes=[]), oblong(), Silent())
    assert next(iter(training_stream(setup, 0, 0, 8)))[0].shape == (20, 8, 9, 1)


def test_stream_has_the_size_of_its_epoch_and_the_same_order():
    setup = prepare(config(crop_padding=0, flip="none"), None, Silent())
    plain = prepare(config(crop_padding=0, flip="none", early_sizes=[]), None, Silent())
    images = setup.source.splits["train"].images
    normalised = (shrink(images, 6) / 255 - setup.data["mean"]) / setup.data["std"]
    for epoch, side in ((0, 6), (1, 8)):
        batch, labels, _ = next(iter(training_stream(setup, epoch, 2, side)))
        expected, expected_labels, _ = next(iter(training_stream(plain, epoch, 2, side)))
        assert batch.shape[1:] == (side, side, 1)
        np.testing.assert_array_equal(labels, expected_labels)
        if side == 8:
            np.testing.assert_array_equal(batch, expected)
        else:  # every image is the shrunk one of the image that a run without early sizes has in its place
            order = [np.abs(normalise(images, plain) - one).max(axis=(1, 2, 3)).argmin() for one in expected.numpy()]
            np.testing.assert_allclose(batch, normalised[order], atol=1e-5)


def normalise(images, setup):
    return (images / 255 - setup.data["mean"]) / setup.data["std"]


class StopAt(keras.callbacks.Callback):
    """Sends a signal to this process after a number of steps."""

    def __init__(self, step):
        super().__init__()
        self._step = step

    def on_train_batch_end(self, batch, logs=None):
        if int(self.model.optimizer.iterations.numpy()) == self._step:
            os.kill(os.getpid(), signal.SIGINT)


class Heard(Silent):
    def __init__(self):
        self.lines = []

    def message(self, text):
        self.lines.append(text)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that nothing stopped, what it said, and the images that its streams were made of."""
    heard, streams, original = Heard(), [], making.training_dataset

    def noted(split, **arguments):
        earlier = [image() is not None for _, image in streams]
        streams.append((split.images.shape, weakref.ref(split.images)))
        noted.alive.append(earlier)
        return original(split, **arguments)

    noted.alive = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(making, "training_dataset", noted)
        run = train(config(tmp_path_factory.mktemp("whole")), progress=heard)
    return run, heard.lines, [shape for shape, _ in streams], noted.alive


def test_run_changes_the_size_once_and_frees_the_small_images(whole):
    _, lines, shapes, alive = whole
    assert shapes == [(101, 6, 6, 1), (101, 8, 8, 1)]
    assert alive == [[], [False]]
    assert "images 6x6 for 1 epoch, then 8x8" in lines


def test_run_says_what_it_did(whole):
    run = whole[0]
    log = run.log[run.log["event"] == "epoch"]
    assert log["image_size"].tolist() == [6, 8]
    assert len(run.results) == 2 and run.summary["test"]["n"] == len(load_source("digits").splits["test"])
    # the first step of each size compiles: 101 images, all but two batches of 25
    assert run.summary["images_per_second"] * run.summary["seconds"]["train"] == pytest.approx(2 * 101 - 50)


@pytest.mark.parametrize("step", [3, 5, pytest.param(7, marks=pytest.mark.slow)])
def test_stopped_in_either_part_and_between_them(whole, tmp_path, step):
    with pytest.raises(Interrupted) as stop:
        train(config(tmp_path), callbacks=[StopAt(step)])
    run = resume(stop.value.run_path)
    arrays, expected = (load_newest(one.path / "checkpoints")[1] for one in (run, whole[0]))
    assert arrays.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)
    assert (run.path / "results.csv").read_bytes() == (whole[0].path / "results.csv").read_bytes()
    assert run.summary["test"] == whole[0].summary["test"]


class Poison(keras.callbacks.Callback):
    """Breaks a weight after the first step."""

    def on_train_batch_end(self, batch, logs=None):
        kernel = self.model.trainable_variables[0]
        kernel.assign(tf.fill(kernel.shape, np.float32(3e38)))


def test_diverged_on_small_images(tmp_path):
    run = train(config(tmp_path), callbacks=[Poison()])
    diagnosis = json.loads((run.path / "diagnosis.json").read_text())
    assert (run.status, diagnosis["epoch"], diagnosis["step"]) == ("diverged", 1, 2)
    assert diagnosis["first"]["place"] == "layer output" and diagnosis["first"]["name"].startswith("conv2d")
