"""MODELS, every network by name, and `build_model`, the checked and seeded way to build one."""

import contextlib
import random
from collections.abc import Callable, Iterator

import keras

from kerasnets.errors import InputError, closest
from kerasnets.models.blocks import blocks
from kerasnets.models.cifarnet import cifarnet, tinynet, tinynet_deep
from kerasnets.models.fully_connected import boringnet, lazynet, scratch_mlp
from kerasnets.models.lenet import coolnet_v7, coolnet_v10, lenet_bn
from kerasnets.models.options import check_options, is_file
from kerasnets.models.resblocks import resblocks
from kerasnets.models.speednet import speednet
from kerasnets.models.tiny_leaky import tiny_leaky

MODELS: dict[str, Callable[..., keras.Model]] = {
    "lazynet": lazynet,
    "boringnet": boringnet,
    "coolnet_v7": coolnet_v7,
    "coolnet_v10": coolnet_v10,
    "lenet_bn": lenet_bn,
    "scratch_mlp": scratch_mlp,
    "cifarnet": cifarnet,
    "resblocks": resblocks,
    "tiny_leaky": tiny_leaky,
    "tinynet": tinynet,
    "tinynet_deep": tinynet_deep,
    "speednet": speednet,
    "blocks": blocks,
}

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def build_model(
    name: str,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    precision: str = "float32",
    seed: int | None = None,
    **options,
) -> keras.Model:
    """Builds a network.

    Args:
        name: One of `MODEL_NAMES`, or ``file:PATH`` for the network that a Python file of your own builds.
        image_shape: `(height, width, channels)`, grey or colour, from 8x8.
        num_classes: Number of classes.
        precision: "float32", or "bfloat16" to compute in bfloat16 with float32 weights, statistics and outputs.
        seed: Seed of the initial weights: the same seed, the same weights, whatever was built before. None draws anew.
        **options: The network's own options, see `MODEL_FACTS`; hyperparameters by name for a file.

    Returns:
        A functional model named `name` (a file's as it names itself), from float32 normalised images `(batch, height,
        width, channels)` to float32 `(batch, num_classes)`; the last layer is named "logits" or "probabilities".

    Raises:
        InputError: Unknown name, option or precision, or a value out of range.
    """
    options = check_options(name, options)
    if precision not in POLICIES:
        raise InputError(f"Unknown precision {precision!r}. {closest(str(precision), POLICIES)}")
    with _default_policy(POLICIES[precision]), _seeded_layers(seed):
        if is_file(name):
            from kerasnets.models.file_network import file_network  # keras_tuner, which takes a second to import

            return file_network(name, tuple(image_shape), num_classes, options)
        return MODELS[name](tuple(image_shape), num_classes, **options)


@contextlib.contextmanager
def _default_policy(policy: str) -> Iterator[None]:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


@contextlib.contextmanager
def _seeded_layers(seed: int | None) -> Iterator[None]:
    # Keras draws the seed of every initialiser and random layer that has none from Python's generator.
    if seed is None:
        yield
        return
    before = random.getstate()
    random.seed(seed)
    try:
        yield
    finally:
        random.setstate(before)
