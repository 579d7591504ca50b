"""Random crop and horizontal flip, batched: one gather of pixels does both."""

import tensorflow as tf

from pipelines.augment_seeds import ALTERNATING_STREAM, CROP_STREAM, FLIP_STREAM, stream_seed
from pipelines.errors import DataError


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
