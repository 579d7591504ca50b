"""What a network costs and puts out: FLOPs for one image, logits or probabilities, the table of all networks."""

import fnmatch
import math

import keras
import pandas as pd

from kerasnets.errors import InputError, closest
from kerasnets.models.build import build_model
from kerasnets.models.names import MODEL_FACTS

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

    Counted are convolutions and linear layers, a multiply-add as 2: each kernel entry once at each position of the
    output. Biases, normalisation, activations and pooling are left out. A training step costs about three times as
    much.

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


def describe_models(pattern: str = "*") -> pd.DataFrame:
    """Lists the networks, each built with its default options at its published image shape and number of classes.

    Args:
        pattern: Shell pattern that a name must match, such as "coolnet*".

    Returns:
        A row for each network: name, weights (trainable), flops (forward, one image), smallest_image, source.

    Raises:
        InputError: No network matches.
    """
    names = fnmatch.filter(MODEL_FACTS, pattern)
    if not names:
        raise InputError(f"No model matches {pattern!r}. {closest(pattern, MODEL_FACTS)}")
    return pd.DataFrame([_description(name) for name in names])


def _description(name: str) -> dict:
    facts = MODEL_FACTS[name]
    model = build_model(name, facts.image_shape, facts.num_classes)
    return {
        "name": name,
        "weights": sum(math.prod(weight.shape) for weight in model.trainable_weights),
        "flops": flops_per_image(model),
        "smallest_image": f"{facts.smallest_side}x{facts.smallest_side}",
        "source": facts.source,
    }
