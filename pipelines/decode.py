"""One image file to pixels: checked before it is decoded, turned upright, converted and resized as Pillow does it."""

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

# Pillow knows many more; some of them start other programs (EPS), none of them holds photographs.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
MAX_PIXELS = 64_000_000


class BadImage(Exception):
    """A file that cannot be used as an image.

    Attributes:
        kind: "missing", "folder", "unreadable", "empty", "no image", "too large" or "damaged".
        reason: In words, for example ``"image file is truncated (5 bytes not processed)"``.
    """

    def __init__(self, kind: str, reason: str):
        super().__init__(reason)
        self.kind, self.reason = kind, reason


def decode_image(path: str | Path, image_shape: Sequence[int], resize: str = "squash") -> np.ndarray:
    """Reads an image file into an array of a given shape.

    EXIF orientation is honoured, transparent parts become white, 16-bit values keep their upper byte, colours become
    grey by luma and grey becomes colour. Of an animation the first image counts. The number of pixels is read from the
    header, before anything is decoded.

    Args:
        path: The file; what it is, is told by its content, not by its name.
        image_shape: (height, width, 1 or 3).
        resize: What becomes of an image of another size: "squash" stretches it; "crop" scales it until it covers the
            new size and cuts out the middle; "pad" scales it until it fits, with black around it. All of them scale
            bilinearly, with antialiasing.

    Returns:
        Array of `image_shape`, uint8.

    Raises:
        BadImage: The file cannot be used.
    """
    height, width, channels = image_shape
    with _open(Path(path)) as image:
        if image.width * image.height > MAX_PIXELS:
            raise BadImage("too large", f"{image.width}x{image.height} pixels, more than {MAX_PIXELS:,}")
        try:
            image = _resize(_convert(image, channels), (width, height), resize)
        except Exception as error:
            # Pillow's decoders raise almost anything on damaged bytes. Nothing goes on from here.
            raise BadImage("damaged", _words(error)) from error
    return np.asarray(image).reshape(image_shape)


def fit_array(image: np.ndarray, image_shape: Sequence[int], resize: str = "squash") -> np.ndarray:
    """Brings an image that is in memory to a given shape, as `decode_image` does with a file that holds it.

    Args:
        image: (height, width) or (height, width, 1, 3 or 4) uint8; with 4 channels the last is the opacity.
        image_shape: (height, width, 1 or 3) of the result.
        resize: See `decode_image`.

    Returns:
        Array of `image_shape`, uint8.
    """
    height, width, channels = image_shape
    pixels = Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[-1] == 1 else image)
    return np.asarray(_resize(_convert(pixels, channels), (width, height), resize)).reshape(image_shape)


def _open(path: Path) -> Image.Image:
    try:
        size = os.stat(path).st_size
        if path.is_dir():
            raise BadImage("folder", "it is a folder")
        if not size:
            raise BadImage("empty", "it holds 0 bytes")
        with warnings.catch_warnings():
            # The check of MAX_PIXELS is stricter than the size from which Pillow warns.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=FORMATS)
    except FileNotFoundError as error:
        raise BadImage("missing", "it does not exist") from error
    except Image.DecompressionBombError as error:
        raise BadImage("too large", f"more than {MAX_PIXELS:,} pixels") from error
    except Image.UnidentifiedImageError as error:
        raise BadImage("no image", f"it is none of {', '.join(FORMATS)}") from error
    except OSError as error:  # permissions, loops of links, a disk that fails; or a header that Pillow chokes on
        raise BadImage("unreadable" if error.errno else "damaged", error.strerror or _words(error)) from error
    except (SyntaxError, ValueError, EOFError) as error:
        raise BadImage("damaged", _words(error)) from error


def _words(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _convert(image: Image.Image, channels: int) -> Image.Image:
    image = _to_eight_bits(ImageOps.exif_transpose(image))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("L" if channels == 1 else "RGB")


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


def _resize(image: Image.Image, size: tuple[int, int], resize: str) -> Image.Image:
    if image.size == size:
        return image
    bilinear = Image.Resampling.BILINEAR
    if resize == "crop":
        return ImageOps.fit(image, size, bilinear)
    if resize == "pad":
        return ImageOps.pad(image, size, bilinear)
    return image.resize(size, bilinear)
