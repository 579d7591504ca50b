import keras
import numpy as np
import pytest

from kerasnets.models.fully_connected import boringnet, lazynet, scratch_mlp

SHAPE = (32, 32, 3)
PIXELS = 32 * 32 * 3
IMAGES = np.random.default_rng(0).normal(size=(4, 8, 8, 1)).astype("float32")


def sizes(model):
    return [int(np.prod(weight.shape)) for weight in model.trainable_weights]


def test_published_sizes():
    assert sum(sizes(lazynet(SHAPE, 10))) == PIXELS * 10 + 10 == 30_730
    assert sum(sizes(boringnet(SHAPE, 10))) == PIXELS * 120 + 120 + 120 * 84 + 84 + 84 * 10 + 10
    assert sum(sizes(scratch_mlp(SHAPE, 10))) == PIXELS * 100 + 100 + 100 * 10 + 10
    assert sum(sizes(scratch_mlp((28, 28, 1), 10))) == 784 * 100 + 100 + 100 * 10 + 10


def test_lazynet_is_one_linear_map():
    model = lazynet((8, 8, 1), 5)
    kernel, bias = model.get_weights()
    np.testing.assert_allclose(model(IMAGES), IMAGES.reshape(4, 64) @ kernel + bias, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "activation, function",
    [
        ("none", lambda x: x),
        ("relu", lambda x: np.maximum(x, 0)),
        ("leaky_relu", lambda x: np.where(x > 0, x, 0.01 * x)),
    ],
)
def test_boringnet_by_hand(activation, function):
    model = boringnet((8, 8, 1), 5, activation=activation)
    k1, b1, k2, b2, k3, b3 = model.get_weights()
    hidden = function(function(IMAGES.reshape(4, 64) @ k1 + b1) @ k2 + b2)
    np.testing.assert_allclose(model(IMAGES), hidden @ k3 + b3, rtol=1e-4, atol=1e-5)


def test_scratch_mlp_by_hand():
    model = scratch_mlp((8, 8, 1), 5, width=7)
    k1, b1, k2, b2 = model.get_weights()
    expected = np.maximum(IMAGES.reshape(4, 64) @ k1 + b1, 0) @ k2 + b2
    np.testing.assert_allclose(model(IMAGES), expected, rtol=1e-4, atol=1e-5)
    assert k1.shape == (64, 7)


@pytest.mark.parametrize("options, stddev", [({}, 0.1), ({"initial_stddev": 1.0}, 1.0)])
def test_scratch_mlp_starts_normal_with_zero_biases(options, stddev):
    keras.utils.set_random_seed(0)
    k1, b1, k2, b2 = scratch_mlp(SHAPE, 10, **options).get_weights()
    np.testing.assert_allclose([k1.mean(), k1.std(), k2.std()], [0, stddev, stddev], atol=0.05 * stddev)
    # the tails tell a normal from a uniform distribution
    assert np.abs(k1).max() > 4 * stddev
    assert not b1.any() and not b2.any()


def test_scratch_mlp_starts_with_the_published_cifar10_penalty():
    keras.utils.set_random_seed(0)
    model = scratch_mlp(SHAPE, 10, initial_stddev=1.0, l2=0.005)
    # The published test loss after one epoch is 566.63, of which about 2.2 is cross entropy; the penalty falls by e.
    np.testing.assert_allclose(sum(model.losses), (566.63 - 2.2) * np.e, rtol=0.01)


def test_scratch_mlp_penalises_both_kernels_and_no_bias():
    model = scratch_mlp((8, 8, 1), 5, l2=0.5)
    k1, b1, k2, b2 = (2 * weight + 1 for weight in model.get_weights())
    model.set_weights([k1, b1, k2, b2])
    np.testing.assert_allclose(sum(model.losses), 0.5 * ((k1**2).sum() + (k2**2).sum()), rtol=1e-5)
    assert scratch_mlp((8, 8, 1), 5).losses == []
