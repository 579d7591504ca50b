"""Muon against its published form in NumPy float64, on kernels laid out as there: filters by inputs."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.training.config import TrainConfig
from kerasnets.training.losses import make_loss
from kerasnets.training.muon import Muon, orthogonalize
from kerasnets.training.optimizers import GroupedOptimizer
from kerasnets.training.step import make_train_steps

SHAPES = [(3, 3, 4, 5), (2, 2, 1, 16), (1, 1, 7, 7), (3, 2, 1, 6), (1, 1, 2, 9), (3, 3, 1, 1)]


def steps_as_published(matrix):
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (np.linalg.norm(x) + 1e-7)
    for _ in range(3):
        products = x @ x.T
        x = 3.4445 * x + (-4.7750 * products + 2.0315 * products @ products) @ x
    return x.T if tall else x


def update_as_published(gradient):
    """The update of a kernel (height, width, channels in, filters)."""
    filters_first = gradient.transpose(3, 2, 0, 1)
    update = steps_as_published(filters_first.reshape(len(filters_first), -1))
    return update.reshape(filters_first.shape).transpose(2, 3, 1, 0)


def with_singular_values(rows, columns, values, seed=0):
    random = np.random.default_rng(seed)
    left = np.linalg.qr(random.normal(size=(rows, len(values))))[0]
    right = np.linalg.qr(random.normal(size=(columns, len(values))))[0]
    return (left * values) @ right.T


def random_kernels(shape, number, seed=1):
    return np.random.default_rng(seed).normal(size=(number, *shape))


def run(start, gradients, rates=None, momentum=0.0):
    """The kernel after each of the steps."""
    kernel = keras.Variable(start.astype(np.float32))
    optimizer = Muon(0.1, momentum)
    optimizer.build([kernel])
    kernels = []
    for gradient, rate in zip(gradients, rates or [0.1] * len(gradients), strict=True):
        optimizer.learning_rate.assign(rate)
        optimizer.apply([tf.constant(gradient, tf.float32)])
        kernels.append(kernel.numpy())
    return kernels


@pytest.mark.parametrize(("rows", "columns"), [(40, 12), (12, 40), (20, 20), (30, 1), (1, 30), (1, 1)])
def test_orthogonalize(rows, columns):
    matrix = 50.0 * with_singular_values(rows, columns, np.logspace(0, -4, min(rows, columns)))
    for scale in (1.0, 1e-4):
        update = orthogonalize(tf.constant(scale * matrix, tf.float32))
        np.testing.assert_allclose(update, steps_as_published(scale * matrix), atol=2e-5)


def test_singular_values_come_near_one():
    values = np.array([8.0, 4.0, 2.0, 1.0, 0.5])  # the least of them is 5 % of the norm
    update = orthogonalize(tf.constant(with_singular_values(30, 5, values), tf.float32)).numpy()
    found = np.linalg.svd(update, compute_uv=False)
    assert 0.68 < found.min() < found.max() < 1.21
    expected = values / np.linalg.norm(values)
    for _ in range(3):
        expected = 3.4445 * expected - 4.7750 * expected**3 + 2.0315 * expected**5
    np.testing.assert_allclose(found, np.sort(expected)[::-1], rtol=1e-5)


def test_orthogonalize_keeps_the_precision():
    matrix = with_singular_values(9, 6, np.logspace(0, -4, 6))
    update = orthogonalize(tf.constant(matrix))
    assert update.dtype == tf.float64
    np.testing.assert_allclose(update, steps_as_published(matrix), atol=1e-12)


@pytest.mark.parametrize("matrix", [np.zeros((4, 3)), np.full((4, 3), 1e-30), np.full((3, 4), 1e-12)])
def test_a_gradient_near_zero(matrix):
    update = orthogonalize(tf.constant(matrix, tf.float32)).numpy()
    np.testing.assert_allclose(update, steps_as_published(matrix), rtol=1e-5)
    assert np.all(np.isfinite(update))


@pytest.mark.parametrize("shape", SHAPES)
def test_one_step(shape):
    start, gradient = random_kernels(shape, 2)
    expected = start * np.sqrt(shape[-1]) / np.linalg.norm(start) - 0.1 * update_as_published(gradient)
    np.testing.assert_allclose(run(start, [gradient])[0], expected, atol=1e-5)


def test_several_steps_with_momentum():
    shape, rates = (3, 3, 2, 4), [0.1, 0.3, 0.05, 0.2]
    start, *gradients = random_kernels(shape, 5)
    weight, buffer = start, 0.0
    for kernel, gradient, rate in zip(run(start, gradients, rates, 0.6), gradients, rates, strict=True):
        buffer = 0.6 * buffer + gradient
        weight = weight * 2.0 / np.linalg.norm(weight) - rate * update_as_published(gradient + 0.6 * buffer)
        np.testing.assert_allclose(kernel, weight, atol=1e-5)


def test_zero_gradient_renormalises_only():
    (start,) = random_kernels((3, 3, 4, 9), 1)
    kernel = run(start, [np.zeros_like(start)], momentum=0.6)[0]
    assert np.linalg.norm(kernel) == pytest.approx(3.0, rel=1e-6)
    np.testing.assert_allclose(kernel / 3.0, start / np.linalg.norm(start), rtol=1e-5)


def test_kernel_of_zeros():
    (gradient,) = random_kernels((3, 3, 4, 9), 1)
    kernel = run(np.zeros_like(gradient), [np.zeros_like(gradient), gradient])
    np.testing.assert_array_equal(kernel[0], 0.0)
    np.testing.assert_allclose(kernel[1], -0.1 * update_as_published(gradient), atol=1e-5)


def test_depthwise_kernel_is_a_matrix_of_its_channels():
    start, gradient = random_kernels((3, 3, 6, 1), 2)
    swapped = [value.transpose(0, 1, 3, 2) for value in (start, gradient)]
    expected = run(swapped[0], swapped[1:])[0].transpose(0, 1, 3, 2)
    np.testing.assert_array_equal(run(start, [gradient])[0], expected)


def test_configuration_survives_saving():
    optimizer = Muon(0.25, 0.7, weight_decay=0.5, clipnorm=2.0)
    saved = json.loads(json.dumps(keras.optimizers.serialize(optimizer)))
    again = keras.optimizers.deserialize(saved)
    assert type(again) is Muon and again.get_config() == optimizer.get_config()
    assert (again.momentum, float(again.learning_rate.numpy()), again.clipnorm) == (0.7, 0.25, 2.0)


@pytest.mark.parametrize("momentum", [-0.1, 1.0])
def test_wrong_momentum(momentum):
    with pytest.raises(ValueError, match=f"at least 0 and below 1. Received: {momentum}"):
        Muon(momentum=momentum)


def test_wrong_rank():
    with pytest.raises(ValueError, match=r"Received: bias of shape \(3,\). Give it to another"):
        Muon().build([keras.Variable(np.zeros(3), name="bias")])


def test_no_kernels():
    optimizer = Muon()
    optimizer.build([])
    assert len(optimizer.variables) == 2  # the step counter and the rate


def test_lowers_the_loss_of_a_small_network():
    keras.utils.set_random_seed(3)
    random = np.random.default_rng(3)
    labels = random.integers(0, 2, 64)
    # Diagonal stripes to the left or to the right, under noise as strong.
    stripes = [(np.add.outer(np.arange(8), sign * np.arange(8)) % 4 < 2) * 2.0 - 1.0 for sign in (1, -1)]
    images = np.stack([stripes[label] for label in labels])[..., None] + random.normal(size=(64, 8, 8, 1))
    layers = [keras.layers.Conv2D(6, 3, activation="relu"), keras.layers.GlobalAveragePooling2D()]
    model = keras.Sequential([keras.Input((8, 8, 1)), *layers])
    readout = tf.constant(random.normal(size=(6, 2)), tf.float32)
    optimizer = Muon(0.1)
    kernels = [model.layers[0].kernel]
    optimizer.build(kernels)

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            logits = tf.matmul(model(tf.constant(images, tf.float32)), readout)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        optimizer.apply(tape.gradient(loss, kernels))
        return loss

    losses = [float(step()) for _ in range(40)]
    assert losses[0] > 0.5
    assert losses[-1] < 0.05, losses[::8]


def test_step_that_is_not_finite_leaves_kernels_and_buffers():
    images = np.random.default_rng(7).normal(size=(3, 2, 4, 4, 1)).astype(np.float32)
    images[1, 0, 0, 0, 0] = np.inf
    batch = (np.array([0, 1], np.int32), np.ones(2, np.float32))
    inputs = keras.Input((4, 4, 1))
    features = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(2)(features))
    config = TrainConfig(dataset="digits", arch="lazynet", optimizer="muon")
    optimizer = GroupedOptimizer(config, model.trainable_variables)
    steps = make_train_steps(
        model,
        optimizer,
        make_loss("cross_entropy", "logits", 2),
        tf.distribute.get_strategy(),
        iter(tf.data.Dataset.from_tensor_slices(images).map(lambda image: (image, *batch))),
        seed=1,
        averages=[],
        decay=0.0,
    )
    variables = model.weights + optimizer.variables
    start = [variable.numpy() for variable in variables]
    assert len(steps([0.1], 0).loss_sum) == 1
    after = [variable.numpy() for variable in variables]
    assert all(np.any(old != new) for old, new in zip(start, after, strict=True) if old.ndim)
    assert not np.isfinite(steps([0.1], 1).gradient_norm[0])
    for variable, value in zip(variables, after, strict=True):
        np.testing.assert_array_equal(variable.numpy(), value)
