"""The Tiny ImageNet network of report `tiny-leaky`: tiny_leaky."""

import keras

from kerasnets.models.published_layers import (
    convolution,
    image_input,
    leaky_relu,
    linear,
    logits,
    max_pool,
    normalization,
)


def tiny_leaky(
    image_shape: tuple[int, int, int], num_classes: int, *, batch_norm: bool = True, output: str = "logits"
) -> keras.Model:
    """Four times convolution, max pooling, batch normalisation, LeakyReLU; then two linear layers, LeakyReLU between.

    Source: report `tiny-leaky`. Its log-softmax with negative log-likelihood is logits with cross entropy. Assumed:
    3x3 convolutions to 64, 128, 256, 512 with padding, pooling 2, hidden linear 512, slope 0.01; 5,850,312 trainable
    weights at 64x64x3 with 200 classes.

    Args:
        image_shape: `(height, width, channels)`, from 8x8; sizes other than 64x64 as in `published_layers`.
        num_classes: Number of classes.
        batch_norm: False leaves the normalisations out, as in the report's worst row.
        output: "logits", or "probabilities" for the softmax output of the report's worst row. A loss that expects
            logits squashes probabilities a second time, and they hardly learn.

    Returns:
        A model from normalised images to logits or probabilities, see `build_model`.

    Raises:
        InputError: The image is too small, or a number makes no sense.
    """
    images = image_input("tiny_leaky", image_shape, num_classes)
    features = images
    for filters in (64, 128, 256, 512):
        features = max_pool(convolution(features, filters), 2)
        features = leaky_relu(normalization(features) if batch_norm else features)
    features = leaky_relu(linear(keras.layers.Flatten()(features), 512))
    outputs = logits(features, num_classes)
    if output == "probabilities":
        outputs = keras.layers.Softmax(name="probabilities", dtype="float32")(outputs)
    return keras.Model(images, outputs, name="tiny_leaky")
