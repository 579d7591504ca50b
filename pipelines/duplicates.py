"""Images that are there more than once, pixel for pixel: inside a split, and in two splits, where a test gives away."""

import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from pipelines.cores import usable_cores

# Images that a thread takes at a time: enough that handing them out costs nothing.
_PART = 256


@dataclass(frozen=True)
class Pair:
    """Two equal images: a split and a position in it, twice; the first is the earlier of the two."""

    first_split: str
    first: int
    second_split: str
    second: int


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """What is there more than once.

    Attributes:
        within: Images of each split that equal an earlier one of the same split.
        across: For each two splits, in their order, the images of the second that are in the first as well.
        pairs: The first few of these images, each with the earliest that it equals; those across splits come first.
    """

    within: Mapping[str, int]
    across: Mapping[tuple[str, str], int]
    pairs: tuple[Pair, ...]

    def rows(self, name: Callable[[str, int], tuple[Any, str]]) -> list[dict[str, Any]]:
        """The pairs as rows of a table.

        Args:
            name: What an image is called, and its class, by its split and position.
        """
        rows = []
        for pair in self.pairs:
            image, class_name = name(pair.second_split, pair.second)
            other, other_class = name(pair.first_split, pair.first)
            row = {"split": pair.second_split, "image": image, "class": class_name}
            rows.append(row | {"equals_split": pair.first_split, "equals_image": other, "equals_class": other_class})
        return rows

    def to_json(self, name: Callable[[str, int], tuple[Any, str]]) -> dict[str, Any]:
        """Everything in plain values; `name` as for `rows`."""
        across = [{"splits": list(splits), "images": images} for splits, images in self.across.items()]
        return {"within": dict(self.within), "across": across, "pairs": self.rows(name)}


def image_digests(images: np.ndarray) -> np.ndarray:
    """Digests that are equal where images are.

    Args:
        images: (n, height, width, channels) uint8, contiguous.

    Returns:
        (n, 2) uint64, BLAKE2b of 128 bits of each image's pixels.
    """

    def digest(start: int) -> bytes:
        return b"".join(hashlib.blake2b(image.data, digest_size=16).digest() for image in images[start : start + _PART])

    starts = range(0, len(images), _PART)
    if len(starts) == 1:
        parts = [digest(0)]
    else:
        # Hashing leaves Python to other threads while it works.
        with ThreadPoolExecutor(usable_cores()) as pool:
            parts = list(pool.map(digest, starts))
    return np.frombuffer(b"".join(parts), np.uint64).reshape(len(images), 2)


def find_duplicates(digests: Mapping[str, np.ndarray], at_most: int = 10) -> Duplicates:
    """Finds equal images by their digests.

    Args:
        digests: Those of each split, (n, 2) uint64, see `image_digests`.
        at_most: How many pairs are named.
    """
    numbers = _numbered(digests)
    within, across, pairs = {}, {}, []
    for first, second in combinations(numbers, 2):
        shared = np.flatnonzero(np.isin(numbers[second], numbers[first]))
        across[first, second] = len(shared)
        places = _first_places(numbers[first], numbers[second][shared[:at_most]])
        pairs += [Pair(first, int(a), second, int(b)) for a, b in zip(places, shared, strict=False)]
    for split, own in numbers.items():
        places = _first_places(own, own)
        again = np.flatnonzero(places != np.arange(len(own)))
        within[split] = len(again)
        pairs += [Pair(split, int(places[position]), split, int(position)) for position in again[:at_most]]
    return Duplicates(within=within, across=across, pairs=tuple(pairs[:at_most]))


def _numbered(digests: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A number for each image of each split, the same for equal ones."""
    every = np.concatenate(list(digests.values()))
    order = np.lexsort((every[:, 1], every[:, 0]))
    new = np.ones(len(every), bool)
    new[1:] = (every[order[1:]] != every[order[:-1]]).any(axis=1)
    numbers = np.empty(len(every), np.int64)
    numbers[order] = np.cumsum(new)
    ends = np.cumsum([len(part) for part in digests.values()])
    return dict(zip(digests, np.split(numbers, ends[:-1]), strict=True))


def _first_places(numbers: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The first position in `numbers` of each of `wanted`, all of which are there."""
    unique, places = np.unique(numbers, return_index=True)
    return places[np.searchsorted(unique, wanted)]
