"""Image files to the most probable classes: reading files of any kind safely, and a table of answers."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageOps

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import BatchedPredictor

# Pillow knows many more; some of them start other programs (EPS), none of them holds photographs.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000
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
    images = read_images(paths, predictor.image_shape)
    # A full batch for one photograph would make the first answer hundreds of times as slow.
    probabilities = np.exp(predictor.log_probabilities(images, batch_size=min(_BATCH, len(images))))
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    rows = [
        (str(path), rank + 1, predictor.class_names[index], float(row[index]))
        for path, row, best in zip(paths, probabilities, order, strict=True)
        for rank, index in enumerate(best)
    ]
    return pd.DataFrame(rows, columns=["file", "rank", "class", "probability"])


def read_images(paths: Sequence[str | Path], image_shape: Sequence[int]) -> np.ndarray:
    """Reads image files as a network takes them.

    EXIF orientation is honoured, transparent parts become white, 16-bit values keep their upper byte, colours become
    grey or grey becomes colour, and another size is scaled by bilinear interpolation. Of an animation the first image
    counts.

    Args:
        paths: Image files.
        image_shape: (height, width, 1 or 3).

    Returns:
        (n, height, width, channels) uint8.

    Raises:
        InputError: A file is missing, no image, damaged, or has more than 64 million pixels.
    """
    images = np.zeros((len(paths), *image_shape), np.uint8)
    for position, path in enumerate(paths):
        images[position] = _read(Path(path), image_shape)
    return images


def _read(path: Path, image_shape: Sequence[int]) -> np.ndarray:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"An image file was expected. Received: {path}, which {what}. Name image files.")
    try:
        with warnings.catch_warnings():
            # The check below is stricter than the size from which Pillow warns.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path, formats=FORMATS)
        with opened:
            if opened.width * opened.height <= MAX_PIXELS:
                return _convert(opened, image_shape)
            size = f"{opened.width}x{opened.height}"
    except Image.DecompressionBombError:
        size = "far more"
    except Exception as error:
        # Pillow's decoders raise almost anything on damaged bytes. Nothing goes on from here.
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"An image file was expected ({', '.join(FORMATS)}). Received: {path}: {reason}.") from error
    raise InputError(
        f"An image must have at most {MAX_PIXELS:,} pixels. Received: {path} with {size}. Make it smaller."
    )


def _convert(image: Image.Image, image_shape: Sequence[int]) -> np.ndarray:
    height, width, channels = image_shape
    image = _to_eight_bits(ImageOps.exif_transpose(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    image = image.convert("L" if channels == 1 else "RGB")
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(image).reshape(image_shape)


def _to_eight_bits(image: Image.Image) -> Image.Image:
    """Grey images of 16 bits to 8: Pillow's own conversion would cut all above 255 off."""
    if image.mode == "F":
        raise ValueError("its values are floats, convert it to 8 bits")
    if not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError("its values have 32 bits, convert it to 8 bits")
    return Image.fromarray((values.astype(np.uint16) >> 8).astype(np.uint8))
