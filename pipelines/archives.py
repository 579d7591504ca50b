"""extract: a zip or tar archive into a new folder, with nothing in it trusted and nothing half done left behind."""

import errno
import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.errors import DataError
from pipelines.locks import locked

_MAX_DEPTH = 32
_CHUNK_BYTES = 1 << 20
_MEMBER_OVERHEAD_BYTES = 4096  # of a tar member besides its content: headers, a long name, padding
# What the standard library raises on damaged bytes; ValueError and the like come from numbers and names in headers.
_DAMAGE = (
    EOFError,
    NotImplementedError,
    RecursionError,
    ValueError,
    gzip.BadGzipFile,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
)


def extract(
    archive: str | Path,
    folder: str | Path,
    *,
    max_bytes: int,
    max_members: int,
    inside: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
) -> Path:
    """Unpacks a zip, tar or tar.gz archive into a folder that does not exist yet.

    It is written into ``.NAME.partial`` beside the folder and renamed at the end. After an error nothing of it is left;
    what a killed process leaves there, the next call removes. Owners, permissions and times are not taken over.

    Args:
        archive: The file; what it is, is told by its content.
        folder: The folder to make; the one that it lies in is made too.
        max_bytes: The most that all files may hold, counted while they are written.
        max_members: The most entries, files and folders.
        inside: The folder in the archive whose content becomes `folder`; all entries must lie in it.
        progress: Called with the bytes written so far and the total that the archive states, or None.

    Raises:
        DataError: `folder` exists; the archive is damaged, larger than allowed, or has an entry that is encrypted,
            neither file nor folder, outside of its folder or there twice; or the disk is full.
    """
    archive, folder = Path(archive).expanduser(), Path(folder).expanduser()
    partial = folder.with_name(f".{folder.name}.partial")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(partial, folder=True):
            try:
                _remove_content(partial)  # of a process that was killed
                if os.path.lexists(folder):
                    raise DataError(
                        f"{folder} must not exist before {archive} is unpacked. Received: a folder or file."
                    )
                writer = _Writer(archive, partial, max_bytes, max_members, inside, progress)
                writer.write_all()
                os.rename(partial, folder)
            except BaseException:  # Ctrl-C as well
                shutil.rmtree(partial, ignore_errors=True)
                raise
    except OSError as error:
        room = "Make room on the disk" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "Look at the permissions"
        raise DataError(
            f"{archive} must be readable and {folder} writable. Received: {error.strerror or error}. {room} and repeat "
            "the command."
        ) from error
    return folder


def _remove_content(folder: Path) -> None:
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


@dataclass(frozen=True)
class _Member:
    """An entry of an archive: a folder if there is nothing to open."""

    name: str
    open: Callable[[], BinaryIO] | None


class _Writer:
    """Writes the entries of one archive below one folder, and keeps count."""

    def __init__(self, archive, folder, max_bytes, max_members, inside, progress):
        self.archive, self.folder, self.inside = archive, folder, inside
        self.max_bytes, self.max_members = max_bytes, max_members
        self.progress = progress or (lambda written, total: None)
        self.members = self.written = 0
        self.total: int | None = None
        self.folders = {folder}

    def write_all(self) -> None:
        with self.archive.open("rb") as file:
            begin = file.read(4)
            file.seek(0)
            read = self._zip_members if begin[:2] == b"PK" else self._tar_members
            try:
                for member in read(file, begin):
                    self._write(member)
            except DataError:  # which is a ValueError
                raise
            except _DAMAGE as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise self._error("be a complete archive", f"a truncated or damaged one: {reason}") from error
        if not self.members:
            raise self._error("hold files", "an archive without any")

    def _zip_members(self, file: BinaryIO, begin: bytes) -> Iterator[_Member]:
        with zipfile.ZipFile(file) as content:
            self.total = sum(info.file_size for info in content.infolist())
            for info in content.infolist():
                kind = stat.S_IFMT(info.external_attr >> 16)
                if info.flag_bits & 1:
                    raise self._error("hold no encrypted entries", repr(info.filename))
                if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                    raise self._error("be packed by deflate", f"another method for {info.filename!r}")
                if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise self._error("hold files and folders only, no links or devices", repr(info.filename))
                yield _Member(info.filename, None if info.is_dir() else lambda info=info: content.open(info))

    def _tar_members(self, file: BinaryIO, begin: bytes) -> Iterator[_Member]:
        packed = begin[:2] == b"\x1f\x8b"
        most = self.max_bytes + (self.max_members + 1) * _MEMBER_OVERHEAD_BYTES + (1 << 20)
        stream = _CappedStream(gzip.GzipFile(fileobj=file) if packed else file, most, self._too_large)
        try:
            content = tarfile.open(fileobj=stream, mode="r:")  # noqa: SIM115, its stream is closed by who opened it
        except tarfile.ReadError as error:
            found = f"a gzip file that does not hold one: {error}" if packed else "a file that is neither"
            raise self._error("be a zip or tar archive", found) from error
        for info in content:
            if info.size < 0:
                raise tarfile.ReadError(f"a header tells of {info.size} bytes")
            if (not info.isreg() or info.issparse()) and not info.isdir():
                raise self._error("hold files and folders only, no links or devices", repr(info.name))
            yield _Member(info.name, None if info.isdir() else lambda info=info: content.extractfile(info))
        # The end of an archive is a block of zeros. tarfile takes a damaged header and the end of the file for it too.
        if stream.last != bytes(tarfile.BLOCKSIZE):
            raise tarfile.ReadError("it has no end mark")
        while stream.read(_CHUNK_BYTES):  # the checksum of gzip comes to light at the very end only
            pass

    def _write(self, member: _Member) -> None:
        self.members += 1
        if self.members > self.max_members:
            raise self._error(f"hold at most {self.max_members:,} entries", "more")
        path = self._place(member.name)
        if path is None:
            if member.open is not None:
                raise self._error("hold plain relative paths only", f"a file named {member.name!r}")
            return
        try:
            self._make_folder(path if member.open is None else path.parent)
            if member.open is not None:
                with member.open() as source, path.open("xb") as target:
                    self._copy(source, target)
        except (FileExistsError, NotADirectoryError) as error:
            raise self._error("hold every entry once", f"one that would overwrite another, {member.name!r}") from error

    def _place(self, name: str) -> Path | None:
        """Where an entry goes, or None for the folder `inside` itself and those that it lies in."""
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if name.startswith("/") or ".." in parts or "\\" in name or name[1:2] == ":" or "\0" in name:
            raise self._error("hold plain relative paths only", repr(name))
        if len(parts) > _MAX_DEPTH:
            raise self._error(f"hold no more than {_MAX_DEPTH} folders in one another", repr(name[:80] + "..."))
        if self.inside is not None:
            outer = self.inside.split("/")
            if parts[: len(outer)] != outer[: len(parts)]:
                raise self._error(f"hold everything in its folder '{self.inside}'", repr(name))
            parts = parts[len(outer) :]
        return self.folder.joinpath(*parts) if parts else None

    def _make_folder(self, path: Path) -> None:
        if path not in self.folders:
            path.mkdir(parents=True, exist_ok=True)
            self.folders.add(path)

    def _copy(self, source: BinaryIO, target: BinaryIO) -> None:
        while chunk := source.read(_CHUNK_BYTES):
            self.written += len(chunk)
            if self.written > self.max_bytes:
                raise self._too_large()
            target.write(chunk)
        self.progress(self.written, self.total)

    def _too_large(self) -> DataError:
        return self._error(f"unpack to at most {self.max_bytes:,} bytes", "more")

    def _error(self, expected: str, received: str) -> DataError:
        return DataError(
            f"{self.archive} must {expected}. Received: {received}. Nothing of it is kept. Fetch the official one anew."
        )


class _CappedStream:
    """Reads a stream forwards, in small pieces and up to a number of bytes; remembers what it read last.

    tarfile itself would read whatever length a header gives for a name into memory, and follow one that points back.
    """

    def __init__(self, stream: BinaryIO, most: int, too_large: Callable[[], DataError]):
        self.stream, self.most, self.too_large = stream, most, too_large
        self.position, self.last = 0, b""

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _CHUNK_BYTES:
            raise tarfile.ReadError(f"a header tells of {size} bytes")
        self.last = self.stream.read(size)
        self.position += len(self.last)
        if self.position > self.most:
            raise self.too_large()
        return self.last

    def tell(self) -> int:
        return self.position

    def seek(self, position: int) -> None:
        if position < self.position:
            raise tarfile.ReadError("a header points backwards")
        while self.position < position and self.read(min(position - self.position, _CHUNK_BYTES)):
            pass
