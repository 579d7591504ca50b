import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.layers import convolution, interleaved
from kerasnets.layers.convolution import Convolution
from kerasnets.layers.interleaved import choose_images, convolve_interleaved


def direct(inputs, kernel):
    """Convolution with padding "same", place by place, in float64."""
    height, width = kernel.shape[:2]
    padded = np.pad(inputs, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
    rows, columns = inputs.shape[1:3]
    places = [(y, x) for y in range(height) for x in range(width)]
    return sum(padded[:, y : y + rows, x : x + columns] @ kernel[y, x] for y, x in places)


def arrays(batch, height, width, kernel_size):
    random = np.random.default_rng(0)
    return random.normal(size=(batch, height, width, 5)), random.normal(size=(*kernel_size, 5, 6))


@pytest.mark.parametrize("images", [1, 2, 4, 16])
@pytest.mark.parametrize("batch", [1, 4, 9])
@pytest.mark.parametrize("height, width, kernel_size", [(4, 4, (3, 3)), (2, 7, (3, 3)), (5, 1, (3, 5)), (1, 3, (1, 1))])
def test_against_direct_sums(images, batch, height, width, kernel_size):
    inputs, kernel = arrays(batch, height, width, kernel_size)
    received = convolve_interleaved(tf.constant(inputs, tf.float32), tf.constant(kernel, tf.float32), images)
    np.testing.assert_allclose(received, direct(inputs, kernel), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batch", [0, 1, 19])
def test_a_batch_that_is_not_known(batch):
    inputs, kernel = arrays(batch, 3, 3, (3, 3))
    signature = [tf.TensorSpec([None, 3, 3, 5]), tf.TensorSpec([3, 3, 5, 6])]
    compiled = tf.function(lambda *pair: convolve_interleaved(*pair, 4), input_signature=signature)
    received = compiled(tf.constant(inputs, tf.float32), tf.constant(kernel, tf.float32))
    np.testing.assert_allclose(received, direct(inputs, kernel), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "side, channels, kernel, amx, expected",
    [
        (2, 256, 3, True, 16),
        (3, 256, 3, True, 32),
        (6, 64, 3, True, 16),
        (8, 256, 3, True, 1),
        (6, 32, 3, True, 1),
        (4, 256, 5, True, 1),
        (4, 256, 3, False, 1),
    ],
)
def test_the_table(monkeypatch, side, channels, kernel, amx, expected):
    monkeypatch.setattr(interleaved, "has_amx", lambda: amx)
    assert choose_images(side, side - 1, channels, 256, (kernel, kernel)) == expected
    assert choose_images(side - 1, side, 256, channels, [kernel, kernel]) == expected


@pytest.fixture
def with_amx(monkeypatch):
    """Chooses as on a CPU with AMX, and counts the convolutions on alternating columns."""
    calls = []

    def count(*given):
        calls.append(given[0].shape)
        return convolve_interleaved(*given)

    for module in (interleaved, convolution):
        monkeypatch.setattr(module, "has_amx", lambda: True)
    monkeypatch.setattr(convolution, "convolve_interleaved", count)
    return calls


@pytest.mark.parametrize("dtype, counted", [("mixed_bfloat16", 2), ("float32", 0)])
def test_training_takes_it_forward_and_backward_and_inference_does_not(with_amx, dtype, counted):
    inputs = keras.Input((4, 4, 64))
    model = keras.Model(inputs, Convolution(64, 3, padding="same", activation="relu", dtype=dtype)(inputs))
    stock = keras.Model(inputs, keras.layers.Conv2D(64, 3, padding="same", activation="relu", dtype=dtype)(inputs))
    stock.set_weights(model.get_weights())
    with_amx.clear()
    images = tf.random.stateless_normal((6, 4, 4, 64), (0, 1))
    model(images, training=False)
    assert not with_amx

    def results(model):
        with tf.GradientTape() as tape:
            tape.watch(images)
            outputs = model(images, training=True)
            loss = tf.reduce_sum(tf.cast(outputs, tf.float32) ** 2)
        return [outputs, *tape.gradient(loss, [images, *model.trainable_variables])]

    received = results(model)
    assert len(with_amx) == counted
    for got, wanted in zip(received, results(stock), strict=True):
        got, wanted = (np.asarray(tf.cast(value, tf.float32)) for value in (got, wanted))
        np.testing.assert_allclose(got, wanted, rtol=2**-6, atol=2**-6 * np.abs(wanted).max())


def test_a_gradient_of_unknown_shape(with_amx):
    layer = Convolution(64, 3, padding="same", dtype="mixed_bfloat16")
    layer.build((None, 4, 4, 64))

    @tf.custom_gradient
    def forget(values):
        return values, lambda gradient: tf.raw_ops.PlaceholderWithDefault(input=gradient, shape=None)

    @tf.function
    def gradient(images):
        with tf.GradientTape() as tape:
            tape.watch(images)
            loss = tf.reduce_sum(tf.cast(forget(layer(images, training=True)), tf.float32))
        return tape.gradient(loss, images)

    assert gradient(tf.ones((6, 4, 4, 64), tf.bfloat16)).shape == (6, 4, 4, 64)
    assert len(with_amx) == 2
