"""The optimisers against updates by hand, three steps each, in NumPy float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.training.config import TrainConfig
from kerasnets.training.optimizers import GroupedOptimizer

GRADIENTS = [
    (np.array([[0.5, -1.0], [2.0, 0.1]]), np.array([1.0, -3.0])),
    (np.array([[-0.4, 0.3], [0.2, 0.6]]), np.array([-2.0, 0.5])),
    (np.array([[0.9, 0.7], [-0.1, -0.5]]), np.array([0.3, 0.2])),
]
RATES = [0.1, 0.2, 0.05]
START = (np.array([[1.0, 2.0], [-3.0, 0.5]]), np.array([0.7, -0.2]))


def three_steps(**settings) -> list[np.ndarray]:
    """A kernel and a bias after three steps."""
    variables = [keras.Variable(value.astype(np.float32)) for value in START]
    config = TrainConfig(dataset="digits", arch="lazynet", learning_rate=0.3, **settings)
    optimizer = GroupedOptimizer(config, variables)
    for rate, gradients in zip(RATES, GRADIENTS, strict=True):
        optimizer.assign_rate(tf.constant(rate))
        optimizer.apply(optimizer.decayed([tf.constant(gradient, tf.float32) for gradient in gradients]))
    return [variable.numpy() for variable in variables]


def sgd_by_hand(number, momentum=0.0, decay=0.0, scale=1.0, nesterov=False):
    weight, velocity = START[number].copy(), 0.0
    for rate, gradients in zip(RATES, GRADIENTS, strict=True):
        gradient = gradients[number] + decay * weight
        velocity = momentum * velocity - rate * scale * gradient
        weight += momentum * velocity - rate * scale * gradient if nesterov else velocity
    return weight


def adam_by_hand(number, beta=0.9, decoupled=0.0, coupled=0.0, scale=1.0):
    weight, first, second = START[number].copy(), 0.0, 0.0
    for step, (rate, gradients) in enumerate(zip(RATES, GRADIENTS, strict=True), start=1):
        gradient = gradients[number] + coupled * weight
        first = beta * first + (1 - beta) * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight -= rate * scale * decoupled * weight
        weight -= rate * scale * (first / (1 - beta**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-7)
    return weight


def assert_equal(weights, *expected):
    for weight, value in zip(weights, expected, strict=True):
        np.testing.assert_allclose(weight, value, rtol=1e-4, atol=1e-6)


def test_sgd():
    assert_equal(three_steps(momentum=0.0), *(sgd_by_hand(number) for number in (0, 1)))


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_with_momentum_and_coupled_decay(nesterov):
    weights = three_steps(momentum=0.9, nesterov=nesterov, weight_decay=0.1)
    assert_equal(weights, *(sgd_by_hand(number, 0.9, 0.1, nesterov=nesterov) for number in (0, 1)))


def test_biases_with_a_rate_and_decay_of_their_own():
    weights = three_steps(momentum=0.9, weight_decay=0.1, bias_learning_rate_scale=4.0, bias_weight_decay=0.0)
    assert_equal(weights, sgd_by_hand(0, 0.9, 0.1), sgd_by_hand(1, 0.9, 0.0, scale=4.0))
    weights = three_steps(momentum=0.9, weight_decay=0.1, bias_learning_rate_scale=4.0)  # the decay is the weights'
    assert_equal(weights, sgd_by_hand(0, 0.9, 0.1), sgd_by_hand(1, 0.9, 0.1, scale=4.0))


def test_adamw_is_decoupled():
    weights = three_steps(optimizer="adamw", momentum=0.8, weight_decay=0.1, bias_weight_decay=0.0)
    assert_equal(weights, adam_by_hand(0, 0.8, decoupled=0.1), adam_by_hand(1, 0.8))
    weights = three_steps(optimizer="adamw", weight_decay=0.1, bias_learning_rate_scale=2.0)
    assert_equal(weights, adam_by_hand(0, decoupled=0.1), adam_by_hand(1, decoupled=0.1, scale=2.0))


def test_adam_is_coupled():
    weights = three_steps(optimizer="adam", weight_decay=0.1)
    assert_equal(weights, *(adam_by_hand(number, coupled=0.1) for number in (0, 1)))


def test_rmsprop():
    expected = []
    for number in (0, 1):
        weight, mean, velocity = START[number].copy(), 0.0, 0.0
        for rate, gradients in zip(RATES, GRADIENTS, strict=True):
            gradient = gradients[number] + 0.1 * weight
            mean = 0.9 * mean + 0.1 * gradient**2
            velocity = 0.5 * velocity + rate * gradient / np.sqrt(mean + 1e-7)
            weight -= velocity
        expected.append(weight)
    assert_equal(three_steps(optimizer="rmsprop", momentum=0.5, weight_decay=0.1), *expected)


def make(**settings):
    variables = [keras.Variable(value.astype(np.float32)) for value in START]
    return GroupedOptimizer(TrainConfig(dataset="digits", arch="lazynet", **settings), variables)


def test_one_group_unless_a_recipe_asks():
    # momentum of each weight, the step counter and the rate
    assert len(make().variables) == 4
    assert len(make(bias_weight_decay=0.0).variables) == 4  # the same decay as the weights'
    assert len(make(bias_learning_rate_scale=2.0).variables) == 6


def test_rate_reaches_every_group():
    optimizer = make(bias_learning_rate_scale=3.0)
    optimizer.assign_rate(tf.constant(0.25))
    rates = [float(variable.numpy()) for variable in optimizer.variables if "learning_rate" in variable.path]
    assert rates == [0.25, 0.75]
    assert float(optimizer.main.learning_rate.numpy()) == 0.25
