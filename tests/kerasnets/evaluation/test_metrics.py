"""Metrics against hand calculations, published intervals and scikit-learn."""

import math

import numpy as np
import pytest
from sklearn import metrics as reference

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import (
    LOSSES,
    confusion_matrix,
    example_losses,
    mean_loss,
    per_class_table,
    wilson_interval,
)


@pytest.mark.parametrize(
    ("correct", "n", "low", "high"),
    [
        # Newcombe 1998, "Two-sided confidence intervals for the single proportion", table I, method 3.
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_has_the_published_values(correct, n, low, high):
    assert wilson_interval(correct, n) == pytest.approx((low, high), abs=5e-5)


def test_wilson_interval_stays_inside_and_mirrors():
    low, high = wilson_interval(20, 20)
    assert high == 1.0
    assert low == pytest.approx(1 - 0.1611, abs=5e-5)
    # With z = 1, share 1/2 and n = 4 the half width is sqrt(1/(4n) + 1/(4n^2)) / (1 + 1/n).
    confidence = math.erf(1 / math.sqrt(2))
    low, high = wilson_interval(2, 4, confidence)
    assert high - 0.5 == pytest.approx(math.sqrt(1 / 16 + 1 / 64) / 1.25)
    assert low == pytest.approx(1 - high)


def test_wilson_interval_of_nothing_is_undefined():
    assert all(math.isnan(bound) for bound in wilson_interval(0, 0))


def test_confusion_matrix_equals_scikit_learn():
    generator = np.random.default_rng(0)
    labels, predictions = generator.integers(0, 7, 500), generator.integers(0, 7, 500)
    counts = confusion_matrix(labels, predictions, 7)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, reference.confusion_matrix(labels, predictions, labels=range(7)))


def test_confusion_matrix_of_nothing_is_zero():
    np.testing.assert_array_equal(confusion_matrix(np.array([]), np.array([]), 2), np.zeros((2, 2)))


def test_confusion_matrix_refuses_other_lengths():
    with pytest.raises(InputError, match="same length"):
        confusion_matrix(np.array([0, 1]), np.array([0]), 2)


@pytest.mark.parametrize(("labels", "predictions"), [([0, 2], [0, 1]), ([0, 1], [0, -1])])
def test_confusion_matrix_refuses_a_class_out_of_range(labels, predictions):
    with pytest.raises(InputError, match=r"must lie in 0\.\.1 for 2 classes"):
        confusion_matrix(np.array(labels), np.array(predictions), 2)


def test_cross_entropy_equals_scikit_learn():
    generator = np.random.default_rng(1)
    p = generator.dirichlet(np.ones(5), 40)
    labels = generator.integers(0, 5, 40)
    assert mean_loss(np.log(p), labels) == pytest.approx(reference.log_loss(labels, p, labels=range(5)))


def test_losses_by_hand():
    log_p = np.log([[0.5, 0.25, 0.25], [0.1, 0.1, 0.8]])
    labels = np.array([0, 1])
    assert mean_loss(log_p, labels) == pytest.approx((math.log(2) + math.log(10)) / 2)
    first = (0.5**2 + 0.25**2 + 0.25**2) / 3
    second = (0.1**2 + 0.9**2 + 0.8**2) / 3
    assert mean_loss(log_p, labels, "mse") == pytest.approx((first + second) / 2)
    squashed = [
        -0.5 + math.log(math.exp(0.5) + 2 * math.exp(0.25)),
        -0.1 + math.log(2 * math.exp(0.1) + math.exp(0.8)),
    ]
    assert mean_loss(log_p, labels, "cross_entropy_on_probabilities") == pytest.approx(sum(squashed) / 2)


def test_losses_add_up_in_float64():
    # In float32 the running sum of 0.1 over a million examples is off by about 1 %.
    log_p = np.full((1_000_000, 1), -0.1, np.float32)
    assert mean_loss(log_p, np.zeros(1_000_000, np.int32)) == pytest.approx(float(np.float32(0.1)), rel=1e-12)


def test_loss_of_nothing_is_undefined():
    assert math.isnan(mean_loss(np.zeros((0, 3)), np.zeros(0, np.int32)))


def test_unknown_loss_names_the_closest():
    with pytest.raises(InputError, match="Did you mean 'cross_entropy'"):
        mean_loss(np.zeros((1, 2)), np.zeros(1, np.int32), "crossentropy")


def test_per_class_table_equals_scikit_learn():
    generator = np.random.default_rng(2)
    labels, predictions = generator.integers(0, 4, 300), generator.integers(0, 4, 300)
    table = per_class_table(labels, predictions, ["a", "b", "c", "d"])
    precision, recall, f1, support = reference.precision_recall_fscore_support(labels, predictions)
    np.testing.assert_allclose(table["precision"], precision)
    np.testing.assert_allclose(table["recall"], recall)
    np.testing.assert_allclose(table["accuracy"], recall)
    np.testing.assert_allclose(table["f1"], f1)
    np.testing.assert_array_equal(table["support"], support)
    assert list(table["class"]) == ["a", "b", "c", "d"]
    assert list(table["index"]) == [0, 1, 2, 3]
    assert table.loc[1, ["ci_low", "ci_high"]].tolist() == list(wilson_interval(table.correct[1], table.support[1]))


def test_per_class_table_names_the_worst_confusion():
    labels = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    predictions = np.array([0, 1, 2, 2, 1, 1, 0, 1])
    table = per_class_table(labels, predictions, ["plane", "car", "bird"])
    assert list(table["most_confused_with"]) == ["bird (2)", "", "plane (1)"]


def test_per_class_table_survives_empty_classes():
    table = per_class_table(np.array([0, 0, 1]), np.array([0, 0, 0]), ["seen", "missed", "absent"])
    assert table["support"].tolist() == [2, 1, 0]
    assert table["accuracy"].tolist()[:2] == [1.0, 0.0]
    assert table.loc[2, ["accuracy", "ci_low", "ci_high", "precision", "recall", "f1"]].isna().all()
    # Never predicted: precision has no meaning, while f1 = 2 * 0 / (1 + 0) has.
    assert math.isnan(table.loc[1, "precision"])
    assert table.loc[1, "f1"] == 0.0
    assert table["most_confused_with"].tolist() == ["", "seen (1)", ""]


@pytest.mark.parametrize("loss", LOSSES)
def test_mean_loss_is_the_mean_of_single_losses(loss):
    generator = np.random.default_rng(0)
    labels, p = generator.integers(0, 5, 40), generator.dirichlet(np.ones(5), 40)
    losses = example_losses(np.log(p), labels, loss)
    assert losses.shape == (40,) and losses.dtype == np.float64
    # each is what it is alone
    assert losses == pytest.approx([mean_loss(np.log(p[i : i + 1]), labels[i : i + 1], loss) for i in range(40)])
    assert mean_loss(np.log(p), labels, loss) == pytest.approx(sum(losses) / 40)
