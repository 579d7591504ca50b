"""Small drawings as SVG, for pages light or dark: curves with bands, bars and points with intervals."""

import io
import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from kerasnets.reporting.captions import shorten

# Middle tones, which stand out from white and from black alike.
COLOURS = (
    "#3b82c4", "#d9822b", "#2f9e6e", "#c9504f", "#8f6bc9", "#9a7350", "#cf62a4", "#8a9a2c", "#1fa3b8", "#7f8790",
)  # fmt: skip
_STYLES = ("-", "--", ":", "-.")
MOST_POINTS = 120  # of a line; more are not seen in so small a drawing
LINES_IN_A_DRAWING = 8
# Stands for the colour of the text around the drawing, which no drawing can know.
INK = "#010203"
_RC = {
    "svg.fonttype": "none",  # text stays text: smaller, and it can be read aloud, searched and copied
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # a class may be called $5
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.formatter.use_mathtext": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": INK,
    "grid.alpha": 0.2,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
    "path.simplify_threshold": 0.2,
}
WIDTH = 4.7  # inches: at 400 pixels of a screen the letters keep their size


@dataclass(frozen=True, kw_only=True)
class Line:
    """A curve.

    Attributes:
        name: In the legend.
        place: Which colour; the same place is the same thing in all drawings of a page.
        x: (n,) epochs.
        y: (n,) values; those that are not finite are left out.
        low: (n,) lower edge of the band around the curve, if it has one.
        high: (n,) upper edge.
        marks: Points (x, y) to be held against the curve, such as published ones.
    """

    name: str
    place: int
    x: np.ndarray
    y: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    marks: Sequence[tuple[float, float]] = ()

    @property
    def has_points(self) -> bool:
        """Whether anything of it can be drawn."""
        return bool(np.isfinite(self.y).any()) or bool(self.marks)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A number with its interval, and the published one, each if there is one."""

    name: str
    place: int
    value: float | None
    interval: tuple[float, float] | None = None
    published: tuple[float, float] | None = None


def curves_svg(
    lines: Sequence[Line], *, name: str, y_label: str, per_cent: bool, limits: tuple[float, float] | None = None,
    mark_name: str = "published",
) -> str:  # fmt: skip
    """Draws curves over epochs, with the bands around them.

    Args:
        lines: The curves; none may be without points.
        name: Of the drawing, unique on its page.
        y_label: What the values are.
        per_cent: Whether they are shares.
        limits: Lowest and highest value on the axis, so that several drawings can be compared; else those drawn. The
            axis is logarithmic where they are no shares, positive and far apart.
        mark_name: What the marks are called in the legend.

    Returns:
        The SVG, see `to_svg`.
    """
    entries = len(lines) + any(line.marks for line in lines)
    rows = -(-entries // 2) if entries > 1 else 0  # the axis names a single curve

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        for line in lines:
            _draw_line(axes, line)
        if any(line.marks for line in lines):
            axes.plot([], [], "D", color="none", markeredgecolor=INK, markersize=5, label=mark_name)
        _scale(axes, limits or value_limits(lines) or (0.0, 1.0), logarithmic=not per_cent)
        if per_cent:
            axes.yaxis.set_major_formatter(FuncFormatter(per_cent_label))
        axes.set_xlabel("epoch")
        axes.set_ylabel(y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, nbins=7))
        axes.grid()
        if rows:
            figure.legend(loc="outside lower center", ncols=2, handlelength=1.6, columnspacing=1.2)

    return to_svg(draw, (WIDTH, 3.0 + 0.2 * rows), name, f"{y_label} by epoch")


def _draw_line(axes: Axes, line: Line) -> None:
    kept = np.flatnonzero(np.isfinite(line.y))
    if len(kept) > MOST_POINTS:
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, MOST_POINTS).round().astype(int))]
    colour = COLOURS[line.place % len(COLOURS)]
    style = _STYLES[line.place // len(COLOURS) % len(_STYLES)]
    marker = "o" if len(kept) == 1 else None
    label = shorten(line.name, 26)
    axes.plot(line.x[kept], line.y[kept], style, marker=marker, markersize=4, color=colour, linewidth=1.6, label=label)
    if line.low is not None:
        axes.fill_between(line.x[kept], line.low[kept], line.high[kept], color=colour, alpha=0.2, linewidth=0)
    for x, y in line.marks:
        axes.plot(x, y, "D", color="none", markeredgecolor=colour, markersize=5, markeredgewidth=1.3)


def value_limits(lines: Sequence[Line]) -> tuple[float, float] | None:
    """Lowest and highest finite value of curves, their bands and marks; None without one."""
    parts = [
        np.asarray(part, np.float64) for line in lines for part in (line.y, line.low, line.high) if part is not None
    ]
    values = np.concatenate([*parts, [y for line in lines for _, y in line.marks]])
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if len(values) else None


def per_cent_label(value: float, place: int | None = None) -> str:
    """A share as the label of a tick."""
    return f"{100 * value:g} %"


def shared_out(lines: Sequence[Line]) -> list[Sequence[Line]]:
    """Many curves in parts of about the same size, each for a drawing of its own."""
    drawings = -(-len(lines) // LINES_IN_A_DRAWING)
    each = -(-len(lines) // max(1, drawings))
    return [lines[number * each : (number + 1) * each] for number in range(drawings)]


def _scale(axes: Axes, limits: tuple[float, float], logarithmic: bool) -> None:
    low, high = limits
    if logarithmic and low > 0 and high / low > 50:
        axes.set_yscale("log")
        axes.set_ylim(low / 1.2, high * 1.2)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif high > low:
        axes.set_ylim(low - 0.04 * (high - low), high + 0.04 * (high - low))


def bars_svg(bars: Sequence[Bar], *, name: str, x_label: str, from_zero: bool) -> str:
    """Draws shares as bars, or as points where they need not begin at zero, with intervals and published numbers.

    Args:
        bars: From top to bottom.
        name: Of the drawing, unique on its page.
        x_label: What the numbers are.
        from_zero: Bars from zero; else points on an axis that shows only where they are.

    Returns:
        The SVG, see `to_svg`.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        places = np.arange(len(bars))
        for place, bar in zip(places, bars, strict=True):
            _draw_bar(axes, place, bar, from_zero)
        if any(bar.published for bar in bars):
            axes.plot([], [], "D", color="none", markeredgecolor=INK, markersize=6, label="published")
            figure.legend(loc="outside lower center")
        axes.set_yticks(places, [shorten(bar.name, 26) for bar in bars])
        axes.set_ylim(len(bars) - 0.4, -0.6)
        if from_zero:
            axes.set_xlim(left=0)
        axes.margins(x=0.05)
        axes.xaxis.set_major_formatter(FuncFormatter(per_cent_label))
        axes.set_xlabel(x_label)
        axes.tick_params("y", length=0)
        axes.grid(axis="x")
        axes.set_axisbelow(True)

    return to_svg(draw, (WIDTH + 0.5, 0.9 + 0.27 * len(bars)), name, x_label)


def _draw_bar(axes: Axes, place: int, bar: Bar, from_zero: bool) -> None:
    colour = COLOURS[bar.place % len(COLOURS)]
    if bar.value is not None:
        if from_zero:
            axes.barh(place, bar.value, height=0.62, color=colour, alpha=0.5)
        else:
            axes.plot(bar.value, place, "o", color=colour, markersize=5)
        # In a column of its own: beside the bar it would be read as the published number.
        text, beside = f"{100 * bar.value:.2f} %", axes.get_yaxis_transform()
        axes.text(1.02, place, text, transform=beside, va="center", fontsize=9)
    if bar.interval:
        axes.plot(bar.interval, [place, place], "-", color=colour, linewidth=2.2, solid_capstyle="butt")
    if bar.published:
        low, high = bar.published
        if high > low:
            axes.plot([low, high], [place, place], "-", color=INK, linewidth=1)
        axes.plot(bar.published, [place] * 2, "D", color="none", markeredgecolor=INK, markersize=6, markeredgewidth=1.2)


def to_svg(draw: Callable[[Figure], None], size: tuple[float, float], name: str, label: str) -> str:
    """Runs a function that draws on an empty figure, and returns the figure as an SVG element.

    Args:
        draw: Gets the figure.
        size: Width and height in inches.
        name: Of the drawing, unique on its page, from which the names inside it are made.
        label: What it is, for those who cannot see it.

    Returns:
        ``<svg ...>...</svg>`` with a transparent ground and the colour of the text around it, of the same bytes for the
        same drawing. It holds no names but escaped ones.
    """
    buffer = io.StringIO()
    with matplotlib.rc_context(_RC | {"svg.hashsalt": name}), warnings.catch_warnings():
        # A name in a script that the font lacks is measured wrongly and shown well: the reader's own font draws it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        # So is a name that leaves no room for the curves; they are drawn all the same.
        warnings.filterwarnings("ignore", message="constrained_layout not applied")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return _for_a_page(buffer.getvalue(), label)


def _for_a_page(text: str, label: str) -> str:
    """Strips what only a file of its own needs, and lets the page decide about colour and font."""
    text = text[text.index("<svg") :].rstrip()
    head, body = text.split(">", 1)
    view = re.search(r'viewBox="[^"]*"', head)[0]
    # The style is written below as attributes: in a page it would be the whole page's.
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]*>", lambda tag: _smaller(tag[0]), body)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {view} role="img" '
        f'aria-label="{escape(label)}" font-family="system-ui, sans-serif" stroke-linejoin="round">'
        + re.sub(r"\n\s*", "\n", body)
    )


def _smaller(tag: str) -> str:
    """One tag, in which all text is ours: names stand between tags."""
    tag = re.sub(rf"(fill|stroke): {INK}", r"\1: currentColor", tag)
    tag = re.sub(r" font-family: [^;\"]*;| transform=\"rotate\(-0 [^\"]*\)\"", "", tag)
    # The names of groups, which nothing refers to, would be the same in all drawings of a page.
    tag = re.sub(r'^<g id="[^"]*"', "<g", tag)
    return re.sub(r"-?\d+\.\d{2,}", lambda number: f"{float(number[0]):.1f}".removesuffix(".0"), tag)


def standalone(svg: str, marker: str) -> str:
    """The drawing as a file of its own, with ink for light and dark grounds."""
    style = "<style>svg{color:#1f2328}@media(prefers-color-scheme:dark){svg{color:#e6edf3}}</style>"
    head, body = svg.split(">", 1)
    # Without a size of its own it would be as wide as whatever shows it.
    width, height = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', head).groups()
    head += f' width="{width}" height="{height}"'
    return f'<?xml version="1.0" encoding="utf-8"?>\n{marker}\n{head}>{style}{body}\n'
