"""A folder of decoded images for data sets that are too large for memory: one file of pixels and an index an entry.

An entry, ``images-<key>/``, holds ``pixels``, the bytes of one image after the other, and ``index.json``. The key is a
hash of the files' contents and of everything that decides what they are decoded to, so an entry is never wrong, only
unused. To find it without reading the files again, ``known-<hash>.json`` notes which paths, sizes and times of change
it was made from. Everything may be deleted at any time.
"""

import contextlib
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
    """
    root = cache_root()
    made_from = _hash([_setting(image_shape, resize), *map(_status, paths)])
    try:
        root.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(root).free < len(paths) * _size(image_shape) + _SPARE_BYTES and not _entry(
            root, made_from
        ):
            return None
        with _lock(root / f"{made_from}.lock"):
            for left_over in root.glob(f".{made_from}.*.partial"):
                shutil.rmtree(left_over)
            entry = _entry(root, made_from)
            opened = _open(entry, image_shape, fresh=False) if entry else None
            if opened is None:
                opened = _open(_write(root, made_from, paths, image_shape, resize, progress), image_shape, fresh=True)
            return opened
    except OSError:
        return None


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
def _lock(path: Path) -> Iterator[None]:
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _entry(root: Path, made_from: str) -> Path | None:
    """The entry that was made from these files, if there is one."""
    try:
        key = json.loads((root / f"known-{made_from}.json").read_text(encoding="utf-8"))["key"]
        entry = root / f"images-{key}"
        return entry if entry.is_dir() else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _open(entry: Path, image_shape: Sequence[int], *, fresh: bool) -> CachedImages | None:
    """Checks an entry and opens it; a damaged one is removed and None returned."""
    try:
        index = json.loads((entry / "index.json").read_text(encoding="utf-8"))
        pixels = entry / "pixels"
        whole = pixels.stat().st_size == index["count"] * _size(image_shape)
        if whole and (fresh or _checksums(pixels) == index["checksums"]):
            images = stored_in_file(pixels, index["count"], image_shape)
            return CachedImages(images=images, bad=[tuple(file) for file in index["bad"]], fresh=fresh)
    except (OSError, ValueError, KeyError, TypeError):
        pass  # whatever is wrong with it, it is made anew
    shutil.rmtree(entry, ignore_errors=True)
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
) -> Path:
    """Decodes all files into a new entry and returns its folder, whose name is known only when all is read."""
    aside = Path(tempfile.mkdtemp(prefix=f".{made_from}.", suffix=".partial", dir=root))
    try:
        count, bad, digests = 0, [], []
        checksums = _Checksums()
        with open(aside / "pixels", "wb") as file:
            for part in decode_in_parts(paths, image_shape, resize):
                pixels = part.images.reshape(-1)
                file.write(pixels)
                checksums.update(pixels)
                count += len(part.images)
                bad += part.bad
                digests += [digest.hex() for digest in part.digests]
                progress(len(part.digests))
            _to_disk(file)
        index = {"count": count, "bad": bad, "checksums": checksums.of_blocks}
        _write_json(aside / "index.json", index)
        key = _hash([_setting(image_shape, resize), bad, digests])
        entry = root / f"images-{key}"
        if _open(entry, image_shape, fresh=False) is None:
            os.chmod(aside, 0o755)  # mkdtemp keeps others out
            aside.rename(entry)
        aside.mkdir(exist_ok=True)
        _write_json(aside / "known", {"key": key})
        (aside / "known").rename(root / f"known-{made_from}.json")
        return entry
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _write_json(path: Path, content: dict) -> None:
    with open(path, "w", encoding="utf-8") as file:
        json.dump(content, file)
        _to_disk(file)


def _to_disk(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
