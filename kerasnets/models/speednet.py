"""The network of our own that reaches a given accuracy in the least time on a CPU: speednet."""

import keras

from kerasnets.layers.activations import FastSiLU
from kerasnets.layers.batch_norm import FusedBatchNormalization
from kerasnets.layers.convolution import Convolution
from kerasnets.layers.initializers import PartialIdentity
from kerasnets.layers.whitening import Whitening
from kerasnets.models.published_layers import image_input, max_pool


def speednet(image_shape: tuple[int, int, int], num_classes: int, width: int = 64, depth: int = 2) -> keras.Model:
    """A frozen whitening convolution, three groups of 3x3 convolutions, global max pooling, one linear layer.

    A group is convolution, max pooling 2x2, normalisation, SiLU, and then `depth` - 1 times convolution, normalisation,
    SiLU. With a depth above 2, what the pooling's part gave is added before the last SiLU. The groups have `width`,
    4 * `width` and 4 * `width` filters. No convolution has a bias, no normalisation a scale.

    Source: Jordan 2024, https://arxiv.org/abs/2404.00498, and KellerJordan/cifar10-airbench. Departures: SiLU in place
    of GELU, which costs several times as much in bfloat16; a whitening layer without the bias that is trained there for
    three epochs; the division of the logits is part of the linear layer's initial weights; pooling over the whole last
    map instead of 3x3, so that the weights do not depend on the image size. 1,971,328 trainable weights at 32x32x3 with
    10 classes.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.
        width: Filters of the first group.
        depth: Convolutions in a group, at least 2.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("speednet", image_shape, num_classes)
    features = FastSiLU()(Whitening(2, name="whitening")(images))
    for filters in (width, 4 * width, 4 * width):
        features = _group(features, filters, depth)
    features = keras.layers.GlobalMaxPooling2D()(features)
    # Uniform with standard deviation 1 / features.
    limit = 3**0.5 / features.shape[-1]
    outputs = keras.layers.Dense(
        num_classes,
        use_bias=False,
        kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
        name="logits",
        dtype="float32",
    )(features)
    return keras.Model(images, outputs, name="speednet")


def _group(features, filters, depth):
    first = features = FastSiLU()(_normalization(max_pool(_convolution(features, filters), 2)))
    for _ in range(depth - 2):
        features = FastSiLU()(_normalization(_convolution(features, filters)))
    features = _normalization(_convolution(features, filters))
    return FastSiLU()(keras.layers.Add()([features, first]) if depth > 2 else features)


def _convolution(features, filters):
    return Convolution(filters, 3, padding="same", use_bias=False, kernel_initializer=PartialIdentity())(features)


def _normalization(features):
    # The published statistics forget by 0.4 a step of 2,000 images; this is the same memory at 1,000 images a step.
    return FusedBatchNormalization(epsilon=1e-6, momentum=0.775, scale=False)(features)
