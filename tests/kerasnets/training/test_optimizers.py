"""The optimisers against updates by hand, three steps each, in NumPy float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.training.config import TrainConfig
from kerasnets.training.muon import Muon
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


# A convolution kernel, a bias, a matrix, a kernel of one dimension, a number and one more convolution kernel.
MUON_SHAPES = [(3, 3, 2, 4), (4,), (5, 3), (3, 2, 4), (), (1, 1, 4, 6)]
MUON_SETTINGS = {
    "optimizer": "muon",
    "learning_rate": 0.3,
    "momentum": 0.8,
    "muon_momentum": 0.6,
    "weight_decay": 0.1,
    "bias_weight_decay": 0.02,
    "bias_learning_rate_scale": 4.0,
    "head_learning_rate_scale": 3.0,
}


def make_muon(shapes, **settings):
    random = np.random.default_rng(5)
    variables = [keras.Variable(random.normal(size=shape).astype(np.float32)) for shape in shapes]
    config = TrainConfig(dataset="digits", arch="lazynet", **MUON_SETTINGS | settings)
    return GroupedOptimizer(config, variables), variables


def test_muon_and_nesterov_by_rank():
    optimizer, variables = make_muon(MUON_SHAPES)
    alone = [keras.Variable(variable) for variable in variables]
    kernel_optimizer = Muon(momentum=0.6)
    kernel_optimizer.build([alone[0], alone[5]])
    weights = [variable.numpy().astype(np.float64) for variable in variables]
    velocities = [np.zeros_like(weight) for weight in weights]
    scales, decays = {1: 4.0, 2: 3.0, 3: 3.0, 4: 4.0}, {1: 0.02, 2: 0.1, 3: 0.1, 4: 0.02}
    random = np.random.default_rng(6)
    for rate in RATES:
        gradients = [random.normal(size=shape) for shape in MUON_SHAPES]
        tensors = [tf.constant(gradient, tf.float32) for gradient in gradients]
        optimizer.assign_rate(tf.constant(rate))
        optimizer.apply(optimizer.decayed(tensors))
        kernel_optimizer.learning_rate.assign(rate)
        kernel_optimizer.apply([tensors[0], tensors[5]])
        for place, scale in scales.items():
            step = rate * scale * (gradients[place] + decays[place] * weights[place])
            velocities[place] = 0.8 * velocities[place] - step
            weights[place] += 0.8 * velocities[place] - step
    for place, variable in enumerate(variables):
        expected = weights[place] if place in scales else alone[place].numpy()
        np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4, atol=1e-6, err_msg=place)


def test_muon_saves_everything_in_a_fixed_order():
    optimizer, _ = make_muon(MUON_SHAPES)
    optimizer.assign_rate(tf.constant(0.25))
    optimizer.apply([tf.ones(shape) for shape in MUON_SHAPES])
    # Of every group the step counter, the rate and the slots: first the kernels, then rank 0 and 1, then the rest.
    shapes = [tuple(variable.shape) for variable in optimizer.variables]
    assert shapes == [(), (), (3, 3, 2, 4), (1, 1, 4, 6), (), (), (4,), (), (), (), (5, 3), (3, 2, 4)]
    values = [float(optimizer.variables[place].numpy()) for place in (0, 1, 4, 5, 8, 9)]
    assert values == [1, 0.25, 1, 1.0, 1, 0.75]


@pytest.mark.parametrize("shapes", [[(5, 3), (3,)], [(5, 3)], [(3, 3, 2, 4)], [(3, 3, 2, 4), (4,)]])
def test_muon_without_some_of_the_groups(shapes):
    optimizer, variables = make_muon(shapes)
    before = [variable.numpy() for variable in variables]
    assert isinstance(optimizer.main, Muon)
    assert float(optimizer.main.learning_rate.numpy()) == pytest.approx(0.3)
    step = tf.function(lambda: optimizer.apply(optimizer.decayed([tf.ones(shape) for shape in shapes])))
    for _ in range(2):
        optimizer.assign_rate(tf.constant(0.25))
        step()
    assert all(np.any(old != new.numpy()) for old, new in zip(before, variables, strict=True))
    assert float(optimizer.main.learning_rate.numpy()) == 0.25
    assert int(optimizer.main.iterations.numpy()) == 2
