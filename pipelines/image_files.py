"""Many image files to one array, decoded by several threads, and a list of those that cannot be used."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.cores import usable_cores
from pipelines.decode import BadImage, decode_image

# Files that a thread takes at a time: enough that handing them out costs nothing.
_PART = 64


@dataclass(frozen=True)
class BadFile:
    """A file that cannot be used; `kind` and `reason` are those of `BadImage`."""

    path: Path
    kind: str
    reason: str


def decode_files(
    paths: Sequence[Path], image_shape: Sequence[int], resize: str = "squash"
) -> tuple[np.ndarray, list[BadFile]]:
    """Reads image files into one array.

    Args:
        paths: The files.
        image_shape: (height, width, 1 or 3).
        resize: See `pipelines.decode.decode_image`.

    Returns:
        (len(paths), height, width, channels) uint8 in the order of `paths`, with zeros for files that cannot be used,
        and these files, in the same order.
    """
    images = np.zeros((len(paths), *image_shape), np.uint8)

    def read(start: int) -> list[BadFile]:
        bad = []
        for position in range(start, min(start + _PART, len(paths))):
            try:
                images[position] = decode_image(paths[position], image_shape, resize)
            except BadImage as problem:
                bad.append(BadFile(paths[position], problem.kind, problem.reason))
        return bad

    # Pillow's decoders leave Python to other threads while they work.
    with ThreadPoolExecutor(usable_cores()) as pool:
        parts = list(pool.map(read, range(0, len(paths), _PART)))
    return images, [file for part in parts for file in part]
