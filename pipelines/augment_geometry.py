"""Rotation, translation and zoom as one affine map of each image, and the warp that applies such maps."""

import math

import tensorflow as tf

from pipelines.augment_seeds import AFFINE_STREAM, draw_uniform


def draw_affine(
    num_examples: int,
    image_shape: tuple[int, ...],
    *,
    rotation: float,
    translation: float,
    zoom: float,
    seed: int,
    epoch: tf.Tensor | int,
) -> tf.Tensor:
    """Every example's affine map in one epoch: it is zoomed and turned about its centre, and then moved.

    Args:
        num_examples: How many.
        image_shape: (height, width, ...) in pixels.
        rotation: Largest angle in degrees, either way.
        translation: Largest shift, as a share of the height and of the width.
        zoom: Largest change of the scale: it lies between 1 - zoom and 1 + zoom.
        seed: Of the training stream.
        epoch: From 0.

    Returns:
        (num_examples, 6) float32, for `warp`; row i depends on (seed, epoch, i) alone.
    """
    height, width = image_shape[:2]
    # In float64, and rounded at the end: vectorised and plain sines differ in their last bit, and which of the two
    # computes an example would depend on how many there are.
    draws = tf.cast(draw_uniform(num_examples, 4, AFFINE_STREAM, seed=seed, epoch=epoch), tf.float64) * 2 - 1
    limits = [math.radians(rotation), translation * width, translation * height, zoom]
    angle, right, down, scale = tf.unstack(draws * limits, axis=1)
    return affine_maps(angle, right, down, 1 + scale, height=height, width=width)


def affine_maps(
    angle: tf.Tensor, right: tf.Tensor, down: tf.Tensor, scale: tf.Tensor, *, height: int, width: int
) -> tf.Tensor:
    """The maps for `warp` that scale images and turn them anticlockwise about the centre, and then move them.

    Args:
        angle: (batch,) float64 in radians.
        right: (batch,) float64 in pixels.
        down: (batch,) float64 in pixels.
        scale: (batch,) float64; above 1 what the image shows grows.
        height: In pixels.
        width: In pixels.

    Returns:
        (batch, 6) float32.
    """
    cosine, sine = tf.cos(angle) / scale, tf.sin(angle) / scale
    from_left, from_top = width / 2 + right, height / 2 + down
    x = (cosine, -sine, width / 2 - cosine * from_left + sine * from_top)
    y = (sine, cosine, height / 2 - sine * from_left - cosine * from_top)
    return tf.cast(tf.stack([*x, *y], axis=1), tf.float32)


def warp(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Takes each pixel from where its image's affine map points, interpolated between the four pixels around.

    Args:
        images: (batch, height, width, channels) uint8.
        maps: (batch, 6) float32 (a, b, c, d, e, f): the pixel around (x, y) shows what is at
            (a x + b y + c, d x + e y + f), where (0, 0) is the image's corner, not the middle of its first pixel. These
            are the six numbers that Pillow's Image.transform takes.

    Returns:
        The same shape and type as `images`, rounded to whole values; what lies outside the image is black.
    """
    # The kernel counts from the middle of the first pixel.
    a, b, c, d, e, f = tf.unstack(maps, axis=1)
    zeros = tf.zeros_like(a)
    transforms = tf.stack([a, b, c + (a + b - 1) / 2, d, e, f + (d + e - 1) / 2, zeros, zeros], axis=1)
    # Interpolating in float32 is faster than in uint8, and uint8 results would be cut off and not rounded (measured).
    warped = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(images, tf.float32),
        transforms=transforms,
        output_shape=images.shape[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.cast(tf.ensure_shape(warped, images.shape) + 0.5, tf.uint8)


def warp_nearest(images: tf.Tensor, maps: tf.Tensor) -> tf.Tensor:
    """Like `warp`, but each pixel is the nearest one, in half the time of the kernel that `warp` uses (measured)."""
    _, height, width, channels = images.shape
    a, b, c, d, e, f = tf.split(maps[:, :, None], 6, axis=1)
    x, y = tf.range(width, dtype=tf.float32) + 0.5, tf.range(height, dtype=tf.float32)[:, None] + 0.5
    columns = tf.cast(tf.floor(a * x + (b * y + c)), tf.int32)
    rows = tf.cast(tf.floor(d * x + (e * y + f)), tf.int32)
    # One black pixel behind the last, as in `augment_crop.crop_and_flip`.
    pixels = tf.reshape(images, (-1, channels))
    black = tf.shape(pixels)[0]
    pixels = tf.concat([pixels, tf.zeros((1, channels), pixels.dtype)], 0)
    first_pixels = (tf.range(tf.shape(images)[0]) * (height * width))[:, None, None]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return tf.gather(pixels, tf.where(inside, rows * width + columns + first_pixels, black))
