"""What a cell's folder says of it, with expected numbers computed by hand."""

import json
import math

import numpy as np
import pytest

from kerasnets.studies.cells import cell_path, make_cells
from kerasnets.studies.results import read_cell
from kerasnets.studies.study import Measure, Setting, Study
from kerasnets.training.config import config_to_yaml

STUDY = Study(
    name="s",
    question="?",
    dataset="digits",
    base={"arch": "lazynet", "epochs": 3},
    settings=(Setting(name="ce"), Setting(name="mse", config={"loss": "mse"})),
    seeds=1,
)
CE, MSE = make_cells(STUDY)
RESULTS = """epoch,train_loss,train_accuracy,test_loss,test_accuracy,gradient_norm,penalty
1,2.0,0.5,2.1,0.4,1.5,10.5
2,1.0,0.75,1.5,0.625,1.25,3.25
3,0.5,1.0,1.75,0.5,0.5,0.25
"""
LABELS = np.array([0, 0, 1, 1, 2, 2], np.int32)
PREDICTED = np.array([0, 1, 1, 1, 0, 0])


def write(output, cell, *, status="finished", results=RESULTS, predictions=True, config=None, splits=("train", "test")):
    path = cell_path(output, cell)
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config_to_yaml(config or cell.config))
    counts = {split: [2, 2, 2] for split in splits}
    (path / "data.json").write_text(json.dumps({"class_names": ["a", "b", "c"], "class_counts": counts}))
    if status:
        (path / "summary.json").write_text(json.dumps({"status": status, "seconds": {"train": 12.5, "total": 20}}))
    if results:
        (path / "results.csv").write_text(results)
    if predictions:
        log_probabilities = np.log(np.eye(3, dtype=np.float32)[PREDICTED] * 0.7 + 0.1)
        np.savez(path / "predictions.npz", labels=LABELS, log_probabilities=log_probabilities)
    return read_cell(output, cell)


def test_a_cell_that_was_never_begun(tmp_path):
    result = read_cell(tmp_path, CE)
    assert (result.status, result.done, result.value(Measure())) == ("missing", False, None)
    assert read_cell(tmp_path, CE, failed="killed").status == "failed"
    assert read_cell(tmp_path, CE, failed="killed").reason == "killed"


@pytest.mark.parametrize(
    ("measure", "expected"),
    [
        (Measure(), 0.5),
        (Measure(epoch=2), 0.625),
        (Measure(quantity="train_loss"), 0.5),
        (Measure(quantity="train_loss", epoch=1), 2.0),
        (Measure(quantity="gradient_norm", epoch=1), 1.5),
        (Measure(quantity="gap"), 0.5),
        (Measure(quantity="gap", epoch=1), 0.1),
        (Measure(quantity="late_dip"), 0.125),
        (Measure(quantity="test_objective"), 2.0),
        (Measure(quantity="test_objective", epoch=2), 4.75),
        (Measure(quantity="train_seconds"), 12.5),
        (Measure(quantity="class_accuracy", class_name="a"), 0.5),
        (Measure(quantity="class_accuracy", class_name="b"), 1.0),
        (Measure(quantity="class_accuracy", class_name="c"), 0.0),
        (Measure(quantity="class_accuracy", class_name="d"), None),
        (Measure(epoch=4), None),
    ],
)
def test_values(tmp_path, measure, expected):
    assert write(tmp_path, CE).value(measure) == (None if expected is None else pytest.approx(expected, abs=1e-12))


def test_right_and_wrong_images(tmp_path):
    assert write(tmp_path, CE).answers.correct.tolist() == [True, False, True, True, False, False]


def test_a_run_that_diverged_guesses(tmp_path):
    result = write(tmp_path, CE, status="diverged", predictions=False)
    assert result.done and result.answers is None
    assert result.value(Measure()) == pytest.approx(1 / 3)
    assert result.value(Measure(quantity="train_loss")) == pytest.approx(math.log(3))
    assert result.value(Measure(quantity="gap")) == 0
    assert result.value(Measure(quantity="gradient_norm")) is None
    assert result.value(Measure(quantity="train_loss", epoch=1)) == 2.0
    # Probabilities of a third against a target of one: ((2/3)^2 + 2 (1/3)^2) / 3 = 2/9.
    result = write(tmp_path, MSE, status="diverged", predictions=False)
    assert result.value(Measure(quantity="test_loss")) == pytest.approx(2 / 9)


def test_a_run_that_diverged_need_not_guess(tmp_path):
    result = write(tmp_path, CE, status="diverged", predictions=False)
    for quantity in ("test_accuracy", "train_loss", "test_loss", "gap"):
        assert result.value(Measure(quantity=quantity), guess=False) is None
    assert result.value(Measure(quantity="train_loss", epoch=1), guess=False) == 2.0


def test_nothing_is_guessed_of_a_test_that_there_was_not(tmp_path):
    result = write(tmp_path, CE, status="diverged", predictions=False, splits=("train",))
    for quantity in ("test_accuracy", "test_loss", "gap", "test_objective"):
        assert result.value(Measure(quantity=quantity)) is None
    assert result.value(Measure(quantity="class_accuracy", class_name="a")) is None
    assert result.value(Measure(quantity="train_accuracy")) == pytest.approx(1 / 3)
    assert result.value(Measure(quantity="train_loss")) == pytest.approx(math.log(3))


def test_a_late_dip_needs_every_epoch(tmp_path):
    result = write(tmp_path, CE, results="epoch,test_accuracy\n1,0.4\n2,\n3,0.5\n")
    assert result.value(Measure(quantity="late_dip")) is None


def test_a_run_that_diverged_in_its_first_epoch_has_no_curve(tmp_path):
    result = write(tmp_path, CE, status="diverged", results="", predictions=False)
    assert len(result.curve) == 0
    assert result.value(Measure(epoch=1)) is None


@pytest.mark.parametrize(
    ("status", "expected"), [("interrupted", "interrupted"), ("running", "running"), ("", "running")]
)
def test_a_run_that_is_not_done_has_no_numbers(tmp_path, status, expected):
    result = write(tmp_path, CE, status=status)
    assert (result.status, result.done, result.value(Measure())) == (expected, False, None)
    assert read_cell(tmp_path, CE, failed="three times").status == "failed"


def test_a_run_that_is_done_has_not_failed(tmp_path):
    write(tmp_path, CE)
    assert read_cell(tmp_path, CE, failed="three times").status == "finished"


def test_nothing_is_read_from_a_folder_with_another_configuration(tmp_path):
    result = write(tmp_path, CE, config=MSE.config)
    assert (result.status, result.done, result.value(Measure())) == ("failed", False, None)
    assert "holds another config.yaml than it is named by" in result.reason
    (result.path / "config.yaml").write_text("a: [")
    assert "must be YAML" in read_cell(tmp_path, CE).reason


def test_values_that_are_no_numbers_are_none(tmp_path):
    result = write(tmp_path, CE, results="epoch,test_accuracy\n1,\n")
    assert result.value(Measure()) is None
    assert result.value(Measure(quantity="train_loss")) is None
