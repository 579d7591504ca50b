"""Image files to the most probable classes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import BatchedPredictor
from pipelines.decode import FORMATS, BadImage, decode_image

_BATCH = 250


def predict(predictor: BatchedPredictor, paths: Sequence[str | Path], top: int = 3) -> pd.DataFrame:
    """Classifies image files.

    Args:
        predictor: Live, restored or exported network.
        paths: Image files.
        top: Number of classes for each file; more than there are means all.

    Returns:
        One row per file and rank, with the columns file, rank (from 1), class, probability.

    Raises:
        InputError: No file was given, one cannot be read, or ``top`` is below 1.
    """
    if top < 1:
        raise InputError(f"top must be at least 1. Received: {top}. Ask for one class or more.")
    if not paths:
        raise InputError("At least one image file was expected. Received: none. Name the files to classify.")
    images = read_images(paths, predictor.image_shape, predictor.resize)
    # A full batch for one photograph would make the first answer hundreds of times as slow.
    probabilities = np.exp(predictor.log_probabilities(images, batch_size=min(_BATCH, len(images))))
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    rows = [
        (str(path), rank + 1, predictor.class_names[index], float(row[index]))
        for path, row, best in zip(paths, probabilities, order, strict=True)
        for rank, index in enumerate(best)
    ]
    return pd.DataFrame(rows, columns=["file", "rank", "class", "probability"])


def read_images(paths: Sequence[str | Path], image_shape: Sequence[int], resize: str = "squash") -> np.ndarray:
    """Reads image files as a network takes them.

    Args:
        paths: Image files.
        image_shape: (height, width, 1 or 3).
        resize: What becomes of other sizes, see `pipelines.decode.decode_bytes`.

    Returns:
        (n, height, width, channels) uint8.

    Raises:
        InputError: A file is missing, no image, damaged, or has more than 64 million pixels.
    """
    images = np.zeros((len(paths), *image_shape), np.uint8)
    for position, path in enumerate(paths):
        try:
            images[position] = decode_image(path, image_shape, resize)
        except BadImage as bad:
            raise InputError(
                f"An image file was expected ({', '.join(FORMATS)}). Received: {path}: {bad.reason}. "
                "Name files that hold images."
            ) from bad
    return images
