"""The plain convolutional networks of report `cifarnet`: cifarnet, tinynet, tinynet_deep."""

import keras

from kerasnets.models.published_layers import convolution, image_input, logits, max_pool, normalization

# Numbers are the filters of a 3x3 convolution with normalisation and ReLU; "pool" halves the map.
TRUNK = (64, 128, "pool", 128, 128, 256, "pool", 256, "pool", 256, 256)


def cifarnet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Eight 3x3 convolutions with batch normalisation and ReLU, four max poolings, one linear layer without bias.

    Source: report `cifarnet`, CIFAR-10 best; 2,441,728 trainable weights and 2,944 moving statistics at 32x32x3, 10 classes.

    Image sizes: the last pooling stays 4x4, so 64x64 images give 2x2x256 = 1,024 features where 32x32 gives 256. On maps
    smaller than a pooling the window shrinks to the map: 28x28 ends in a 3x3 map, pooled 3x3 to 256 features; 8x8 is
    1x1 after three poolings and has no fourth.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.

    Returns:
        A model from float32 normalised images to float32 logits `(batch, num_classes)`.

    Raises:
        InputError: The image is too small or the numbers make no sense.
    """
    images = image_input("cifarnet", image_shape, num_classes)
    features = max_pool(_convolutions(images, TRUNK), 4)
    outputs = logits(keras.layers.Flatten()(features), num_classes, use_bias=False)
    return keras.Model(images, outputs, name="cifarnet")


def _convolutions(features, layout):
    for filters in layout:
        if filters == "pool":
            features = max_pool(features, 2)
        else:
            features = keras.layers.ReLU()(normalization(convolution(features, filters)))
    return features
