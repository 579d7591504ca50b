"""Tables of a run or of several: settings, costs, software, classes, confusions and mistakes."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from kerasnets.reporting.confusion import ANNOTATED_CLASSES, most_frequent_confusions
from kerasnets.reporting.page import Block, Fold, Matrix, Picture, Table, Text, table
from kerasnets.reporting.run_facts import RunFacts

# More classes are folded away, below the best and the worst.
_SHOWN_CLASSES = 30
_EXTREMES = 10
_PLACES = ("data_dir", "output")  # settings that say where, not what


def setting_rows(runs: Sequence[RunFacts], *, differing: bool = False) -> list[list[str]]:
    """A row a setting: its name and its value in each run; on request only those that are not the same in all."""
    flat = [_flat(run.config) for run in runs]
    names = list(dict.fromkeys(name for settings in flat for name in settings))
    rows = [[name, *(_plain(settings.get(name)) for settings in flat)] for name in names if name not in _PLACES]
    return [row for row in rows if len(set(row[1:])) > 1] if differing else rows


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """Options of the network as settings of their own: ``arch_options.width``."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        flat |= {f"{name}.{inner}": item for inner, item in value.items()} if isinstance(value, dict) else {name: value}
    return flat


def _plain(value: Any) -> str:
    return "-" if value is None else "yes" if value is True else "no" if value is False else str(value)


def cost_rows(runs: Sequence[RunFacts]) -> list[list[str]]:
    """A row a cost: its name and how much of it each run took."""
    rows = {
        "epochs": lambda summary: f"{summary['epochs']}",
        "training images": lambda summary: _count(summary.get("train_images")),
        "seconds in all": lambda summary: _number(summary["seconds"].get("total"), 1),
        "seconds of training": lambda summary: _number(summary["seconds"].get("train"), 1),
        "seconds of set-up": lambda summary: _number(summary["seconds"].get("setup"), 1),
        "seconds of compiling": lambda summary: _number(summary["seconds"].get("compile"), 1),
        "seconds of evaluation": lambda summary: _number(summary["seconds"].get("evaluation"), 1),
        "images a second": lambda summary: _number(summary.get("images_per_second"), 0),
        "peak memory": lambda summary: _scaled(summary.get("peak_memory_bytes"), 2**30, "GiB"),
        "weights": lambda summary: _count(summary.get("weights")),
        "floating-point operations an image": lambda summary: _scaled(summary.get("flops_per_image"), 1e6, "million"),
        "precision": lambda summary: str(summary.get("precision", "")),
        "hardware": lambda summary: str(summary.get("hardware", "")),
    }
    return [[name, *(value(run.summary) for run in runs)] for name, value in rows.items()]


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:,.{decimals}f}"


def _count(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _scaled(value: float | None, unit: float, name: str) -> str:
    return "" if value is None else f"{value / unit:,.2f} {name}"


def software_rows(runs: Sequence[RunFacts]) -> list[list[str]]:
    """A row a fact of ``env.json``: its name and what it was in each run."""
    flat = [_flat(run.environment.get("packages", {}) | run.environment) for run in runs]
    names = list(dict.fromkeys(name for facts in flat for name in facts))
    return [
        [name, *(_plain(facts.get(name)) for facts in flat)]
        for name in names
        if name != "command" and not name.startswith("packages.")
    ]


def confusion_blocks(run: RunFacts) -> list[Block]:
    """The confusion matrix; with many classes the most frequent confusions, and the matrix as a picture."""
    if run.labels is None:
        return []
    if len(run.class_names) <= ANNOTATED_CLASSES:
        return [Matrix(run.confusion, run.class_names)]
    counts, names = run.confusion, run.class_names
    rows = [
        [names[true], names[predicted], str(counts[true, predicted])]
        for true, predicted in most_frequent_confusions(counts)
    ]
    blocks: list[Block] = [table({"true": False, "predicted": False, "images": True}, rows, "Most frequent confusions")]
    picture = run.picture("confusion_matrix.png")
    if picture:
        caption = "Confusion matrix: rows true, columns predicted, colour the share of the true class."
        blocks.append(Fold("The whole matrix as a picture", [Picture(picture, caption)]))
    return blocks


def per_class_blocks(run: RunFacts) -> list[Block]:
    """Each class with its accuracy; of many, the best and the worst, and all of them below."""
    classes = run.per_class
    if classes is None:
        return []
    if len(classes) <= _SHOWN_CLASSES:
        return [_class_table(classes)]
    ordered = classes.sort_values("accuracy", kind="stable")
    return [
        _class_table(ordered.head(_EXTREMES), f"The {_EXTREMES} classes that it knows worst"),
        _class_table(ordered.tail(_EXTREMES)[::-1], f"The {_EXTREMES} classes that it knows best"),
        Fold(f"All {len(classes)} classes", [_class_table(classes)]),
    ]


def _class_table(classes: pd.DataFrame, caption: str = "") -> Table:
    columns = {"class": False, "images": True, "right": True, "accuracy": True, "95 % interval": True}
    columns |= {"precision": True, "F1": True, "most often taken for": False}
    rows = [
        [
            row["class"],
            f"{row['support']:,}",
            f"{row['correct']:,}",
            _per_cent(row["accuracy"]),
            "" if pd.isna(row["ci_low"]) else f"{100 * row['ci_low']:.2f} to {100 * row['ci_high']:.2f} %",
            _per_cent(row["precision"]),
            _per_cent(row["f1"]),
            row["most_confused_with"],
        ]
        for row in classes.to_dict("records")
    ]
    return table(columns, rows, caption)


def _per_cent(share: float) -> str:
    return "" if pd.isna(share) else f"{100 * share:.2f} %"


def class_comparison(runs: Sequence[RunFacts]) -> list[Block]:
    """Accuracy of each class in each run, and how far apart the runs are."""
    tested = [run for run in runs if run.labels is not None]
    if len(tested) < 2:
        return []
    if any(run.class_names != tested[0].class_names for run in tested):
        return [Text("The runs have different classes, which are not put side by side.")]
    columns = {"class": False} | {run.letter: True for run in tested} | {"highest minus lowest": True}
    accuracies = [run.per_class["accuracy"] for run in tested]
    rows = []
    for place, name in enumerate(tested[0].class_names):
        values = [accuracy[place] for accuracy in accuracies]
        apart = "" if any(map(pd.isna, values)) else f"{100 * (max(values) - min(values)):.2f} points"
        rows.append([name, *map(_per_cent, values), apart])
    block = table(columns, rows)
    return [block] if len(rows) <= _SHOWN_CLASSES else [Fold(f"All {len(rows)} classes", [block])]


def mistake_blocks(run: RunFacts) -> list[Block]:
    """The picture of the most confident mistakes that training has drawn, if it has."""
    picture = run.picture("misclassified.png")
    return [Picture(picture, "The mistakes it was surest of, surest first.")] if picture else []
