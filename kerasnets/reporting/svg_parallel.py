"""Parallel coordinates as SVG: each choice of a search is an axis, each trial a line through what it chose."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasnets.reporting.captions import shorten
from kerasnets.reporting.svg import COLOURS, INK, WIDTH, to_svg

# Up to so many different numbers stand side by side as choices; more are a scale.
_CHOICES = 6
_MOST_LABELS = 8
_LETTERS = 46  # that fit across
_FAR_APART = 10
_NOT_USED, _ASIDE = 1.17, 0.06  # where lines pass an axis that their trial did not use, and half the width there
_BAND = 0.36  # below each axis, kept free of lines for the labels
_NAMES = 20  # letters


@dataclass(frozen=True, kw_only=True)
class ParallelAxis:
    """One choice.

    Attributes:
        name: What was chosen.
        values: By each trial, None where the choice was not in use.
        per_cent: Whether the numbers are shares.
        is_result: Whether this is what came of the trials: numbers on a scale, however few they are.
    """

    name: str
    values: Sequence[Any]
    per_cent: bool = False
    is_result: bool = False


@dataclass(frozen=True, kw_only=True)
class Scale:
    """An axis laid out.

    Attributes:
        places: (trials,) in [0, 1] from left to right, NaN where the choice was not in use.
        ticks: Places and labels.
    """

    places: np.ndarray
    ticks: list[tuple[float, str]]


def lay_out(axis: ParallelAxis) -> Scale:
    """Where the trials pass an axis: choices in even distances, numbers on a scale, logarithmic if far apart."""
    used = [value for value in axis.values if value is not None]
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in used)
    different = sorted(set(used)) if numbers else sorted({_label(value, axis.per_cent) for value in used})
    if numbers and (len(different) > _CHOICES or (axis.is_result and len(different) > 1)):
        return _on_a_scale(axis, sorted(used))
    spots = {value: (number + 0.5) / len(different) for number, value in enumerate(different)}
    keys = [value if numbers or value is None else _label(value, axis.per_cent) for value in axis.values]
    labelled = different if len(different) <= _MOST_LABELS else [different[0], different[-1]]
    room = max(3, _LETTERS // max(1, len(labelled)) - 2)
    ticks = [(spots[value], shorten(_label(value, axis.per_cent), room)) for value in labelled]
    return Scale(places=_side_by_side(keys, spots), ticks=ticks)


def _side_by_side(keys: Sequence[Any], spots: dict[Any, float]) -> np.ndarray:
    """Lines with the same choice beside each other, so that their number is seen."""
    places = np.full(len(keys), np.nan)
    for key, spot in spots.items():
        members = [number for number, own in enumerate(keys) if own is not None and own == key]
        width = 0.5 / len(spots) * min(1.0, len(members) / 12)
        places[members] = spot + (np.linspace(-0.5, 0.5, len(members)) * width if len(members) > 1 else 0)
    return places


def _on_a_scale(axis: ParallelAxis, used: Sequence[float]) -> Scale:
    low, half, high = used[0], used[len(used) // 2], used[-1]
    # Half of the numbers lie below the one, or the other, when they were drawn from a scale of that kind.
    even = (low + high) / 2
    logarithmic = low > 0 and high / low > _FAR_APART and half < (math.sqrt(low * high) + even) / 2
    bend, middle = (math.log, math.sqrt(low * high)) if logarithmic else (float, even)
    start, length = bend(low), bend(high) - bend(low)
    places = [np.nan if value is None else (bend(value) - start) / length for value in axis.values]
    ticks = [(0.0, low), ((bend(middle) - start) / length, middle), (1.0, high)]
    return Scale(places=np.array(places), ticks=[(place, _label(value, axis.per_cent)) for place, value in ticks])


def _label(value: Any, per_cent: bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int | float):
        return f"{100 * value:.1f} %" if per_cent else f"{value:.3g}" if isinstance(value, float) else str(value)
    return str(value)


def parallel_svg(axes: Sequence[ParallelAxis], highlighted: Sequence[bool], *, name: str, label: str) -> str:
    """Draws trials as lines through axes that lie below each other, which fits a telephone too.

    Args:
        axes: From top to bottom, at least two, each with a value for every trial.
        highlighted: Which trials stand out.
        name: Of the drawing, unique on its page.
        label: What it shows.

    Returns:
        The SVG, see `svg.to_svg`.
    """
    scales = [lay_out(axis) for axis in axes]
    places = np.stack([scale.places for scale in scales])
    gaps = np.isnan(places).any(axis=1)
    unused = np.linspace(_NOT_USED - _ASIDE, _NOT_USED + _ASIDE, places.shape[1])
    places = np.where(np.isnan(places), unused, places)
    # From below the labels of an axis down to the next axis; over the labels nothing is drawn (NaN).
    starts, ends = np.arange(len(axes) - 1) + _BAND, np.arange(1.0, len(axes))
    heights = np.stack([starts, ends, np.full(len(starts), np.nan)], axis=1).ravel()
    order = sorted(range(places.shape[1]), key=lambda trial: highlighted[trial])

    def draw(figure: Figure) -> None:
        plot = figure.subplots()
        plot.axis("off")
        for trial in order:
            colour, alpha, width = (COLOURS[1], 0.9, 1.5) if highlighted[trial] else (INK, 0.2, 0.7)
            across = np.stack([places[:-1, trial], places[1:, trial], ends], axis=1).ravel()
            plot.plot(across, heights, "-", color=colour, alpha=alpha, linewidth=width)
        for height, (axis, scale, gap) in enumerate(zip(axes, scales, gaps, strict=True)):
            _draw_axis(plot, height, axis, scale)
            if gap:
                plot.plot([_NOT_USED - _ASIDE, _NOT_USED + _ASIDE], [height, height], "-", color=INK, linewidth=0.9)
                plot.text(_NOT_USED, height + 0.08, "not used", ha="center", va="top", fontsize=9)
        plot.set_xlim(-0.02, _NOT_USED + _ASIDE + 0.03 if gaps.any() else 1.02)
        plot.set_ylim(len(axes) - 0.5, -0.2)

    return to_svg(draw, (WIDTH, 0.2 + 0.58 * len(axes)), name, label)


def _draw_axis(plot: Axes, height: float, axis: ParallelAxis, scale: Scale) -> None:
    plot.plot([0, 1], [height, height], "-", color=INK, linewidth=0.9)
    beside = plot.get_yaxis_transform()
    plot.text(-0.02, height, shorten(axis.name, _NAMES), transform=beside, ha="right", va="center", fontsize=9.5)
    for place, text in scale.ticks:
        side = "left" if place == 0 else "right" if place == 1 else "center"
        plot.plot([place, place], [height - 0.05, height + 0.05], "-", color=INK, linewidth=0.9)
        plot.text(place, height + 0.08, text, ha=side, va="top", fontsize=9)
