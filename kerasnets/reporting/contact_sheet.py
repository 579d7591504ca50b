"""Sheets of images to look at: some of every class, and one image as each augmentation changes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from kerasnets.errors import InputError
from kerasnets.reporting.captions import shorten
from kerasnets.reporting.figures import save_figure

IMAGES_PER_ROW = 8
# A sheet has up to two columns of this many rows; more classes go to further sheets, up to a number that one can look
# through.
ROWS_PER_COLUMN = 20
MAX_SHEETS = 10
_DPI = 100
# In pixels of the sheet: small images are enlarged up to the one side, large ones reduced to the other; then the gap
# between images, the words on the left of a row, the headline.
_ENLARGED, _REDUCED, _GAP, _WORDS, _HEAD = 96, 128, 4, 190, 44


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet: its name, a word below it, and images of one shape, (n, height, width, 1 or 3) uint8."""

    name: str
    note: str
    images: np.ndarray


def save_sheet(figure: Figure, path: str | Path) -> Path:
    """Writes a sheet as PNG, in the place of an older one.

    Raises:
        InputError: Something that is no PNG has that name.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() and _is_png(path)):
        raise InputError(
            f"{path} must be free or an older sheet, to be written over. Received: something that is no PNG file. "
            "Move it away or name another folder."
        )
    return save_figure(figure, path)


def _is_png(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(8) == b"\x89PNG\r\n\x1a\n"


def contact_sheets(images: np.ndarray, labels: np.ndarray, class_names: Sequence[str], title: str) -> Iterator[Figure]:
    """Draws some images of each class, class by class.

    Args:
        images: (n, height, width, 1 or 3) uint8.
        labels: (n,) integers, positions in `class_names`.
        class_names: The classes in label order.
        title: What the images are, for the headline.

    Yields:
        Sheets of up to 40 classes with up to 8 images each, evenly spaced over those of the class, and at most 10
        sheets.
    """
    per_sheet = 2 * ROWS_PER_COLUMN
    sheets = min(MAX_SHEETS, -(-len(class_names) // per_sheet))
    # One sort in place of a search for each class.
    order = np.argsort(labels, kind="stable")
    ends = np.searchsorted(labels[order], np.arange(len(class_names) + 1))
    for sheet in range(sheets):
        first, last = sheet * per_sheet, min((sheet + 1) * per_sheet, len(class_names))
        rows = []
        for label in range(first, last):
            own = order[ends[label] : ends[label + 1]]
            note = f"{len(own):,} image{'' if len(own) == 1 else 's'}"
            rows.append(SheetRow(class_names[label], note, images[own[_evenly(len(own))]]))
        which = f"classes {first + 1:,} to {last:,} of {len(class_names):,}"
        yield sheet_figure(rows, title if len(rows) == len(class_names) else f"{title} · {which}")


def augmentation_sheet(
    original: np.ndarray, partner: np.ndarray, examples: Mapping[str, np.ndarray], title: str
) -> Figure:
    """Draws one image as each augmentation changes it.

    Args:
        original: (height, width, 1 or 3) uint8.
        partner: Like `original`; what it is mixed with, drawn beside it.
        examples: For the name of each augmentation what it makes of the image, (n, height, width, 1 or 3) uint8.
        title: For the headline.
    """
    first = SheetRow("original", "beside what it is mixed with", np.stack([original, partner]))
    return sheet_figure([first, *(SheetRow(name, "", changed) for name, changed in examples.items())], title)


def sheet_figure(rows: Sequence[SheetRow], title: str) -> Figure:
    """Draws rows of images with their names, in two columns when there are many.

    Args:
        rows: At least one, with images of one shape.
        title: The headline.

    Returns:
        Figure in which small images keep their pixels, each drawn as a square of several.
    """
    tile_height, tile_width = _tile_size(*rows[0].images.shape[1:3])
    columns = 1 if len(rows) <= ROWS_PER_COLUMN else 2
    per_column = -(-len(rows) // columns)
    row_images = max(1, max(len(row.images) for row in rows))
    pitch_x, pitch_y = tile_width + _GAP, max(tile_height, 30) + _GAP
    column_width = _WORDS + row_images * pitch_x + 2 * _GAP
    sheet = np.full((_HEAD + per_column * pitch_y + _GAP, columns * column_width, 3), 255, np.uint8)
    height, width = sheet.shape[:2]
    figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI)
    _write(figure, 2 * _GAP, _HEAD / 2, width, shorten(title, width // 10), {"fontsize": 11, "fontweight": "bold"})
    for place, row in enumerate(rows):
        column, line = divmod(place, per_column)
        left, top = column * column_width, _HEAD + line * pitch_y
        for position, image in enumerate(row.images):
            x = left + _WORDS + position * pitch_x
            sheet[top : top + tile_height, x : x + tile_width] = _tile(image, (tile_height, tile_width))
        start, end, middle = left + 2 * _GAP, left + _WORDS - _GAP, top + tile_height / 2
        _write(figure, start, middle - (7 if row.note else 0), end, shorten(row.name, 25), {"fontsize": 9})
        _write(figure, start, middle + 9, end, row.note, {"fontsize": 7.5, "color": "#777777"})
    # Pixel for pixel: nothing is scaled once more.
    figure.figimage(sheet, origin="upper")
    return figure


def _evenly(n: int) -> np.ndarray:
    """Up to `IMAGES_PER_ROW` positions, evenly spaced over n: neighbours in a folder are often much alike."""
    return np.arange(min(n, IMAGES_PER_ROW)) * n // max(1, min(n, IMAGES_PER_ROW))


def _tile_size(height: int, width: int) -> tuple[int, int]:
    """The size at which images are drawn: a whole multiple of a small one's own, at most `_REDUCED` for a large one."""
    side = max(height, width)
    if side <= _REDUCED:
        times = max(1, _ENLARGED // side)
        return height * times, width * times
    return max(1, round(height * _REDUCED / side)), max(1, round(width * _REDUCED / side))


def _tile(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The image as (height, width, 3) of that size."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image).convert("RGB")
    smooth = Image.Resampling.NEAREST if size[0] >= image.shape[0] else Image.Resampling.BOX
    return np.asarray(picture.resize(size[::-1], smooth))


def _write(figure: Figure, x: float, y: float, end: float, text: str, style: dict) -> None:
    """Writes a line at pixels from the sheet's upper left corner; what would reach past `end` is cut off."""
    width, height = figure.get_size_inches() * _DPI
    line = figure.text(x / width, 1 - y / height, text, ha="left", va="center", parse_math=False, **style)
    line.set_clip_path(Rectangle((0, 0), end / width, 1, transform=figure.transFigure))
