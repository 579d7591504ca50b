"""The few layers the published networks are made of, as their reports' framework initialises and sizes them.

Assumed: the reports used their framework's default initialisation, kernels and biases uniform in +-1 / sqrt(fan_in),
and its default slope of LeakyReLU, 0.01. `fan_in` is kernel height x kernel width x input channels, or input
features.

Other image sizes than the published one: a network keeps its layers, and its last map, and with it the first linear
layer, grows and shrinks with the image. Two rules let every network take images from 8x8 on; neither applies at the
published sizes.

- A pooling window larger than the map shrinks to the map, height and width by themselves: a 4x4 pooling of a 3x3 map is
  3x3, and a 1x1 map is not pooled.
- A convolution without padding that finds a map smaller than its kernel pads it with zeros to keep its size.
"""

import keras

from kerasnets.layers.batch_norm import FusedBatchNormalization
from kerasnets.layers.convolution import Convolution
from kerasnets.models.options import check_image_shape


def image_input(name: str, image_shape: tuple[int, int, int], num_classes: int) -> keras.KerasTensor:
    """Checks shape and classes for the network `name` and returns its input `(batch, *image_shape)` float32."""
    check_image_shape(name, image_shape, num_classes)
    return keras.Input(tuple(image_shape), name="images", dtype="float32")


def convolution(inputs, filters: int, kernel_size: int = 3, padding: str = "same"):
    """Convolution of stride 1 with bias; `padding` "valid" becomes "same" on a map smaller than the kernel."""
    if min(inputs.shape[1:3]) < kernel_size:
        padding = "same"
    initializers = _uniform(kernel_size * kernel_size * inputs.shape[-1])
    return Convolution(filters, kernel_size, padding=padding, **initializers)(inputs)


def normalization(inputs):
    """Batch normalisation with the reports' epsilon 1e-5 and momentum (new = 0.9 old + 0.1 batch)."""
    return FusedBatchNormalization(epsilon=1e-5, momentum=0.9)(inputs)


def relu(inputs):
    """max(x, 0)."""
    return keras.layers.ReLU()(inputs)


def leaky_relu(inputs):
    """x where positive, 0.01 x elsewhere."""
    return keras.layers.LeakyReLU(negative_slope=0.01)(inputs)


def max_pool(inputs, window: int):
    """Max pooling without overlap by a window of at most the map; rows and columns left over at the end are dropped."""
    windows = pool_windows(inputs, window)
    return inputs if windows == (1, 1) else keras.layers.MaxPooling2D(windows)(inputs)


def pool_windows(inputs, window: int) -> tuple[int, int]:
    """Height and width of a pooling window, each at most that of the map; 1 and 1 where nothing is left to pool."""
    height, width = inputs.shape[1:3]
    return min(window, height), min(window, width)


def linear(inputs, units: int):
    """Linear layer with bias on `(batch, features)`."""
    return keras.layers.Dense(units, **_uniform(inputs.shape[-1]))(inputs)


def logits(inputs, num_classes: int, use_bias: bool = True):
    """The last linear layer, named "logits": `(batch, num_classes)` float32 under every precision."""
    initializers = _uniform(inputs.shape[-1])
    return keras.layers.Dense(num_classes, use_bias=use_bias, name="logits", dtype="float32", **initializers)(inputs)


def _uniform(fan_in: int) -> dict:
    limit = fan_in**-0.5
    return {
        "kernel_initializer": keras.initializers.RandomUniform(-limit, limit),
        "bias_initializer": keras.initializers.RandomUniform(-limit, limit),
    }
