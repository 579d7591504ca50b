"""Tiny ImageNet from its official folder or archive: 200 classes of 64x64 photographs, as JPEG files.

Source: Stanford CS231n, http://cs231n.stanford.edu/tiny-imagenet-200.zip, after Russakovsky et al. 2015
(arXiv:1409.0575). The labels of its own test images were never published, so its `val` is the test split here.
"""

from collections import Counter
from pathlib import Path

import numpy as np

from pipelines.archives import extract
from pipelines.errors import DataError
from pipelines.labelled_files import FileSplit, LabelledFiles
from pipelines.sources.places import find_place

_ANNOTATIONS = "val/val_annotations.txt"
_FILES = ("wnids.txt", "words.txt", _ANNOTATIONS, "train", "val/images")
_FOLDER, _ARCHIVE = "tiny-imagenet-200", "tiny-imagenet-200.zip"
# The official archive unpacks to 0.24 GB in 120,609 files and folders.
_MAX_BYTES, _MAX_MEMBERS = 1 << 30, 200_000


def list_tiny_imagenet(data_dir: str | Path | None = None) -> LabelledFiles:
    """Lists Tiny ImageNet: 500 training and 50 test images of each of 200 classes, 64x64 in colour.

    The classes are in the order of their WordNet ids, as torchvision's `ImageFolder` has them, and are named by the
    first of their words, or by all of them where two classes share the first. If there is only the official archive, it
    is unpacked beside itself, once. In the folder are wnids.txt, words.txt, train/ID/images/*.JPEG,
    val/val_annotations.txt and val/images/*.JPEG.

    Args:
        data_dir: Where to look first; see `pipelines.sources.places`.

    Raises:
        DataError: Files are missing or damaged, or the archive cannot be unpacked.
    """

    folder = find_tiny_imagenet(data_dir)
    if folder.name == _ARCHIVE:
        folder = _unpacked(folder)
    ids = sorted(_lines(folder / "wnids.txt"))
    labels = {wordnet_id: label for label, wordnet_id in enumerate(ids)}
    train = [
        (path, label)
        for wordnet_id, label in labels.items()
        for path in sorted((folder / "train" / wordnet_id / "images").glob("*.JPEG"))
    ]
    # By class, then by name, as they stand once they are sorted into class folders: then sums come out the same.
    annotated = (_annotated(line, labels, folder) for line in _lines(folder / _ANNOTATIONS))
    test = sorted(annotated, key=lambda example: (example[1], example[0]))
    return LabelledFiles(
        name="tiny_imagenet",
        class_names=_class_names(ids, folder),
        splits={"train": _split(train), "test": _split(test)},
        origin=str(folder),
    )


def find_tiny_imagenet(data_dir: str | Path | None) -> Path:
    """The folder that Tiny ImageNet is read from, or the archive where there is nothing else.

    Raises:
        DataError: Neither is there, or the folder is not complete.
    """
    return find_place("tiny_imagenet", data_dir, (_FOLDER, ".", _ARCHIVE), _FILES, _missing_from)


def _missing_from(folder: Path) -> list[str]:
    return [file for file in _FILES if not (folder / file).exists()]


def _unpacked(archive: Path) -> Path:
    folder = archive.with_name(_FOLDER)
    try:
        extract(archive, folder, max_bytes=_MAX_BYTES, max_members=_MAX_MEMBERS, inside=_FOLDER)
    except DataError:
        if _missing_from(folder):  # otherwise another process was faster
            raise
    missing = _missing_from(folder)
    if missing:
        raise DataError(
            f"{archive} must hold {', '.join(_FILES)}. Received: no {', '.join(missing)}. Remove it and {folder}, and "
            "fetch the official file."
        )
    return folder


def _lines(file: Path) -> list[str]:
    try:
        return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{file} must be a text file of Tiny ImageNet. Received: {str(error).splitlines()[0]}. Unpack "
            "tiny-imagenet-200.zip again."
        ) from error


def _annotated(line: str, labels: dict[str, int], folder: Path) -> tuple[Path, int]:
    """The file and label that a line of the annotations tells of: name, WordNet id, and a box that is not used."""
    fields = line.split("\t")
    if len(fields) < 2 or Path(fields[0]).name != fields[0]:
        raise DataError(
            f"Lines of {folder / _ANNOTATIONS} must hold a file's name and a WordNet id, with a tab between. "
            f"Received: {line[:80]!r}. Unpack tiny-imagenet-200.zip again."
        )
    name, wordnet_id = fields[0], fields[1].strip()
    if wordnet_id not in labels:
        raise DataError(
            f"{folder / _ANNOTATIONS} must name classes of wnids.txt. Received: {wordnet_id!r}. Unpack "
            "tiny-imagenet-200.zip again."
        )
    return folder / "val" / "images" / name, labels[wordnet_id]


def _class_names(ids: list[str], folder: Path) -> tuple[str, ...]:
    words = dict(line.split("\t", 1) for line in _lines(folder / "words.txt") if "\t" in line)
    whole = [words.get(wordnet_id, wordnet_id).strip() for wordnet_id in ids]
    first = [name.split(",")[0].strip() for name in whole]
    shared = {name for name, count in Counter(first).items() if count > 1}
    return tuple(long if short in shared else short for short, long in zip(first, whole, strict=True))


def _split(examples: list[tuple[Path, int]]) -> FileSplit:
    return FileSplit(paths=tuple(path for path, _ in examples), labels=np.array([y for _, y in examples], np.int32))
