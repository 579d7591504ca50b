"""Whole runs on the digits: results against NumPy, one look at the test split, and no folder after a mistake."""

import dataclasses
import json
import os

import keras
import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import wilson_interval
from kerasnets.models import build_model
from kerasnets.runs.checkpoint import load_checkpoint, load_newest
from kerasnets.runs.run import Run
from kerasnets.training import finish as finish_module
from kerasnets.training import train as train_module
from kerasnets.training.config import TrainConfig, config_hash, load_config
from kerasnets.training.train import resume, train
from pipelines.errors import DataError
from pipelines.source import ImageSource, Split
from pipelines.sources import load_source
from pipelines.splits import limit_train
from pipelines.stored_images import StoredImages


def config(output, **settings) -> TrainConfig:
    defaults = {
        "dataset": "digits",
        "arch": "lazynet",
        "limit_train": 100,
        "precision": "float32",
        "normalization": "half",
    }
    return TrainConfig(**defaults | settings, output=str(output))


def inputs(split):
    """Images of a split as the network gets them with normalization half, flat, in float64."""
    return (split.images.astype(np.float64) / 255 - 0.5).reshape(len(split), -1) / 0.5


def log_softmax(logits):
    shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))


class Looking(keras.callbacks.Callback):
    """Keeps what a user's callback sees."""

    def __init__(self):
        super().__init__()
        self.logs, self.start = [], None

    def on_train_begin(self, logs=None):
        self.start = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        self.logs.append(dict(logs))


@pytest.fixture(scope="module")
def evaluations():
    """What of the test and validation splits was looked at, in the run before."""
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        for module, name, place in ((finish_module, "evaluate", 2), (train_module, "_evaluate", 1)):
            original = getattr(module, name)

            def counted(*arguments, original=original, place=place, **named):
                seen.append(arguments[place])
                return original(*arguments, **named)

            patch.setattr(module, name, counted)
        yield seen


STEPS = 3


@pytest.fixture(scope="module")
def full_batch(tmp_path_factory, evaluations):
    """Three epochs of one step over all 100 images, from given weights: plain gradient descent with momentum."""
    evaluations.clear()
    given = build_model("lazynet", (8, 8, 1), 10, seed=42)
    settings = {"epochs": STEPS, "batch_size": 100, "learning_rate": 0.2, "weight_decay": 0.01, "label_smoothing": 0.2}
    looking = Looking()
    output = tmp_path_factory.mktemp("full")
    run = train(config(output, **settings, bias_weight_decay=0.0), model=given, callbacks=[looking])
    return run, given.get_weights(), looking, list(evaluations)


def descended(start):
    """The same by hand, in float64: weights at the end, and (loss, accuracy, gradient norm) of each epoch."""
    split = limit_train(load_source("digits"), 100).splits["train"]
    x, y = inputs(split), np.eye(10)[split.labels]
    targets = 0.8 * y + 0.2 / 10
    kernel, bias = (value.astype(np.float64) for value in start)
    velocities, rows = [0.0, 0.0], []
    for _ in range(STEPS):
        logs = log_softmax(x @ kernel + bias)
        error = (np.exp(logs) - targets) / 100
        gradients = [x.T @ error, error.sum(axis=0)]
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        rows.append((-(targets * logs).sum() / 100, (logs.argmax(axis=1) == split.labels).mean(), norm))
        gradients[0] = gradients[0] + 0.01 * kernel
        velocities = [0.9 * v - 0.2 * g for v, g in zip(velocities, gradients, strict=True)]
        kernel, bias = kernel + velocities[0], bias + velocities[1]
    return (kernel, bias), rows


def test_run_equals_gradient_descent_by_hand(full_batch):
    run, start, _, _ = full_batch
    (kernel, bias), rows = descended(start)
    _, arrays, _, _ = load_newest(run.path / "checkpoints")
    np.testing.assert_allclose(arrays["model/0000"], kernel, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(arrays["model/0001"], bias, rtol=1e-3, atol=1e-5)
    table = run.results
    np.testing.assert_allclose(table[["train_loss", "train_accuracy", "gradient_norm"]], rows, rtol=1e-4)
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["learning_rate"].tolist() == [float(np.float32(0.2))] * 3
    assert table[["val_loss", "val_accuracy", "test_loss", "test_accuracy"]].isna().all(axis=None)


def test_test_result_equals_numpy(full_batch):
    run, start, _, _ = full_batch
    (kernel, bias), _ = descended(start)
    split = load_source("digits").splits["test"]
    expected = log_softmax(inputs(split) @ kernel + bias)
    with np.load(run.path / "predictions.npz") as predictions:
        np.testing.assert_array_equal(predictions["labels"], split.labels)
        np.testing.assert_allclose(predictions["log_probabilities"], expected, rtol=1e-3, atol=1e-4)
    test = run.summary["test"]
    # the plain cross entropy: smoothed targets are for training only
    assert test["loss"] == pytest.approx(-expected[np.arange(len(split)), split.labels].mean(), rel=1e-4)
    correct = int((expected.argmax(axis=1) == split.labels).sum())
    assert (test["correct"], test["n"], test["accuracy"]) == (correct, len(split), correct / len(split))
    assert test["interval"] == pytest.approx(wilson_interval(correct, len(split)))
    assert (test["split"], test["selection"], test["epoch"]) == ("test", "last epoch", 3)
    assert int(np.trace(run.confusion_matrix.to_numpy())) == run.per_class["correct"].sum() == correct


def test_test_split_is_looked_at_once(full_batch):
    assert full_batch[3] == ["test"]


def test_given_weights_are_the_start(full_batch):
    _, start, looking, _ = full_batch
    for value, expected in zip(looking.start, start, strict=True):
        np.testing.assert_array_equal(value, expected)


def test_run_folder_holds_everything(full_batch):
    run = full_batch[0]
    names = {path.name for path in run.path.iterdir()} - {".lock"}
    expected = {"config.yaml", "env.json", "data.json", "results.csv", "log.jsonl", "summary.json", "per_class.csv"}
    pictures = {"confusion_matrix.csv", "confusion_matrix.png", "curves.png", "misclassified.png"}
    assert names == expected | pictures | {"predictions.npz", "checkpoints"}
    assert run.path.parent.name == "digits"
    written = load_config(run.path / "config.yaml")
    assert run.path.name == f"lazynet-s0-{config_hash(written)}"
    assert run.log["event"].tolist() == ["started", "epoch", "epoch", "epoch", "finished"]
    assert not list(run.path.rglob("*.partial"))


def test_summary_of_the_run(full_batch):
    summary = full_batch[0].summary
    assert (summary["status"], summary["epochs"], summary["stopped"]) == ("finished", 3, None)
    assert (summary["weights"], summary["limit_train"], summary["best"]) == (650, 100, None)
    seconds = dict(summary["seconds"])
    assert seconds.pop("total") == pytest.approx(sum(seconds.values())) and min(seconds.values()) >= 0
    # the first step compiles: two epochs of 100 images are timed
    assert summary["images_per_second"] == pytest.approx(200 / seconds["train"])
    assert "NaN" not in (full_batch[0].path / "summary.json").read_text()


@pytest.fixture(scope="module")
def validated(tmp_path_factory, evaluations):
    """Four epochs with validation, moving averages and a test curve of two."""
    evaluations.clear()
    looking = Looking()
    settings = {"epochs": 4, "batch_size": 16, "validation": 0.2, "ema": 0.8, "test_curve": 2, "learning_rate": 0.05}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finish_module, "write_figures", lambda path, images: None)  # one run of this module draws them
        run = train(config(tmp_path_factory.mktemp("validated"), **settings), callbacks=[looking])
    return run, looking, list(evaluations)


def test_splits_evaluated_with_validation(validated):
    assert validated[2] == ["val", "val", "val", "test", "val", "test", "test"]


def test_callback_never_sees_the_test_split(validated):
    run, looking, _ = validated
    assert len(looking.logs) == 4
    for logs, (_, row) in zip(looking.logs, run.results.iterrows(), strict=True):
        assert set(logs) == {"loss", "accuracy", "val_loss", "val_accuracy", "learning_rate"}
        assert (logs["loss"], logs["val_accuracy"]) == (row["train_loss"], row["val_accuracy"])


def test_test_curve(validated):
    run = validated[0]
    curve = run.results["test_accuracy"]
    assert curve.isna().tolist() == [True, True, False, False]
    assert run.summary["test_curve"]["epochs"] == 2
    assert run.summary["test_curve"]["mean_accuracy"] == pytest.approx(curve[2:].mean())


def test_best_epoch_is_the_one_evaluated(validated):
    run = validated[0]
    summary, table = run.summary, run.results
    order = table.sort_values(["val_accuracy", "val_loss", "epoch"], ascending=[False, True, True])
    best = int(order["epoch"].iloc[0])
    assert (summary["test"]["epoch"], summary["test"]["selection"]) == (best, "best validation accuracy")
    assert summary["best"]["epoch"] == best
    arrays, meta = load_checkpoint(run.path / "checkpoints" / summary["checkpoints"]["best"])
    split = load_source("digits").splits["test"]
    logits = inputs(split) @ arrays["model/0000"].astype(np.float64) + arrays["model/0001"]
    assert summary["test"]["correct"] == (logits.argmax(axis=1) == split.labels).sum()
    assert meta["epoch"] == best and meta["data"]["class_names"] == [str(digit) for digit in range(10)]


def test_evaluations_use_the_moving_average(validated):
    run = validated[0]
    _, arrays, meta, _ = load_newest(run.path / "checkpoints")
    split = load_source("digits").splits["test"]
    logits = inputs(split) @ arrays["ema/0000"].astype(np.float64) + arrays["ema/0001"]
    last = run.results.iloc[-1]
    assert last["test_accuracy"] == (logits.argmax(axis=1) == split.labels).mean()
    loss = -log_softmax(logits)[np.arange(len(split)), split.labels].mean()
    assert last["test_loss"] == pytest.approx(loss, rel=1e-4)
    assert (arrays["ema/0000"] != arrays["model/0000"]).any()  # and training went on with its own weights


def test_time_runs_out(tmp_path, monkeypatch):
    monkeypatch.setattr(finish_module, "write_figures", lambda path, images: None)  # one run of this module draws them
    summary = train(config(tmp_path, epochs=100_000, batch_size=25, max_time="1s")).summary
    assert (summary["status"], summary["stopped"]) == ("finished", "max_time 1s was used up")
    assert 0 < summary["epochs"] < 100_000 and summary["test"]["n"] > 0
    assert summary["last"]["epoch"] == summary["test"]["epoch"] == summary["epochs"]


class Poison(keras.callbacks.Callback):
    """Makes a weight NaN when the second epoch begins."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1:
            kernel, bias = self.model.get_weights()
            kernel[3, 4] = np.nan
            self.model.set_weights([kernel, bias])


def test_diverged_run(tmp_path):
    run = train(config(tmp_path, epochs=3, batch_size=50, checkpoint_seconds=0.0), callbacks=[Poison()])
    assert run.status == "diverged" and run.summary["test"] is None
    diagnosis = json.loads((run.path / "diagnosis.json").read_text())
    assert (diagnosis["epoch"], diagnosis["step_in_epoch"]) == (2, 1)
    assert diagnosis["first"]["place"] == "weight" and diagnosis["first"]["not_finite"] == 1
    assert len(run.results) == 1 and run.log["event"].tolist() == ["started", "epoch", "diverged"]
    path, arrays, _, _ = load_newest(run.path / "checkpoints")
    assert path.name == "step-000000002.ckpt" and np.isfinite(arrays["model/0000"]).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dataset": "digit"}, "Unknown data set"),
        ({"arch": "lazynt"}, "Unknown model 'lazynt'"),
        ({"arch_options": {"width": 3}}, "Unknown option 'width'"),
        ({"limit_train": 10**6}, "limit on training examples"),
        (
            {"normalization": "given", "normalization_mean": [0.1] * 3, "normalization_std": [1.0] * 3},
            "must have 1 values",
        ),
        ({"devices": "cpu:3"}, "must be set before TensorFlow starts"),
    ],
)
def test_no_folder_after_a_mistake(tmp_path, settings, message):
    with pytest.raises((InputError, DataError), match=message):
        train(config(tmp_path / "runs", **settings))
    assert os.listdir(tmp_path) == []


def test_no_folder_when_the_image_is_too_small(tmp_path):
    digits = load_source("digits")
    small = {
        name: split.__class__(images=split.images[:, :7, :7], labels=split.labels)
        for name, split in digits.splits.items()
    }
    source = ImageSource(name="small", class_names=digits.class_names, splits=small, origin="cut")
    with pytest.raises(InputError, match="image size must be at least 8x8 for model 'lazynet'. Received: 7x7"):
        train(config(tmp_path / "runs"), source=source)
    assert os.listdir(tmp_path) == []


def test_no_folder_for_a_model_of_another_shape(tmp_path):
    with pytest.raises(InputError, match="model must have the weights of arch 'lazynet'"):
        train(config(tmp_path / "runs"), model=build_model("boringnet", (8, 8, 1), 10, seed=0))
    assert os.listdir(tmp_path) == []


def test_output_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="output must be a folder that can be written"):
        train(config(tmp_path / "file" / "runs"))


def test_resume_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match="which is no folder"):
        resume(tmp_path / "nowhere")
    with pytest.raises(InputError, match="which has no config.yaml"):
        resume(tmp_path)
    assert os.listdir(tmp_path) == []


def test_resume_with_a_damaged_configuration(full_batch, tmp_path):
    (tmp_path / "config.yaml").write_text("dataset: digits\narch: lazynet\nepoch: 3\n")
    with pytest.raises(InputError, match="config.yaml: Unknown setting 'epoch'"):
        resume(tmp_path)


def test_finished_run_is_returned_as_it_is(full_batch):
    run = full_batch[0]
    again = resume(run.path)
    assert isinstance(again, Run) and again.summary == run.summary


def test_images_that_can_no_longer_be_read_are_named(tmp_path):
    digits = load_source("digits")
    split, asked = digits.splits["train"], []

    def read(rows):
        asked.append(len(rows))
        if sum(asked) > 4000:
            raise OSError("the disk has gone")
        return split.images[rows]

    stored = Split(images=StoredImages(read, np.arange(len(split)), split.images.shape[1:]), labels=split.labels)
    source = dataclasses.replace(
        digits, splits={"train": stored, "test": digits.splits["test"]}, storage="cache folder"
    )
    config = TrainConfig(dataset="digits", arch="lazynet", epochs=50, output=str(tmp_path), precision="float32")
    with pytest.raises(OSError, match="^the disk has gone$"):
        train(config, source=source)
    (run,) = tmp_path.glob("digits/*")
    assert json.loads((run / "data.json").read_text())["storage"] == "cache folder"
