"""Files that are either whole or not there: written aside, flushed to the disk, then renamed."""

import json
import math
import os
from pathlib import Path
from typing import Any


def write_bytes_atomic(path: str | Path, *parts: bytes | memoryview) -> None:
    """Writes a file so that a crash or a full disk leaves the old content or the new, never half of one.

    Args:
        path: The file.
        *parts: Its content, piece after piece, so that large pieces need not be joined in memory first.

    Raises:
        OSError: The folder cannot be written, or the disk is full; the old content stays.
    """
    path = Path(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(aside, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException as error:
        aside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk is reported without saying where
        raise
    # Without this the rename itself may be lost in a power cut.
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def write_text_atomic(path: str | Path, text: str) -> None:
    """Writes UTF-8 text as `write_bytes_atomic` does.

    Bytes of a file name that are no UTF-8, which Python keeps as lone surrogates, are written as ``\\udcff``: in JSON
    that is the escape of what it was.
    """
    write_bytes_atomic(path, text.encode(errors="backslashreplace"))


def json_text(value: Any) -> str:
    """The text of a JSON file, for people to read too; numbers that are not finite become null."""
    return json.dumps(finite_or_null(value), indent=2, ensure_ascii=False) + "\n"


def write_json_atomic(path: str | Path, value: Any) -> None:
    """Writes indented JSON as `write_bytes_atomic` does; NaN and infinity become null, as JSON has no word for them."""
    write_text_atomic(path, json_text(value))


def finite_or_null(value: Any) -> Any:
    """Returns the value with every NaN and infinity, however deep, replaced by None."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: finite_or_null(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_or_null(item) for item in value]
    return value


def sweep_partial_files(folder: str | Path) -> None:
    """Removes what a killed writer left aside."""
    for leftover in Path(folder).glob(".*.partial"):
        leftover.unlink(missing_ok=True)
