"""The curves of one run, and of several in one drawing."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from kerasnets.reporting.page import Figure
from kerasnets.reporting.run_facts import RunFacts
from kerasnets.reporting.svg import Line, curves_svg, shared_out, value_limits

_SPLITS = {"train": "train", "val": "validation", "test": "test"}
_QUANTITIES = {
    "train_loss": "train loss",
    "val_loss": "validation loss",
    "test_loss": "test loss",
    "train_accuracy": "train accuracy",
    "val_accuracy": "validation accuracy",
    "test_accuracy": "test accuracy",
    "learning_rate": "learning rate",
    "gradient_norm": "norm of the gradient",
}


def curves_of_one(run: RunFacts) -> list[Figure]:
    """Loss and accuracy of all splits, learning rate and norm of the gradient."""
    figures = []
    for quantity in ("loss", "accuracy"):
        lines = [_line(run, f"{split}_{quantity}", name, place) for place, (split, name) in enumerate(_SPLITS.items())]
        value, epoch = run.test.get(quantity), run.test.get("epoch")
        if value is not None and epoch is not None:
            # In the colour of the test split, whether it has a curve or this one number.
            test = lines[2]
            lines[2] = Line(name=test.name, place=test.place, x=test.x, y=test.y, marks=[(epoch, value)])
        figures += _figure(lines, quantity, quantity, mark_name="selected epoch")
    for place, quantity in enumerate(("learning_rate", "gradient_norm"), start=3):
        name = _QUANTITIES[quantity]
        figures += _figure([_line(run, quantity, name, place)], quantity, name)
    return figures


def curves_of_several(runs: Sequence[RunFacts]) -> list[Figure]:
    """Each quantity that a run has, all runs in one drawing; many are shared out to several of the same scale."""
    figures = []
    for quantity, name in _QUANTITIES.items():
        lines = [_line(run, quantity, run.name, place) for place, run in enumerate(runs)]
        figures += _figure(lines, quantity, name)
    return figures


def _line(run: RunFacts, quantity: str, name: str, place: int) -> Line:
    values = run.curve[quantity] if quantity in run.curve else pd.Series(np.nan, index=run.curve.index)
    y = pd.to_numeric(values, errors="coerce").to_numpy(np.float64)
    return Line(name=name, place=place, x=run.curve["epoch"].to_numpy(), y=y)


def _figure(lines: list[Line], quantity: str, name: str, mark_name: str = "") -> list[Figure]:
    drawn = [line for line in lines if line.has_points]
    figures = []
    for number, some in enumerate(shared_out(drawn), start=1):
        file = f"{quantity.replace('_', '-')}-{number}"
        svg = curves_svg(
            some,
            name=file,
            y_label=name,
            per_cent=quantity.endswith("accuracy"),
            limits=value_limits(drawn),
            mark_name=mark_name,
        )
        figures.append(Figure(file, svg, f"{name[0].upper()}{name[1:]} by epoch"))
    return figures
