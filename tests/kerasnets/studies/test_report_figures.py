"""What is drawn of a study: means and bands by hand, quantities that rows and claims name, published marks."""

import dataclasses

import numpy as np
import pandas as pd
import pytest

from kerasnets.reporting.svg import Line
from kerasnets.studies import report_figures
from kerasnets.studies.report_figures import accuracy_bars, class_figures, curve_figures, interval_of, mean_curve

SCRIPT = "<script>alert(1)</script>"


class Curve:
    """A run of which only the curve is looked at."""

    def __init__(self, **columns):
        self.curve = pd.DataFrame(columns)


def test_means_and_bands_over_seeds():
    runs = [
        Curve(epoch=[1, 2, 3], test_loss=[1.0, 2.0, 3.0], penalty=[1.0, 1.0, 1.0]),
        Curve(epoch=[1, 2], test_loss=[3.0, np.inf], penalty=[2.0, 2.0]),
        Curve(epoch=[]),
    ]
    curve = mean_curve(runs, "test_loss")
    assert curve.index.tolist() == [1, 2, 3]
    assert curve.to_numpy().tolist() == [[2, 1, 3, 2], [2, 2, 2, 1], [3, 3, 3, 1]]
    assert mean_curve(runs, "test_objective")["mean"].tolist() == [3.5, 3.0, 4.0]
    assert len(mean_curve(runs[2:], "test_loss")) == 0


@pytest.fixture
def drawn(small_results, monkeypatch):
    """The lines that each drawing was given, by quantity."""
    lines = {}
    monkeypatch.setattr(report_figures, "_draw", lambda some, quantity: lines.setdefault(quantity, some) and [])
    curve_figures(small_results)
    return lines


def test_quantities_are_those_plotted_and_those_named(drawn):
    assert list(drawn) == ["train_loss", "test_loss", "train_accuracy", "test_accuracy"]
    assert [(line.name, line.place) for line in drawn["train_loss"]] == [("plain", 0), (SCRIPT, 1), ("wild", 2)]
    assert all(isinstance(line, Line) for line in drawn["train_loss"])


def test_published_numbers_are_marked_at_their_epoch_or_the_last(drawn):
    assert list(drawn["train_loss"][0].marks) == [(1, 1.0), (2, 0.5), (3, 0.25)]
    assert list(drawn["test_accuracy"][0].marks) == [(3, 0.75)]
    assert list(drawn["test_accuracy"][1].marks) == []


def test_a_single_run_has_no_band(drawn):
    assert [line.low is not None for line in drawn["train_loss"]] == [True, True, False]


def test_a_scaled_study_has_no_published_marks(small_results, drawn):
    assert any(line.marks for lines in drawn.values() for line in lines)
    drawn.clear()
    scaled = dataclasses.replace(small_results, scale=0.5)
    curve_figures(scaled)
    assert drawn and not any(line.marks for lines in drawn.values() for line in lines)
    assert "published" not in accuracy_bars(scaled).svg


def test_bars_have_the_published_number(small_results):
    figure = accuracy_bars(small_results)
    assert "75.00 %" in figure.svg and "83.33 %" in figure.svg and "33.33 %" in figure.svg
    assert "published" in figure.svg and "&lt;script&gt;" in figure.svg


def test_a_diverged_run_without_a_test_split_has_no_bar(small_results):
    (wild, _) = small_results.by_setting["wild"]
    untested = dataclasses.replace(wild)
    untested.__dict__["data"] = wild.data | {"class_counts": {"train": [9, 9, 9]}}
    assert "33.33 %" in accuracy_bars(dataclasses.replace(small_results, cells=[wild])).svg
    assert accuracy_bars(dataclasses.replace(small_results, cells=[untested])) is None


def test_classes_with_possible_numbers_are_drawn(small_results):
    (figure,) = class_figures(small_results)
    assert figure.name == "class-accuracy-1" and "cat" in figure.svg


def test_intervals():
    # Student's t with one degree of freedom: 12.706 * 0.0141421 / sqrt(2)
    assert interval_of([0.49, 0.51], None) == pytest.approx((0.5 - 0.12706, 0.5 + 0.12706), abs=1e-5)
    assert interval_of([0.0, 0.9], None) == (0.0, 1.0)
    assert interval_of([0.5], lambda: 100) == pytest.approx((0.40383, 0.59617), abs=1e-5)  # Wilson
