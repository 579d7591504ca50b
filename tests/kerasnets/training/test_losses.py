"""Losses against NumPy formulas in float64."""

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.training.losses import evaluated_loss, make_loss

GENERATOR = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 1, 2], np.int32)
LOGITS = (GENERATOR.normal(size=(5, 3)) * 3).astype(np.float32)
ONE_HOT = np.eye(3)[LABELS]


def softmax(logits):
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


PROBABILITIES = softmax(LOGITS).astype(np.float32)


def value(name, kind, outputs, **settings):
    losses = make_loss(name, kind, 3, **settings)(LABELS, outputs).numpy()
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
    ],
)
def test_what_an_evaluation_reports(name, kind, expected):
    assert evaluated_loss(name, kind) == expected
