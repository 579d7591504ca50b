import keras
import numpy as np
import pytest

from kerasnets.models.cifarnet import cifarnet, tinynet, tinynet_deep


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def convolutions(*widths):
    """Weights of 3x3 convolutions with bias, each with the scale and offset of its normalisation."""
    return sum(9 * a * b + b + 2 * b for a, b in zip(widths, widths[1:], strict=False))


TRUNK = convolutions(3, 64, 128, 128, 128, 256, 256, 256, 256)


def test_published_sizes():
    model = cifarnet((32, 32, 3), 10)
    assert count(model.trainable_weights) == TRUNK + 256 * 10 == 2_441_728
    assert count(model.non_trainable_weights) == 2 * (64 + 3 * 128 + 4 * 256) == 2_944
    assert count(tinynet((64, 64, 3), 200).trainable_weights) == TRUNK + 4096 * 200 == 3_258_368
    deeper = convolutions(256, 512, 512, 512, 512)
    assert count(tinynet_deep((64, 64, 3), 200).trainable_weights) == TRUNK + deeper + 512 * 200 == 10_805_248


def layout(model):
    """Filters of the convolutions and windows of the poolings, in order, and the number of features at the end."""
    steps = []
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            assert layer.kernel_size == (3, 3) and layer.padding == "same" and layer.use_bias
            steps.append(layer.filters)
        elif isinstance(layer, keras.layers.MaxPooling2D):
            steps.append(f"pool {layer.pool_size[0]}")
    assert not model.layers[-1].use_bias
    return steps, model.layers[-1].kernel.shape[0]


def test_cifarnet_as_published():
    model = cifarnet((32, 32, 3), 10)
    pool = "pool 2"
    steps = [64, 128, pool, 128, 128, 256, pool, 256, pool, 256, 256, "pool 4"]
    assert layout(model) == (steps, 256)
    names = [type(layer).__name__ for layer in model.layers]
    assert names[1:4] == ["Convolution", "FusedBatchNormalization", "ReLU"]
    assert names.count("Convolution") == names.count("FusedBatchNormalization") == names.count("ReLU") == 8


def test_tinynets_as_published():
    pool = "pool 2"
    trunk = [64, 128, pool, 128, 128, 256, pool, 256, pool, 256, 256]
    assert layout(tinynet((64, 64, 3), 200)) == ([*trunk, pool], 4096)
    assert layout(tinynet_deep((64, 64, 3), 200)) == ([*trunk, 512, pool, 512, pool, 512, 512, pool], 512)


@pytest.mark.parametrize(
    "side, last_pooling, features",
    [
        (8, None, 256),
        (15, None, 256),
        (16, "pool 2", 256),
        (28, "pool 3", 256),
        (64, "pool 4", 1024),
        (96, "pool 4", 2304),
    ],
)
def test_the_last_pooling_at_other_sizes(side, last_pooling, features):
    steps, received = layout(cifarnet((side, side, 1), 10))
    assert received == features
    assert steps[11:] == ([last_pooling] if last_pooling else [])


def test_a_small_image_changes_no_convolution():
    small, large = cifarnet((8, 8, 3), 10), cifarnet((32, 32, 3), 10)
    assert [w.shape for w in small.weights] == [w.shape for w in large.weights]
