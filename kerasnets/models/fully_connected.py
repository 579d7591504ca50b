"""Networks without convolutions: lazynet, boringnet, scratch_mlp."""

import keras

from kerasnets.models.published_layers import image_input, linear, logits

ACTIVATIONS = {"none": "linear", "relu": "relu", "leaky_relu": keras.layers.LeakyReLU}


def lazynet(image_shape: tuple[int, int, int], num_classes: int) -> keras.Model:
    """One linear layer from pixels to classes.

    Source: report `coolnet-cpu` (and `lenet-bn`), LazyNet: 3072 to 10, 30,730 weights.

    Args:
        image_shape: `(height, width, channels)`, from 8x8.
        num_classes: Number of classes.

    Returns:
        A model from float32 normalised images to float32 logits `(batch, num_classes)`.

    Raises:
        InputError: The image is too small or the numbers make no sense.
    """
    images = image_input("lazynet", image_shape, num_classes)
    return keras.Model(images, logits(keras.layers.Flatten()(images), num_classes), name="lazynet")
