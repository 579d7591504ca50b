"""The plain convolutional networks of report `cifarnet`: cifarnet, tinynet, tinynet_deep."""

import keras

from kerasnets.models.published_layers import convolution, image_input, logits, max_pool, normalization, relu

POOL = "max pool 2"
# A number stands for that many filters of a 3x3 convolution, then batch normalisation and ReLU.
TRUNK = (64, 128, POOL, 128, 128, 256, POOL, 256, POOL, 256, 256)
DEEP_END = (512, POOL, 512, POOL, 512, 512, POOL)


def cifarnet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """Eight 3x3 convolutions with batch normalisation and ReLU, four max poolings, one linear layer without bias.

    Source: report `cifarnet`, CIFAR-10 best; 2,441,728 trainable weights and 2,944 moving statistics at 32x32x3 with 10
    classes.

    Image sizes: the last pooling stays 4x4, so 64x64 images end in 2x2x256 = 1,024 features where 32x32 ends in 256. On
    maps smaller than a pooling the window shrinks to the map: 28x28 images end in a 3x3 map that is pooled 3x3, and 8x8
    images are 1x1 after three poolings and have no fourth.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("cifarnet", image_shape, num_classes)
    features = max_pool(_convolutions(images, TRUNK), 4)
    return _classifier("cifarnet", images, features, num_classes)


def tinynet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """`cifarnet` with a last pooling of 2x2, so that 64x64 images end in 4,096 features.

    Source: report `cifarnet`, Tiny ImageNet best. Departure: its listing pools 4x4 at the end, which cannot give the
    4,096 features it also lists; 3,258,368 trainable weights at 64x64x3 with 200 classes.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 64x64 as in `cifarnet`.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("tinynet", image_shape, num_classes)
    features = max_pool(_convolutions(images, TRUNK), 2)
    return _classifier("tinynet", images, features, num_classes)


def tinynet_deep(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """The convolutions of `tinynet`, four more of 512 filters and three poolings: 64x64 images end in 512 features.

    Source: report `cifarnet`, Tiny ImageNet deeper; 10,805,248 trainable weights at 64x64x3 with 200 classes.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 64x64 as in `cifarnet`.
        num_classes: Number of classes.

    Returns:
        A model from normalised images to logits, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("tinynet_deep", image_shape, num_classes)
    return _classifier("tinynet_deep", images, _convolutions(images, TRUNK + DEEP_END), num_classes)


def _convolutions(features, layout):
    for step in layout:
        features = max_pool(features, 2) if step is POOL else relu(normalization(convolution(features, step)))
    return features


def _classifier(name, images, features, num_classes):
    outputs = logits(keras.layers.Flatten()(features), num_classes, use_bias=False)
    return keras.Model(images, outputs, name=name)
