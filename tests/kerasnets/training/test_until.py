"""Runs that pause and go on: what they say at the pause, and that they end bit-equal to one that never paused."""

import json

import numpy as np
import pandas as pd
import pytest

from kerasnets.errors import InputError
from kerasnets.reporting.run_page import write_run_report
from kerasnets.runs.checkpoint import load_checkpoint, load_newest
from kerasnets.training.config import TrainConfig
from kerasnets.training.train import resume, train
from kerasnets.training.until import Until
from pipelines.source import ImageSource
from pipelines.sources import load_source

# Moving averages, augmentation, muon, a rate that changes by step, a validation split, and weights from images.
CONFIG = TrainConfig(
    dataset="digits",
    arch="speednet",
    arch_options={"width": 4, "depth": 2},
    epochs=3,
    batch_size=32,
    limit_train=250,
    validation=0.2,
    optimizer="muon",
    learning_rate=0.05,
    schedule="cosine",
    ema=0.9,
    crop_padding=1,
    precision="float32",
    seed=5,
)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, "3"])
def test_wrong_epochs(value):
    with pytest.raises(InputError, match="pauses after a whole number of epochs above zero. Received: "):
        Until(epochs=value)


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), True, "3"])
def test_wrong_seconds(value):
    with pytest.raises(InputError, match="pauses after a number of seconds above zero. Received: "):
        Until(seconds=value)


def test_whichever_comes_first():
    assert not Until().reached(1e9, 1e9)
    until = Until(epochs=3, seconds=2.5)
    assert [until.reached(*place) for place in [(2, 2.4), (3, 0.0), (0, 2.5), (4, 9.0)]] == [False, True, True, True]


def without_test() -> ImageSource:
    source = load_source("digits")
    splits = {"train": source.splits["train"]}
    return ImageSource(name=source.name, class_names=source.class_names, splits=splits, origin=source.origin)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run that never paused."""
    return train(CONFIG, source=without_test(), run_path=tmp_path_factory.mktemp("whole"))


@pytest.fixture(scope="module")
def paused(tmp_path_factory):
    """A run that paused after each epoch, with the summaries of both pauses."""
    path = tmp_path_factory.mktemp("paused")
    first = train(CONFIG, source=without_test(), run_path=path, until=Until(epochs=1)).summary
    second = resume(path, source=without_test(), until=Until(epochs=2)).summary
    return resume(path, source=without_test(), until=Until(epochs=3)), first, second


def test_a_run_that_paused_ends_as_if_it_never_had(whole, paused):
    run = paused[0]
    assert run.status == whole.status == "finished"
    assert (run.path / "results.csv").read_bytes() == (whole.path / "results.csv").read_bytes()
    both = [load_newest(each.path / "checkpoints") for each in (run, whole)]
    both += [load_checkpoint(each.path / "checkpoints" / each.summary["checkpoints"]["best"]) for each in (run, whole)]
    for one, other in (both[:2], both[2:]):
        arrays, expected = (next(part for part in each if isinstance(part, dict)) for each in (one, other))
        assert {name: value.tobytes() for name, value in arrays.items()} == {
            name: value.tobytes() for name, value in expected.items()
        }


def test_what_a_pause_says(whole, paused):
    rows = whole.results
    for number, summary in enumerate((*paused[1:], paused[0].summary)):
        row = rows.iloc[number]
        pause = summary["pause"]
        assert summary["status"] == ("finished" if number == 2 else "paused")
        assert pause["epochs"] == number + 1 and summary["epochs"] == number + 1
        assert {key: pause[key] for key in ("val_loss", "val_accuracy", "train_loss")} == {
            key: row[key] for key in ("val_loss", "val_accuracy", "train_loss")
        }
        assert pause["seconds"] == pytest.approx(summary["seconds"]["total"], abs=2.0)
    assert "pause" not in whole.summary


def test_the_log_of_a_run_that_paused(paused):
    events = paused[0].log["event"].tolist()
    assert events == ["started", "epoch", "paused", "resumed", "epoch", "paused", "resumed", "epoch", "finished"]


def test_going_on_is_not_counted_twice(paused):
    run, first, second = paused
    for name in ("setup", "compile"):
        assert first["seconds"][name] == second["seconds"][name] == run.summary["seconds"][name] > 0


def test_nothing_of_a_test_split_without_one(whole, paused, tmp_path):
    for run in (whole, paused[0]):
        assert run.summary["test"] is None and run.summary["test_curve"] is None
        assert "test" not in run.data["class_counts"]
        assert run.results[["test_loss", "test_accuracy"]].isna().all(axis=None)
        assert not [file for file in ("predictions.npz", "per_class.csv") if (run.path / file).exists()]
        assert "Not evaluated on the test split" in write_run_report([run.path], tmp_path / "a.html").path.read_text()


def test_a_run_that_has_paused_there_is_left_alone(tmp_path):
    run = train(CONFIG, run_path=tmp_path / "run", until=Until(epochs=1))
    before = {file: file.stat().st_mtime_ns for file in run.path.rglob("*") if file.is_file()}
    assert resume(run.path, until=Until(epochs=1)).status == "paused"
    assert {file: file.stat().st_mtime_ns for file in run.path.rglob("*") if file.is_file()} == before
    page = write_run_report([run.path], tmp_path / "a.html").path.read_text()
    assert "PAUSED" in page and "Not evaluated on the test split (run paused)" in page
    # Somebody goes on with it by hand, to its end.
    finished = resume(run.path)
    assert finished.status == "finished" and "pause" not in finished.summary
    assert finished.summary["test"]["n"] > 0


def test_a_pause_inside_an_epoch_changes_nothing(whole, tmp_path, monkeypatch):
    monkeypatch.setattr("kerasnets.training.loop._CALL_SECONDS", 0.0)
    path = tmp_path / "run"
    run = train(CONFIG, source=without_test(), run_path=path, until=Until(seconds=1e-9))
    places = []
    for _ in range(3):
        state = load_newest(path / "checkpoints")[2]["state"]
        places.append(state["epoch"] + state["step"] / 7)
        assert run.summary["pause"]["epochs"] == pytest.approx(places[-1])
        run = resume(path, source=without_test(), until=Until(seconds=run.summary["pause"]["seconds"] + 1e-9))
    assert places[0] == 1 / 7 and places[0] < places[1] < places[2]
    run = resume(path, source=without_test())
    pd.testing.assert_frame_equal(run.results, whole.results, check_exact=True)
    arrays, expected = (load_newest(each.path / "checkpoints")[1] for each in (run, whole))
    for name, value in expected.items():
        np.testing.assert_array_equal(arrays[name], value, err_msg=name)


def test_a_pause_inside_an_epoch_is_evaluated(tmp_path):
    run = train(CONFIG, source=without_test(), run_path=tmp_path / "run", until=Until(seconds=1e-9))
    pause = json.loads((run.path / "summary.json").read_text())["pause"]
    assert 0 < pause["epochs"] < 1
    assert 0 <= pause["val_accuracy"] <= 1 and pause["val_loss"] > 0 and pause["train_loss"] > 0
    assert not (run.path / "results.csv").exists() and run.summary["last"] is None
