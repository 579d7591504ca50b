"""The words on the figures: which run, which number, and class names that fit beside an image."""

from typing import Any

from matplotlib.figure import Figure

from pipelines.dataset_names import short_name


def run_caption(summary: dict[str, Any]) -> str:
    """For example ``"cifar10 · cifarnet · seed 0 · 10,000 training images"`` (the last part only of a limited run)."""
    parts = [short_name(str(summary["dataset"])), str(summary["arch"]), f"seed {summary['seed']}"]
    if summary.get("limit_train"):
        parts.append(f"{summary['limit_train']:,} training images")
    return " · ".join(parts)


def result_caption(summary: dict[str, Any]) -> str:
    """The test result with its n, interval and selection rule, or that there is none."""
    test = summary.get("test")
    if not test:
        return f"not evaluated on the test split (run {summary.get('status', 'unfinished')})"
    low, high = test["interval"]
    epoch = f"epoch {test['epoch']} ({test['selection']})" if test.get("epoch") else test["selection"]
    interval = f"95% interval {low:.1%} to {high:.1%}"
    views = f", averaged over {test['tta']}" if test.get("tta", "none") != "none" else ""
    return f"{test['split']} accuracy {test['accuracy']:.2%}{views}, {interval}, n = {test['n']:,}, {epoch}"


def write_titles(figure: Figure, summary: dict[str, Any]) -> None:
    """Writes the run and, below it in grey, its test result into the upper 0.6 inches of a figure."""
    height = figure.get_figheight()
    lines = (
        (0.10, run_caption(summary), {"fontsize": 14, "fontweight": "bold"}),
        (0.36, result_caption(summary), {"fontsize": 9.5, "color": "#444444"}),
    )
    for inches, text, style in lines:
        figure.text(0.5, 1 - inches / height, text, ha="center", va="top", parse_math=False, **style)


def shorten(name: str, length: int) -> str:
    """One line of at most ``length`` characters; what is too long keeps both ends, which often tell names apart."""
    name = " ".join(str(name).split())
    if len(name) <= length:
        return name
    tail = (length - 1) // 3
    return f"{name[: length - 1 - tail]}…{name[len(name) - tail :]}"
