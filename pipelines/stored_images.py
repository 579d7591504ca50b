"""Images that do not lie in memory: an array-like that reads those that are asked for, when they are asked for."""

import os
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np


class StoredImages:
    """uint8 images somewhere else, indexed like an array whose first dimension counts them.

    Attributes:
        dtype: uint8.
        ndim: 4.
        shape: (n, height, width, channels).
        problems: Errors met while reading, by this one or what was selected from it. Inside of TensorFlow, which would
            put one of its own in their place, they are found here.
    """

    dtype, ndim = np.dtype(np.uint8), 4

    def __init__(self, read: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, image_shape: Sequence[int]):
        """
        Args:
            read: From (m,) int64 places in the store to their images, (m, height, width, channels) uint8. Called from
                several threads at once.
            rows: (n,) int64: where in the store each image is.
            image_shape: (height, width, channels).
        """
        self._read, self._rows = read, np.asarray(rows, np.int64)
        self.shape = (len(self._rows), *image_shape)
        self.problems: list[OSError] = []

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, key: int | slice | np.ndarray) -> np.ndarray:
        """Reads one image, or those of a slice or of an array of places."""
        rows = self._rows[key]
        try:
            return self._read(rows) if rows.ndim else self._read(rows[None])[0]
        except OSError as problem:
            self.problems.append(problem)
            raise

    def select(self, key: slice | np.ndarray) -> "StoredImages":
        """The images at these places, in that order; none is read."""
        return self._sharing_problems(StoredImages(self._read, self._rows[key], self.shape[1:]))

    def map(self, change: Callable[[np.ndarray], np.ndarray], image_shape: Sequence[int]) -> "StoredImages":
        """The same images, changed by a function of a batch whenever they are read."""
        changed = StoredImages(lambda rows: change(self._read(rows)), self._rows, image_shape)
        return self._sharing_problems(changed)

    def _sharing_problems(self, other: "StoredImages") -> "StoredImages":
        other.problems = self.problems
        return other


def stored_in_file(file: str | Path, count: int, image_shape: Sequence[int]) -> StoredImages:
    """Images that lie one after the other in a file of their bytes.

    They are read, not mapped: mapped pages count as memory of the process once they were touched.

    Args:
        file: Stays open as long as the result is used, so it may be deleted meanwhile.
        count: Images in it.
        image_shape: (height, width, channels).
    """
    opened = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    size = int(np.prod(image_shape))

    def read(rows: np.ndarray) -> np.ndarray:
        images = np.empty((len(rows), *image_shape), np.uint8)
        for row, image in zip(rows.tolist(), images, strict=True):
            if os.preadv(opened, [image], row * size) != size:
                raise OSError(f"{file} is shorter than when it was opened")
        return images

    weakref.finalize(read, os.close, opened)
    return StoredImages(read, np.arange(count), image_shape)
