"""Curves: which points are drawn, which are left out, what is marked."""

import io

import numpy as np
import pandas as pd
import pytest

from kerasnets.reporting.curves import curves_figure

NAN, INF = float("nan"), float("inf")


def summary(test=None):
    return {"dataset": "digits", "arch": "lenet_bn", "seed": 0, "status": "finished", "test": test}


def result_of(epoch):
    return {
        "split": "test", "accuracy": 0.9, "loss": 0.3, "interval": [0.88, 0.92], "n": 360, "epoch": epoch,
        "selection": "best validation accuracy",
    }  # fmt: skip


def results(**columns):
    epochs = len(next(iter(columns.values())))
    empty = {
        f"{split}_{quantity}": [NAN] * epochs for split in ("train", "val", "test") for quantity in ("loss", "accuracy")
    }
    return pd.DataFrame({"epoch": range(1, epochs + 1), "learning_rate": [0.1] * epochs, **empty, **columns})


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def save(figure):
    figure.savefig(io.BytesIO(), format="png")


def test_only_evaluated_splits_are_drawn():
    figure = curves_figure(results(train_loss=[2.0, 1.0], val_loss=[2.1, 1.5]), summary())
    assert set(lines(figure.axes[0])) == {"train", "validation"}
    np.testing.assert_array_equal(lines(figure.axes[0])["validation"].get_ydata(), [2.1, 1.5])
    assert not figure.axes[1].lines


def test_values_that_are_not_finite_are_left_out_and_marked():
    figure = curves_figure(results(train_loss=[2.0, NAN, INF, 1.0], test_loss=[NAN, NAN, -INF, 1.1]), summary())
    drawn = lines(figure.axes[0])
    np.testing.assert_array_equal(drawn["train"].get_xdata(), [1, 4])
    np.testing.assert_array_equal(drawn["test"].get_ydata(), [1.1])
    marks = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert marks == [2, 3]
    save(figure)


def test_a_run_without_one_finite_number_is_drawn():
    save(curves_figure(results(train_loss=[NAN]), summary()))


def test_text_in_a_cell_does_not_break_the_curves():
    figure = curves_figure(results(train_loss=["2.0", "inf", "oops"]), summary())
    np.testing.assert_array_equal(lines(figure.axes[0])["train"].get_ydata(), [2.0])


def test_the_selected_epoch_is_marked_in_every_panel():
    figure = curves_figure(results(train_loss=[2.0, 1.0, 0.5]), summary(result_of(2)))
    for axes in figure.axes:
        assert 2 in [line.get_xdata()[0] for line in axes.lines if line.get_linestyle() == "--"]
    assert lines(figure.axes[1])["test, selected epoch 2"].get_ydata()[0] == 0.9


@pytest.mark.parametrize("loss", [0.3, 4.0])
def test_a_selected_loss_far_from_the_curve_is_in_the_picture(loss):
    # A smoothed train loss lies far above the plain loss of the test split.
    axes = curves_figure(results(train_loss=[2.0, 1.5, 1.2]), summary(result_of(2) | {"loss": loss})).axes[0]
    lowest, highest = axes.get_ylim()
    assert lowest < loss < highest


@pytest.mark.parametrize(("rates", "scale"), [([0.1, 0.01, 0.001], "log"), ([0.1, 0.05, 0.0], "linear")])
def test_a_wide_range_is_logarithmic_unless_it_holds_zero(rates, scale):
    figure = curves_figure(results(train_loss=[2.0, 1.0, 0.9], learning_rate=rates), summary())
    assert figure.axes[2].get_yscale() == scale


def test_the_titles_name_run_and_result():
    figure = curves_figure(results(train_loss=[1.0]), summary(result_of(1)))
    words = [text.get_text() for text in figure.texts]
    assert words[0] == "digits · lenet_bn · seed 0"
    assert "n = 360" in words[1]
