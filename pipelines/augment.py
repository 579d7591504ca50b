"""Batched augmentation of training images in the one order that `Augmentation` declares, and normalisation.

The operations stand in files of their own, augment_*.py: functions that draw every example's parameters for an epoch,
and functions that apply them to a batch.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from pipelines.augment_color import change_color, draw_color
from pipelines.augment_crop import crop_and_flip, draw_crops, draw_flips
from pipelines.augment_erase import draw_cutout, draw_erasing, fill_boxes
from pipelines.augment_geometry import draw_affine, warp
from pipelines.augment_mix import draw_mix
from pipelines.augment_policy import apply_policy, draw_policy
from pipelines.augmentation import Augmentation
from pipelines.errors import DataError


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
