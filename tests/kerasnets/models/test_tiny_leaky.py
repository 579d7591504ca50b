import numpy as np

from kerasnets.models.tiny_leaky import tiny_leaky


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_sizes():
    widths = (3, 64, 128, 256, 512)
    convolutions = sum(9 * a * b + b for a, b in zip(widths, widths[1:], strict=False))
    linears = (4 * 4 * 512 * 512 + 512) + (512 * 200 + 200)  # 64 halved four times is 4
    statistics = 2 * (64 + 128 + 256 + 512)
    model = tiny_leaky((64, 64, 3), 200)
    assert count(model.trainable_weights) == convolutions + statistics + linears == 5_850_312
    assert count(model.non_trainable_weights) == statistics
    assert count(tiny_leaky((64, 64, 3), 200, batch_norm=False).weights) == convolutions + linears


def test_order():
    block = ["Convolution", "MaxPooling2D", "FusedBatchNormalization", "LeakyReLU"]
    end = ["Flatten", "Dense", "LeakyReLU", "Dense"]
    assert kinds(tiny_leaky((64, 64, 3), 200)) == ["InputLayer", *block * 4, *end]
    worst = tiny_leaky((64, 64, 3), 200, batch_norm=False, output="probabilities")
    del block[2]
    assert kinds(worst) == ["InputLayer", *block * 4, *end, "Softmax"]
    assert {layer.negative_slope for layer in worst.layers if type(layer).__name__ == "LeakyReLU"} == {0.01}


def test_probabilities_are_the_softmax_of_the_logits():
    images = np.random.default_rng(0).normal(size=(3, 16, 16, 1)).astype("float32")
    logits, probabilities = (tiny_leaky((16, 16, 1), 5, output=kind) for kind in ("logits", "probabilities"))
    probabilities.set_weights(logits.get_weights())
    exponentials = np.exp(logits(images))
    expected = exponentials / exponentials.sum(1, keepdims=True)
    np.testing.assert_allclose(probabilities(images), expected, rtol=1e-5)
