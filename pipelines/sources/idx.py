"""MNIST and Fashion-MNIST from their official IDX files, plain or gzipped, or from Keras's mnist.npz.

Source: LeCun, Cortes and Burges 1998, http://yann.lecun.com/exdb/mnist/; Xiao, Rasul and Vollgraf 2017
(arXiv:1708.07747).
"""

import gzip
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from pipelines.errors import DataError
from pipelines.source import ImageSource, Split
from pipelines.sources.places import find_place

_FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_ALL_FILES = tuple(file for pair in _FILES.values() for file in pair)
_PLACES = {
    "mnist": ("mnist", "MNIST/raw", "MNIST", "mnist/raw", "raw", ".", "mnist.npz"),
    "fashion_mnist": ("fashion-mnist", "fashion_mnist", "FashionMNIST", "raw", ".", "FashionMNIST/raw"),
}
_MAXIMUM_BYTES = 1 << 30  # twenty times the official files: a header that asks for more is damaged
# The files of the two data sets have the same names and shapes; the official ones are told apart by their first labels.
_FIRST_TEST_LABELS = {"mnist": [7, 2, 1, 0, 4, 1, 4, 9, 5, 9], "fashion_mnist": [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]}
_FASHION_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def load_mnist(data_dir: str | Path | None = None) -> ImageSource:
    """Loads MNIST: 60,000 training and 10,000 test images of handwritten digits, 28x28 in grey.

    Args:
        data_dir: Where to look first; see `pipelines.sources.places`.

    Raises:
        DataError: The files are missing or damaged.
    """
    return _source("mnist", tuple("0123456789"), find_idx("mnist", data_dir))


def load_fashion_mnist(data_dir: str | Path | None = None) -> ImageSource:
    """Loads Fashion-MNIST: 60,000 training and 10,000 test images of clothes, 28x28 in grey.

    Args:
        data_dir: Where to look first; see `pipelines.sources.places`.

    Raises:
        DataError: The files are missing or damaged.
    """
    return _source("fashion_mnist", _FASHION_NAMES, find_idx("fashion_mnist", data_dir))


def _source(name: str, class_names: tuple[str, ...], place: Path) -> ImageSource:
    splits = _read_npz(place) if place.is_file() else _read_folder(place)
    for other, first in _FIRST_TEST_LABELS.items():
        if other != name and splits["test"].labels[: len(first)].tolist() == first:
            raise DataError(
                f"{place} must hold the files of '{name}'. Received those of '{other}', which are named alike. "
                f"Load '{other}' or put the right files there."
            )
    return ImageSource(name=name, class_names=class_names, splits=splits, origin=str(place))


def find_idx(name: str, data_dir: str | Path | None) -> Path:
    """The folder, or for MNIST the file mnist.npz, that "mnist" or "fashion_mnist" is read from.

    Raises:
        DataError: It is not there, or not all of it.
    """

    def missing_from(folder: Path) -> list[str]:
        if _belongs_to_another(name, folder):
            return list(_ALL_FILES)
        return [file for file in _ALL_FILES if _idx_file(folder, file) is None]

    return find_place(name, data_dir, _PLACES[name], _ALL_FILES, missing_from)


def _belongs_to_another(name: str, place: Path) -> bool:
    """Whether the folder's name says that its files, which are named alike, belong to another relative of MNIST."""
    for part in reversed(place.resolve().parts[-2:]):
        if "fashion" in part.lower():
            return name != "fashion_mnist"
        if "mnist" in part.lower():
            return name != "mnist" or part.lower().startswith(("k", "e", "q"))  # KMNIST, EMNIST, QMNIST
    return False


def _idx_file(folder: Path, file: str) -> Path | None:
    # Some copies are named with a dot, as the archive's listing once was: train-images.idx3-ubyte.
    for stem in (file, file.replace("-idx", ".idx")):
        for path in (folder / stem, folder / f"{stem}.gz"):
            if path.is_file():
                return path
    return None


def _read_folder(folder: Path) -> dict[str, Split]:
    splits = {}
    for key, (images_file, labels_file) in _FILES.items():
        images = read_idx(_idx_file(folder, images_file), dimensions=3)
        labels_path = _idx_file(folder, labels_file)
        labels = read_idx(labels_path, dimensions=1)
        splits[key] = _split(images, labels, str(labels_path))
    return splits


def read_idx(path: Path, *, dimensions: int) -> np.ndarray:
    """Reads an IDX file of bytes, gzipped if its name ends in .gz.

    Args:
        path: The file.
        dimensions: How many dimensions it must have: 3 for images, 1 for labels.

    Returns:
        uint8 array of the shape that the header states.

    Raises:
        DataError: The file is damaged, truncated or of another kind.
    """
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            if header[:4] != bytes([0, 0, 8, dimensions]) or len(header) < 4 + 4 * dimensions:
                raise DataError(
                    f"{path} must be an IDX file of bytes in {dimensions} dimensions. "
                    f"Received one that begins with {header[:4].hex() or 'nothing'}. Fetch it again."
                )
            shape = [int(size) for size in np.frombuffer(header[4:], ">u4")]
            size = math.prod(shape)
            content = file.read(min(size, _MAXIMUM_BYTES) + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} must be a complete gzip file. Received a damaged one: {error}. Fetch it again."
        ) from error
    if len(content) != size:
        received = f"{len(content)}" if len(content) < size else "more"
        raise DataError(f"{path} must hold {size} bytes after its header. Received: {received}. Fetch it again.")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _read_npz(path: Path) -> dict[str, Split]:
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            pairs = {key: (arrays[f"x_{key}"], arrays[f"y_{key}"]) for key in _FILES}
    except (ValueError, KeyError, EOFError, OSError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(
            f"{path} must hold the arrays x_train, y_train, x_test and y_test. Received a file without them or a "
            f"damaged one: {error}. Fetch it again."
        ) from error
    return {key: _split(images, labels, str(path)) for key, (images, labels) in pairs.items()}


def _split(images: np.ndarray, labels: np.ndarray, file: str) -> Split:
    fits = images.ndim == 3 and labels.shape == images.shape[:1] and images.dtype == labels.dtype == np.uint8
    if not fits:
        raise DataError(
            f"{file} must hold one uint8 label for each uint8 image (height, width). Received: {labels.dtype} labels "
            f"of shape {labels.shape}, {images.dtype} images of shape {images.shape}. Fetch the files again."
        )
    if labels.max(initial=0) > 9:
        raise DataError(f"Labels in {file} must be in 0..9. Received: {labels.max()}. Fetch it again.")
    return Split(images=images[..., None], labels=labels.astype(np.int32))
