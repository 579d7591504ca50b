"""A folder of decoded images for data sets that are too large for memory: one file of pixels and an index an entry.

An entry, ``images-<key>/``, holds ``pixels``, the bytes of one image after the other, and ``index.json``. The key is a
hash of the files' contents and of everything that decides what they are decoded to, so an entry is never wrong, only
unused. To find it without reading the files again, ``known-<hash>.json`` notes which paths, sizes and times of change
it was made from. Everything may be deleted at any time.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL

from pipelines.image_files import decode_in_parts
from pipelines.stored_images import StoredImages, stored_in_file

_FORMAT = 1
_BLOCK = 1 << 24  # bytes of pixels under one checksum
# What is left free on the disk beyond the pixels themselves.
_SPARE_BYTES = 1 << 28
# What the system says where a folder cannot be made, locked or written, or has no room: then there is no entry. All
# else is trouble that would strike again elsewhere, and goes through.
_NO_PLACE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG),
    *(errno.EROFS, errno.EACCES, errno.EPERM),
    *(errno.ENOTDIR, errno.EEXIST),  # a file is in the way
    *(errno.ENOLCK, errno.ENOTSUP),  # a network folder without locks
}


@dataclass(frozen=True, kw_only=True)
class CachedImages:
    """An entry of the cache.

    Attributes:
        images: Those that could be decoded, in the order of the files.
        bad: (place among the files, `BadImage.kind`, reason) of the others.
        fresh: Whether it was made just now.
    """

    images: StoredImages
    bad: list[tuple[int, str, str]]
    fresh: bool


def cache_root() -> Path:
    """Where the cache lies: ``$KERASNETS_CACHE``, else ``kerasnets`` in the user's cache folder."""
    if os.environ.get("KERASNETS_CACHE"):
        return Path(os.environ["KERASNETS_CACHE"]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "kerasnets"


def cached_images(
    paths: Sequence[Path], image_shape: Sequence[int], resize: str, progress: Callable[[int], None]
) -> CachedImages | None:
    """Images of files out of the cache folder, decoded into it first if they are not there yet.

    A writer that is killed leaves a folder that the next one removes; a second one waits for the first.

    Args:
        paths: The files.
        image_shape: (height, width, 1 or 3).
        resize: See `pipelines.decode.decode_bytes`.
        progress: Told how many more files have been decoded.

    Returns:
        The entry, or None if the disk has no room for it or the folder cannot be written.

    Raises:
        OSError: A process that decodes has ended, or the system refuses something else.
    """
    root = cache_root()
    made_from = _hash([_setting(image_shape, resize), *map(_status, paths)])
    try:
        with _placing():
            root.mkdir(parents=True, exist_ok=True)
        with _lock(root, made_from):
            _remove_left_overs(root, made_from)
            opened = _known(root, made_from, image_shape)
            if opened is None:
                needed = len(paths) * _size(image_shape) + _SPARE_BYTES
                with _placing():
                    if shutil.disk_usage(root).free < needed:
                        return None
                opened = _write(root, made_from, paths, image_shape, resize, progress)
            return opened
    except _NoPlace:
        return None


class _NoPlace(Exception):
    """The folder cannot hold an entry."""


@contextlib.contextmanager
def _placing() -> Iterator[None]:
    """Tells a folder that cannot hold an entry from other trouble."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_PLACE:
            raise _NoPlace from error
        raise


def _size(image_shape: Sequence[int]) -> int:
    height, width, channels = image_shape
    return height * width * channels


def _hash(parts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=True).encode()).hexdigest()[:32]


def _setting(image_shape: Sequence[int], resize: str) -> list:
    return [_FORMAT, list(image_shape), resize, PIL.__version__]


def _status(path: Path) -> list:
    try:
        status = os.stat(path)
        return [os.path.abspath(path), status.st_size, status.st_mtime_ns]
    except OSError as error:
        return [os.path.abspath(path), -1, error.errno]


@contextlib.contextmanager
def _lock(root: Path, name: str) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        with _placing():
            file = held.enter_context(open(root / f"{name}.lock", "w", encoding="ascii"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _remove_left_overs(root: Path, made_from: str) -> None:
    """Removes what killed writers left: those of these files, whose lock is held here, and all whose lock is free."""
    for left_over in root.glob(".*.partial"):
        name = left_over.name.split(".")[1]
        if name == made_from:
            shutil.rmtree(left_over, ignore_errors=True)
            continue
        with contextlib.suppress(OSError), open(root / f"{name}.lock", "w", encoding="ascii") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(left_over, ignore_errors=True)


def _known(root: Path, made_from: str, image_shape: Sequence[int]) -> CachedImages | None:
    """The entry that was made from these files, if there is one; a damaged one is removed."""
    try:
        with _placing():
            key = json.loads((root / f"known-{made_from}.json").read_text(encoding="utf-8"))["key"]
        entry = root / f"images-{key}"
        if not entry.is_dir():
            return None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None
    with _lock(root, key):
        opened = _open(entry, image_shape)
        if opened is None:
            shutil.rmtree(entry, ignore_errors=True)
        return opened


def _open(entry: Path, image_shape: Sequence[int]) -> CachedImages | None:
    """Checks an entry and opens it; None if it is damaged.

    Raises:
        OSError: It cannot be read now, which says nothing about it.
    """
    try:
        with _placing():
            index = json.loads((entry / "index.json").read_text(encoding="utf-8"))
            count, pixels = index["count"], entry / "pixels"
            if pixels.stat().st_size != count * _size(image_shape) or _checksums(pixels) != index["checksums"]:
                return None
            images = stored_in_file(pixels, count, image_shape)
        return CachedImages(images=images, bad=[tuple(file) for file in index["bad"]], fresh=False)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


class _Checksums:
    """One checksum for each block of what is written, however it is cut into pieces.

    Attributes:
        of_blocks: CRC-32 of each block, the last of which may be short.
    """

    def __init__(self):
        self.of_blocks: list[int] = []
        self._free = 0  # bytes that the last block still takes

    def update(self, content: np.ndarray) -> None:
        """Takes in the next bytes."""
        while len(content):
            if not self._free:
                self.of_blocks.append(0)
                self._free = _BLOCK
            part, content = content[: self._free], content[self._free :]
            self.of_blocks[-1] = zlib.crc32(part, self.of_blocks[-1])
            self._free -= len(part)


def _checksums(pixels: Path) -> list[int]:
    checksums = _Checksums()
    with open(pixels, "rb", buffering=0) as file:
        while block := file.read(_BLOCK):
            checksums.update(np.frombuffer(block, np.uint8))
    return checksums.of_blocks


def _write(
    root: Path,
    made_from: str,
    paths: Sequence[Path],
    image_shape: Sequence[int],
    resize: str,
    progress: Callable[[int], None],
) -> CachedImages:
    """Decodes all files into a new entry, whose name is known only when all is read, and opens it."""
    with _placing():
        aside = Path(tempfile.mkdtemp(prefix=f".{made_from}.", suffix=".partial", dir=root))
    try:
        index, digests = _write_pixels(aside / "pixels", paths, image_shape, resize, progress)
        key = _hash([_setting(image_shape, resize), index["bad"], digests])
        with _lock(root, key), _placing():
            _write_json(aside / "index.json", index)
            opened = _settled(aside, root / f"images-{key}", index, image_shape)
        # A file that could not be read now may be readable later without any change to it.
        if not any(kind == "unreadable" for _, kind, _ in index["bad"]):
            with _placing():
                aside.mkdir(exist_ok=True)
                _write_json(aside / "known", {"key": key})
                (aside / "known").rename(root / f"known-{made_from}.json")
        return opened
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_pixels(
    target: Path, paths: Sequence[Path], image_shape: Sequence[int], resize: str, progress: Callable[[int], None]
) -> tuple[dict, list[str]]:
    """Decodes all files into one.

    Returns:
        The content of the index, and a hash of each file in hexadecimal digits.
    """
    count, bad, digests, checksums = 0, [], [], _Checksums()
    with contextlib.ExitStack() as opened:
        with _placing():
            # Without a buffer, which would complain once more of a full disk when it is closed.
            file = opened.enter_context(open(target, "wb", buffering=0))
        # Closed at once when the disk is full, for the images may then be decoded in another way.
        for part in opened.enter_context(contextlib.closing(decode_in_parts(paths, image_shape, resize))):
            pixels = part.images.reshape(-1)
            with _placing():
                _write_all(file, pixels)
            checksums.update(pixels)
            count += len(part.images)
            bad += part.bad
            digests += [digest.hex() for digest in part.digests]
            progress(len(part.digests))
        with _placing():
            _to_disk(file)
    return {"count": count, "bad": bad, "checksums": checksums.of_blocks}, digests


def _write_all(file: Any, content: np.ndarray) -> None:
    while len(content):
        content = content[file.write(content) :]


def _settled(aside: Path, entry: Path, index: dict, image_shape: Sequence[int]) -> CachedImages:
    """Gives a new entry its name, unless another of the same content has it, and opens the one that has it then."""
    there = entry.exists()
    opened = _open(entry, image_shape) if there else None
    if opened:
        return opened
    if there:
        shutil.rmtree(entry, ignore_errors=True)
    os.chmod(aside, 0o755)  # mkdtemp keeps others out
    try:
        aside.rename(entry)
    except OSError as error:
        # Another has just renamed its own, in spite of the lock: not every network folder's locks hold.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        opened = _open(entry, image_shape)
        if opened is None:
            raise _NoPlace from error
        return opened
    return CachedImages(
        images=stored_in_file(entry / "pixels", index["count"], image_shape), bad=index["bad"], fresh=True
    )


def _write_json(path: Path, content: dict) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
        _to_disk(file)


def _to_disk(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
