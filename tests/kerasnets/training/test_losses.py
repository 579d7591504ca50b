"""Losses against NumPy formulas in float64."""

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.training.losses import evaluated_loss, main_labels, make_loss

GENERATOR = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 1, 2], np.int32)
LOGITS = (GENERATOR.normal(size=(5, 3)) * 3).astype(np.float32)
ONE_HOT = np.eye(3)[LABELS]
# Of two equal shares the first is the main one.
MIXED = np.array([[0.7, 0.3, 0], [0.2, 0, 0.8], [0, 1, 0], [0.5, 0.5, 0], [0, 0.4, 0.6]], np.float32)


def softmax(logits):
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


PROBABILITIES = softmax(LOGITS).astype(np.float32)


def value(name, kind, outputs, labels=LABELS, **settings):
    losses = make_loss(name, kind, 3, **settings)(labels, outputs).numpy()
    assert losses.shape == (5,) and losses.dtype == np.float32
    return losses


def test_cross_entropy():
    expected = -np.log(softmax(LOGITS)[np.arange(5), LABELS])
    np.testing.assert_allclose(value("cross_entropy", "logits", LOGITS), expected, rtol=1e-5)


def test_cross_entropy_of_huge_logits_is_finite():
    outputs = np.array([[1e4, 0, 0]] * 5, np.float32)
    np.testing.assert_allclose(value("cross_entropy", "logits", outputs), [0, 1e4, 1e4, 1e4, 1e4])


def test_label_smoothing():
    targets = 0.8 * ONE_HOT + 0.2 / 3
    expected = -(targets * np.log(softmax(LOGITS))).sum(axis=1)
    np.testing.assert_allclose(value("cross_entropy", "logits", LOGITS, label_smoothing=0.2), expected, rtol=1e-5)


def test_mean_squared_error():
    expected = ((softmax(LOGITS) - ONE_HOT) ** 2).mean(axis=1)
    np.testing.assert_allclose(value("mse", "logits", LOGITS), expected, rtol=1e-5)
    np.testing.assert_allclose(value("mse", "probabilities", PROBABILITIES), expected, rtol=1e-5)


def test_the_known_mistake():
    twice = softmax(softmax(LOGITS))
    expected = -np.log(twice[np.arange(5), LABELS])
    name = "cross_entropy_on_probabilities"
    np.testing.assert_allclose(value(name, "logits", LOGITS), expected, rtol=1e-5)
    np.testing.assert_allclose(value(name, "probabilities", PROBABILITIES), expected, rtol=1e-5)
    # cross entropy takes what it gets for logits: with a network that gives probabilities it is the same mistake
    np.testing.assert_allclose(value("cross_entropy", "probabilities", PROBABILITIES), expected, rtol=1e-5)


def test_unstable_cross_entropy_is_the_same_where_nothing_overflows():
    expected = -np.log(softmax(LOGITS)[np.arange(5), LABELS])
    np.testing.assert_allclose(value("cross_entropy_unstable", "logits", LOGITS), expected, rtol=1e-5)
    mixed = -(MIXED * np.log(softmax(LOGITS))).sum(axis=1)
    np.testing.assert_allclose(value("cross_entropy_unstable", "logits", LOGITS, MIXED), mixed, rtol=1e-5)


@pytest.mark.parametrize("logits", [[90, 0, 0], [0, 110, 110], [90, 90, 90]])
def test_unstable_cross_entropy_is_no_number_where_the_stable_one_is(logits):
    outputs, labels = np.array([logits], np.float32), np.zeros(1, np.int32)
    stable, unstable = (
        make_loss(name, "logits", 3)(labels, outputs).numpy() for name in ("cross_entropy", "cross_entropy_unstable")
    )
    assert np.isfinite(stable).all() and not np.isfinite(unstable).any()


def test_mixed_labels():
    log_shares = np.log(softmax(LOGITS))
    mixed = value("cross_entropy", "logits", LOGITS, MIXED)
    np.testing.assert_allclose(mixed, -(MIXED * log_shares).sum(axis=1), rtol=1e-5)
    smoothed = value("cross_entropy", "logits", LOGITS, MIXED, label_smoothing=0.2)
    np.testing.assert_allclose(smoothed, -((0.8 * MIXED + 0.2 / 3) * log_shares).sum(axis=1), rtol=1e-5)
    squared = ((softmax(LOGITS) - MIXED) ** 2).mean(axis=1)
    np.testing.assert_allclose(value("mse", "logits", LOGITS, MIXED), squared, rtol=1e-5)


@pytest.mark.parametrize("name", ["cross_entropy", "mse", "cross_entropy_on_probabilities", "cross_entropy_unstable"])
def test_whole_shares_are_the_same_as_positions(name):
    positions, shares = value(name, "logits", LOGITS), value(name, "logits", LOGITS, ONE_HOT.astype(np.float32))
    np.testing.assert_allclose(positions, shares, rtol=1e-5)


def test_main_labels():
    assert main_labels(MIXED).numpy().tolist() == [0, 2, 1, 0, 2]
    assert main_labels(LABELS) is LABELS


def test_unknown():
    with pytest.raises(InputError, match="loss must be one of cross_entropy, mse, .*Received: 'hinge'"):
        make_loss("hinge", "logits", 3)


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("cross_entropy", "logits", "cross_entropy"),
        ("cross_entropy", "probabilities", "cross_entropy_on_probabilities"),
        ("cross_entropy_on_probabilities", "logits", "cross_entropy_on_probabilities"),
        ("mse", "probabilities", "mse"),
        ("cross_entropy_unstable", "logits", "cross_entropy"),
        ("cross_entropy_unstable", "probabilities", "cross_entropy_on_probabilities"),
    ],
)
def test_what_an_evaluation_reports(name, kind, expected):
    assert evaluated_loss(name, kind) == expected
