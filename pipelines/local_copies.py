"""Where the standard data sets are on this machine, told by the names of their files: none of them is read."""

from collections.abc import Callable
from pathlib import Path

from pipelines.errors import DataError
from pipelines.sources.cifar import find_cifar
from pipelines.sources.idx import find_idx
from pipelines.sources.places import search_roots
from pipelines.sources.tiny_imagenet import find_tiny_imagenet

_FIND: dict[str, Callable[[str | Path | None], Path | str]] = {
    "cifar10": lambda data_dir: find_cifar("cifar10", data_dir),
    "cifar100": lambda data_dir: find_cifar("cifar100", data_dir),
    "digits": lambda data_dir: "scikit-learn",
    "fashion_mnist": lambda data_dir: find_idx("fashion_mnist", data_dir),
    "mnist": lambda data_dir: find_idx("mnist", data_dir),
    "tiny_imagenet": find_tiny_imagenet,
}


def local_copy(name: str, data_dir: str | Path | None = None) -> str | None:
    """Where a data set would be read from, or None if it is not on this machine, or not all of it.

    Args:
        name: A plain name, see `pipelines.sources.source_names`.
        data_dir: Where to look first; see `pipelines.sources.places`.

    Raises:
        DataError: A folder that was named, as `data_dir` or by `$KERASNETS_DATA`, does not exist.
    """
    for _ in search_roots(data_dir):
        pass
    try:
        return str(_FIND[name](data_dir))
    except DataError:
        return None
