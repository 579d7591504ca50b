"""`Page`: what a report says, in blocks, and the one file of HTML that shows it without loading anything."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from kerasnets.errors import InputError
from kerasnets.runs.files import write_text_atomic

if TYPE_CHECKING:
    from jinja2 import Template

# In the first lines of every report: only a file that has it is ever written over.
MARKER = "<!-- kerasnets report -->"
GOOD, BAD, OFF, OPEN = "good", "bad", "off", "open"  # tones of a badge; the word says the same without colour


@dataclass(frozen=True)
class Badge:
    """A word in a coloured frame.

    Attributes:
        word: Such as ``REPRODUCED``.
        tone: ``good``, ``bad``, ``off`` (not as it should be) or ``open`` (not known).
    """

    word: str
    tone: str

    def __str__(self) -> str:
        return self.word


@dataclass(frozen=True)
class Text:
    """A paragraph; ``tone`` is empty, ``muted``, ``warning`` (in a frame) or ``shout`` (in large letters)."""

    kind: ClassVar[str] = "text"
    text: str
    tone: str = ""


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class Code:
    """What is typed on a command line."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Tally:
    """How many of each: a line of badges behind a name, with their counts if they have any."""

    kind: ClassVar[str] = "tally"
    name: str
    counts: Sequence[Badge | tuple[int, Badge]]


@dataclass(frozen=True)
class Column:
    """A column of a table; numbers stand to the right and are not folded."""

    name: str
    number: bool = False


@dataclass(frozen=True)
class TableRow:
    """A row of a table, with a sentence below it if there is more to say."""

    cells: Sequence[str | Badge]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """A table that scrolls in a box of its own where it is too wide."""

    kind: ClassVar[str] = "table"
    columns: Sequence[Column]
    rows: Sequence[TableRow]
    caption: str = ""


@dataclass(frozen=True)
class Figure:
    """A drawing: its file name without suffix, the SVG of `svg.to_svg`, and what it shows."""

    name: str
    svg: str
    caption: str


@dataclass(frozen=True)
class Figures:
    """Drawings side by side, as many in a line as there is room for; ``wide`` ones are given more."""

    kind: ClassVar[str] = "figures"
    figures: Sequence[Figure]
    wide: bool = False


@dataclass(frozen=True)
class Picture:
    """An image in the page itself: the bytes of a PNG file, and what it shows."""

    kind: ClassVar[str] = "picture"
    png: bytes
    caption: str

    @property
    def address(self) -> str:
        """The image as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.png).decode()


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: (classes, classes) counts, rows true, columns predicted, and the names in index order."""

    kind: ClassVar[str] = "matrix"
    counts: np.ndarray
    class_names: Sequence[str]

    @property
    def lines(self) -> list[tuple[str, list[tuple[int, str]]]]:
        """For each true class its name and, for each predicted one, the count and how dark it is drawn (0 to 1)."""
        support = self.counts.sum(axis=1, keepdims=True)
        shares = np.divide(self.counts, support, out=np.zeros(self.counts.shape), where=support > 0)
        # The square root keeps confusions of a few per cent visible beside a diagonal near one.
        shades = np.sqrt(shares)
        return [
            (name, [(int(count), f"{shade:.2f}") for count, shade in zip(counts, row, strict=True)])
            for name, counts, row in zip(self.class_names, self.counts, shades, strict=True)
        ]


@dataclass(frozen=True)
class Fold:
    """Blocks that are shown when their headline is clicked."""

    kind: ClassVar[str] = "fold"
    headline: str
    blocks: Sequence["Block"]
    badges: Sequence[Badge | tuple[int, Badge]] = ()
    note: str = ""
    open: bool = False


Block = Text | Bullets | Code | Tally | Table | Figures | Picture | Matrix | Fold


@dataclass(frozen=True)
class Section:
    """A part of a page with a headline of its own."""

    title: str
    blocks: Sequence[Block]

    @property
    def anchor(self) -> str:
        """The name by which the head of the page links to it."""
        return "-".join("".join(letter if letter.isalnum() else " " for letter in self.title.lower()).split())


@dataclass(frozen=True)
class Page:
    """A report: its title, a sentence below it, what comes before the sections, and the sections."""

    title: str
    lead: str
    head: Sequence[Block]
    sections: Sequence[Section]


def to_html(page: Page) -> str:
    """The page as one self-contained file: styles and drawings are in it, nothing is loaded, no script runs.

    All text is escaped; what is not are the drawings, whose text `svg.to_svg` has escaped.
    """
    return _template("page.html").render(page=page, marker=MARKER)


@cache
def _template(name: str) -> "Template":
    loader = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template(name)


def write_report_file(path: str | Path, text: str) -> Path:
    """Writes a report, whole or not at all, in the place of an older one.

    Raises:
        InputError: Something that is no report of ours has that name.
        OSError: It cannot be written.
    """
    check_report_path(path)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(path, text)
    return Path(path)


def check_report_path(path: str | Path) -> None:
    """Raises an `InputError` if something that is no report of ours would be written over."""
    path = Path(path)
    if path.is_file():
        with path.open("rb") as file:
            if MARKER.encode() in file.read(500):
                return
    if path.exists() or path.is_symlink():
        raise InputError(
            f"{path} must be free or an older report, to be written over. Received: something else. Move it away or "
            "name another file."
        )


def table(columns: Mapping[str, bool] | Sequence[Column], rows: Sequence[Sequence[str | Badge]], caption: str = ""):
    """A table of rows without notes; ``columns`` maps names to whether they hold numbers."""
    if isinstance(columns, Mapping):
        columns = [Column(name, number) for name, number in columns.items()]
    return Table(columns, [TableRow(row) for row in rows], caption)
