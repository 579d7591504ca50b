"""The checkpoint file: arrays and a JSON description behind a sha256, so that damage is noticed before it is used."""

import hashlib
import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from kerasnets.errors import InputError
from kerasnets.runs.files import write_bytes_atomic

_MAGIC = b"kerasnets checkpoint 1 sha256 "
_META = "meta.json"


class CheckpointError(InputError):
    """A checkpoint file that is missing, damaged or of a newer format."""


def save_checkpoint(path: str | Path, arrays: dict[str, np.ndarray], meta: dict[str, Any]) -> None:
    """Writes arrays and their description as one file, atomically.

    Args:
        path: The file; an existing one is replaced only once the new one is on the disk.
        arrays: Name to array of numbers, any shape.
        meta: Plain JSON values. Floats are kept exactly, NaN and infinity included.

    Raises:
        OSError: The disk is full or cannot be written.
    """
    buffer = io.BytesIO()
    description = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(buffer, **{name: np.asarray(value) for name, value in arrays.items()}, **{_META: description})
    payload = buffer.getbuffer()
    write_bytes_atomic(path, _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n", payload)


def load_checkpoint(path: str | Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Reads a checkpoint file and verifies it.

    Nothing in the file is executed: it holds plain arrays (no pickles) and JSON.

    Raises:
        CheckpointError: The file is missing, of another format, truncated, or a byte of it has changed.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"A checkpoint was expected at {path}. Received: no such file.")
    data = path.read_bytes()
    header, _, payload = data.partition(b"\n")
    if not re.fullmatch(re.escape(_MAGIC) + rb"[0-9a-f]{64}", header):
        raise CheckpointError(f"{path} must start as a kerasnets checkpoint of format 1. Received: {data[:24]!r}.")
    if hashlib.sha256(payload).hexdigest().encode() != header[len(_MAGIC) :]:
        raise CheckpointError(f"{path} is damaged: its sha256 does not match its content ({len(data)} bytes).")
    try:
        with np.load(io.BytesIO(payload), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        meta = json.loads(arrays.pop(_META).tobytes())
    except (ValueError, KeyError, zipfile.BadZipFile, OSError) as error:
        raise CheckpointError(f"{path} must hold plain arrays and a description. Received: {error}.") from None
    return arrays, meta


def checkpoint_files(folder: str | Path) -> list[Path]:
    """Returns the step checkpoints of a run, newest first (``best.ckpt`` is not among them)."""
    return sorted(Path(folder).glob("step-*.ckpt"), reverse=True)


def load_newest(folder: str | Path) -> tuple[Path, dict[str, np.ndarray], dict[str, Any], list[str]]:
    """Loads the newest step checkpoint that is whole.

    Returns:
        Its path, arrays and description, and a message for each newer file that was damaged.

    Raises:
        CheckpointError: No file is whole; the message tells why for each.
    """
    damaged = []
    for path in checkpoint_files(folder):
        try:
            return path, *load_checkpoint(path), damaged
        except CheckpointError as error:
            damaged.append(str(error))
    reasons = " ".join(damaged) or "there is no step-*.ckpt."
    raise CheckpointError(f"A whole checkpoint was expected in {folder}. Received: {reasons} Start a new run.")
