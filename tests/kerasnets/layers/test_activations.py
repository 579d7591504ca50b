import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.layers.activations import FastSiLU

VALUES = np.concatenate([np.linspace(-30, 30, 241), [0.0, -1e4, 1e4, 1e-8]])


def values_and_gradients(values, dtype):
    inputs = tf.constant(values, dtype)
    weights = tf.constant(np.linspace(-1, 2, len(values)), dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = FastSiLU(dtype=dtype)(inputs[None])
    gradient = tape.gradient(outputs, inputs, output_gradients=weights[None])
    assert outputs.dtype == gradient.dtype == dtype
    return np.asarray(outputs[0], float), np.asarray(gradient, float), np.asarray(weights, float)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 2e-6), ("bfloat16", 2**-7)])
def test_against_float64(dtype, tolerance):
    values = np.asarray(tf.cast(VALUES, dtype), float)
    outputs, gradient, weights = values_and_gradients(values, dtype)
    sigmoid = 1 / (1 + np.exp(-np.clip(values, -700, 700)))
    np.testing.assert_allclose(outputs, values * sigmoid, rtol=tolerance, atol=tolerance)
    # d/dx of x s(x) is s + x s (1 - s)
    expected = weights * (sigmoid + values * sigmoid * (1 - sigmoid))
    np.testing.assert_allclose(gradient, expected, rtol=tolerance, atol=tolerance)


def test_inside_a_compiled_loop():
    layer = FastSiLU()

    @tf.function
    def descend(x):
        for _ in tf.range(3):
            with tf.GradientTape() as tape:
                tape.watch(x)
                y = tf.reduce_sum(layer(x))
            x -= tape.gradient(y, x)
        return x

    x = np.array([[0.5, -2.0]])
    expected = x
    for _ in range(3):
        sigmoid = 1 / (1 + np.exp(-expected))
        expected = expected - (sigmoid + expected * sigmoid * (1 - sigmoid))
    np.testing.assert_allclose(descend(tf.constant(x, tf.float32)), expected, rtol=1e-5)


def test_serialisation():
    images = keras.Input((4, 4, 2))
    model = keras.Model(images, FastSiLU()(images))
    copy = keras.models.model_from_json(model.to_json())
    assert isinstance(copy.layers[-1], FastSiLU)
    assert model.output.shape == (None, 4, 4, 2)
