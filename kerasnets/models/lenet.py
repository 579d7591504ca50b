"""The networks after LeNet: coolnet_v7, coolnet_v10, lenet_bn."""

import keras

from kerasnets.models.published_layers import (
    convolution,
    image_input,
    leaky_relu,
    linear,
    logits,
    max_pool,
    normalization,
    relu,
)


def coolnet_v7(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """LeNet with ReLU on the hidden linear layers and no activation on the convolutions.

    Source: report `coolnet-cpu`, CoolNet v7: conv 5x5 to 6, max pool 2, conv 5x5 to 16, max pool 2, linear 120, 84, 10.
    Assumed: convolutions without padding and with bias, as in LeNet; 62,006 weights at 32x32x3 with 10 classes.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 32x32 as in `published_layers`.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    return _coolnet("coolnet_v7", image_shape, num_classes, relu)


def coolnet_v10(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """`coolnet_v7` with LeakyReLU in place of ReLU.

    Source: report `coolnet-cpu`, CoolNet v10. Assumed: as for v7, and the slope 0.01.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 32x32 as in `published_layers`.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    return _coolnet("coolnet_v10", image_shape, num_classes, leaky_relu)


def lenet_bn(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """LeNet with batch normalisation after every convolution and linear layer but the last.

    Source: report `lenet-bn`, CoolNet: conv 5x5 to 6, pool 2, conv 5x5 to 16, pool 2, linear 120, 84, 10. Assumed: ReLU
    after each normalisation, max pooling, convolutions without padding and with bias; 62,458 trainable weights at
    32x32x3 with 10 classes.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 32x32 as in `published_layers`.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("lenet_bn", image_shape, num_classes)
    features = images
    for filters in (6, 16):
        features = relu(normalization(convolution(features, filters, 5, padding="valid")))
        features = max_pool(features, 2)
    features = keras.layers.Flatten()(features)
    for units in (120, 84):
        features = relu(normalization(linear(features, units)))
    return keras.Model(images, logits(features, num_classes), name="lenet_bn")


def _coolnet(name, image_shape, num_classes, activation):
    images = image_input(name, image_shape, num_classes)
    features = images
    for filters in (6, 16):
        features = max_pool(convolution(features, filters, 5, padding="valid"), 2)
    features = keras.layers.Flatten()(features)
    for units in (120, 84):
        features = activation(linear(features, units))
    return keras.Model(images, logits(features, num_classes), name=name)
