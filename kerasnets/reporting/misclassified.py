"""The most confident mistakes, as images with true and predicted names."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from kerasnets.reporting.captions import run_caption, shorten

SHOWN = 24
_COLUMNS = 6
_CELL, _WORDS, _HEAD, _GAP = 1.9, 0.72, 0.75, 0.14  # inches: an image, the words under it, the headline, a margin


def misclassified_figure(
    images: np.ndarray,
    labels: np.ndarray,
    log_probabilities: np.ndarray,
    class_names: Sequence[str],
    summary: dict[str, Any],
) -> Figure:
    """Draws the mistakes that the network was surest of.

    Args:
        images: (n, height, width, 1 or 3) uint8.
        labels: (n,) integers.
        log_probabilities: (n, classes) float32.
        class_names: Names in index order.
        summary: Content of ``summary.json``.

    Returns:
        Figure of up to 24 images, surest first; without mistakes it says so.
    """
    worst, mistakes = most_confident_mistakes(labels, log_probabilities)
    rows = max(1, -(-len(worst) // _COLUMNS))
    width, height = _COLUMNS * (_CELL + _GAP) + _GAP, rows * (_CELL + _WORDS) + _HEAD
    figure = Figure(figsize=(width, height), dpi=120)
    headline = _headline(len(worst), mistakes, len(labels), summary)
    figure.text(0.5, 1 - 0.1 / height, headline, fontsize=13, ha="center", va="top", parse_math=False)
    if not mistakes:
        figure.text(0.5, 0.4, "No mistakes.", ha="center", va="center", fontsize=24, color="#444444")
    for place, index in enumerate(worst):
        row, column = divmod(place, _COLUMNS)
        left, top = _GAP + column * (_CELL + _GAP), _HEAD + row * (_CELL + _WORDS)
        # Placed by hand: automatic layouts make columns as wide as their longest name.
        box = (left / width, 1 - (top + _CELL) / height, _CELL / width, _CELL / height)
        axes = figure.add_axes(box)
        axes.axis("off")
        predicted = int(log_probabilities[index].argmax())
        _show(axes, images[index])
        _explain(axes, class_names[labels[index]], class_names[predicted], log_probabilities[index, predicted], index)
    return figure


def most_confident_mistakes(
    labels: np.ndarray, log_probabilities: np.ndarray, at_most: int = SHOWN
) -> tuple[np.ndarray, int]:
    """Indices of the surest mistakes, surest first and equals by index, and the number of all mistakes."""
    predictions = log_probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predictions != labels)
    confidence = log_probabilities[wrong, predictions[wrong]]
    return wrong[np.argsort(-confidence, kind="stable")[:at_most]], len(wrong)


def _headline(shown: int, mistakes: int, n: int, summary: dict[str, Any]) -> str:
    split = (summary.get("test") or {}).get("split", "test")
    which = f"The {shown} most confident of {mistakes:,} mistakes"
    if shown == mistakes:
        which = "The only mistake" if mistakes == 1 else f"All {mistakes} mistakes"
    return f"{run_caption(summary)}\n{which} in {n:,} {split} images"


def _show(axes: Axes, image: np.ndarray) -> None:
    # Small images keep their pixels; large ones would show moire without smoothing.
    smooth = "nearest" if max(image.shape) <= 96 else "antialiased"
    if image.shape[-1] == 1:
        axes.imshow(image[..., 0], cmap="gray", vmin=0, vmax=255, interpolation=smooth)
    else:
        axes.imshow(image, interpolation=smooth)


def _explain(axes: Axes, true: str, predicted: str, log_probability: float, index: int) -> None:
    words = (
        (4, f"is {shorten(true, 22)}", "#006b4f", 9.5),
        (17, f"taken for {shorten(predicted, 16)}", "#b03a00", 9.5),
        (31, f"{np.exp(np.float64(log_probability)):.2%} sure · image {index}", "#777777", 8),
    )
    for points_below, text, colour, size in words:
        axes.annotate(
            text, (0.5, 0), xytext=(0, -points_below), xycoords="axes fraction", textcoords="offset points",
            color=colour, fontsize=size, ha="center", va="top", parse_math=False,
        )  # fmt: skip
