"""Image files to an ImageSource: decoded once, kept in memory or in the cache folder, bad files left out."""

import csv
import io
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pipelines.errors import DataError
from pipelines.image_cache import cached_images
from pipelines.image_files import decode_in_parts
from pipelines.labelled_files import LabelledFiles
from pipelines.memory import free_memory_bytes
from pipelines.reading import Reading
from pipelines.source import ImageSource, Split, aligned_empty
from pipelines.stored_images import StoredImages

# Share of the free memory that decoded images take before they go to the cache folder.
_MEMORY_SHARE = 0.25


@dataclass(frozen=True, kw_only=True)
class BadFile:
    """A file that cannot be used as an image.

    Attributes:
        path: The file.
        split: The split that lists it.
        class_name: Its class.
        kind: See `pipelines.decode.BadImage`.
        reason: In words.
    """

    path: Path
    split: str
    class_name: str
    kind: str
    reason: str

    @classmethod
    def listed(cls, files: LabelledFiles, split: str, place: int, kind: str, reason: str) -> "BadFile":
        """The file that stands at a place of a split."""
        own = files.splits[split]
        class_name = files.class_names[own.labels[place]]
        return cls(path=own.paths[place], split=split, class_name=class_name, kind=kind, reason=reason)


class BadFilesError(DataError):
    """Too many image files cannot be used.

    Attributes:
        bad_files: All of them.
    """

    def __init__(self, message: str, bad_files: Sequence[BadFile]):
        super().__init__(message)
        self.bad_files = tuple(bad_files)


def bad_files_csv(bad_files: Sequence[BadFile]) -> bytes:
    """The content of ``bad_files.csv``: one line a file, with the columns file, split, class, kind, reason.

    UTF-8; what is none in the name of a file, which may be any bytes, is escaped.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("file", "split", "class", "kind", "reason"))
    writer.writerows((file.path, file.split, file.class_name, file.kind, file.reason) for file in bad_files)
    return text.getvalue().encode("utf-8", "backslashreplace")


def read_labelled_files(
    files: LabelledFiles, reading: Reading, progress: Callable[[int], None] = lambda files: None
) -> ImageSource:
    """Decodes the files of a data set.

    The images lie in memory if all of them fit into ``reading.cache_bytes``; else in the cache folder, from where they
    are read batch by batch; else, where the disk has no room for them, they are decoded whenever they are asked for.

    Args:
        files: What is to be read.
        reading: How.
        progress: Told how many more files have been read.

    Raises:
        BadFilesError: More than ``reading.max_bad`` of the files cannot be used.
        DataError: What is left has no training image of some class.
    """
    limit = free_memory_bytes() * _MEMORY_SHARE if reading.cache_bytes is None else reading.cache_bytes
    # One list of all files, so that the processes that decode are started once.
    paths = [path for split in files.splits.values() for path in split.paths]
    ends = np.cumsum([len(split) for split in files.splits.values()]).tolist()
    ranges = [range(end - len(split), end) for end, split in zip(ends, files.splits.values(), strict=True)]
    fits = len(paths) * prod(reading.file_shape) <= limit
    images, bad, storage = (_in_memory if fits else _on_disk)(paths, ranges, reading, progress)
    splits, bad_files = {}, []
    for (key, split), places, own in zip(files.splits.items(), ranges, images, strict=True):
        bad_here = [(place - places.start, kind, reason) for place, kind, reason in bad if place in places]
        splits[key] = Split(images=own, labels=np.delete(split.labels, [place for place, _, _ in bad_here]))
        bad_files += [BadFile.listed(files, key, *file) for file in bad_here]
    if bad_files:
        _check(files, reading, splits, bad_files)
    return ImageSource(
        name=files.name,
        class_names=files.class_names,
        splits=splits,
        origin=files.origin,
        bad_files=tuple(bad_files),
        storage=storage,
    )


_Bad = list[tuple[int, str, str]]


def _in_memory(
    paths: Sequence[Path], ranges: Sequence[range], reading: Reading, progress: Callable[[int], None]
) -> tuple[list[np.ndarray], _Bad, str]:
    """The images of each range of the files, in arrays of their own: one can be freed while others are used.

    Returns:
        (images of each range, bad files, `ImageSource.storage`).
    """
    images = [aligned_empty((len(places), *reading.file_shape)) for places in ranges]
    counts, bad = [0] * len(ranges), []
    for part in decode_in_parts(paths, reading.file_shape, reading.resize):
        good = _without(part.start, part.start + len(part.digests), part.bad)
        for number, places in enumerate(ranges):
            own = part.images[_slice(good, places)]
            images[number][counts[number] : counts[number] + len(own)] = own
            counts[number] += len(own)
        bad += part.bad
        progress(len(part.digests))
    return [array[:count] for array, count in zip(images, counts, strict=True)], bad, "memory"


def _on_disk(
    paths: Sequence[Path], ranges: Sequence[range], reading: Reading, progress: Callable[[int], None]
) -> tuple[list[StoredImages], _Bad, str]:
    """The images of each range of the files, from the cache folder or, where that has no room, from the files.

    Both have them in the order of the paths, so that the same files divided in another way find the same entry.

    Returns:
        (images of each range, bad files, `ImageSource.storage`).
    """
    order = np.array(sorted(range(len(paths)), key=lambda place: os.fspath(paths[place])), int)
    in_order = [paths[place] for place in order]
    told = _Told(progress)
    cached = cached_images(in_order, reading.file_shape, reading.resize, told)
    if cached:
        images, bad, storage = cached.images, cached.bad, "cache folder"
    else:
        told.again()
        (images, bad), storage = _not_kept(in_order, reading, told), "files"
    rows = np.full(len(paths), -1)
    rows[order[_without(0, len(paths), bad)]] = np.arange(len(images))
    own = [rows[places.start : places.stop] for places in ranges]
    bad = sorted((int(order[place]), kind, reason) for place, kind, reason in bad)
    return [images.select(each[each >= 0]) for each in own], bad, storage


class _Told:
    """Tells of files that are read, but not again of those that are read a second time."""

    def __init__(self, progress: Callable[[int], None]):
        self._progress, self._told, self._read = progress, 0, 0

    def __call__(self, files: int) -> None:
        self._read += files
        if self._read > self._told:
            self._progress(self._read - self._told)
            self._told = self._read

    def again(self) -> None:
        """From here on they are read from the first one again."""
        self._read = 0


def _without(start: int, stop: int, bad: _Bad) -> np.ndarray:
    """The places from start to stop that are not bad, ascending."""
    return np.setdiff1d(np.arange(start, stop), np.array([place for place, _, _ in bad], int), assume_unique=True)


def _slice(good: np.ndarray, places: range) -> slice:
    """Where in `good` those stand that are in a range of places."""
    return slice(*np.searchsorted(good, (places.start, places.stop)).tolist())


def _not_kept(paths: Sequence[Path], reading: Reading, progress: Callable[[int], None]) -> tuple[StoredImages, _Bad]:
    bad = []
    for part in decode_in_parts(paths, reading.file_shape, reading.resize):
        bad += part.bad
        progress(len(part.digests))

    def read(rows: np.ndarray) -> np.ndarray:
        images, count = np.empty((len(rows), *reading.file_shape), np.uint8), 0
        chosen = [paths[row] for row in rows]
        for part in decode_in_parts(chosen, reading.file_shape, reading.resize, processes=False):
            for place, _, reason in part.bad:
                raise OSError(f"{chosen[place]} was an image when the run began and is none now: {reason}")
            images[count : count + len(part.images)] = part.images
            count += len(part.images)
        return images

    return StoredImages(read, _without(0, len(paths), bad), reading.file_shape), bad


def first_images(files: LabelledFiles, split: str, count: int, reading: Reading) -> np.ndarray:
    """Decodes the first files of a split that are not bad, and hardly any others.

    Returns:
        (at most count, height, width, channels) uint8.
    """
    images = aligned_empty((min(count, len(files.splits[split])), *reading.file_shape))
    done = 0
    for part in decode_in_parts(files.splits[split].paths, reading.file_shape, reading.resize, processes=False):
        own = part.images[: len(images) - done]
        images[done : done + len(own)] = own
        done += len(own)
        if done == len(images):
            break
    return images[:done]


def _check(files: LabelledFiles, reading: Reading, splits: dict[str, Split], bad_files: list[BadFile]) -> None:
    total, bad = sum(map(len, files.splits.values())), len(bad_files)
    if bad > reading.max_bad * total:
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(file.kind for file in bad_files).most_common())
        raise BadFilesError(
            f"At most {reading.max_bad:.3g} of the {total:,} files of {files.origin} may be bad. Received: {bad:,} "
            f"({kinds}), the first {bad_files[0].path}: {bad_files[0].reason}. Mend or remove them, or allow more with "
            "--max-bad.",
            bad_files,
        )
    for key, split in splits.items():
        if not len(split):
            raise BadFilesError(
                f"Split '{key}' of {files.origin} must hold images. Received: {len(files.splits[key])} bad files.",
                bad_files,
            )
    labels = {key: split.labels for key, split in splits.items()}
    try:
        files.check_train_classes(labels, "nothing but bad files")
    except DataError as error:
        raise BadFilesError(str(error), bad_files) from None
