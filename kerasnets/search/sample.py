"""Checks a sample of a space before it is trained: that it builds, how large it is, that images are large enough."""

import contextlib
import dataclasses
import functools
import json
import math
from dataclasses import dataclass

from kerasnets.errors import InputError
from kerasnets.models.block_shapes import block_shapes
from kerasnets.training.config import TrainConfig

# What training costs beside the operations of forward and backward pass, as so many of them: a number in a map, which
# normalisation, activation and pooling read and write; a weight, which the update does; an operation of muon's own; and
# a step, about a millisecond. Fitted to the float32 speed of ten networks drawn from the built-in space on CIFAR-10
# (two cores with AVX512): it is between 0.69 and 1.22 of what each of them took, operations alone 0.32 to 1.4.
_OF_ELEMENT, _OF_WEIGHT, _OF_MUON, _OF_STEP = 700.0, 1300.0, 3.4, 3.4e8


class RejectedSample(Exception):
    """Why a sample is not trained, in a few words that are the same for all samples of one kind."""


@dataclass(frozen=True)
class SampleFacts:
    """Size of a sample's network.

    Attributes:
        weights: Trainable weights.
        flops: Operations of one image's forward pass.
        muon_flops: Operations of one step of muon, if that is chosen, beside those of the gradient.
        elements: Numbers in the maps of one image; only counted in `blocks`, the network whose shape may vary.
        pixels: Of an average training image, as a share of one at full size: below 1 with smaller images first.
    """

    weights: int
    flops: int
    muon_flops: int = 0
    elements: int = 0
    pixels: float = 1.0


def training_flops(config: TrainConfig, facts: SampleFacts) -> float:
    """Estimates what training on one image costs, in operations, by which samples are compared.

    Forward and backward pass are three forward ones. Maps, weights and the step as such cost time too; in small
    networks and batches they cost most of it.
    """
    muon = _OF_MUON * facts.muon_flops if config.optimizer == "muon" else 0.0
    step = _OF_STEP + _OF_WEIGHT * facts.weights + muon
    return facts.pixels * (3.0 * facts.flops + _OF_ELEMENT * facts.elements) + step / config.batch_size


def orthogonalization_flops(rows: int, columns: int) -> int:
    """Operations of `kerasnets.training.muon.orthogonalize` on a matrix of this shape."""
    short, long = sorted((rows, columns))
    return 4 * short**2 * long + 22 * short**3


def check_sample(
    config: TrainConfig,
    image_shape: tuple[int, int, int],
    num_classes: int,
    *,
    max_weights: int | None = None,
    max_flops: int | None = None,
) -> SampleFacts:
    """Checks that a sample can be trained; network `blocks` by arithmetic alone, any other by building it.

    Args:
        config: The sample.
        image_shape: `(height, width, channels)` of the data.
        num_classes: Of the data.
        max_weights: Most trainable weights.
        max_flops: Most operations of one image's forward pass.

    Raises:
        RejectedSample: It cannot be built, is larger than allowed, or the images are too small for it.
    """
    _check_images(config, image_shape)
    image_shape = tuple(image_shape)
    try:
        if config.arch == "blocks":
            facts = _check_blocks(config, image_shape, num_classes)
        else:
            facts = _built(config.arch, json.dumps(config.arch_options, sort_keys=True), image_shape, num_classes)
    except InputError as error:
        raise RejectedSample(str(error)) from None
    if max_weights is not None and facts.weights > max_weights:
        raise RejectedSample(f"over {max_weights:,} weights")
    if max_flops is not None and facts.flops > max_flops:
        raise RejectedSample(f"over {max_flops:,} FLOPs an image")
    return dataclasses.replace(facts, pixels=_average_pixels(config, image_shape))


def _average_pixels(config: TrainConfig, image_shape: tuple[int, int, int]) -> float:
    average, begin = 0.0, 0.0
    for size, end in config.early_sizes:
        average += (end - begin) * (size / image_shape[0]) ** 2
        begin = end
    return average + 1.0 - begin


def _check_images(config: TrainConfig, image_shape: tuple[int, int, int]) -> None:
    height, width, _ = image_shape
    sizes = [size for size, _ in config.early_sizes]
    if sizes and (height != width or max(sizes) > height):
        raise RejectedSample("smaller images first, but the images are not square or no larger")
    if config.crop_mode == "reflect" and config.crop_padding >= min(height, width, *sizes):
        raise RejectedSample("images too small for the padding of the crop")


def _check_blocks(config: TrainConfig, image_shape: tuple[int, int, int], num_classes: int) -> SampleFacts:
    full = block_shapes(image_shape, num_classes, config.arch_options)
    # One that finds a map of one pixel does no harm, cifarnet has it on 8x8; with two, stages are wasted.
    if full.idle_poolings > 1:
        raise RejectedSample("images too small for so many poolings")
    for size, _ in config.early_sizes:
        smaller = block_shapes((int(size), int(size), image_shape[2]), num_classes, config.arch_options)
        if smaller.layers != full.layers:
            raise RejectedSample("smaller images first, but weights or windows of the network depend on the size")
    kernels = [layer[1:4] for layer in full.layers if layer[0] == "convolution"]
    muon = sum(orthogonalization_flops(size * size * channels, filters) for size, channels, filters in kernels)
    return SampleFacts(weights=full.weights, flops=full.flops, muon_flops=muon, elements=full.elements)


# A space that varies the training alone has one network, and building takes a second.
@functools.lru_cache(maxsize=256)
def _built(arch: str, options: str, image_shape: tuple[int, int, int], num_classes: int) -> SampleFacts:
    import tensorflow as tf

    from kerasnets.models import MODEL_NAMES, build_model, flops_per_image, output_kind

    # A graph is let go with all that was built in it, and needs no memory for weights; a user's code may need values.
    with tf.Graph().as_default() if arch in MODEL_NAMES else contextlib.nullcontext():
        model = build_model(arch, image_shape, num_classes, **json.loads(options))
        output_kind(model)
        weights = model.trainable_weights
        kernels = [weight.shape for weight in weights if len(weight.shape) == 4]
        return SampleFacts(
            weights=sum(math.prod(weight.shape) for weight in weights),
            flops=flops_per_image(model),
            muon_flops=sum(orthogonalization_flops(math.prod(kernel[:-1]), kernel[-1]) for kernel in kernels),
        )
