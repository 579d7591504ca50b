"""NumPy archives that hold images and labels: in Keras's form, in MedMNIST's, or without splits."""

import math
import zipfile
import zlib
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import NamedTuple

import numpy as np

from pipelines.dataset_names import class_name, settle_splits, short_name
from pipelines.errors import DataError
from pipelines.labelled_files import check_labels, check_train_classes
from pipelines.reading import Reading
from pipelines.source import ImageSource, Split
from pipelines.splits import divide_split

MAX_BYTES = 16 << 30  # of all arrays that are read, as their headers state it
# split: (images, labels) for each form.
_FORMS = (
    {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"), "test": ("x_test", "y_test")},
    {
        "train": ("train_images", "train_labels"),
        "validation": ("val_images", "val_labels"),
        "test": ("test_images", "test_labels"),
    },
    {"all": ("images", "labels")},
)
_CLASS_NAMES = "class_names"


class _Header(NamedTuple):
    shape: tuple[int, ...]
    dtype: np.dtype
    nbytes: int


def load_npz(file: str, data_dir: str | Path | None, reading: Reading) -> ImageSource:
    """Loads images and labels from a NumPy archive, without pickles.

    It holds the arrays x_train, y_train, x_test and y_test, as Keras's do, and x_val and y_val if there are; or
    train_images, train_labels, val_images, val_labels, test_images and test_labels, as MedMNIST's do; or images and
    labels, of which a fifth becomes the test split, see `pipelines.splits.draw_test`. With no test split, validation is
    it, evaluated once after the last epoch. Images are uint8, (n, height, width) or (n, height, width, 1 or 3); labels
    are integers from 0, (n,) or (n, 1). The array class_names may name the classes; otherwise their numbers do. Other
    arrays are passed over.

    Args:
        file: The archive, plain or compressed; ``~`` is the home folder.
        data_dir: Not used: the path says it all.
        reading: Its `seed` draws the test split where there is none.

    Raises:
        DataError: The file is missing or damaged, or its arrays do not make a data set.
    """
    path = Path(file).expanduser()
    arrays = _read_arrays(path)
    pairs = {key: pair for form in _FORMS for key, pair in form.items() if pair[0] in arrays}
    labels = {key: arrays[name].reshape(-1) for key, (_, name) in pairs.items()}
    class_names = _class_names(labels, arrays.get(_CLASS_NAMES), str(path))
    check_labels(labels, class_names, str(path))
    # Split may copy the images, so none of them is kept here.
    splits = {key: _split(arrays.pop(name), labels[key]) for key, (name, _) in pairs.items()}
    if "all" in splits:
        splits = divide_split(splits["all"], class_names, reading.seed, str(path))
    else:
        splits = settle_splits(splits, str(path), "Add x_test, or name the arrays images and labels to divide them.")
        check_train_classes(splits["train"].labels, class_names, str(path), "no image")
    return ImageSource(name=short_name(f"npz:{file}"), class_names=class_names, splits=splits, origin=str(path))


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays that are used, which have been checked by their headers before any was read."""
    try:
        with zipfile.ZipFile(path) as archive:
            stored = {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
            pairs = _pairs(stored, path)
            names = [name for pair in pairs for name in pair] + [_CLASS_NAMES] * (_CLASS_NAMES in stored)
            headers = {name: _header(archive, name, path) for name in names}
            _check_headers(headers, pairs, path)
            return {name: _read(archive, name) for name in names}
    except DataError:
        raise
    except (OSError, EOFError, ValueError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{path} must be an archive as numpy.savez writes it. Received: {reason}. Correct the path or write the "
            "file again."
        ) from error


def _pairs(stored: Set[str], path: Path) -> list[tuple[str, str]]:
    for form in _FORMS:
        pairs = [pair for pair in form.values() if stored.intersection(pair)]
        missing = next((name for pair in pairs for name in pair if name not in stored), None)
        if missing is not None:
            raise DataError(f"{path} must hold an array {missing!r}. Received: {', '.join(sorted(stored))}. Add it.")
        if pairs:
            return pairs
    raise DataError(
        f"{path} must hold x_train, y_train, x_test and y_test; or train_images, train_labels, test_images and "
        f"test_labels; or images and labels. Received: {', '.join(sorted(stored))[:200] or 'no array'}. Rename the "
        "arrays."
    )


def _header(archive: zipfile.ZipFile, name: str, path: Path) -> _Header:
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        header = _Header(shape, dtype, math.prod(shape) * dtype.itemsize)
        stated = archive.getinfo(f"{name}.npy").file_size - file.tell()
    if dtype.hasobject:
        raise DataError(
            f"{name} of {path} must be numbers or text. Received: Python objects, whose reading could run a program. "
            "Convert the array before it is saved."
        )
    if header.nbytes != stated:
        raise DataError(
            f"{name} of {path} must have the {header.nbytes:,} bytes that its header tells of. Received: {stated:,}. "
            "Write the file again."
        )
    return header


def _read(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _check_headers(headers: Mapping[str, _Header], pairs: Sequence[tuple[str, str]], path: Path) -> None:
    total = sum(header.nbytes for header in headers.values())
    if total > MAX_BYTES:
        raise DataError(
            f"The arrays of {path} must have at most {MAX_BYTES:,} bytes. Received: {total:,}. Store fewer or smaller "
            "images, or give them as files."
        )
    for images, labels in pairs:
        _check_images(headers[images], f"{images} of {path}")
        _check_integers(headers[labels], f"{labels} of {path}")
        lengths = headers[images].shape[0], headers[labels].shape[0]
        if lengths[0] != lengths[1]:
            raise DataError(
                f"{path} must hold one label for each image. Received: {lengths[0]} in {images}, {lengths[1]} in "
                f"{labels}. Mend the arrays."
            )
    names = headers.get(_CLASS_NAMES)
    if names is not None and (names.dtype.kind not in "US" or len(names.shape) != 1):
        raise DataError(
            f"{_CLASS_NAMES} of {path} must be text of shape (classes,). Received: {names.dtype} of shape "
            f"{names.shape}. Convert or remove it."
        )


def _check_images(header: _Header, what: str) -> None:
    shape, dtype = header.shape, header.dtype
    if dtype != np.uint8:
        remedy = (
            "Multiply values in 0..1 by 255, round them and convert them with astype('uint8')"
            if dtype.kind == "f"
            else "If all values are in 0..255, convert them with astype('uint8')"
        )
        raise DataError(f"{what} must be uint8. Received: {dtype}. {remedy}.")
    if not (len(shape) == 3 or len(shape) == 4 and shape[3] in (1, 3)) or 0 in shape[1:]:
        channels_first = len(shape) == 4 and shape[1] in (1, 3)
        remedy = "Move the channels to the end: transpose(0, 2, 3, 1)" if channels_first else "Reshape it"
        raise DataError(
            f"{what} must have the shape (n, height, width) or (n, height, width, 1 or 3). Received: {shape}. {remedy}."
        )


def _check_integers(header: _Header, what: str) -> None:
    shape, dtype = header.shape, header.dtype
    if dtype.kind not in "iu":
        raise DataError(f"{what} must be integers. Received: {dtype}. Convert them with astype('int32').")
    if not (len(shape) == 1 or len(shape) == 2 and shape[1] == 1):
        raise DataError(
            f"{what} must have the shape (n,) or (n, 1). Received: {shape}. If there is a column for each class, take "
            "argmax(axis=1)."
        )


def _class_names(labels: Mapping[str, np.ndarray], given: np.ndarray | None, origin: str) -> tuple[str, ...]:
    if given is not None:
        # Bytes that are no UTF-8 become code points that `class_name` refuses.
        texts = (text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else str(text) for text in given)
        return tuple(class_name(text, origin) for text in texts)
    present = sorted({int(label) for own in labels.values() for label in np.unique(own)})
    missing = next((number for number, label in enumerate(present) if number != label), None)
    if missing is not None:
        raise DataError(
            f"Labels in {origin} must be 0, 1, 2, ... without a gap. Received: {present[missing]} and none of "
            f"{missing}. Mend them, or name all classes in an array {_CLASS_NAMES}."
        )
    return tuple(str(label) for label in range(len(present)))


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    return Split(images=images if images.ndim == 4 else images[..., None], labels=labels.astype(np.int32))
