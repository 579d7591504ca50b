"""Names: of data sets that carry a place, such as ``folder:PATH``, of splits as users call them, and of classes."""

import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TypeVar

from pipelines.errors import DataError

# What may stand before the colon, and what stands behind it.
KINDS = {
    "folder": "PATH",
    "csv": "FILE",
    "npz": "FILE",
    "tfds": "NAME",
}
# What users call a split, in any case, and what it is called here.
SPLIT_NAMES = {
    "train": "train",
    "val": "validation",
    "validation": "validation",
    "valid": "validation",
    "test": "test",
}
# Bytes, so that the names of run folders stay below the 255 that a file system allows, in any script.
_MAX_SHORT_NAME = 80

T = TypeVar("T")


def split_kind(name: str) -> tuple[str | None, str]:
    """Splits ``"folder:pets"`` into ``("folder", "pets")``; a plain name gives ``(None, name)``."""
    kind, colon, rest = name.partition(":")
    return (kind, rest) if colon and kind in KINDS else (None, name)


def short_name(name: str) -> str:
    """A name without a path, fit for a folder's name: ``"folder:/data/My pets"`` gives ``"folder-My_pets"``.

    A plain name stays as it is. Letters of every language stay; what a shell or file system might misread becomes
    ``_``.
    """
    kind, rest = split_kind(name)
    if kind is None:
        return name
    is_path = kind == "folder" or rest.startswith(("/", "~", "."))
    last = PurePath(rest).stem if kind in ("csv", "npz") else PurePath(rest).name if is_path else rest
    safe = re.sub(r"[^\w.-]+", "_", last).encode()[:_MAX_SHORT_NAME].decode(errors="ignore").strip("._")
    return f"{kind}-{safe or 'data'}"


def whole_path(name: str) -> str:
    """The same name from wherever it is used: a relative path becomes an absolute one, ``~`` the home folder."""
    kind, rest = split_kind(name)
    is_path = kind in ("folder", "csv", "npz") or (kind == "tfds" and rest.startswith(("/", "~", ".")))
    return f"{kind}:{Path(rest).expanduser().absolute()}" if is_path and rest else name


def class_name(text: str, origin: str) -> str:
    """A class's name as it is kept: in the composed form (NFC), so that a name typed on any system is the same.

    Args:
        text: The name of a folder, or a label.
        origin: Where it was found, for messages.

    Raises:
        DataError: The name is empty or cannot stand in a table: it is not Unicode, or has line ends or other control
            characters.
    """
    name = unicodedata.normalize("NFC", text)
    if not name.strip() or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise DataError(
            f"A class name must be text in one line, in UTF-8. Received: {name!r} in {origin}. Rename the class."
        )
    return name


def settle_splits(found: Mapping[str, T], origin: str, remedy: str) -> dict[str, T]:
    """Decides which splits play which part: where there is none for the test, the validation split is it.

    Such a split, like Tiny ImageNet's, is evaluated once, after the last epoch.

    Args:
        found: What was found under the names "train", "validation" and "test".
        origin: Where, for messages.
        remedy: What to do about a training split that stands alone.

    Returns:
        "train" and "test", and "validation" if all three were found, in that order.

    Raises:
        DataError: There is no training split, or nothing beside it.
    """
    if "train" not in found:
        raise DataError(
            f"{origin} must have a split 'train'. Received: {' and '.join(sorted(found)) or 'none'}. Add it, or rename "
            "what is meant for training."
        )
    if len(found) == 1:
        raise DataError(f"{origin} must have a split 'test' or 'val' beside 'train'. Received: train alone. {remedy}")
    if "test" not in found:
        return {"train": found["train"], "test": found["validation"]}
    return {key: found[key] for key in ("train", "test", "validation") if key in found}
