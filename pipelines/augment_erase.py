"""Boxes in images: cutout, random erasing, and the two ways to fill a box, with a colour or from another image."""

from collections.abc import Sequence

import tensorflow as tf

from pipelines.augment_seeds import CUTOUT_STREAM, ERASING_STREAM, draw_uniform

# Of random erasing: the erased share of the image, height over width, and how often a box that fits is looked for.
_SHARES = (0.02, 0.4)
_ASPECTS = (0.3, 1 / 0.3)
_TRIES = 10


def draw_cutout(
    num_examples: int, image_shape: tuple[int, ...], size: int, *, seed: int, epoch: tf.Tensor | int
) -> tf.Tensor:
    """Every example's cutout in one epoch: a square about a random pixel, cut off where it leaves the image.

    Args:
        num_examples: How many.
        image_shape: (height, width, ...) in pixels.
        size: Side of the square in pixels.
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        (num_examples, 4) int32 boxes, for `fill_boxes`; row i depends on (seed, epoch, i) alone.

    Source: DeVries and Taylor 2017 (arXiv:1708.04552).
    """
    draws = draw_uniform(num_examples, 2, CUTOUT_STREAM, seed=seed, epoch=epoch)
    return centred_boxes(draws, tf.constant(size), tf.constant(size), image_shape)


def centred_boxes(draws: tf.Tensor, heights: tf.Tensor, widths: tf.Tensor, image_shape: tuple[int, ...]) -> tf.Tensor:
    """Boxes about random pixels, cut off at the image's edges.

    Args:
        draws: (n, 2) float32 in [0, 1): where the centres are, from the top and from the left.
        heights: (n,) or () int32 in pixels.
        widths: (n,) or () int32 in pixels.
        image_shape: (height, width, ...) in pixels.

    Returns:
        (n, 4) int32: top, left, bottom, right; the last two are no part of the box.
    """
    height, width = image_shape[:2]
    centre = tf.cast(draws * [height, width], tf.int32)
    starts = centre - tf.stack([heights // 2, widths // 2], axis=-1)
    ends = starts + tf.stack([heights, widths], axis=-1)
    return tf.concat([tf.maximum(starts, 0), tf.minimum(ends, [height, width])], axis=1)


def draw_erasing(
    num_examples: int, image_shape: tuple[int, ...], probability: float, *, seed: int, epoch: tf.Tensor | int
) -> tf.Tensor:
    """Every example's erased rectangle in one epoch.

    It has 2 to 40 % of the image's area, a height of 0.3 to 3.3 times its width, and lies wholly in the image.

    Args:
        num_examples: How many.
        image_shape: (height, width, ...) in pixels.
        probability: That an example has a rectangle; the boxes of the others are empty.
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        (num_examples, 4) int32 boxes, for `fill_boxes`; row i depends on (seed, epoch, i) alone.

    Source: Zhong et al. 2017 (arXiv:1708.04896), algorithm 1. Departures: ten tries to find a rectangle that fits
    (then none), as torchvision has it; and one colour instead of random values.
    """
    height, width = image_shape[:2]
    draws = draw_uniform(num_examples, 3 + 2 * _TRIES, ERASING_STREAM, seed=seed, epoch=epoch)
    coins, places, tries = draws[:, 0], draws[:, 1:3], tf.reshape(draws[:, 3:], (num_examples, _TRIES, 2))
    shares = _SHARES[0] + (_SHARES[1] - _SHARES[0]) * tries[..., 0]
    aspects = _ASPECTS[0] + (_ASPECTS[1] - _ASPECTS[0]) * tries[..., 1]
    areas = shares * height * width
    sizes = tf.cast(tf.round(tf.sqrt(tf.stack([areas * aspects, areas / aspects], axis=-1))), tf.int32)
    fits = tf.reduce_all(sizes < [height, width], axis=-1)
    size = tf.gather(sizes, tf.argmax(fits, axis=1), batch_dims=1)
    erased = (coins < probability) & tf.reduce_any(fits, axis=1)
    size = tf.where(erased[:, None], size, 0)
    starts = tf.cast(places * tf.cast([height, width] - size + 1, tf.float32), tf.int32)
    return tf.concat([starts, starts + size], axis=1)


def fill_boxes(images: tf.Tensor, boxes: tf.Tensor, color: Sequence[int]) -> tf.Tensor:
    """Gives the pixels in each image's box one colour.

    Args:
        images: (batch, height, width, channels) uint8.
        boxes: (batch, 4) int32: top, left, bottom, right; the last two are no part of the box.
        color: One value for each channel, 0..255.
    """
    _, height, width, channels = images.shape
    lines = tf.reshape(images, (-1, height, width * channels))
    filled = tf.where(_inside(boxes, images.shape), tf.tile(tf.constant(color, tf.uint8), [width]), lines)
    return tf.reshape(filled, tf.shape(images))


def paste_boxes(images: tf.Tensor, others: tf.Tensor, boxes: tf.Tensor) -> tf.Tensor:
    """Takes the pixels in each image's box from the same place in the other image.

    Args:
        images: (batch, height, width, channels) uint8.
        others: Like `images`.
        boxes: As in `fill_boxes`.
    """
    _, height, width, channels = images.shape
    shape = (-1, height, width * channels)
    pasted = tf.where(_inside(boxes, images.shape), tf.reshape(others, shape), tf.reshape(images, shape))
    return tf.reshape(pasted, tf.shape(images))


def _inside(boxes: tf.Tensor, shape: tf.TensorShape) -> tf.Tensor:
    """Which values lie in the boxes, (batch, height, width * channels) bool: last axes of 3 would be slow."""
    _, height, width, channels = shape
    top, left, bottom, right = tf.split(boxes, 4, axis=1)
    rows, columns = tf.range(height), tf.range(width * channels) // channels
    rows, columns = (rows >= top) & (rows < bottom), (columns >= left) & (columns < right)
    return rows[:, :, None] & columns[:, None, :]
