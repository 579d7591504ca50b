import numpy as np
import pytest

from kerasnets.models.lenet import coolnet_v7, coolnet_v10, lenet_bn

CONVOLUTIONS = (5 * 5 * 3 * 6 + 6) + (5 * 5 * 6 * 16 + 16)
# 32 -> convolution 28 -> pool 14 -> convolution 10 -> pool 5
LINEARS = (5 * 5 * 16 * 120 + 120) + (120 * 84 + 84) + (84 * 10 + 10)


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_published_sizes():
    assert count(coolnet_v7((32, 32, 3), 10).trainable_weights) == CONVOLUTIONS + LINEARS == 62_006
    assert count(coolnet_v10((32, 32, 3), 10).trainable_weights) == 62_006
    model = lenet_bn((32, 32, 3), 10)
    normalised = 6 + 16 + 120 + 84
    assert count(model.trainable_weights) == 62_006 + 2 * normalised == 62_458
    assert count(model.non_trainable_weights) == 2 * normalised


def valid_convolution(x, kernel, bias):
    side, size = x.shape[1] - 4, kernel.shape[0]
    patches = [[x[:, i : i + size, j : j + size] for j in range(side)] for i in range(side)]
    return np.stack([np.stack([np.einsum("bijc,ijcf->bf", p, kernel) for p in row], 1) for row in patches], 1) + bias


def pool(x):
    batch, side, _, channels = x.shape
    return x.reshape(batch, side // 2, 2, side // 2, 2, channels).max((2, 4))


@pytest.mark.parametrize("builder, slope", [(coolnet_v7, 0.0), (coolnet_v10, 0.01)])
def test_coolnet_by_hand(builder, slope):
    # 16 -> 12 -> 6 -> 2 -> 1
    images = np.random.default_rng(0).normal(size=(2, 16, 16, 1)).astype("float32")
    model = builder((16, 16, 1), 3)
    k1, b1, k2, b2, k3, b3, k4, b4, k5, b5 = model.get_weights()
    x = pool(valid_convolution(pool(valid_convolution(images, k1, b1)), k2, b2)).reshape(2, -1)
    for kernel, bias in ((k3, b3), (k4, b4)):
        x = x @ kernel + bias
        x = np.where(x > 0, x, slope * x)
    np.testing.assert_allclose(model(images), x @ k5 + b5, rtol=1e-4, atol=1e-5)


def test_order_of_the_normalised_network():
    block = ["FusedBatchNormalization", "ReLU"]
    layers = [type(layer).__name__ for layer in lenet_bn((32, 32, 3), 10).layers]
    convolutions = ["Convolution", *block, "MaxPooling2D"] * 2
    assert layers == ["InputLayer", *convolutions, "Flatten", "Dense", *block, "Dense", *block, "Dense"]
