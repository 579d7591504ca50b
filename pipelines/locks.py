"""A lock on a file or folder that is being made: one process works on it, the others wait, a dead one holds nothing."""

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_POLL_SECONDS = 0.05


@contextmanager
def locked(path: Path, *, folder: bool = False, waiting: Callable[[], None] | None = None) -> Iterator[int]:
    """Makes a temporary file or folder if need be, and holds it alone.

    Who holds it may rename or remove it: whoever waited then makes it anew, and should look first whether the work has
    been done meanwhile. The lock is the kernel's, so a killed process leaves the file but no lock.

    Args:
        path: The temporary file or folder, in an existing folder.
        folder: Whether it is a folder.
        waiting: Called every now and then while another process holds it.

    Yields:
        The open file descriptor; for a file it may be read and written.

    Raises:
        OSError: It cannot be made or opened.
    """
    while True:
        descriptor = _open(path, folder)
        try:
            _wait(descriptor, waiting)
            if _is_at(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)


def _open(path: Path, folder: bool) -> int:
    if not folder:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    while True:
        path.mkdir(exist_ok=True)
        try:
            return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:  # renamed since the line above, by the process that had it
            continue


def _wait(descriptor: int, waiting: Callable[[], None] | None) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if waiting is not None:
                waiting()
            time.sleep(_POLL_SECONDS)


def _is_at(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
