import keras
import numpy as np
import tensorflow as tf

from kerasnets.models.resblocks import resblocks


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def convolution(size, inputs, filters):
    return size * size * inputs * filters + filters


def test_published_size():
    groups = sum(8 * convolution(3, width, width) + 2 * width for width in (10, 100, 256))
    between = convolution(5, 3, 10) + convolution(3, 10, 100) + convolution(3, 100, 256) + convolution(3, 256, 512)
    widths = (512, 512, 500, 500, 100, 100, 100, 10)
    linears = sum(a * b + b for a, b in zip(widths, widths[1:], strict=False))
    model = resblocks((32, 32, 3), 10)
    assert count(model.trainable_weights) == groups + between + 2 * 512 + linears == 7_712_118
    assert count(model.non_trainable_weights) == 2 * (10 + 100 + 256 + 512)


def test_maps_as_published():
    model = resblocks((32, 32, 3), 10)
    maps = [layer.output.shape[1] for layer in model.layers if isinstance(layer, keras.layers.MaxPooling2D)]
    assert maps == [17, 8, 4, 1]
    assert model.layers[2].output.shape == (None, 34, 34, 10)


def test_forward_pass_by_the_report():
    model = resblocks((12, 12, 1), 3)
    random = np.random.default_rng(0)
    # Scaled so that every layer still shows in the outputs.
    shapes = [weight.shape for weight in model.weights]
    kernel = {shape: (2 / np.prod(shape[:-1])) ** 0.5 for shape in shapes if len(shape) > 1}
    model.set_weights(
        [
            random.normal(0, kernel[shape], shape) if shape in kernel else random.uniform(0.5, 1.0, shape)
            for shape in shapes
        ]
    )
    weights = iter(model.get_weights())

    def convolve(x, padding="SAME"):
        return tf.nn.conv2d(x, next(weights), 1, padding) + next(weights)

    def normalise(x):
        scale, offset, mean, variance = (next(weights) for _ in range(4))
        return tf.nn.relu(scale * (x - mean) / np.sqrt(variance + 1e-5) + offset)

    def pool(x):
        return tf.nn.max_pool2d(x, 2, 2, "VALID")

    images = random.normal(size=(2, 12, 12, 1)).astype("float32")
    x = convolve(tf.pad(images, [[0, 0], [3, 3], [3, 3], [0, 0]]), "VALID")
    for group in range(3):
        for _ in range(4):
            x = x + convolve(tf.nn.relu(convolve(x)))
        x = pool(normalise(x))
        if group < 2:
            x = convolve(x)
    x = tf.reshape(normalise(convolve(x)), (2, -1))  # the map is 1x1: padded, and no pooling is left
    for _ in range(6):
        x = tf.nn.relu(x @ next(weights) + next(weights))
    np.testing.assert_allclose(model(images), x @ next(weights) + next(weights), rtol=1e-3)
    assert next(weights, None) is None
