"""Batched augmentation of training images: what there is, the one order it comes in, and normalisation.

The operations stand in files of their own, augment_*.py: functions that draw every example's parameters for an epoch,
and functions that apply them to a batch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from pipelines.augment_color import change_color, draw_color
from pipelines.augment_crop import CROP_MODES, FLIPS, crop_and_flip, draw_crops, draw_flips
from pipelines.augment_erase import draw_cutout, draw_erasing, fill_boxes
from pipelines.augment_geometry import draw_affine, warp
from pipelines.augment_mix import draw_mix
from pipelines.augment_policy import MAX_MAGNITUDE, POLICIES, apply_policy, draw_policy
from pipelines.errors import DataError

_CHOICES = {"crop_mode": CROP_MODES, "flip": FLIPS, "policy": POLICIES}
_RANGES = {
    "crop_padding": (0, math.inf, "4 is usual for 32x32 images."),
    "policy_operations": (1, 16, "2 is usual."),
    "policy_magnitude": (0, MAX_MAGNITUDE, "9 is usual."),
    "rotation": (0, 180, "15 is a common start."),
    "translation": (0, 1, "0.1 is a common start."),
    "zoom": (0, 0.99, "0.1 is a common start."),
    "brightness": (0, 1, "0.2 is a common start."),
    "contrast": (0, 1, "0.2 is a common start."),
    "saturation": (0, 1, "0.2 is a common start."),
    "hue": (0, 0.5, "0.05 is a common start."),
    "cutout": (0, math.inf, "A quarter of the side is usual."),
    "random_erasing": (0, 1, "0.25 is usual."),
    "mixup": (0, 100, "0.2 is usual."),
    "cutmix": (0, 100, "1 is usual."),
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images are varied. What is 0 or "none" is off and costs nothing.

    Whatever the order in which fields are given, an image goes through

    1. crop, then flip;
    2. zoom and rotation about the centre, then translation: one bilinear interpolation, black outside the image;
    3. the operations of the policy, in the order drawn, with nearest pixels and black outside the image;
    4. brightness, contrast, saturation, then hue: one linear map, clipped once;
    5. cutout, then random erasing, both with the mean colour, which normalisation makes 0;
    6. mixup or cutmix with another training image that has gone through 1 to 5 as it does itself in that epoch.

    Every step rounds to whole values from 0 to 255 but mixup, which does not round.

    Attributes:
        crop_padding: Pixels added on each side before a random window of the original size is cut; 0 means no crop.
        crop_mode: What the padding holds: "zero" (black) or "reflect" (the image mirrored about its edge pixels).
        flip: "none"; "random" (mirrored left to right with probability 1/2, anew each epoch); or "alternating"
            (a random half in the first epoch, the other half in the next, and so on).
        policy: "none"; "randaugment" (`policy_operations` random operations at `policy_magnitude`); or
            "trivialaugment" (one random operation at a random magnitude). See `augment_policy.OPERATIONS`.
        policy_operations: From 1 (randaugment).
        policy_magnitude: From 0 to 30 (randaugment).
        rotation: Largest angle in degrees, either way.
        translation: Largest shift, as a share of the height and of the width.
        zoom: Largest change of scale, as a share.
        brightness: Largest change of brightness, as a share.
        contrast: Largest change of the distance from the image's mean grey, as a share.
        saturation: Largest change of the distance from each pixel's grey, as a share. It and hue change images with
            three channels; for others they do nothing.
        hue: Largest turn of the hue, as a share of the colour circle.
        cutout: Side in pixels of the square that is blanked.
        random_erasing: Probability that a random rectangle is blanked.
        mixup: Alpha of the beta distribution of an image's own share.
        cutmix: Alpha of the beta distribution of the share that is not pasted over; with mixup each image gets one of
            the two, with probability 1/2.

    Raises:
        DataError: A field has another value.

    Source: alternating flip, Jordan 2024 (arXiv:2404.00498), section 3.6. The others' stand with their functions.
    """

    crop_padding: int = 0
    crop_mode: str = "zero"
    flip: str = "none"
    policy: str = "none"
    policy_operations: int = 2
    policy_magnitude: int = 9
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    cutout: int = 0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0

    def __post_init__(self):
        for field, (low, high, remedy) in _RANGES.items():
            value = getattr(self, field)
            if not low <= value <= high:
                allowed = f"{low} or more" if high == math.inf else f"from {low} to {high}"
                raise DataError(f"{field} must be {allowed}. Received: {value}. {remedy}")
        for field, known in _CHOICES.items():
            if getattr(self, field) not in known:
                raise DataError(
                    f"{field} must be one of {', '.join(known)}. Received: {getattr(self, field)!r}. Choose one."
                )

    @property
    def mixes(self) -> bool:
        """Whether labels are mixed, too."""
        return self.mixup > 0 or self.cutmix > 0


def draw_augmentation(
    augmentation: Augmentation,
    num_examples: int,
    image_shape: tuple[int, int, int],
    *,
    seed: int,
    epoch: tf.Tensor | int,
) -> dict[str, tf.Tensor]:
    """Everything random about every example in one epoch, for what is on.

    Returns:
        Tensors with `num_examples` rows, for `augment`, `mix_images` and `mix_labels`; row i depends on
        (seed, epoch, i) alone.
    """
    on, when, draws = augmentation, {"seed": seed, "epoch": epoch}, {}
    if on.crop_padding or on.flip != "none":
        draws["crop"] = draw_crops(num_examples, on.crop_padding, **when)
        draws["flip"] = draw_flips(num_examples, on.flip, **when)
    if on.rotation or on.translation or on.zoom:
        limits = {"rotation": on.rotation, "translation": on.translation, "zoom": on.zoom}
        draws["affine"] = draw_affine(num_examples, image_shape, **limits, **when)
    if on.policy != "none":
        settings = {"policy": on.policy, "operations": on.policy_operations, "magnitude": on.policy_magnitude}
        draws |= draw_policy(num_examples, image_shape, **settings, **when)
    colorful = image_shape[-1] == 3 and (on.saturation or on.hue)
    if on.brightness or on.contrast or colorful:
        limits = {"brightness": on.brightness, "contrast": on.contrast, "saturation": on.saturation, "hue": on.hue}
        draws["color"], pulls = draw_color(num_examples, image_shape[-1], **limits, **when)
        if on.contrast:
            draws["pull"] = pulls
    if on.cutout:
        draws["cutout"] = draw_cutout(num_examples, image_shape, on.cutout, **when)
    if on.random_erasing:
        draws["erasing"] = draw_erasing(num_examples, image_shape, on.random_erasing, **when)
    if on.mixes:
        draws |= draw_mix(num_examples, image_shape, mixup=on.mixup, cutmix=on.cutmix, **when)
    return draws


def augment(
    images: tf.Tensor, draws: dict[str, tf.Tensor], augmentation: Augmentation, mean: Sequence[float]
) -> tf.Tensor:
    """Varies images as drawn, all but mixup and cutmix.

    Args:
        images: (batch, height, width, channels) uint8; all but the batch size known when the graph is built.
        draws: Rows of what `draw_augmentation` gave, one for each image.
        augmentation: What the draws were made for.
        mean: Of each channel, in units where white is 1; what is blanked gets this colour.

    Returns:
        The same shape and type as `images`.

    Raises:
        DataError: Reflected padding does not fit the image.
    """
    if "crop" in draws:
        padding, mode = augmentation.crop_padding, augmentation.crop_mode
        images = crop_and_flip(images, draws["crop"], draws["flip"], padding=padding, mode=mode)
    if "affine" in draws:
        images = warp(images, draws["affine"])
    if "operation" in draws:
        images = apply_policy(images, draws["operation"], draws["strength"])
    if "color" in draws:
        images = change_color(images, draws["color"], draws.get("pull"))
    blank = np.clip(np.rint(255 * np.asarray(mean)), 0, 255).astype(np.uint8)
    for boxes in ("cutout", "erasing"):
        if boxes in draws:
            images = fill_boxes(images, draws[boxes], blank)
    return images


def normalize(images: tf.Tensor, mean: Sequence[float], std: Sequence[float]) -> tf.Tensor:
    """Scales pixel values so that each channel has mean 0 and standard deviation 1: (images / 255 - mean) / std.

    This one function serves training, evaluation and export. It multiplies and subtracts instead of dividing, so it
    equals the formula to float32 rounding only.

    Args:
        images: (batch, height, width, channels) uint8, or float32 in 0..255.
        mean: One value for each channel, in units where white is 1.
        std: One value above 0 for each channel, in the same units.

    Returns:
        (batch, height, width, channels) float32.

    Raises:
        DataError: `mean` or `std` does not fit the channels, is not finite, or a `std` is not above 0.
    """
    channels = images.shape[-1]
    fits = len(mean) == len(std) == channels and np.isfinite([*mean, *std]).all() and min(std) > 0
    if not fits:
        raise DataError(
            f"mean and std must hold {channels} finite values each, one for each channel, and every std must be above "
            f"0. Received: mean {tuple(mean)}, std {tuple(std)}. Give values for each channel."
        )
    mean, std = np.asarray(mean, np.float64), np.asarray(std, np.float64)
    scale, offset = np.float32(1 / (255 * std)), np.float32(mean / std)
    # Broadcasting three values over the last axis costs five times as much as a whole row of them (measured).
    shape = tf.shape(images)
    batch, height, width = shape[0], shape[1], shape[2]
    lines = tf.reshape(tf.cast(images, tf.float32), (batch, height, width * channels))
    return tf.reshape(lines * tf.tile(scale, [width]) - tf.tile(offset, [width]), shape)
