"""Names of data sets that carry a place, such as ``folder:PATH``: their kinds, and a short name for files and tables."""

import re
from pathlib import PurePath

# What may stand before the colon, and what stands behind it.
KINDS = {
    "folder": "PATH",
    "csv": "FILE",
    "npz": "FILE",
    "tfds": "NAME",
}


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
    last = PurePath(rest).stem if kind in ("csv", "npz") else PurePath(rest).name if kind == "folder" else rest
    safe = re.sub(r"[^\w.-]+", "_", last)[:80].strip("._")
    return f"{kind}-{safe or 'data'}"
