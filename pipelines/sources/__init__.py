"""Data sets by name: SOURCES maps each plain name to its loader, KIND_SOURCES what stands before a colon."""

from pathlib import Path

from pipelines.dataset_names import KINDS, short_name, split_kind
from pipelines.errors import DataError, did_you_mean
from pipelines.files_source import read_labelled_files
from pipelines.labelled_files import LabelledFiles
from pipelines.reading import Reading
from pipelines.resize import fit_source
from pipelines.source import ImageSource
from pipelines.sources.cifar import load_cifar10, load_cifar100
from pipelines.sources.csv_file import list_csv
from pipelines.sources.digits import load_digits
from pipelines.sources.folder import list_folder
from pipelines.sources.idx import load_fashion_mnist, load_mnist
from pipelines.sources.npz import load_npz
from pipelines.sources.tfds import load_tfds
from pipelines.sources.tiny_imagenet import list_tiny_imagenet

# name: (data_dir) -> ImageSource, or LabelledFiles where the images are files that are yet to be read.
SOURCES = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "mnist": load_mnist,
    "tiny_imagenet": list_tiny_imagenet,
}
# kind: (what stands behind the colon, data_dir, reading) -> the same.
KIND_SOURCES = {"folder": list_folder, "csv": list_csv, "npz": load_npz, "tfds": load_tfds}


def source_names() -> tuple[str, ...]:
    """The plain names that `load_source` knows."""
    return tuple(SOURCES)


def load_source(name: str, data_dir: str | Path | None = None, reading: Reading | None = None) -> ImageSource:
    """Loads a data set from files on this machine; nothing is downloaded.

    Args:
        name: One of `source_names()`, or ``folder:PATH``, ``csv:FILE``, ``npz:FILE`` or ``tfds:NAME``.
        data_dir: Where a plain name is looked for first: a folder that holds data sets, or the data set's own folder.
            See `pipelines.sources.places` for where else it looks. "digits" needs no files.
        reading: Image size, channels, and what is done about bad files; `Reading()` by default.

    Raises:
        DataError: The name is unknown, or the files are missing or damaged.
        BadFilesError: Too many image files are bad.
    """
    reading = reading or Reading()
    found = find_source(name, data_dir, reading)
    return read_labelled_files(found, reading) if isinstance(found, LabelledFiles) else fit_source(found, reading)


def find_source(name: str, data_dir: str | Path | None, reading: Reading) -> ImageSource | LabelledFiles:
    """Finds a data set as `load_source` does, but opens no image file: such are returned as `LabelledFiles`."""
    kind, rest = split_kind(name)
    if kind is not None:
        if not rest:
            raise DataError(f"{kind}: must be followed by a {KINDS[kind].lower()}. Received: {name!r}.")
        return KIND_SOURCES[kind](rest, data_dir, reading)
    if name not in SOURCES:
        known = ", ".join([*SOURCES, *(f"{kind}:{rest}" for kind, rest in KINDS.items())])
        raise DataError(f"Unknown data set '{name}'. Known: {known}.{did_you_mean(name, SOURCES)}")
    return SOURCES[name](data_dir)


__all__ = ["KIND_SOURCES", "SOURCES", "find_source", "load_source", "short_name", "source_names"]
