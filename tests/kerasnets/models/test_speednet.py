"""The fast network: its layout, its weights, and that images of another size find the same weights."""

import keras
import numpy as np
import pytest

from kerasnets.models.build import build_model
from kerasnets.models.speednet import speednet


def trainable(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def test_published_layout():
    # KellerJordan/cifar10-airbench: convolutions 24-64-64-256-256-256-256 without bias, an offset for each, 256 -> 10
    channels = [24, 64, 64, 256, 256, 256, 256]
    kernels = sum(9 * a * b for a, b in zip(channels, channels[1:], strict=False))
    model = speednet((32, 32, 3), 10)
    assert trainable(model) == kernels + sum(channels[1:]) + 2560 == 1_971_328
    maps = [layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert maps == [(31, 31, 64), (15, 15, 64), (15, 15, 256), (7, 7, 256), (7, 7, 256), (3, 3, 256)]


def test_width_and_depth():
    channels = [24, 8, 8, 8, 32, 32, 32, 32, 32, 32]
    kernels = sum(9 * a * b for a, b in zip(channels, channels[1:], strict=False))
    model = speednet((32, 32, 3), 5, width=8, depth=3)
    assert trainable(model) == kernels + sum(channels[1:]) + 32 * 5
    assert sum(isinstance(layer, keras.layers.Add) for layer in model.layers) == 3


def test_the_whitening_is_not_trained():
    model = speednet((32, 32, 3), 10)
    kernel = model.get_layer("whitening").kernel
    assert not any(weight is kernel for weight in model.trainable_weights)
    assert any(weight is kernel for weight in model.weights)


def test_weights_do_not_depend_on_the_image_size():
    small, large = (build_model("speednet", (side, side, 3), 10, seed=0, width=8) for side in (16, 48))
    for a, b in zip(small.get_weights(), large.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_first_logits_are_small():
    # uniform with standard deviation 1 / 256 on 256 features
    kernel = build_model("speednet", (32, 32, 3), 10, seed=0).layers[-1].kernel.numpy()
    assert kernel.std() == pytest.approx(1 / 256, rel=0.05)
