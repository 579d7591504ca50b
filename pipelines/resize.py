"""Images of another size: antialiased bilinear, computed once for a whole split."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from pipelines.cores import usable_cores
from pipelines.decode import fit_array
from pipelines.errors import DataError
from pipelines.reading import Reading
from pipelines.source import ImageSource, Split, aligned_empty
from pipelines.stored_images import StoredImages

_CHUNK = 1000  # images that are float32 at once


def shrink(images: np.ndarray, size: int) -> np.ndarray:
    """Shrinks square images, bilinear with antialiasing.

    The same as `tf.image.resize` with ``antialias=True``, rounded, in a quarter of the time: a pixel is a weighted mean
    over rows and columns, which are two matrix products. What an image becomes does not depend on the others.

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
        # Two products for each image. One over the lines of all images would be another kernel's where they are few,
        # and the last bit of a pixel, and how it is rounded, would depend on the images that it is shrunk with.
        pixels = (rows @ lines.astype(np.float32)) @ columns
        # A weighted mean stays in 0..255 by itself.
        shrunk[start : start + _CHUNK] = np.rint(pixels).reshape(-1, size, size, channels)
    return shrunk


def shrink_split(split: Split, size: int) -> Split:
    """The same examples with their images shrunk to size x size, see `shrink`; at full size the split itself.

    Images that are stored are shrunk whenever they are read.
    """
    _, height, width, channels = split.images.shape
    if height == width == size:
        return split
    if isinstance(split.images, StoredImages):
        shrink(np.zeros((0, *split.images.shape[1:]), np.uint8), size)  # complains of a wrong size at once
        images = split.images.map(lambda images: shrink(images, size), (size, size, channels))
    else:
        images = shrink(split.images, size)
    return Split(images=images, labels=split.labels)


def fit_source(source: ImageSource, reading: Reading) -> ImageSource:
    """Brings images that are arrays to the size and channels that were asked for; as they are if they fit already.

    Args:
        source: A data set whose images lie in memory.
        reading: `image_size`, `channels` and `resize` of it count.
    """
    height, width, channels = source.image_shape
    shape = (reading.image_size or height, reading.image_size or width, reading.channels or channels)
    if shape == source.image_shape:
        return source
    return replace(source, splits={key: _fit(split, shape, reading.resize) for key, split in source.splits.items()})


def _fit(split: Split, image_shape: tuple[int, int, int], resize: str) -> Split:
    images = aligned_empty((len(split), *image_shape))

    def fit(start: int) -> None:
        for place in range(start, min(start + _CHUNK, len(split))):
            images[place] = fit_array(split.images[place], image_shape, resize)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(fit, range(0, len(split), _CHUNK)))
    return Split(images=images, labels=split.labels)


def _weights(side: int, size: int) -> np.ndarray:
    """What each of `size` pixels takes from each of `side` pixels, (size, side) float32, every row with sum 1."""
    scale = side / size
    centres = (np.arange(size) + 0.5) * scale
    distances = np.abs(np.arange(side) + 0.5 - centres[:, None]) / scale
    weights = np.maximum(0.0, 1.0 - distances)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
