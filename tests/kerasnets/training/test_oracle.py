"""A network written by hand in NumPy, each gradient checked by finite differences: what the training loop must equal.

It is the library of report `from-scratch`: linear layers, ReLU, softmax with cross entropy, an L2 penalty, plain SGD.
"""

import keras
import numpy as np
import pytest

from kerasnets.models import build_model
from kerasnets.training.config import TrainConfig
from kerasnets.training.train import train
from pipelines.augment import Augmentation
from pipelines.build import training_dataset
from pipelines.sources import load_source
from pipelines.splits import limit_train


class Linear:
    """inputs @ kernel + bias, with the penalty strength * sum(kernel ** 2)."""

    def __init__(self, kernel, bias, strength=0.0):
        self.kernel, self.bias, self.strength = kernel.astype(np.float64), bias.astype(np.float64), strength

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.kernel + self.bias

    def backward(self, error):
        """From the gradient of the outputs to that of the inputs; keeps those of kernel and bias."""
        self.gradients = self.inputs.T @ error + 2 * self.strength * self.kernel, error.sum(axis=0)
        return error @ self.kernel.T

    def penalty(self):
        return self.strength * (self.kernel**2).sum()

    def step(self, rate):
        self.kernel = self.kernel - rate * self.gradients[0]
        self.bias = self.bias - rate * self.gradients[1]


class ReLU:
    def forward(self, inputs):
        self.positive = inputs > 0
        return inputs * self.positive

    def backward(self, error):
        return error * self.positive


def softmax_cross_entropy(logits, labels):
    """Mean loss over the examples in the stable form, and its gradient."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_shares = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    rows = np.arange(len(labels))
    error = np.exp(log_shares)
    error[rows, labels] -= 1
    return -log_shares[rows, labels].mean(), error / len(labels)


class Network:
    """Linear, ReLU, linear."""

    def __init__(self, weights, strength):
        first, second = Linear(*weights[:2], strength), Linear(*weights[2:], strength)
        self.layers, self.linear = [first, ReLU(), second], [first, second]

    def gradients(self, inputs, labels):
        """The mean loss with the penalty; the gradients stay in the layers."""
        outputs = inputs
        for layer in self.layers:
            outputs = layer.forward(outputs)
        loss, error = softmax_cross_entropy(outputs, labels)
        for layer in reversed(self.layers):
            error = layer.backward(error)
        return loss + sum(layer.penalty() for layer in self.linear)

    def step(self, rate):
        for layer in self.linear:
            layer.step(rate)

    @property
    def weights(self):
        return [weight for layer in self.linear for weight in (layer.kernel, layer.bias)]


def slope(function, array, step=1e-6):
    """The gradient of a function of an array, which is varied in place, by central differences."""
    slopes = np.empty(array.shape)
    for place in np.ndindex(array.shape):
        value = array[place]
        ends = []
        for array[place] in (value + step, value - step):
            ends.append(function())
        array[place] = value
        slopes[place] = (ends[0] - ends[1]) / (2 * step)
    return slopes


GENERATOR = np.random.default_rng(7)
INPUTS, LABELS = GENERATOR.normal(size=(4, 5)), np.array([2, 0, 1, 1])
# What the outputs of a layer are multiplied by, so that the gradient of their sum is not the same everywhere.
FACTORS = GENERATOR.normal(size=(4, 3))


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_gradients_of_a_linear_layer(strength):
    layer, inputs = Linear(GENERATOR.normal(size=(5, 3)), GENERATOR.normal(size=3), strength), INPUTS.copy()

    def total():
        return (layer.forward(inputs) * FACTORS).sum() + layer.penalty()

    total()
    error = layer.backward(FACTORS)
    np.testing.assert_allclose(error, slope(total, inputs), atol=1e-7)
    np.testing.assert_allclose(layer.gradients[0], slope(total, layer.kernel), atol=1e-7)
    np.testing.assert_allclose(layer.gradients[1], slope(total, layer.bias), atol=1e-7)


def test_gradient_of_relu():
    layer, inputs = ReLU(), FACTORS + 0.01  # none of them within a step of the kink
    layer.forward(inputs)
    expected = slope(lambda: (np.maximum(inputs, 0) * FACTORS).sum(), inputs)
    np.testing.assert_allclose(layer.backward(FACTORS), expected, atol=1e-7)


def test_gradient_of_softmax_with_cross_entropy():
    logits = 3 * FACTORS
    error = softmax_cross_entropy(logits, LABELS)[1]
    np.testing.assert_allclose(error, slope(lambda: softmax_cross_entropy(logits, LABELS)[0], logits), atol=1e-7)


def test_softmax_with_cross_entropy_by_hand():
    # shares 1/4 and 3/4 for the right class
    loss, error = softmax_cross_entropy(np.log([[1.0, 3.0], [1.0, 3.0]]), np.array([0, 1]))
    assert loss == pytest.approx((np.log(4) + np.log(4 / 3)) / 2)
    np.testing.assert_allclose(error, [[-3 / 8, 3 / 8], [1 / 8, -1 / 8]])


@pytest.mark.parametrize("strength", [0.0, 0.3])
def test_gradients_of_the_whole_network(strength):
    shapes = ((5, 6), (6,), (6, 3), (3,))
    network = Network([GENERATOR.normal(size=shape) for shape in shapes], strength)
    network.gradients(INPUTS, LABELS)
    gradients = [gradient for layer in network.linear for gradient in layer.gradients]
    for gradient, weight in zip(gradients, network.weights, strict=True):
        np.testing.assert_allclose(gradient, slope(lambda: network.gradients(INPUTS, LABELS), weight), atol=1e-7)


class LastWeights(keras.callbacks.Callback):
    def on_train_end(self, logs=None):
        self.weights = self.model.get_weights()


@pytest.mark.parametrize("strength", [0.0, 0.005])
def test_weights_after_20_steps(tmp_path, strength):
    # 95 images are 10 steps, the last of 5 images; two epochs are 20 steps in two orders
    source = limit_train(load_source("digits"), 95)
    options = {"width": 32, "initial_stddev": 0.1, "l2": strength}
    model = build_model("scratch_mlp", source.image_shape, 10, seed=5, **options)
    start = model.get_weights()
    settings = {"batch_size": 10, "epochs": 2, "learning_rate": 0.2, "momentum": 0.0, "normalization": "none"}
    config = TrainConfig(
        dataset="digits", arch="scratch_mlp", arch_options=options, seed=3, precision="float32", **settings
    )
    last = LastWeights()
    run = train(config, source=source, model=model, callbacks=[last], run_path=tmp_path / "run")

    stream = training_dataset(
        source.splits["train"], batch_size=10, seed=3, augmentation=Augmentation(), mean=[0.0], std=[1.0]
    )
    network, losses = Network(start, strength), []
    for images, labels, _ in stream.take(20).as_numpy_iterator():
        losses.append(network.gradients(images.reshape(len(images), -1).astype(np.float64), labels) * len(labels))
        network.step(0.2)
    for ours, by_hand, before in zip(last.weights, network.weights, start, strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=0, atol=1e-5)
        assert np.abs(by_hand - before).max() > 0.01
    by_epoch = np.array(losses).reshape(2, 10).sum(axis=1) / 95
    np.testing.assert_allclose(run.results["train_loss"], by_epoch, rtol=1e-5)
