"""The drawings of a study: curves with bands over seeds, final accuracies as bars, accuracies of classes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kerasnets.evaluation.compare import student_interval
from kerasnets.evaluation.metrics import wilson_interval
from kerasnets.reporting.page import Figure
from kerasnets.reporting.svg import Bar, Line, bars_svg, curves_svg, shared_out, value_limits
from kerasnets.studies.claims import FINAL_ACCURACY
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import QUANTITIES, Diverges, Row
from kerasnets.studies.study_results import StudyResults

# As the published reports plotted them; the others are drawn where a row or a claim is about them.
_ALWAYS = ("train_loss", "test_loss", "test_accuracy")
_CURVES = ("train_loss", "test_loss", "test_objective", "train_accuracy", "test_accuracy", "gradient_norm")


def curve_figures(results: StudyResults) -> list[Figure]:
    """Curves of each quantity: mean over seeds, lowest and highest as a band, published numbers as marks.

    Many settings are shared out to several drawings of the same scale.
    """
    figures = []
    for quantity in _CURVES:
        if quantity in _ALWAYS or quantity in _quantities_named(results):
            lines = [line for line in _lines(results, quantity) if line.has_points]
            if lines:
                figures += _draw(lines, quantity)
    return figures


def _quantities_named(results: StudyResults) -> set[str]:
    named = {row.measure.quantity for row in results.study.rows}
    for claim in results.study.claims:
        for comparison in claim.comparisons:
            if not isinstance(comparison, Diverges):
                named |= {comparison.first.measure.quantity, comparison.second.measure.quantity}
    # The difference of two curves is seen on them.
    return named | ({"train_accuracy", "test_accuracy"} if "gap" in named else set())


def _lines(results: StudyResults, quantity: str) -> list[Line]:
    lines = []
    for place, setting in enumerate(results.study.settings):
        if setting.name not in results.by_setting:
            continue
        curve = mean_curve(results.by_setting[setting.name], quantity)
        band = len(curve) > 0 and (curve["count"] > 1).any()
        lines.append(
            Line(
                name=setting.name,
                place=place,
                x=curve.index.to_numpy(),
                y=curve["mean"].to_numpy(),
                low=curve["min"].to_numpy() if band else None,
                high=curve["max"].to_numpy() if band else None,
                marks=_marks(results, setting.name, quantity) if len(curve) else (),
            )
        )
    return lines


def mean_curve(cells: Sequence[CellResult], quantity: str) -> pd.DataFrame:
    """Mean, min, max and count over runs of one setting, by epoch; numbers that are not finite are left out."""
    curves = [_curve(cell.curve, quantity) for cell in cells]
    joined = pd.concat([curve for curve in curves if len(curve)] or curves)
    values = joined.loc[np.isfinite(joined["value"])]
    return values.groupby("epoch")["value"].agg(["mean", "min", "max", "count"])


def _curve(results: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Epochs and values of a quantity, as in ``results.csv`` or made from it; none if it was not measured."""
    parts = ("test_loss", "penalty") if quantity == "test_objective" else (quantity,)
    if not all(part in results for part in parts):
        return pd.DataFrame({"epoch": np.empty(0, np.int64), "value": np.empty(0)})
    columns = [pd.to_numeric(results[part], errors="coerce").to_numpy(np.float64) for part in parts]
    return pd.DataFrame({"epoch": results["epoch"].to_numpy(np.int64), "value": np.sum(columns, axis=0)})


def _marks(results: StudyResults, setting: str, quantity: str) -> list[tuple[float, float]]:
    """Published numbers, at their epoch or the last; none in a scaled study, whose epochs are others."""
    if results.scale != 1:
        return []
    rows = [row for row in results.study.rows if row.setting == setting and row.measure.quantity == quantity]
    last = results.by_setting[setting][0].cell.config.epochs
    return [(row.measure.epoch or last, np.mean(_ends(row))) for row in rows if not row.impossible]


def _ends(row: Row) -> tuple[float, float]:
    return row.published, row.published if row.upper is None else row.upper


def _draw(lines: list[Line], quantity: str) -> list[Figure]:
    name, is_share = QUANTITIES[quantity]
    name = name.split(",")[0]
    parts, limits, begin, figures = shared_out(lines), value_limits(lines), 1, []
    for number, some in enumerate(parts, start=1):
        several = len(parts) > 1
        file = f"curves-{quantity.replace('_', '-')}{f'-{number}' if several else ''}"
        svg = curves_svg(some, name=file, y_label=name, per_cent=is_share, limits=limits)
        part = f", settings {begin} to {begin + len(some) - 1} of {len(lines)}" if several else ""
        figures.append(Figure(file, svg, f"{name[0].upper()}{name[1:]} by epoch{part}"))
        begin += len(some)
    return figures


def accuracy_bars(results: StudyResults) -> Figure | None:
    """Final test accuracy of each setting, with its 95 % interval and the published number."""
    bars = []
    for place, setting in enumerate(results.study.settings):
        cells = results.by_setting.get(setting.name, [])
        found = [(cell, value) for cell in cells if (value := cell.value(FINAL_ACCURACY)) is not None]
        if not found:
            continue
        published = [
            _ends(row)
            for row in results.study.rows
            if row.setting == setting.name and row.measure == FINAL_ACCURACY and not row.impossible
        ]
        values = [value for _, value in found]
        interval = interval_of(values, lambda cell=found[0][0]: sum(cell.data["class_counts"]["test"]))
        bars.append(
            Bar(
                name=setting.name,
                place=place,
                value=float(np.mean(values)),
                interval=interval,
                published=published[0] if published and results.scale == 1 else None,
            )
        )
    if not bars:
        return None
    svg = bars_svg(bars, name="test-accuracy", x_label="final test accuracy", from_zero=True)
    caption = (
        "Final test accuracy, mean over seeds. Intervals of 95 %: over seeds with Student's t; of a single run over "
        "its test images (Wilson)."
    )
    return Figure("test-accuracy", svg, caption)


def class_figures(results: StudyResults) -> list[Figure]:
    """Accuracy of each class beside the published one, a drawing for each setting that has such rows."""
    figures = []
    for place, setting in enumerate(results.study.settings):
        bars = []
        for verdict in results.row_verdicts:
            row = verdict.row
            wanted = row.setting == setting.name and row.measure.class_name is not None and not row.impossible
            if wanted and verdict.mean is not None:
                cell = next(cell for cell in results.by_setting[setting.name] if cell.value(row.measure) is not None)
                interval = interval_of(verdict.values, lambda cell=cell, row=row: _images_of_class(cell, row))
                published = _ends(row) if results.scale == 1 else None
                bar = Bar(
                    name=row.measure.class_name, place=place, value=verdict.mean, interval=interval, published=published
                )
                bars.append(bar)
        if bars:
            name = f"class-accuracy-{place + 1}"
            svg = bars_svg(bars, name=name, x_label="test accuracy", from_zero=False)
            figures.append(Figure(name, svg, f"{setting.name}: test accuracy of each class, with 95 % interval"))
    return figures


def _images_of_class(cell: CellResult, row: Row) -> int:
    return cell.data["class_counts"]["test"][cell.data["class_names"].index(row.measure.class_name)]


def interval_of(values: Sequence[float], images) -> tuple[float, float]:
    """95 % interval of a mean share over seeds, or of a single run's over its test images.

    Args:
        values: One number a run, at least one.
        images: Called without arguments for the number of test images when there is one run.
    """
    n = len(values)
    if n == 1:
        return wilson_interval(round(values[0] * images()), images())
    low, high = student_interval(float(np.mean(values)), float(np.std(values, ddof=1)), n)
    return max(0.0, low), min(1.0, high)
