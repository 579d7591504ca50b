"""The networks after LeNet: coolnet_v7, coolnet_v10, lenet_bn."""

import keras

from kerasnets.models.published_layers import convolution, image_input, linear, logits, max_pool, normalization


def lenet_bn(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """LeNet with batch normalisation after every convolution and linear layer but the last.

    Source: report `lenet-bn`, CoolNet: conv 5x5 to 6, pool 2, conv 5x5 to 16, pool 2, linear 120, 84, 10. Assumed: ReLU
    after each normalisation, max pooling, convolutions without padding and with bias.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 32x32 as in `published_layers`.
        num_classes: Number of classes.

    Returns:
        A model from float32 normalised images to float32 logits `(batch, num_classes)`.

    Raises:
        InputError: The image is too small or the numbers make no sense.
    """
    images = image_input("lenet_bn", image_shape, num_classes)
    features = images
    for filters in (6, 16):
        features = normalization(convolution(features, filters, 5, padding="valid"))
        features = max_pool(keras.layers.ReLU()(features), 2)
    features = keras.layers.Flatten()(features)
    for units in (120, 84):
        features = keras.layers.ReLU()(normalization(linear(features, units)))
    return keras.Model(images, logits(features, num_classes), name="lenet_bn")
