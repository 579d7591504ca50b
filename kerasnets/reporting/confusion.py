"""The confusion matrix as a picture, readable with ten classes and with two hundred."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from kerasnets.reporting.captions import shorten, write_titles

ANNOTATED_CLASSES = 20  # with more, the cells leave no room for a number
_LABELLED_CLASSES = 250  # with more, only every second, third, ... name is written
_LISTED_CONFUSIONS = 30
_LEFT, _BELOW, _ABOVE, _BAR, _LIST = 1.9, 1.75, 0.75, 1.2, 4.6  # inches around the matrix


def confusion_figure(counts: np.ndarray, class_names: Sequence[str], summary: dict[str, Any]) -> Figure:
    """Draws a confusion matrix; colour is the share of the true class, so that small classes count as large ones.

    Args:
        counts: (classes, classes) integers, rows true, columns predicted.
        class_names: Names in index order.
        summary: Content of ``summary.json``.

    Returns:
        Figure that grows with the number of classes. Up to 20 classes the counts are in the cells; with more, the
        most frequent confusions are listed beside the matrix.
    """
    few = len(class_names) <= ANNOTATED_CLASSES
    side = _side(len(class_names))
    width, height = _LEFT + side + _BAR + (0 if few else _LIST), _BELOW + side + _ABOVE
    figure = Figure(figsize=(width, height), dpi=120)
    write_titles(figure, summary)
    # Placed by hand: automatic layouts leave a square picture in the middle of an empty page.
    axes = figure.add_axes((_LEFT / width, _BELOW / height, side / width, side / height))
    bar = figure.add_axes(
        ((_LEFT + side + 0.2) / width, (_BELOW + 0.2 * side) / height, 0.2 / width, 0.6 * side / height)
    )
    support = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, support, out=np.zeros(counts.shape), where=support > 0)
    # The square root keeps confusions of a few per cent visible beside a diagonal near one.
    image = axes.imshow(shares, cmap="Blues", norm=PowerNorm(0.5, 0, 1), interpolation="nearest")
    figure.colorbar(image, cax=bar, format=PercentFormatter(1.0), ticks=[0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1])
    bar.set_ylabel("share of the true class")
    _name_classes(axes, class_names, few)
    if few:
        _write_counts(axes, counts, shares)
    else:
        _list_confusions(axes, 72 * (_BAR + 0.2), counts, class_names)
    return figure


def _side(classes: int) -> float:
    """Inches: room for four digits in a cell or, without digits, for a small letter in a row."""
    if classes <= ANNOTATED_CLASSES:
        return max(5.0, 0.62 * classes)
    return max(9.0, 0.12 * min(classes, _LABELLED_CLASSES))


def _name_classes(axes: Axes, class_names: Sequence[str], few: bool) -> None:
    step = -(-len(class_names) // _LABELLED_CLASSES)
    places = range(0, len(class_names), step)
    names = [shorten(class_names[place], 16 if few else 20) for place in places]
    size = 10 if few else min(8.0, 72 * 0.75 * _side(len(class_names)) / len(names))
    axes.set_xticks(places, names, fontsize=size, parse_math=False)
    axes.set_yticks(places, names, fontsize=size, parse_math=False)
    axes.tick_params("x", rotation=45 if few else 90)
    if few:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.tick_params(length=2, pad=2)
    axes.set_xlabel("predicted", fontsize=11 if few else 16)
    axes.set_ylabel("true", fontsize=11 if few else 16)


def _write_counts(axes: Axes, counts: np.ndarray, shares: np.ndarray) -> None:
    size = 10 if counts.max() < 10_000 else 8
    for row, column in zip(*np.nonzero(counts), strict=True):
        # Above 0.3 the square-root scale is dark enough to need white letters.
        colour = "white" if shares[row, column] > 0.3 else "#222222"
        axes.text(column, row, f"{counts[row, column]}", ha="center", va="center", fontsize=size, color=colour)


def _list_confusions(axes: Axes, points_right: float, counts: np.ndarray, class_names: Sequence[str]) -> None:
    pairs = most_frequent_confusions(counts)
    style = {"xycoords": "axes fraction", "textcoords": "offset points", "parse_math": False}
    heading = "Most frequent confusions (true → predicted)" if pairs else "No mistakes."
    axes.annotate(heading, (1, 1), xytext=(points_right, -12), fontsize=11, fontweight="bold", **style)
    for row, (true, predicted) in enumerate(pairs):
        names = f"{shorten(class_names[true], 20)} → {shorten(class_names[predicted], 20)}"
        height = -36 - 15 * row
        number = str(counts[true, predicted])
        axes.annotate(number, (1, 1), xytext=(points_right + 26, height), fontsize=10, ha="right", **style)
        axes.annotate(names, (1, 1), xytext=(points_right + 36, height), fontsize=10, **style)


def most_frequent_confusions(counts: np.ndarray, at_most: int = _LISTED_CONFUSIONS) -> list[tuple[int, int]]:
    """Pairs (true, predicted) off the diagonal, most frequent first, equals in reading order; none that is zero."""
    mistakes = (counts - np.diag(np.diag(counts))).ravel()
    order = np.argsort(-mistakes, kind="stable")[:at_most]
    return [divmod(int(place), len(counts)) for place in order if mistakes[place]]
