"""Which weights are evaluated, and what the summary says."""

import json

import numpy as np
import pytest

from kerasnets.runs.checkpoint import CheckpointError, save_checkpoint
from kerasnets.training.finish import describe_place, finish, select_weights, summarise
from kerasnets.training.loop_state import Paused
from kerasnets.training.until import Until
from pipelines.source import ImageSource, Split


def ended(fake_run, **settings):
    """A run of two epochs whose last weight is 8."""
    run = fake_run(**settings)
    run.answers = [(1.0, 0.7), (1.0, 0.6)]
    return run.run()


def test_last_epoch(fake_run):
    run = ended(fake_run)
    assert select_weights(run.parts, run.state) == ("last epoch", 2)
    assert run.weight == 8.0


def test_moving_average_of_the_last_epoch(fake_run):
    run = ended(fake_run, ema=0.5)
    run.parts.averages[0].assign([[5.5]])
    assert select_weights(run.parts, run.state) == ("last epoch", 2)
    assert run.weight == 5.5


def test_best_epoch(fake_run):
    run = ended(fake_run, validation=0.1)
    assert select_weights(run.parts, run.state) == ("best validation accuracy", 1)
    assert run.weight == 4.0


def test_damaged_best_epoch(fake_run):
    run = ended(fake_run, validation=0.1)
    (run.parts.folder.checkpoints / "best-00001.ckpt").write_bytes(b"")
    with pytest.raises(CheckpointError, match="best-00001.ckpt must start as"):
        select_weights(run.parts, run.state)


def test_summary(fake_run):
    run = ended(fake_run, validation=0.1, seed=3)
    run.state.seconds |= {"train": 4.0, "compile": 1.0, "evaluation": 2.0, "checkpoint": 0.5, "report": 0.25}
    run.state.timed_images = 100.0
    summary = summarise(run.parts, run.state, "interrupted")
    path = run.parts.folder.path
    assert json.loads((path / "summary.json").read_text()) == summary
    expected = {
        "run": str(path),
        "status": "interrupted",
        "stopped": None,
        "dataset": "digits",
        "arch": "lazynet",
        "seed": 3,
        "epochs": 2,
        "selection": None,
        "test": None,
        "test_curve": None,
        "last": run.state.rows[1],
        "best": run.state.rows[0],
        "images_per_second": 25.0,
        "limit_train": None,
        "checkpoints": {"last": "step-000000008.ckpt", "best": "best-00001.ckpt"},
        "weights": 1,
    }
    assert {key: summary[key] for key in expected} == expected
    assert summary["seconds"]["total"] == 7.75 and summary["seconds"]["compile"] == 1.0
    assert summary["peak_memory_bytes"] > 10**7 and summary["hardware"].endswith("cores")


def test_summary_before_the_first_step(fake_run):
    run = fake_run()
    summary = summarise(run.parts, run.state, "running")
    empty = ("last", "best", "test", "images_per_second")
    assert [summary[key] for key in empty] == [None] * 4 and summary["epochs"] == 0
    assert summary["checkpoints"] == {"last": None, "best": None}


def test_summary_of_a_test_curve(fake_run):
    run = fake_run(epochs=3, test_curve=2)
    run.answers = [(1.0, 0.25), (1.0, 0.75)]
    run.run()
    curve = summarise(run.parts, run.state, "running")["test_curve"]
    assert (curve["epochs"], curve["mean_accuracy"], curve["split"]) == (2, 0.5, "test")
    assert curve["selection"] == "mean of the last 2 epochs"


class MadeUp:
    """Says of every image what its first pixel is, with a probability of 0.7; augmented, it is always right."""

    class_names, image_shape, name = ("a", "b", "c"), (8, 8, 1), "made up"

    def with_and_without_tta(self, images, batch_size, tta):
        plain = [0, 1, 2, 1, 1]
        assert images[:, 0, 0, 0].tolist() == plain
        chosen = plain if tta == "none" else [0, 1, 2, 2, 1]
        return self._answer(chosen), self._answer(plain)

    def _answer(self, classes):
        answers = np.eye(3)[classes]
        return np.log(0.7 * answers + 0.15 * (1 - answers)).astype(np.float32)


def source(with_test=True):
    labels = np.array([0, 1, 2, 2, 1], np.int32)
    images = np.zeros((5, 8, 8, 1), np.uint8)
    images[:, 0, 0, 0] = [0, 1, 2, 1, 1]  # the fourth is mistaken
    split = Split(images=images, labels=labels)
    splits = {"train": split} | ({"test": split} if with_test else {})
    return ImageSource(name="made_up", class_names=("a", "b", "c"), splits=splits, origin="nowhere")


def test_finish(fake_run, monkeypatch):
    seen = []

    def figures(path, images):
        seen.append((json.loads((path / "summary.json").read_text())["status"], len(images)))

    monkeypatch.setattr("kerasnets.training.finish.write_figures", figures)
    run = ended(fake_run)
    summary = finish(run.parts, run.state, source(), MadeUp(), "cross_entropy")
    # Wilson's 95 % interval for 4 of 5 right
    expected = {"accuracy": 0.8, "correct": 4, "n": 5, "split": "test", "selection": "last epoch", "epoch": 2}
    assert {key: summary["test"][key] for key in expected} == expected
    assert summary["test"]["loss"] == pytest.approx(-(4 * np.log(0.7) + np.log(0.15)) / 5)
    assert (summary["test"]["accuracy_without_tta"], summary["test"]["tta"]) == (0.8, "none")
    assert summary["test"]["interval"] == pytest.approx([0.3755, 0.9638], abs=1e-3)
    assert summary["status"] == "finished" and seen == [("running", 5)]
    path = run.parts.folder.path
    matrix = (path / "confusion_matrix.csv").read_text().splitlines()
    assert matrix == ["true,a,b,c", "a,1,0,0", "b,0,2,0", "c,0,1,1"]
    assert (path / "per_class.csv").read_text().splitlines()[3].startswith("c,2,2,1,0.5,")
    with np.load(path / "predictions.npz") as predictions:
        np.testing.assert_array_equal(predictions["labels"], [0, 1, 2, 2, 1])
        np.testing.assert_array_equal(predictions["log_probabilities"].argmax(axis=1), [0, 1, 2, 1, 1])


def test_test_time_augmentation_is_told_apart(fake_run, monkeypatch):
    monkeypatch.setattr("kerasnets.training.finish.write_figures", lambda path, images: None)
    run = ended(fake_run, tta="flip+shift")
    test = finish(run.parts, run.state, source(), MadeUp(), "cross_entropy")["test"]
    assert (test["accuracy"], test["accuracy_without_tta"], test["tta"]) == (1.0, 0.8, "flip+shift")


def test_finish_without_a_test_split(fake_run, monkeypatch):
    monkeypatch.setattr("kerasnets.training.finish.write_figures", lambda path, images: None)
    run = ended(fake_run)
    summary = finish(run.parts, run.state, source(with_test=False), MadeUp(), "cross_entropy")
    assert summary["test"] is None and summary["status"] == "finished"
    assert not (run.parts.folder.path / "per_class.csv").exists()


def test_a_trial_that_finishes_says_how_good_its_last_epoch_is(fake_run, monkeypatch):
    monkeypatch.setattr("kerasnets.training.finish.write_figures", lambda path, images: None)
    run = ended(fake_run, validation=0.1)
    run.parts.until = Until(epochs=2)
    summary = finish(run.parts, run.state, source(with_test=False), MadeUp(), "cross_entropy")
    assert summary["selection"] == "best validation accuracy" and summary["best"]["val_accuracy"] == 0.7
    assert summary["pause"].pop("seconds") > 0
    assert summary["pause"] == {"epochs": 2.0, "val_loss": 1.0, "val_accuracy": 0.6, "train_loss": 1.25}
    assert summarise(run.parts, run.state, "running").get("pause") is None


def test_the_place_inside_an_epoch(fake_run):
    run = fake_run(validation=0.1)
    run.losses, run.answers, run.parts.until = {4: 3.0, 5: 5.0}, [(1.0, 0.5), (0.75, 0.625)], Until(seconds=6.0)
    with pytest.raises(Paused):
        run.run()
    place = describe_place(run.parts, run.state)
    expected = {"epochs": 1.5, "seconds": 6.0, "val_loss": 0.75, "val_accuracy": 0.625, "train_loss": 4.25}
    assert place == pytest.approx(expected)
    run.parts.validated = False
    assert (describe_place(run.parts, run.state)["val_accuracy"], run.answers) == (None, [])


def test_the_place_after_an_epoch_that_was_cut_short(fake_run):
    run = fake_run(epochs=1000, max_time="7s").run()
    # the first step is compilation, six more make half of the second epoch and a bit
    assert len(run.rates) == 7 and run.state.epoch == 2
    assert describe_place(run.parts, run.state)["epochs"] == 1.75


def test_best_weights_of_another_network(fake_run):
    run = ended(fake_run, validation=0.1)
    save_checkpoint(run.parts.folder.checkpoints / "best-00001.ckpt", {}, {})
    with pytest.raises(ValueError, match="must hold 1 arrays of model. Received: 0"):
        select_weights(run.parts, run.state)
