"""Sharpness, posterize, solarize, autocontrast and equalize, batched, each as Pillow's function of that name.

Each takes (batch, height, width, channels) uint8 images and gives the same; the batch may be empty.
"""

import numpy as np
import tensorflow as tf

# Pillow's filter SMOOTH: the pixel counts five times, its eight neighbours once.
_SMOOTH = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32)


def sharpen(images: tf.Tensor, factors: tf.Tensor) -> tf.Tensor:
    """Moves each pixel away from the smoothed image; pixels at the edges stay.

    Args:
        images: See above.
        factors: (batch,) float32; 0 smooths, 1 changes nothing, more sharpens.
    """
    _, height, width, channels = images.shape
    kernel = np.tile(_SMOOTH[:, :, None, None], (1, 1, channels, 1))
    values = tf.cast(images, tf.float32)
    # The sums are whole numbers, so their order does not matter. VALID has the wrong shape for an empty batch.
    smooth = tf.floor(tf.nn.depthwise_conv2d(values, kernel, (1, 1, 1, 1), "SAME") / _SMOOTH.sum() + 0.5)
    inner = np.zeros((height, width, channels), np.float32)
    inner[1:-1, 1:-1] = 1
    values, smooth = _lines(values), _lines(smooth)
    sharp = values + (values - smooth) * ((factors[:, None] - 1) * inner.ravel())
    return tf.reshape(tf.cast(tf.clip_by_value(sharp + 0.5, 0.0, 255.0), tf.uint8), tf.shape(images))


def posterize(images: tf.Tensor, bits: tf.Tensor) -> tf.Tensor:
    """Keeps the highest bits of each value; `bits` is (batch,) int32 in 0..8."""
    masks = tf.gather(tf.constant([255 & ~(255 >> kept) for kept in range(9)], tf.uint8), bits)
    return tf.reshape(tf.bitwise.bitwise_and(_lines(images), masks[:, None]), tf.shape(images))


def solarize(images: tf.Tensor, thresholds: tf.Tensor) -> tf.Tensor:
    """Inverts the values that are at least the threshold, (batch,) float32 in 0..255."""
    lines, lowest = _lines(images), tf.cast(tf.math.ceil(thresholds), tf.uint8)[:, None]
    return tf.reshape(tf.where(lines < lowest, lines, 255 - lines), tf.shape(images))


def autocontrast(images: tf.Tensor) -> tf.Tensor:
    """Stretches each channel of each image to 0..255; a channel of one value stays."""
    _, height, width, channels = images.shape
    lines = tf.reshape(images, (-1, height, width * channels))

    def of_channels(reduce):
        extremes = reduce(tf.reshape(reduce(lines, axis=1), (-1, width, channels)), axis=1)
        return tf.cast(extremes, tf.float32)

    low, high = of_channels(tf.reduce_min), of_channels(tf.reduce_max)
    flat = high <= low
    low, scale = tf.where(flat, 0.0, low), tf.where(flat, 1.0, 255 / tf.where(flat, 1.0, high - low))
    low, scale = (tf.tile(numbers, (1, width))[:, None] for numbers in (low, scale))
    # A value that stands for a whole number must not be cut off to the one below it.
    stretched = (tf.cast(lines, tf.float32) - low) * scale + 1e-3
    return tf.reshape(tf.cast(stretched, tf.uint8), tf.shape(images))


def equalize(images: tf.Tensor) -> tf.Tensor:
    """Spreads the values of each channel of each image so that all are about equally frequent."""
    _, height, width, channels = images.shape
    batch = tf.shape(images)[0]
    tables = tf.reshape(tf.range(batch * channels), (batch, 1, channels)) * 256
    places = tf.cast(tf.reshape(images, (batch, height * width, channels)), tf.int32) + tables
    ones = tf.ones_like(places)
    counts = tf.math.unsorted_segment_sum(ones, places, batch * channels * 256)
    counts = tf.reshape(counts, (batch * channels, 256))
    below = tf.cumsum(counts, axis=1, exclusive=True)
    # A step is an even share of all pixels but those of the highest value.
    steps = tf.reduce_max(tf.where(counts > 0, below, 0), axis=1, keepdims=True) // 255
    spread = tf.minimum((below + steps // 2) // tf.maximum(steps, 1), 255)
    spread = tf.where(steps == 0, tf.range(256), spread)
    values = tf.gather(tf.reshape(tf.cast(spread, tf.uint8), (-1,)), places)
    return tf.reshape(values, tf.shape(images))


def _lines(images: tf.Tensor) -> tf.Tensor:
    """One row for each image: one number an image times (batch, 1, 1, 1) would take five times as long (measured)."""
    return tf.reshape(images, (-1, images.shape[1] * images.shape[2] * images.shape[3]))
