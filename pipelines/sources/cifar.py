"""CIFAR-10 and CIFAR-100 from the official python batches, unpacked or still in their tar.gz.

Source: Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images"; files from
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import gzip
import tarfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.errors import DataError
from pipelines.source import ImageSource, Split
from pipelines.sources.pickles import load_pickled_dict
from pipelines.sources.places import find_place

_MEMBER_BYTES = 1 << 28  # the largest official file has 155 MB; what unpacks to more than this is none of them


@dataclass(frozen=True, kw_only=True)
class _Layout:
    """How one of the two data sets lies on disk, and the keys in its files."""

    name: str
    folder: str
    archive: str
    train: tuple[str, ...]
    test: str
    meta: str
    labels_key: str
    names_key: str

    @property
    def files(self) -> tuple[str, ...]:
        return (*self.train, self.test, self.meta)


_LAYOUTS = {
    "cifar10": _Layout(
        name="cifar10",
        folder="cifar-10-batches-py",
        archive="cifar-10-python.tar.gz",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test="test_batch",
        meta="batches.meta",
        labels_key="labels",
        names_key="label_names",
    ),
    "cifar100": _Layout(
        name="cifar100",
        folder="cifar-100-python",
        archive="cifar-100-python.tar.gz",
        train=("train",),
        test="test",
        meta="meta",
        labels_key="fine_labels",
        names_key="fine_label_names",
    ),
}


def load_cifar10(data_dir: str | Path | None = None) -> ImageSource:
    """Loads CIFAR-10: 50,000 training and 10,000 test images, 32x32 in colour, 10 classes.

    Args:
        data_dir: Where to look first; see `pipelines.sources.places`.

    Raises:
        DataError: The files are missing or damaged.
    """
    return _load(_LAYOUTS["cifar10"], data_dir)


def load_cifar100(data_dir: str | Path | None = None) -> ImageSource:
    """Loads CIFAR-100 with its 100 fine classes: 50,000 training and 10,000 test images, 32x32 in colour.

    Args:
        data_dir: Where to look first; see `pipelines.sources.places`.

    Raises:
        DataError: The files are missing or damaged.
    """
    return _load(_LAYOUTS["cifar100"], data_dir)


def _load(layout: _Layout, data_dir: str | Path | None) -> ImageSource:
    origin = find_cifar(layout.name, data_dir)
    contents = _read_archive(origin, layout.files) if origin.is_file() else None

    def entries(file: str) -> dict:
        content = contents.pop(file) if contents is not None else (origin / file).read_bytes()
        return load_pickled_dict(content, str(origin / file))

    class_names = _class_names(entries(layout.meta), layout, str(origin / layout.meta))
    return ImageSource(
        name=layout.name,
        class_names=class_names,
        splits={
            "train": _split(layout.train, entries, layout, origin, len(class_names)),
            "test": _split((layout.test,), entries, layout, origin, len(class_names)),
        },
        origin=str(origin),
    )


def find_cifar(name: str, data_dir: str | Path | None) -> Path:
    """The folder or archive that "cifar10" or "cifar100" is read from.

    Raises:
        DataError: It is not there, or not all of it.
    """
    layout = _LAYOUTS[name]
    # Keras unpacks into a folder named "...-target" and keeps the archive's own folder inside it.
    folders = (
        layout.folder,
        f"{layout.folder}-target/{layout.folder}",
        f"{layout.name}/{layout.folder}",
        layout.name,
        ".",
    )
    places = (*folders, f"{layout.name}/{layout.archive}", layout.archive)

    def missing_from(folder: Path) -> list[str]:
        return [file for file in layout.files if not (folder / file).is_file()]

    return find_place(layout.name, data_dir, places, layout.files, missing_from)


def _read_archive(archive: Path, files: Sequence[str]) -> dict[str, bytes]:
    """The bytes of each file in the archive, whatever folder it lies in there; nothing is written to disk."""
    contents = {}
    try:
        with gzip.open(archive) as stream, tarfile.open(fileobj=stream, mode="r|") as tar:
            for member in tar:
                file = Path(member.name).name
                if file in files and member.isfile():
                    if member.size > _MEMBER_BYTES:
                        raise DataError(
                            f"{file} in {archive} must have at most {_MEMBER_BYTES} bytes. Received: {member.size}. "
                            "Fetch the official archive again."
                        )
                    contents[file] = tar.extractfile(member).read()
            # tarfile takes a damaged header for the end; only the last byte of the stream brings its checksum to light.
            while stream.read(1 << 20):
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive} must be a complete tar archive. Received a truncated or damaged one: {error}. Fetch it again."
        ) from error
    missing = [file for file in files if file not in contents]
    if missing:
        raise DataError(f"{archive} must hold {', '.join(files)}. Missing: {', '.join(missing)}. Fetch it again.")
    return contents


def _class_names(meta: dict, layout: _Layout, file: str) -> tuple[str, ...]:
    names = meta.get(layout.names_key)
    if not isinstance(names, list) or not names:
        raise DataError(
            f"{file} must list the class names under '{layout.names_key}'. Received keys: {', '.join(meta) or 'none'}. "
            "Fetch the official file again."
        )
    return tuple(name.decode("latin1") if isinstance(name, bytes) else str(name) for name in names)


def _split(
    files: Sequence[str], entries: Callable[[str], dict], layout: _Layout, origin: Path, num_classes: int
) -> Split:
    parts = [_batch(entries(file), layout, str(origin / file), num_classes) for file in files]
    images, labels = zip(*parts, strict=True)
    return Split(images=np.concatenate(images), labels=np.concatenate(labels))


def _batch(batch: dict, layout: _Layout, file: str, num_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Checks one batch and turns its rows (3 planes of 32x32) into (n, 32, 32, 3)."""
    data, labels = batch.get("data"), batch.get(layout.labels_key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.ndim != 2 or data.shape[1] != 3072:
        received = f"{data.dtype} of shape {data.shape}" if isinstance(data, np.ndarray) else type(data).__name__
        raise DataError(f"{file} must hold 'data', uint8 of shape (n, 3072). Received: {received}. Fetch it again.")
    if not isinstance(labels, list) or len(labels) != len(data):
        received = f"{len(labels)} of them" if isinstance(labels, list) else type(labels).__name__
        raise DataError(
            f"{file} must list {len(data)} labels under '{layout.labels_key}'. Received: {received}. Fetch it again."
        )
    wrong = [label for label in labels if not (isinstance(label, int) and 0 <= label < num_classes)]
    if wrong:
        raise DataError(f"Labels in {file} must be in 0..{num_classes - 1}. Received: {wrong[0]!r}. Fetch it again.")
    images = np.ascontiguousarray(data.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return images, np.array(labels, np.int32)
