"""Where the standard data sets are on this machine, told by the names of their files: none of them is read."""

from collections.abc import Callable
from pathlib import Path

from pipelines.errors import DataError
from pipelines.sources import cifar, idx, tiny_imagenet
from pipelines.sources.places import find_place, search_roots

# As the functions that load them look for them.
_MNIST_PLACES = ("mnist", "MNIST/raw", "MNIST", "mnist/raw", "raw", ".", "mnist.npz")
_FASHION_PLACES = ("fashion-mnist", "fashion_mnist", "FashionMNIST", "raw", ".", "FashionMNIST/raw")
_TINY_PLACES = ("tiny-imagenet-200", ".", "tiny-imagenet-200.zip")


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


def _find_tiny_imagenet(data_dir: str | Path | None) -> Path:
    def missing_from(folder: Path) -> list[str]:
        return [file for file in tiny_imagenet._FILES if not (folder / file).exists()]

    return find_place("tiny_imagenet", data_dir, _TINY_PLACES, tiny_imagenet._FILES, missing_from)


_FIND: dict[str, Callable[[str | Path | None], Path | str]] = {
    "cifar10": lambda data_dir: cifar._find(cifar._CIFAR10, data_dir),
    "cifar100": lambda data_dir: cifar._find(cifar._CIFAR100, data_dir),
    "digits": lambda data_dir: "scikit-learn",
    "fashion_mnist": lambda data_dir: idx._find("fashion_mnist", _FASHION_PLACES, data_dir),
    "mnist": lambda data_dir: idx._find("mnist", _MNIST_PLACES, data_dir),
    "tiny_imagenet": _find_tiny_imagenet,
}
