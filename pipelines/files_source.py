"""Image files to an ImageSource: decoded once, kept in memory or in the cache folder, bad files left out."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from pipelines.errors import DataError
from pipelines.image_cache import cached_images
from pipelines.image_files import decode_in_parts
from pipelines.labelled_files import FileSplit, LabelledFiles
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
    fits = sum(map(len, files.splits.values())) * prod(reading.file_shape) <= limit
    splits, bad_files = {}, []
    for key, split in files.splits.items():
        images, bad = (_in_memory if fits else _on_disk)(split, reading, progress)
        good = np.delete(split.labels, [place for place, _, _ in bad])
        splits[key] = Split(images=images, labels=good)
        bad_files += [
            BadFile(
                path=split.paths[place],
                split=key,
                class_name=files.class_names[split.labels[place]],
                kind=kind,
                reason=reason,
            )
            for place, kind, reason in bad
        ]
    if bad_files:
        _check(files, reading, splits, bad_files)
    return ImageSource(
        name=files.name, class_names=files.class_names, splits=splits, origin=files.origin, bad_files=tuple(bad_files)
    )


_Bad = list[tuple[int, str, str]]


def _in_memory(split: FileSplit, reading: Reading, progress: Callable[[int], None]) -> tuple[np.ndarray, _Bad]:
    images, bad, count = aligned_empty((len(split), *reading.file_shape)), [], 0
    for part in decode_in_parts(split.paths, reading.file_shape, reading.resize):
        images[count : count + len(part.images)] = part.images
        count += len(part.images)
        bad += part.bad
        progress(len(part.digests))
    return images[:count], bad


def _on_disk(split: FileSplit, reading: Reading, progress: Callable[[int], None]) -> tuple[StoredImages, _Bad]:
    cached = cached_images(split.paths, reading.file_shape, reading.resize, progress)
    return (cached.images, cached.bad) if cached else _not_kept(split, reading, progress)


def _not_kept(split: FileSplit, reading: Reading, progress: Callable[[int], None]) -> tuple[StoredImages, _Bad]:
    bad = []
    for part in decode_in_parts(split.paths, reading.file_shape, reading.resize):
        bad += part.bad
        progress(len(part.digests))

    def read(rows: np.ndarray) -> np.ndarray:
        images, count = np.empty((len(rows), *reading.file_shape), np.uint8), 0
        for part in decode_in_parts([split.paths[row] for row in rows], reading.file_shape, reading.resize):
            for place, _, reason in part.bad:
                raise OSError(f"{split.paths[rows[place]]} was an image when the run began and is none now: {reason}")
            images[count : count + len(part.images)] = part.images
            count += len(part.images)
        return images

    good = np.delete(np.arange(len(split)), [place for place, _, _ in bad])
    return StoredImages(read, good, reading.file_shape), bad


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
