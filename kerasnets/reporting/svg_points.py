"""Points as SVG: each trial of a search by time or cost, with the line of the best or of the Pareto front."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from kerasnets.reporting.captions import shorten
from kerasnets.reporting.svg import COLOURS, INK, WIDTH, per_cent_label, to_svg

# Where the values are so far apart that a logarithmic axis shows more of them.
_FAR_APART = 20


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points that belong together.

    Attributes:
        name: In the legend.
        place: Which colour; None is the colour of the text, faint.
        x: (n,) where.
        y: (n,) values; None puts them as crosses on the axis: they are there and have no value.
        size: Diameter.
        ring: Drawn as rings around others, to point at them.
    """

    name: str
    place: int | None
    x: Sequence[float]
    y: Sequence[float] | None
    size: float = 4.5
    ring: bool = False


@dataclass(frozen=True, kw_only=True)
class Steps:
    """A line that keeps each value until the next x."""

    name: str
    x: Sequence[float]
    y: Sequence[float]


def points_svg(
    groups: Sequence[Points], steps: Steps | None, *, name: str, x_label: str, y_label: str, per_cent: bool,
    far_apart: bool = False,
) -> str:  # fmt: skip
    """Draws points, and a line of steps if there is one.

    Args:
        groups: From back to front; empty ones are left out.
        steps: The line.
        name: Of the drawing, unique on its page.
        x_label: What stands across.
        y_label: What the values are.
        per_cent: Whether the values are shares.
        far_apart: Whether the axis across may be logarithmic, where the points are far apart.

    Returns:
        The SVG, see `svg.to_svg`.
    """
    groups = [group for group in groups if len(group.x)]
    rows = -(-(len(groups) + (steps is not None)) // 2)

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        if steps is not None:
            label = shorten(steps.name, 26)
            axes.step(steps.x, steps.y, "-", where="post", color=INK, linewidth=1.2, alpha=0.8, label=label)
        for group in groups:
            _draw_group(axes, group)
        across = [x for group in groups for x in group.x]
        if far_apart and across and min(across) > 0 and max(across) / min(across) > _FAR_APART:
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
            axes.xaxis.set_minor_locator(NullLocator())
            axes.xaxis.set_minor_formatter(NullFormatter())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 2.5, 5, 10]))
            axes.set_xlim(left=0)
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
        if per_cent:
            axes.yaxis.set_major_formatter(FuncFormatter(per_cent_label))
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        axes.grid()
        axes.set_axisbelow(True)
        if rows:
            figure.legend(loc="outside lower center", ncols=2, handlelength=1.6, columnspacing=1.2)

    return to_svg(draw, (WIDTH, 3.0 + 0.2 * rows), name, f"{y_label} by {x_label}")


def _draw_group(axes: Axes, group: Points) -> None:
    colour = INK if group.place is None else COLOURS[group.place % len(COLOURS)]
    label, size = shorten(group.name, 26), group.size
    if group.y is None:
        # A little above the axis, wherever that ends.
        y, across = np.full(len(group.x), 0.03), axes.get_xaxis_transform()
        axes.plot(group.x, y, "x", transform=across, color=colour, markersize=size, label=label, clip_on=False)
    elif group.ring:
        axes.plot(
            group.x,
            group.y,
            "o",
            color="none",
            markeredgecolor=colour,
            markersize=size,
            markeredgewidth=1.8,
            label=label,
        )
    else:
        alpha = 0.35 if group.place is None else 0.8
        axes.plot(group.x, group.y, "o", color=colour, markeredgewidth=0, markersize=size, alpha=alpha, label=label)
