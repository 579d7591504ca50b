"""Results on the terminal: a data frame as a table, a run and an evaluation in a few lines."""

from __future__ import annotations

import math
import shlex
import sys
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    import pandas as pd

    from kerasnets.evaluation import Evaluation
    from kerasnets.runs import Run

# Without a terminal rich assumes 80 columns and folds longer cells, which nothing that reads a pipe wants.
PIPE_WIDTH = 200


def print_table(frame: pd.DataFrame, title: str | None = None) -> None:
    """Prints a data frame on stdout: one row a line, numbers to the right, what is missing left empty."""
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in frame.columns:
        numeric = frame[name].dtype.kind in "iuf"
        table.add_column(name.replace("_", " "), justify="right" if numeric else "left", no_wrap=numeric)
    for row in frame.itertuples(index=False):
        table.add_row(*map(_cell, row))
    console = Console(file=sys.stdout, markup=False, highlight=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    console.print(table)


def print_run(run: Run) -> None:
    """Prints what a training came to, and what can be done with it."""
    summary = run.summary
    if summary.get("test"):
        test = summary["test"]
        print(f"Test {_accuracy(test)}; weights: {test['selection']}.")
        if test.get("tta", "none") != "none":
            print(f"Averaged over {test['tta']}; {test['accuracy_without_tta']:.2%} on the images alone.")
    if summary.get("test_curve"):
        curve = summary["test_curve"]
        print(f"Test accuracy, {curve['selection']}: {curve['mean_accuracy']:.2%}.")
    if summary["status"] == "diverged":
        print(f"The run diverged: {run.path}/diagnosis.json says where and what to try.")
    print(f"Run folder: {run.path}")
    if summary["status"] == "finished":
        print(f"Next: kerasnets-evaluate {run.path} {shlex.quote(summary['dataset'])}, or kerasnets-export {run.path}")


def print_evaluation(evaluation: Evaluation) -> None:
    """Prints an evaluation class by class and in one line."""
    print_table(evaluation.per_class)
    numbers = {"correct": evaluation.correct, "n": evaluation.n, "interval": evaluation.interval}
    accuracy = _accuracy(numbers | {"accuracy": evaluation.accuracy, "loss": evaluation.loss})
    print(f"{evaluation.dataset} {evaluation.split}: {accuracy}; weights: {evaluation.selection or 'unknown choice'}.")
    if evaluation.tta != "none":
        print(f"Averaged over {evaluation.tta}; {evaluation.accuracy_without_tta:.2%} on the images alone.")


def _accuracy(numbers: dict[str, Any]) -> str:
    low, high = numbers["interval"]
    return (
        f"accuracy {numbers['accuracy']:.2%} ({numbers['correct']} of {numbers['n']}, "
        f"95 % interval {low:.2%} to {high:.2%}), loss {numbers['loss']:.4f}"
    )


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return f"{value:.4f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)
