"""Batched augmentation: pad-and-crop, horizontal flip and normalisation, pure functions of their arguments."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from pipelines.errors import DataError

CROP_MODES = ("zero", "reflect")
FLIPS = ("none", "random", "alternating")
# Each use of a seed draws from a stream of its own, so that, say, flips never follow from crops.
ORDER_STREAM, CROP_STREAM, FLIP_STREAM, ALTERNATING_STREAM = range(4)
_STREAMS = 8


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How training images are varied.

    Attributes:
        crop_padding: Pixels added on each side before a random window of the original size is cut; 0 means no crop.
        crop_mode: What the padding holds: "zero" (black) or "reflect" (the image mirrored about its edge pixels).
        flip: "none"; "random" (mirrored left to right with probability 1/2, anew each epoch); or "alternating"
            (a random half in the first epoch, the other half in the next, and so on).

    Raises:
        DataError: A field has another value.

    Source: alternating flip, Jordan 2024 (arXiv:2404.00498), section 3.6.
    """

    crop_padding: int = 0
    crop_mode: str = "zero"
    flip: str = "none"

    def __post_init__(self):
        if self.crop_padding < 0:
            raise DataError(
                f"crop_padding must be 0 or more. Received: {self.crop_padding}. 4 is usual for 32x32 images."
            )
        for field, known in (("crop_mode", CROP_MODES), ("flip", FLIPS)):
            if getattr(self, field) not in known:
                raise DataError(
                    f"{field} must be one of {', '.join(known)}. Received: {getattr(self, field)!r}. Choose one."
                )


def stream_seed(seed: int, stream: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """The seed pair of one stream in one epoch, (2,) int64; different (seed, stream, epoch) give different pairs."""
    return tf.stack([tf.constant(int(seed) * _STREAMS + stream, tf.int64), tf.cast(epoch, tf.int64)])


def draw_crops(num_examples: int, padding: int, *, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """The top left corners of every example's crop in one epoch.

    Returns:
        (num_examples, 2) int32 in 0..2 * padding: row and column inside the padded image; row i depends on
        (seed, epoch, i) alone.
    """
    return tf.random.stateless_uniform(
        (num_examples, 2), stream_seed(seed, CROP_STREAM, epoch), 0, 2 * padding + 1, tf.int32, alg="philox"
    )


def draw_flips(num_examples: int, flip: str, *, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """Which examples are mirrored in one epoch, (num_examples,) int32 of 0 and 1; see `Augmentation.flip`."""
    if flip == "none":
        return tf.zeros((num_examples,), tf.int32)
    alternating = flip == "alternating"
    pair = stream_seed(seed, ALTERNATING_STREAM if alternating else FLIP_STREAM, 0 if alternating else epoch)
    bits = tf.random.stateless_uniform((num_examples,), pair, 0, 2, tf.int32, alg="philox")
    return (bits + tf.cast(epoch, tf.int32)) % 2 if alternating else bits


def crop_and_flip(images: tf.Tensor, crops: tf.Tensor, flips: tf.Tensor, *, padding: int, mode: str) -> tf.Tensor:
    """Pads each image, cuts its window of the original size, and mirrors it where asked.

    Args:
        images: (batch, height, width, channels), any type; all but the batch size known when the graph is built.
        crops: (batch, 2) int32 in 0..2 * padding, the window's top left corner in the padded image.
        flips: (batch,) int32, 1 where the window is mirrored left to right.
        padding: Pixels added on each side.
        mode: "zero" or "reflect".

    Returns:
        The same shape and type as `images`.

    Raises:
        DataError: Reflected padding is as large as the image, so there are not enough pixels to mirror.
    """
    _, height, width, channels = images.shape
    if mode == "reflect" and padding >= min(height, width):
        raise DataError(
            f"Reflected padding must be smaller than the image, {height}x{width}. Received: crop_padding {padding}. "
            "Use less padding or crop_mode 'zero'."
        )
    # Padding, crop and flip are one gather of pixels: nothing is padded, the index says where each pixel comes from.
    # Padding first costs half as much again, and reversing by strides as much as all of this (measured).
    rows = crops[:, :1] - padding + tf.range(height)
    columns = tf.range(width)
    columns = crops[:, 1:] - padding + tf.where(flips[:, None] == 1, width - 1 - columns, columns)
    first_pixels = tf.range(tf.shape(images)[0])[:, None] * (height * width)
    pixels = tf.reshape(images, (-1, channels))
    if mode == "reflect":
        rows, columns = _reflected(rows, height) * width + first_pixels, _reflected(columns, width)
        return tf.gather(pixels, rows[:, :, None] + columns[:, None, :])
    # One black pixel is put behind the last; whatever lies outside in either direction gets an index that ends there.
    black = tf.shape(pixels)[0]
    rows = tf.where((rows >= 0) & (rows < height), rows * width + first_pixels, black)
    columns = tf.where((columns >= 0) & (columns < width), columns, black)
    pixels = tf.concat([pixels, tf.zeros((1, channels), pixels.dtype)], 0)
    return tf.gather(pixels, tf.minimum(rows[:, :, None] + columns[:, None, :], black))


def _reflected(positions: tf.Tensor, size: int) -> tf.Tensor:
    """Folds positions less than `size` outside 0..size-1 back inside, mirrored about the edge pixels."""
    positions = tf.abs(positions)
    return size - 1 - tf.abs(size - 1 - positions)


def normalize(images: tf.Tensor, mean: Sequence[float], std: Sequence[float]) -> tf.Tensor:
    """Scales pixel values so that each channel has mean 0 and standard deviation 1: (images / 255 - mean) / std.

    This one function serves training, evaluation and export. It multiplies and subtracts instead of dividing, so it
    equals the formula to float32 rounding only.

    Args:
        images: (batch, height, width, channels) uint8.
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
