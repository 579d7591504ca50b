"""What a network costs and puts out: FLOPs for one image, logits or probabilities, the table of all networks."""

import math

import keras

from kerasnets.errors import InputError

OUTPUT_KINDS = ("logits", "probabilities")


def output_kind(model: keras.Model) -> str:
    """Returns "logits" or "probabilities", the name of the model's last layer.

    Raises:
        InputError: The last layer has another name.
    """
    kind = model.layers[-1].name
    if kind not in OUTPUT_KINDS:
        raise InputError(
            f"The last layer of model {model.name!r} must be named 'logits' or 'probabilities'. Received: {kind!r}. "
            "Name it after what it puts out, since the loss depends on it."
        )
    return kind


def flops_per_image(model: keras.Model) -> int:
    """Counts the floating-point operations of one image's forward pass.

    Counted: convolutions and linear layers, a multiply-add as 2 (each kernel entry once for each position of the output).
    Left out: biases, normalisation, activations, pooling, some percent together. A training step costs about three times this.

    Args:
        model: A functional model whose layers are not nested or shared.

    Returns:
        Operations for one image; 569,775,104 for cifarnet at 32x32x3 with 10 classes.
    """
    layers = (keras.layers.Conv2D, keras.layers.DepthwiseConv2D, keras.layers.Dense)
    return sum(
        2 * math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1])
        for layer in model.layers
        if isinstance(layer, layers)
    )
