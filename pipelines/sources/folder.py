"""Folders of images: PATH/train/CLASS/IMAGE beside PATH/test/CLASS/IMAGE, or PATH/CLASS/IMAGE alone."""

import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pipelines.dataset_names import SPLIT_NAMES, class_name, settle_splits, short_name
from pipelines.errors import DataError
from pipelines.labelled_files import FileSplit, LabelledFiles, divide_files
from pipelines.reading import Reading

# What is taken for an image, in any case; what it really is will be seen when it is decoded.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif")
# Left behind by archives and file systems; everything that begins with a dot is passed over as well.
_HIDDEN = ("__MACOSX", "@eaDir", "$RECYCLE.BIN", "lost+found")
_LIKE_SPLITS = ("training", "testing", "validate", "eval", "evaluation", "dev", "holdout")


def list_folder(path: str, data_dir: str | Path | None, reading: Reading) -> LabelledFiles:
    """Lists a folder of images.

    It holds a folder for each split, named train, test, and val, valid or validation (in any case), with a folder for
    each class; or the class folders alone, of which a fifth becomes the test split, see
    `pipelines.labelled_files.divide_files`. With train and val but no test, val is the test split, as Tiny ImageNet's
    is: it is evaluated once, after the last epoch.

    Classes and files are those of torchvision's `ImageFolder`, in its order: by name, files at any depth below the
    class folder, chosen by their ending; files beside class folders are passed over. Hidden files and folders are
    passed over too. Symbolic links are followed, but no folder is listed twice within a class, and a link to a folder
    that holds it is passed over.

    Args:
        path: The folder; ``~`` is the home folder.
        data_dir: Not used: the path says it all.
        reading: Its `seed` draws the test split where there is none.

    Raises:
        DataError: The folder has another layout, cannot be read, or its classes do not make a data set.
    """
    root = Path(path).expanduser()
    folders = _folders(root)
    if any(name.lower() in SPLIT_NAMES for name in folders):
        class_names, splits = _given_splits(root, _split_folders(root, folders))
    else:
        class_names, splits = _drawn_splits(root, folders, reading.seed)
    return LabelledFiles(name=short_name(f"folder:{path}"), class_names=class_names, splits=splits, origin=str(root))


def _split_folders(root: Path, folders: Mapping[str, Path]) -> dict[str, Path]:
    """The folders that are splits, under the names that splits have here."""
    found = {}
    for name, folder in folders.items():
        key = SPLIT_NAMES.get(name.lower())
        if key in found:
            raise DataError(
                f"{root} must hold one folder for each split. Received: {found[key].name!r} and {name!r}. Merge them."
            )
        if key is not None:
            found[key] = folder
        elif _files_below(folder, within=[root]):
            raise DataError(
                f"{root} must hold splits or classes, not both. Received: {name!r} with images, beside a split. "
                "Move it elsewhere; or, if these are classes, rename the one that is named like a split."
            )
    remedy = f"Add one, or have it divided: give folder:{found.get('train')}."
    return settle_splits(found, str(root), remedy)


def _given_splits(root: Path, folders: Mapping[str, Path]) -> tuple[tuple[str, ...], dict[str, FileSplit]]:
    classes = {key: _classes(folder, _folders(folder), within=[root]) for key, folder in folders.items()}
    _check_not_empty(classes["train"], folders["train"])
    class_names = tuple(sorted(classes["train"]))
    for key, own in classes.items():
        unknown = sorted(own.keys() - classes["train"].keys())
        if unknown:
            raise DataError(
                f"The classes of {folders[key]} must be among those of {folders['train']}. Received: {unknown[0]!r}, "
                "which has no images to train on. Add them, or rename or remove the class."
            )
    return class_names, {key: _split(own, class_names) for key, own in classes.items()}


def _drawn_splits(root: Path, folders: Mapping[str, Path], seed: int) -> tuple[tuple[str, ...], dict[str, FileSplit]]:
    if folders and all(name.lower() in _LIKE_SPLITS for name in folders):
        raise DataError(
            f"Splits in {root} must be named {', '.join(SPLIT_NAMES)}. Received: {', '.join(folders)}. Rename them."
        )
    classes = _classes(root, folders, within=[])
    _check_not_empty(classes, root)
    if len(classes) == 1:
        raise DataError(
            f"{root} must hold at least two class folders. Received: {next(iter(classes))!r} alone. Add a class, or if "
            f"it holds the data set, give folder:{next(iter(folders.values()))}."
        )
    class_names = tuple(sorted(classes))
    return class_names, divide_files(_split(classes, class_names), class_names, seed, str(root))


def _classes(folder: Path, folders: Mapping[str, Path], within: Sequence[Path]) -> dict[str, list[Path]]:
    """The image files of each class folder, by the name of the class."""
    if not folders:
        images = [entry.name for entry in _entries(folder) if _is_image(entry.name)]
        received = f"{len(images)} images right in it, such as {images[0]!r}" if images else "no folder in it"
        raise DataError(
            f"{folder} must hold a folder of images for each class, CLASS/IMAGE, or train/CLASS/IMAGE and "
            f"test/CLASS/IMAGE. Received: {received}. Sort the images into folders."
        )
    classes = {}
    for name, place in folders.items():
        key = class_name(name, str(folder))
        if key in classes:
            raise DataError(
                f"Class names must differ. Received: {key!r} twice in {folder}, spelt with different code points. "
                "Merge the two folders."
            )
        classes[key] = _files_below(place, within=[*within, folder])
    return classes


def _check_not_empty(classes: Mapping[str, list[Path]], folder: Path) -> None:
    for name, files in classes.items():
        if not files:
            raise DataError(
                f"Every class folder must hold images that end in {', '.join(EXTENSIONS)}. Received: none in {name!r} "
                f"of {folder}. Add images or remove the folder."
            )


def _split(classes: Mapping[str, list[Path]], class_names: Sequence[str]) -> FileSplit:
    files = [classes.get(name, []) for name in class_names]
    labels = np.repeat(np.arange(len(files), dtype=np.int32), [len(own) for own in files])
    return FileSplit(paths=tuple(path for own in files for path in own), labels=labels)


def _files_below(folder: Path, within: Sequence[Path]) -> list[Path]:
    """The image files in a folder and below it, each folder's own before those of its sub-folders."""
    seen = {_identity(each) for each in (*within, folder)}
    pending, found = [folder], {}
    while pending:
        current = pending.pop()
        entries = _entries(current)
        below = _subfolders(entries, [current, folder])
        # Of two ways to one folder, the one without a link counts, then the first by name.
        for entry in sorted(below, key=lambda entry: entry.is_symlink()):
            place = _identity(entry)
            if place not in seen:
                seen.add(place)
                pending.append(Path(entry.path))
        found[str(current)] = [Path(entry.path) for entry in entries if _is_image(entry.name) and not _is_folder(entry)]
    return [path for current in sorted(found) for path in found[current]]


def _folders(folder: Path) -> dict[str, Path]:
    return {entry.name: Path(entry.path) for entry in _subfolders(_entries(folder), [folder])}


def _entries(folder: Path) -> list[os.DirEntry]:
    """What is in a folder and not hidden, by name."""
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".") and entry.name not in _HIDDEN]
    except (FileNotFoundError, NotADirectoryError) as error:
        received = "does not exist" if isinstance(error, FileNotFoundError) else "is a file"
        raise DataError(
            f"A folder of images is needed. Received: {folder}, which {received}. Correct the path."
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(folder, error) from error
    return sorted(visible, key=lambda entry: entry.name)


def _subfolders(entries: Sequence[os.DirEntry], holders: Sequence[Path]) -> list[os.DirEntry]:
    """The folders among the entries, without links that lead back to one of `holders` or to a folder above it."""
    return [
        entry
        for entry in entries
        if _is_folder(entry) and not (entry.is_symlink() and any(_holds(entry.path, holder) for holder in holders))
    ]


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError as error:
        if error.errno == errno.ELOOP:  # a link to itself
            return False
        raise _unreadable(entry.path, error) from error


def _identity(place: Path | os.DirEntry) -> tuple[int, int]:
    try:
        status = os.stat(place)
    except OSError as error:
        raise _unreadable(place, error) from error
    return status.st_dev, status.st_ino


def _holds(folder: str, path: Path) -> bool:
    target = os.path.realpath(folder)
    return os.path.commonpath([target, os.path.realpath(path)]) == target


def _is_image(name: str) -> bool:
    return name.lower().endswith(EXTENSIONS)


def _unreadable(folder: str | Path, error: Exception) -> DataError:
    reason = getattr(error, "strerror", None) or error
    return DataError(f"{os.fspath(folder)} must be readable. Received: {reason}. Correct its rights or move it away.")
