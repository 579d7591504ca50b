"""ImageSource: labelled uint8 images, with the names, sizes and statistics that go with them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.errors import DataError
from pipelines.stored_images import StoredImages

# Pixel values that are counted at once. bincount copies those of one channel to int64: 9 bytes for each of them.
_CHUNK_BYTES = 1 << 24


# TensorFlow's kernels read vectors of this many bytes at a time.
_ALIGNMENT = 64


def aligned_empty(shape: Sequence[int]) -> np.ndarray:
    """An uninitialised uint8 array whose memory begins where TensorFlow can work on it without a copy."""
    size = math.prod(shape)
    memory = np.empty(size + _ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT
    return memory[start : start + size].reshape(shape)


def _aligned(images: np.ndarray) -> np.ndarray:
    if images.flags.c_contiguous and images.ctypes.data % _ALIGNMENT == 0:
        return images
    copy = aligned_empty(images.shape)
    copy[...] = images
    return copy


@dataclass(frozen=True, kw_only=True)
class Split:
    """The images and labels of one split.

    Attributes:
        images: (n, height, width, channels) uint8. In memory they are contiguous and aligned (copied if they are not),
            so that TensorFlow can work on the same memory; else they are `StoredImages`, which are read when indexed.
        labels: (n,) int32, positions in the source's `class_names`.

    Raises:
        DataError: An array has another type or shape, or the lengths differ.
    """

    images: np.ndarray | StoredImages
    labels: np.ndarray

    def __post_init__(self):
        if self.images.dtype != np.uint8 or self.images.ndim != 4:
            raise DataError(
                "Images must be uint8 of shape (n, height, width, channels). "
                f"Received: {self.images.dtype} of shape {self.images.shape}. Convert them before making a Split."
            )
        if self.labels.dtype != np.int32 or self.labels.shape != self.images.shape[:1]:
            raise DataError(
                f"Labels must be int32, one for each of the {len(self.images)} images. "
                f"Received: {self.labels.dtype} of shape {self.labels.shape}. Convert them before making a Split."
            )
        if isinstance(self.images, np.ndarray):
            object.__setattr__(self, "images", _aligned(self.images))

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: np.ndarray) -> "Split":
        """The examples at `indices`, in that order."""
        images = self.images.select(indices) if isinstance(self.images, StoredImages) else self.images[indices]
        return Split(images=images, labels=self.labels[indices])


@dataclass(frozen=True, kw_only=True)
class ImageSource:
    """A labelled image data set.

    Attributes:
        name: The name it is loaded by, for example "cifar10".
        class_names: The classes in label order; they travel into checkpoints, results and exports.
        splits: "train" and "test", and "validation" once it is carved from "train".
        origin: Where the data was found: a folder, a file, or the package that holds it.
        bad_files: The image files that were left out, see `pipelines.files_source.BadFile`.
        storage: Where the images are: "memory"; "cache folder", see `pipelines.image_cache`; or "files", which are
            decoded again whenever an image is asked for.

    Raises:
        DataError: The splits are not of one image shape, or a label has no class name.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, Split]
    origin: str
    bad_files: tuple[Any, ...] = ()
    storage: str = "memory"

    def __post_init__(self):
        shapes = {split.images.shape[1:] for split in self.splits.values()}
        if len(shapes) != 1:
            raise DataError(
                f"The splits of '{self.name}' must share one image shape. Received: {sorted(shapes)}. "
                "Resize the images to one shape."
            )
        for key, split in self.splits.items():
            outside = split.labels[(split.labels < 0) | (split.labels >= self.num_classes)]
            if outside.size:
                raise DataError(
                    f"Labels of '{self.name}' must lie in 0..{self.num_classes - 1}, one for each class name. "
                    f"Received: {outside[0]} in split '{key}' ({self.origin}). Mend the labels or fetch the data again."
                )

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(height, width, channels)."""
        return next(iter(self.splits.values())).images.shape[1:]

    @property
    def num_classes(self) -> int:
        return len(self.class_names)

    @property
    def split_sizes(self) -> dict[str, int]:
        """Examples in each split."""
        return {key: len(split) for key, split in self.splits.items()}

    def class_counts(self, split: str) -> np.ndarray:
        """Examples of each class in a split, (num_classes,) int64.

        Raises:
            DataError: There is no such split.
        """
        return np.bincount(self._split(split).labels, minlength=self.num_classes).astype(np.int64)

    def channel_statistics(self, split: str = "train") -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Mean and standard deviation of each channel over all pixels of a split, in units where white is 1.

        Computed in float64 from exact counts of the 256 pixel values, so the result does not depend on any order.

        Returns:
            (mean, std), each a tuple of one float for each channel; std divides by n, as CIFAR's usual figures do.

        Raises:
            DataError: There is no such split, or it is empty.
        """
        images = self._split(split).images
        if not len(images):
            raise DataError(
                f"Split '{split}' of '{self.name}' must not be empty. Received: 0 images. Take another split."
            )
        counts = np.zeros((images.shape[-1], 256), np.int64)
        chunk = max(1, _CHUNK_BYTES // math.prod(images.shape[1:]))
        for start in range(0, len(images), chunk):
            part = images[start : start + chunk]
            for channel, own in enumerate(counts):
                own += np.bincount(part[..., channel].ravel(), minlength=256)
        values = np.arange(256) / 255
        means, deviations = [], []
        for own in counts:
            mean = own @ values / own.sum()
            means.append(float(mean))
            deviations.append(float(np.sqrt(own @ (values - mean) ** 2 / own.sum())))
        return tuple(means), tuple(deviations)

    def _split(self, name: str) -> Split:
        if name not in self.splits:
            raise DataError(f"'{self.name}' has no split '{name}'. Known: {', '.join(self.splits)}. Take one of them.")
        return self.splits[name]
