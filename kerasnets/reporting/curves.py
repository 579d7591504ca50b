"""Loss, accuracy and learning rate over the epochs of a run, with the selected epoch marked."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from kerasnets.reporting.captions import write_titles

# Okabe and Ito's colours, which stay apart for colour-blind readers.
_SPLITS = (("train", "train", "#0072B2", "o"), ("val", "validation", "#E69F00", "s"), ("test", "test", "#009E73", "D"))
_TEST_COLOUR = "#009E73"


def curves_figure(results: pd.DataFrame, summary: dict[str, Any]) -> Figure:
    """Draws the curves of a run.

    Args:
        results: One row per epoch as in ``results.csv``. Cells may be empty or not finite: such points are left out,
            and epochs whose train loss is not finite are marked.
        summary: Content of ``summary.json``.

    Returns:
        Figure of three panels above each other, sharing the epochs.
    """
    figure = Figure(figsize=(8, 9), dpi=120, layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0, 1, 1 - 0.6 / 9))
    write_titles(figure, summary)
    panels = loss, accuracy, rate = figure.subplots(3, 1, sharex=True, height_ratios=(3, 3, 1.3))
    epochs = results["epoch"].to_numpy()
    for split, name, colour, marker in _SPLITS:
        for axes, quantity in ((loss, "loss"), (accuracy, "accuracy")):
            _line(axes, epochs, _numbers(results, f"{split}_{quantity}"), name, colour, marker)
    _line(rate, epochs, _numbers(results, "learning_rate"), "learning rate", "#444444", "o")
    # Before the marks are added: they do not decide whether an axis is logarithmic.
    _log_when_wide(loss, lowest=None)
    _log_when_wide(rate, lowest=0)
    _mark_not_finite(loss, epochs, _numbers(results, "train_loss"))
    _mark_selected(panels, summary)
    _label(panels)
    return figure


def _numbers(results: pd.DataFrame, column: str) -> np.ndarray:
    if column not in results:
        return np.full(len(results), np.nan)
    return pd.to_numeric(results[column], errors="coerce").to_numpy(np.float64)


def _line(axes: Axes, epochs: np.ndarray, values: np.ndarray, name: str, colour: str, marker: str) -> None:
    kept = np.isfinite(values)
    if not kept.any():
        return
    # Past about 40 points markers melt into a thick line; alone, a point without one would not show.
    shown = marker if kept.sum() <= 40 else ""
    axes.plot(epochs[kept], values[kept], color=colour, marker=shown, markersize=4, linewidth=1.6, label=name)


def _log_when_wide(axes: Axes, lowest: float | None) -> None:
    values = np.concatenate([line.get_ydata() for line in axes.lines] or [[]])
    # A rate that falls to zero cannot be drawn on a logarithmic axis, and does not need it.
    if len(values) and values.min() > 0 and values.max() / values.min() > 50:
        axes.set_yscale("log")
    elif lowest is not None and len(values) and values.max() > 0:
        axes.set_ylim(bottom=lowest, top=1.15 * values.max())  # from here on the axis does not follow what is added


def _mark_not_finite(axes: Axes, epochs: np.ndarray, train_loss: np.ndarray) -> None:
    for position, epoch in enumerate(epochs[~np.isfinite(train_loss)]):
        label = None if position else "train loss not finite"
        axes.axvline(epoch, color="#D55E00", linestyle=":", linewidth=1.5, label=label)


def _mark_selected(panels: tuple[Axes, ...], summary: dict[str, Any]) -> None:
    test = summary.get("test")
    if not test or test.get("epoch") is None:
        return
    for axes in panels:
        axes.axvline(test["epoch"], color="#999999", linestyle="--", linewidth=1, zorder=0)
    for axes, value in zip(panels, (test["loss"], test["accuracy"]), strict=False):
        if value is not None and np.isfinite(value):
            label = f"{test['split']}, selected epoch {test['epoch']}"
            axes.plot(
                test["epoch"], value, "*", color=_TEST_COLOUR, markeredgecolor="black", markersize=13, label=label
            )


def _label(panels: tuple[Axes, ...]) -> None:
    loss, accuracy, rate = panels
    for axes, name in ((loss, "loss"), (accuracy, "accuracy"), (rate, "learning rate")):
        axes.set_ylabel(name)
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        if axes is not rate and axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=9)
    accuracy.yaxis.set_major_formatter(PercentFormatter(1.0))
    rate.set_xlabel("epoch")
    rate.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
