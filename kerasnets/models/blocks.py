"""The network whose layout is a setting, of which the published networks are special cases: blocks."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from kerasnets.layers.activations import FastSiLU
from kerasnets.layers.batch_norm import FusedBatchNormalization
from kerasnets.layers.convolution import Convolution
from kerasnets.layers.initializers import PartialIdentity
from kerasnets.layers.whitening import Whitening
from kerasnets.models.block_text import Step, read_hidden, read_stages
from kerasnets.models.names import BLOCKS_STAGES
from kerasnets.models.published_layers import image_input, leaky_relu, max_pool, normalization, pool_windows, relu

ACTIVATIONS: dict[str, Callable] = {
    "none": lambda features: features,
    "relu": relu,
    "leaky_relu": leaky_relu,
    "silu": lambda features: FastSiLU()(features),
}
NORMALIZATIONS: dict[str, Callable] = {
    "none": lambda features: features,
    "batch": normalization,
    # As in speednet, which says why.
    "batch_no_scale": lambda features: FusedBatchNormalization(epsilon=1e-6, momentum=0.775, scale=False)(features),
}


def blocks(
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    stages: str = BLOCKS_STAGES,
    stem: str = "none",
    normalization: str = "batch",
    activation: str = "relu",
    head: str = "flatten",
    hidden: str = "",
    hidden_normalization: str = "none",
    hidden_activation: str = "relu",
    dropout: float = 0.0,
    convolution_bias: bool = True,
    logits_bias: bool = False,
    initializer: str = "uniform",
    initial_stddev: float = 0.1,
    l2: float = 0.0,
) -> keras.Model:
    """Stages of convolutions and poolings as a text describes them, a head, hidden linear layers, logits.

    Every published network and `speednet` is a point: `blocks` has the same weights in the same order and the same
    outputs with the right options. With its defaults it is `cifarnet`.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; poolings and kernels larger than a map as in
            `published_layers`.
        num_classes: Number of classes.
        stages: The trunk, see `block_text.read_stages`; empty for none.
        stem: "none", or "whitening" for the frozen first convolution of `speednet`, with the activation.
        normalization: "none", "batch" (the reports') or "batch_no_scale" (speednet's: no factor, other statistics).
        activation: "none", "relu", "leaky_relu" or "silu", after each normalisation of the trunk.
        head: What makes features of the last map: "flatten", "average" or "max" over the whole map.
        hidden: Units of the linear layers before the last one, such as "512 500"; empty for none.
        hidden_normalization: "none", "batch" or "batch_no_scale", after each hidden layer.
        hidden_activation: As `activation`, after each hidden layer.
        dropout: Share of the inputs of every linear layer that is set to 0 in training.
        convolution_bias: Whether convolutions have a bias.
        logits_bias: Whether the last linear layer has one.
        initializer: "uniform" (the reports'), "normal" with `initial_stddev` and biases of 0, or "identity", with which
            convolutions begin by handing their input through and the logits near 0, as in `speednet`.
        initial_stddev: Standard deviation of the initial kernels (normal).
        l2: Strength s of a penalty s * sum(kernel ** 2) on all kernels, in `model.losses`.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, a number makes no sense or a text cannot be read.
    """
    trunk = _Trunk(
        kernels=_Kernels(initializer, initial_stddev, l2),
        normalize=NORMALIZATIONS[normalization],
        activate=ACTIVATIONS[activation],
        use_bias=convolution_bias,
    )
    images = features = image_input("blocks", image_shape, num_classes)
    if stem == "whitening":
        features = trunk.activate(Whitening(2, name="whitening")(features))
    for step in read_stages(stages):
        features = trunk.apply(step, features)
    features = _HEADS[head]()(features)
    for units in read_hidden(hidden):
        features = keras.layers.Dense(units, **trunk.kernels.of_linear(features))(_dropped(features, dropout))
        features = ACTIVATIONS[hidden_activation](NORMALIZATIONS[hidden_normalization](features))
    last = {"use_bias": logits_bias, "name": "logits", "dtype": "float32"} | trunk.kernels.of_logits(features)
    return keras.Model(images, keras.layers.Dense(num_classes, **last)(_dropped(features, dropout)), name="blocks")


_HEADS = {
    "flatten": keras.layers.Flatten,
    "average": keras.layers.GlobalAveragePooling2D,
    "max": keras.layers.GlobalMaxPooling2D,
}


def _dropped(features, share: float):
    return keras.layers.Dropout(share)(features) if share else features


@dataclass(frozen=True)
class _Trunk:
    kernels: "_Kernels"
    normalize: Callable
    activate: Callable
    use_bias: bool

    def apply(self, step: Step, features):
        return getattr(self, "_" + step.kind)(step, features)

    def _convolution(self, step: Step, features):
        features = self._convolve(features, step.size, step.kernel_size, step.padding)
        return features if step.bare else self._act(step, features)

    def _act(self, step: Step, features):
        return self.activate(self.normalize(features))

    def _residual(self, step: Step, features):
        for _ in range(step.size):
            inside = self.activate(self._convolve(features, features.shape[-1], step.kernel_size))
            inside = self._convolve(inside, features.shape[-1], step.kernel_size)
            features = keras.layers.Add()([features, inside])
        return features

    def _skip(self, step: Step, features):
        first = features
        for number in range(step.size):
            features = self.normalize(self._convolve(features, first.shape[-1], step.kernel_size))
            if number == step.size - 1:
                features = keras.layers.Add()([features, first])
            features = self.activate(features)
        return features

    def _max(self, step: Step, features):
        return max_pool(features, step.size)

    def _mean(self, step: Step, features):
        windows = pool_windows(features, step.size)
        return features if windows == (1, 1) else keras.layers.AveragePooling2D(windows)(features)

    def _convolve(self, features, filters: int, kernel_size: int, padding: str = "same"):
        if padding == "wide":
            features, padding = keras.layers.ZeroPadding2D(kernel_size // 2 + 1)(features), "valid"
        if min(features.shape[1:3]) < kernel_size:
            padding = "same"
        options = self.kernels.of_convolution(features, kernel_size)
        return Convolution(filters, kernel_size, padding=padding, use_bias=self.use_bias, **options)(features)


@dataclass(frozen=True)
class _Kernels:
    """How kernels and biases begin, and the penalty on them."""

    initializer: str
    stddev: float
    l2: float

    def of_convolution(self, features, kernel_size: int) -> dict[str, Any]:
        options = self._options(kernel_size * kernel_size * features.shape[-1])
        return options | {"kernel_initializer": PartialIdentity()} if self.initializer == "identity" else options

    def of_linear(self, features) -> dict[str, Any]:
        return self._options(features.shape[-1])

    def of_logits(self, features) -> dict[str, Any]:
        if self.initializer != "identity":
            return self.of_linear(features)
        # Standard deviation 1 / features: the division of the logits in speednet's source.
        limit = 3**0.5 / features.shape[-1]
        return self._penalty() | {"kernel_initializer": keras.initializers.RandomUniform(-limit, limit)}

    def _options(self, fan_in: int) -> dict[str, Any]:
        if self.initializer == "normal":
            return self._penalty() | {"kernel_initializer": keras.initializers.RandomNormal(stddev=self.stddev)}
        limit = fan_in**-0.5
        return self._penalty() | {
            "kernel_initializer": keras.initializers.RandomUniform(-limit, limit),
            "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
        }

    def _penalty(self) -> dict[str, Any]:
        return {"kernel_regularizer": keras.regularizers.L2(self.l2)} if self.l2 else {}
