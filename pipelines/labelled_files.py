"""`LabelledFiles`: image files with labels, before any is opened; what every source of image files hands over."""

import hashlib
import stat
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.cores import usable_cores
from pipelines.decode import read_ahead
from pipelines.errors import DataError
from pipelines.splits import draw_test

# Bytes of a file's beginning that tell almost all images of one size apart.
_HEAD = 4096
# Larger files are not fetched as a whole before it is known that all of them is needed.
_READ_AHEAD = 1 << 17
# Files that a thread looks at before it takes others.
_PART = 64


@dataclass(frozen=True, kw_only=True)
class FileSplit:
    """The files and labels of one split.

    Attributes:
        paths: The files, in the order in which their images will stand.
        labels: (n,) int32, positions in the source's `class_names`.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, kw_only=True)
class LabelledFiles:
    """Image files of a data set.

    Attributes:
        name: As `ImageSource.name`.
        class_names: The classes in label order.
        splits: "train" and "test", and "validation" where the data set has one of its own.
        origin: The folder or file that lists them.

    Raises:
        DataError: There are fewer than two classes, two of one name, a split without files, a label without a class,
            or a class without a training file.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, FileSplit]
    origin: str

    def __post_init__(self):
        labels = {key: split.labels for key, split in self.splits.items()}
        check_labels(labels, self.class_names, self.origin)
        self.check_train_classes(labels, "no image")

    def check_train_classes(self, labels: Mapping[str, np.ndarray], received: str) -> None:
        """Checks that each class still has a training example.

        Args:
            labels: Of the examples of each split that are left.
            received: What a class without one has, in words.

        Raises:
            DataError: A class has none.
        """
        check_train_classes(labels["train"], self.class_names, self.origin, received)


def check_labels(labels: Mapping[str, np.ndarray], class_names: Sequence[str], origin: str) -> None:
    """Checks the classes and labels of a data set.

    Args:
        labels: Of the examples of each split, integers.
        class_names: In label order.
        origin: Where they were found, for messages.

    Raises:
        DataError: There are fewer than two classes, two of one name, an empty split, or a label without a class.
    """
    if len(class_names) < 2:
        raise DataError(
            f"A data set needs at least two classes. Received: {len(class_names)} in {origin}. "
            "Add images of another class."
        )
    twice = next((name for name, count in Counter(class_names).items() if count > 1), None)
    if twice is not None:
        raise DataError(f"Class names must differ. Received: {twice!r} twice in {origin}. Rename one.")
    for key, own in labels.items():
        if not len(own):
            raise DataError(
                f"Split '{key}' of {origin} must hold images. Received: none. Add images or remove the split."
            )
        outside = own[(own < 0) | (own >= len(class_names))]
        if outside.size:
            raise DataError(
                f"Labels in {origin} must lie in 0..{len(class_names) - 1}. Received: {outside[0]} in split '{key}'. "
                "Mend the label or name its class."
            )


def check_train_classes(labels: np.ndarray, class_names: Sequence[str], origin: str, received: str) -> None:
    """Checks that each class has a training example.

    Args:
        labels: Of the training examples, in 0..len(class_names) - 1.
        class_names: In label order.
        origin: Where they were found, for messages.
        received: What a class without one has, in words.

    Raises:
        DataError: A class has none.
    """
    counts = np.bincount(labels, minlength=len(class_names))
    if not counts.all():
        name = class_names[int(np.argmin(counts))]
        raise DataError(
            f"Every class needs images to train on. Received: {received} for {name!r} in {origin}. "
            "Add images or remove the class."
        )


def divide_files(files: FileSplit, class_names: Sequence[str], seed: int, origin: str) -> dict[str, FileSplit]:
    """Divides files that came without a test split, see `pipelines.splits.draw_test`; equal files stay together.

    Files are equal if their bytes are. Of those whose size occurs more than once the first 4 KiB are read, by several
    threads, and of those that are the same up to there all. A file that cannot be opened counts as one of a kind;
    reading it will say what is wrong with it.
    """
    train, test = draw_test(files.labels, _equal_files(files.paths), class_names=class_names, seed=seed, origin=origin)
    return {
        key: FileSplit(paths=tuple(files.paths[place] for place in chosen), labels=files.labels[chosen])
        for key, chosen in (("train", train), ("test", test))
    }


def _equal_files(paths: Sequence[Path]) -> np.ndarray:
    """A number for each file, the same for files of equal bytes, (len(paths),) int64."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        sizes = _in_parts(pool, lambda part: [_size(path) for path in part], paths)
        # What is known of each file: more and more, as long as another one has the same.
        known: list[Path | tuple] = [path if size is None else (size,) for path, size in zip(paths, sizes, strict=True)]
        _tell_apart(pool, known, paths, range(len(paths)), _head)
        _tell_apart(pool, known, paths, [place for place, size in enumerate(sizes) if (size or 0) > _HEAD], _whole)
    numbers = {}
    return np.array([numbers.setdefault(own, len(numbers)) for own in known], np.int64)


def _tell_apart(
    pool: Executor,
    known: list[Path | tuple],
    paths: Sequence[Path],
    places: Sequence[int],
    look: Callable[[Path], bytes | None],
) -> None:
    """Adds to `known` what a look into those files at `places` tells of which the same is known as of another."""
    counts = Counter(known)
    tied = [place for place in places if counts[known[place]] > 1 and isinstance(known[place], tuple)]

    def look_into(part: Sequence[int]) -> list[bytes | None]:
        for place in part:
            if known[place][0] <= _READ_AHEAD:
                read_ahead(paths[place])
        return [look(paths[place]) for place in part]

    for place, found in zip(tied, _in_parts(pool, look_into, tied), strict=True):
        known[place] = paths[place] if found is None else (*known[place], found)


def _in_parts(pool: Executor, function: Callable[[Sequence], list], items: Sequence) -> list:
    """The answers to all items. Handing items over one by one would take longer than most answers."""
    parts = [items[start : start + _PART] for start in range(0, len(items), _PART)]
    return [answer for answers in pool.map(function, parts) for answer in answers]


def _size(path: Path) -> int | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None  # a pipe would keep its reader waiting for ever


def _head(path: Path) -> bytes | None:
    try:
        with path.open("rb", 0) as file:
            return hashlib.sha256(file.read(_HEAD)).digest()
    except OSError:
        return None


def _whole(path: Path) -> bytes | None:
    try:
        with path.open("rb", 0) as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return None
