"""The networks of the built-in space: hyperparameters, and the options of network `blocks` that they stand for."""

import math
from typing import Any

import keras_tuner

# The side of the pooling of each stage, and with it the number of stages: 1 does not pool, and without stages there are
# linear layers alone.
POOLINGS = [
    "none", "2 1", "2 2", "2 4", "2 2 1", "2 2 2", "2 2 4", "2 2 2 1", "2 2 2 2", "2 2 2 4", "2 2 2 2 1", "2 2 2 2 2",
    "2 2 2 2 2 2",
]  # fmt: skip
# A map may shrink to one pixel, and a little beyond: cifarnet's poolings, 32 in all, serve 28x28 images too.
_MOST_SHRINKING = 1.2
# Filters of each stage and the default, which is that of speednet. 6, 10, 16 and 100 are the reports'.
WIDTHS = (
    ([6, 10, 16, 32, 64, 128], 64),
    ([16, 32, 64, 100, 128, 256], 256),
    ([64, 128, 256, 512], 256),
    ([128, 256, 512], 256),
    ([256, 512], 256),
    ([256, 512], 512),
)
HIDDEN = ["100", "512", "120 84", "512 500 500 100 100 100"]
NORMALIZATIONS = ["batch_no_scale", "batch", "none"]
ACTIVATIONS = ["silu", "relu", "leaky_relu"]
# Without normalisation few networks learn; these are the reports'.
_ACTIVATIONS_ALONE = ["leaky_relu", "none"]


def poolings_for(side: int | None) -> list[str]:
    """Returns the choices of `POOLINGS` that make sense for images of `side` pixels; all if it is not known."""
    return [text for text in POOLINGS if side is None or math.prod(_windows(text)) <= _MOST_SHRINKING * side]


def choose_network(hp: keras_tuner.HyperParameters, side: int | None = None) -> dict[str, Any]:
    """Declares what may vary of a network, and returns the options of `blocks` for the values of `hp`.

    The defaults are `speednet`. Two options follow from others, as in all published networks: convolutions have a bias
    unless the normalisation is speednet's, and the logits have one where a linear layer comes before them or nothing.

    Args:
        hp: The hyperparameters.
        side: Height and width of the images in pixels, by which too many poolings are left out; None if unknown.
    """
    poolings = poolings_for(side)
    windows = _windows(hp.Choice("poolings", poolings, default="2 2 2"))
    shapes = _shapes(hp, poolings)
    with hp.conditional_scope("poolings", poolings[1:]):
        options = _trunk(hp, windows, *shapes)
    with hp.conditional_scope("poolings", ["none"]):
        initializer = hp.Choice("linear_initializer", ["uniform", "normal"])
        with hp.conditional_scope("linear_initializer", ["normal"]):
            stddev, l2 = hp.Choice("initial_stddev", [0.1, 1.0]), hp.Choice("l2", [0.0, 0.005])
    if not windows:
        options = {"stages": "", "normalization": "none", "activation": "none", "initializer": initializer}
        options |= {"initial_stddev": stddev, "l2": l2} if initializer == "normal" else {}
    has_hidden = hp.Boolean("hidden_layers")
    with hp.conditional_scope("hidden_layers", [True]):
        hidden = {
            "hidden": hp.Choice("hidden", HIDDEN),
            "hidden_normalization": hp.Choice("hidden_normalization", ["none", "batch"]),
            "hidden_activation": hp.Choice("hidden_activation", ["relu", "leaky_relu", "silu", "none"]),
        }
    options |= (hidden if has_hidden else {}) | {"logits_bias": has_hidden or not windows}
    return options | {"dropout": hp.Choice("dropout", [0.0, 0.1, 0.2, 0.3, 0.5])}


def _windows(poolings: str) -> list[int]:
    return [] if poolings == "none" else [int(word) for word in poolings.split()]


def _shapes(hp: keras_tuner.HyperParameters, poolings: list[str]) -> tuple[list[int], list[int]]:
    """Declares width and depth of each stage."""
    widths, depths = [], []
    for number, (choices, default) in enumerate(WIDTHS, 1):
        having = [text for text in poolings if len(_windows(text)) >= number]
        if having:
            with hp.conditional_scope("poolings", having):
                widths.append(hp.Choice(f"width_{number}", choices, default=default))
                depths.append(hp.Int(f"depth_{number}", 1, 4, default=2))
    return widths, depths


def _trunk(hp: keras_tuner.HyperParameters, windows: list[int], widths: list[int], depths: list[int]) -> dict[str, Any]:
    """Declares the convolutions; what it returns holds only for more than 0 stages."""
    stem = hp.Choice("stem", ["whitening", "none", "wide"])
    blocks = hp.Choice("blocks", ["plain", "skip", "residual"])
    with hp.conditional_scope("blocks", ["residual"]):
        valid_end = hp.Boolean("valid_end")
    kernel = hp.Choice("kernel_size", [3, 5])
    padding = hp.Choice("padding", ["same", "valid"])
    normalization = hp.Choice("normalization", NORMALIZATIONS)
    activations = []
    for kinds, choices in ((NORMALIZATIONS[:2], ACTIVATIONS), (NORMALIZATIONS[2:], _ACTIVATIONS_ALONE)):
        with hp.conditional_scope("normalization", kinds):
            activations.append(hp.Choice("activation", choices))
    pool = hp.Choice("pool", ["max", "mean"])
    place = hp.Choice("pool_place", ["inside", "end"])
    widen = hp.Boolean("widen")
    head = hp.Choice("head", ["max", "average", "flatten"])
    initializer = hp.Choice("initializer", ["identity", "uniform"])
    texts = []
    for number, window in enumerate(windows):
        last = number == len(windows) - 1
        shape = (f" k{kernel}" if kernel != 3 else "") + (" valid" if padding == "valid" else "")
        first = " k5 wide" if number == 0 and stem == "wide" else shape
        pooling = f" {pool}{window}" if window > 1 else ""
        if last and valid_end:
            texts.append(f"{widths[number]} valid bare{pooling} act")
            continue
        following = widths[number] if last or not widen else widths[number + 1]
        texts.append(
            _stage(blocks, widths[number], depths[number], first, shape, pooling, place == "inside", following)
        )
    return {
        "stages": ", ".join(texts),
        "stem": "whitening" if stem == "whitening" else "none",
        "normalization": normalization,
        "activation": next(filter(None, activations), None),
        "head": head,
        "convolution_bias": normalization != "batch_no_scale",
        "initializer": initializer,
    }


def _stage(
    blocks: str, width: int, depth: int, first: str, shape: str, pooling: str, inside: bool, following: int
) -> str:
    """The text of one stage, see `read_stages`.

    Args:
        blocks: "plain" convolutions; a "skip" around all but the first; or "residual", one convolution and as many
            residual blocks as the depth says.
        width: Filters.
        depth: Convolutions, or residual blocks.
        first: Kernel and padding of the first convolution.
        shape: Kernel and padding of the others.
        pooling: The word of the pooling.
        inside: Whether it comes between the first convolution and its normalisation, and not at the end.
        following: Filters of the last of several plain convolutions.
    """
    kernel = shape.replace(" valid", "")
    end = "" if inside else pooling
    begin = f"{width}{first} bare{pooling}" if inside and pooling else f"{width}{first}"
    if blocks == "residual":
        begin = f"{width}{first} bare{pooling if inside else ''}"
        return f"{begin} res{depth}{kernel} act{end}"
    begin += " act" if inside and pooling else ""
    if depth == 1:
        return begin + end
    if blocks == "skip" and depth > 2:
        return f"{begin} skip{depth - 1}{kernel}{end}"
    return begin + "".join(f" {width}{shape}" for _ in range(depth - 2)) + f" {following}{shape}{end}"
