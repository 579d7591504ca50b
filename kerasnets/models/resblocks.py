"""The residual network of report `cifarnet`, its worst on CIFAR-10: resblocks."""

import keras

from kerasnets.models.published_layers import convolution, image_input, linear, logits, max_pool, normalization, relu


def resblocks(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Three groups of four residual blocks without normalisation inside, then seven linear layers.

    Source: report `cifarnet`, CIFAR-10 worst; 7,712,118 trainable weights at 32x32x3 with 10 classes. The report
    lists the layers and not their order. Assumed: the only order of the poolings that ends in 512 features, ReLU
    after each batch normalisation and each hidden linear layer, none after the convolutions between the groups.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 32x32 as in `published_layers`.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("resblocks", image_shape, num_classes)
    features = convolution(keras.layers.ZeroPadding2D(3)(images), 10, 5, padding="valid")
    features = _group(features, 10)
    features = _group(convolution(features, 100), 100)
    features = _group(convolution(features, 256), 256)
    features = max_pool(convolution(features, 512, padding="valid"), 2)
    features = keras.layers.Flatten()(relu(normalization(features)))
    for units in (512, 500, 500, 100, 100, 100):
        features = relu(linear(features, units))
    return keras.Model(images, logits(features, num_classes), name="resblocks")


def _group(features, filters):
    for _ in range(4):
        residual = convolution(relu(convolution(features, filters)), filters)
        features = keras.layers.Add()([features, residual])
    return max_pool(relu(normalization(features)), 2)
