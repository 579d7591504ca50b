"""Named data sets: SOURCES maps each name to its loader; `load_source` loads one."""

import difflib
from pathlib import Path

from pipelines.errors import DataError
from pipelines.source import ImageSource
from pipelines.sources.cifar import load_cifar10, load_cifar100
from pipelines.sources.digits import load_digits
from pipelines.sources.idx import load_fashion_mnist, load_mnist
from pipelines.sources.tiny_imagenet import load_tiny_imagenet

SOURCES = {
    "cifar10": load_cifar10,
    "cifar100": load_cifar100,
    "digits": load_digits,
    "fashion_mnist": load_fashion_mnist,
    "mnist": load_mnist,
    "tiny_imagenet": load_tiny_imagenet,
}


def source_names() -> tuple[str, ...]:
    """The names that `load_source` knows."""
    return tuple(SOURCES)


def load_source(name: str, data_dir: str | Path | None = None) -> ImageSource:
    """Loads a data set by name from files on this machine; nothing is downloaded.

    Args:
        name: One of `source_names()`.
        data_dir: Where to look first: a folder that holds data sets, or the data set's own folder. See
            `pipelines.sources.places` for where else it looks. "digits" needs no files.

    Raises:
        DataError: The name is unknown, or the files are missing or damaged.
    """
    if name not in SOURCES:
        near = difflib.get_close_matches(name, SOURCES, n=1, cutoff=0.5)
        question = f" Did you mean '{near[0]}'?" if near else ""
        raise DataError(f"Unknown data set '{name}'. Known: {', '.join(SOURCES)}.{question}")
    return SOURCES[name](data_dir)
