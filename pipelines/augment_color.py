"""Brightness, contrast, saturation and hue: one linear map of each image's colours, rounded and clipped once.

The numbers of the maps are multiples of 1/4096. Products with whole pixel values, and sums of them, then have no
rounding error in float32, so that the result does not depend on the batch, the kernel or the machine.
"""

import math

import numpy as np
import tensorflow as tf

from pipelines.augment_seeds import COLOR_STREAM, draw_uniform

# Of red, green and blue in grey: ITU-R BT.601, as Pillow has it, in 1/65536.
_LUMA = np.array([19595, 38470, 7471])
GREY = np.tile(_LUMA[:, None] / _LUMA.sum(), (1, 3))
_STEPS = 4096.0


def draw_color(
    num_examples: int,
    channels: int,
    *,
    brightness: float,
    contrast: float,
    saturation: float,
    hue: float,
    seed: int,
    epoch: tf.Tensor | int,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Every example's change of colours in one epoch, in the order of the names.

    Args:
        num_examples: How many.
        channels: Saturation and hue change images with three; for others they do nothing.
        brightness: Largest change of the factor of all values.
        contrast: Largest change of the factor of the distance from the image's mean grey.
        saturation: Largest change of the factor of the distance from each pixel's grey.
        hue: Largest turn of the colours about the grey axis, as a share of a full turn.
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        (maps, pulls) for `change_color`; row i depends on (seed, epoch, i) alone.

    Source: hue, Karras et al. 2020 (arXiv:2006.06676), appendix B: a rotation about the axis of equal red, green and
    blue. A third of a turn makes red green, green blue and blue red, as in HSV; between the thirds HSV goes along the
    edges of the colour cube, where this goes in a circle. HSV takes five times as long (measured).
    """
    # float64 for the reason given in augment_geometry.draw_affine.
    draws = tf.cast(draw_uniform(num_examples, 4, COLOR_STREAM, seed=seed, epoch=epoch), tf.float64) * 2 - 1
    bright, contrasted, saturated, turn = tf.unstack(draws * [brightness, contrast, saturation, hue], axis=1)
    pulls = -contrasted * (1 + bright)
    scales = ((1 + bright) * (1 + contrasted))[:, None]
    if channels != 3 or not (saturation or hue):
        return rounded_maps(scales), tf.cast(pulls, tf.float32)
    saturate = np.eye(3) + saturated[:, None, None] * (np.eye(3) - GREY)
    return rounded_maps(scales[:, :, None] * (saturate @ _turns(turn))), tf.cast(pulls, tf.float32)


def _turns(turn: tf.Tensor) -> tf.Tensor:
    """Rotations about (1, 1, 1) for row vectors, (n, 3, 3) float64, by Rodrigues' formula."""
    angle = (2 * math.pi * turn)[:, None, None]
    mean = np.full((3, 3), 1 / 3)
    # Row 0 says where red goes: a positive turn moves it towards green.
    towards = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]]) / math.sqrt(3)
    return mean + tf.cos(angle) * (np.eye(3) - mean) + tf.sin(angle) * towards


def rounded_maps(maps: tf.Tensor) -> tf.Tensor:
    """The nearest multiples of 1/4096, float32."""
    return tf.cast(tf.round(maps * _STEPS) / _STEPS, tf.float32)


def change_color(images: tf.Tensor, maps: tf.Tensor, pulls: tf.Tensor | None) -> tf.Tensor:
    """Maps the colours of each image: pixel @ map + pull * (the image's mean grey), rounded, and clipped to 0..255.

    Args:
        images: (batch, height, width, channels) uint8.
        maps: What `rounded_maps` gave: (batch, 1) factors, or (batch, 3, 3) matrices that red, green and blue are
            multiplied with from the left. No result may reach 4096, where float32 ends to be exact.
        pulls: (batch,) float32; None if all are 0.

    Returns:
        The same shape and type as `images`.
    """
    _, height, width, channels = images.shape
    values = tf.cast(tf.reshape(images, (-1, height * width * channels)), tf.float32)
    if maps.shape.rank == 3:
        values = tf.reshape(values, (-1, height * width, channels)) @ maps
        values = tf.reshape(values, (-1, height * width * channels))
    else:
        values *= maps
    shifts = 0.5 if pulls is None else rounded_maps(pulls * mean_grey(images))[:, None] + 0.5
    values = tf.clip_by_value(values + shifts, 0.0, 255.0)
    return tf.reshape(tf.cast(values, tf.uint8), tf.shape(images))


def mean_grey(images: tf.Tensor) -> tf.Tensor:
    """The mean of each image's grey values, (batch,) float32 in 0..255.

    Args:
        images: (batch, height, width, channels) uint8; of three channels the usual weights are taken, else all weigh
            the same.
    """
    _, height, width, channels = images.shape
    # Whole numbers all the way; adding up the rows first is what is fast.
    lines = tf.cast(tf.reshape(images, (-1, height, width * channels)), tf.int32)
    sums = tf.reduce_sum(tf.reshape(tf.reduce_sum(lines, axis=1), (-1, width, channels)), axis=1)
    weights = _LUMA if channels == 3 else np.ones(channels, np.int64)
    total = tf.reduce_sum(tf.cast(sums, tf.int64) * weights, axis=1)
    return tf.cast(total / (weights.sum() * height * width), tf.float32)
