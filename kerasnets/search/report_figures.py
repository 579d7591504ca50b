"""The drawings of a search: scores over time, parallel coordinates, importance of choices, accuracy against cost."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from kerasnets.reporting.page import Figure
from kerasnets.reporting.svg import Bar, bars_svg
from kerasnets.reporting.svg_parallel import ParallelAxis, parallel_svg
from kerasnets.reporting.svg_points import Points, Steps, points_svg
from kerasnets.search.importance import Importance
from kerasnets.search.results import best_so_far, pareto_front, ranking
from kerasnets.search.trial import COMPLETED, RUNNING, TrialRecord

_RED, _ORANGE = 3, 1  # places in the list of colours
_BUDGET_COLOURS = (9, 8, 0, 4, 2, 7)  # from the least budget to the largest
_MOST_AXES = 10
_MOST_BARS, _LEAST_SHARE = 15, 0.001


def score_name(objective: str) -> str:
    """What the scores of an objective are called on an axis."""
    return "score, accuracy per FLOP" if objective == "accuracy_per_flop" else "validation accuracy"


def is_share(objective: str) -> bool:
    """Whether the scores of an objective are shares of images."""
    return objective != "accuracy_per_flop"


def time_figure(records: Sequence[TrialRecord], objective: str, unit: str) -> Figure | None:
    """Each trial's score when it ended, coloured by budget, with the best so far as a line."""
    completed = [record for record in records if record.status == COMPLETED]
    lost = [record for record in records if record.status not in (COMPLETED, RUNNING)]
    if not completed and not lost:
        return None
    last = max(record.search_seconds for record in [*completed, *lost])
    divisor, word = (1, "seconds") if last < 180 else (60, "minutes") if last < 3 * 3600 else (3600, "hours")

    def times(some: Sequence[TrialRecord]) -> list[float]:
        return [record.search_seconds / divisor for record in some]

    groups = [
        Points(name=name, place=place, x=times(some), y=[record.score for record in some], size=size)
        for name, place, size, some in _by_budget(completed, unit)
    ]
    groups.append(Points(name="diverged or failed", place=_RED, x=times(lost), y=None, size=6))
    rises = best_so_far(completed)
    steps = Steps(
        name="best so far",
        x=[seconds / divisor for seconds, _ in rises] + [last / divisor],
        y=[score for _, score in rises] + [rises[-1][1]] if rises else [math.nan],
    )
    labels = {"x_label": f"{word} of search", "y_label": score_name(objective), "per_cent": is_share(objective)}
    svg = points_svg(groups, steps if rises else None, name="score-over-time", **labels)
    return Figure("score-over-time", svg, "Each point is a trial when it ended; a run that went on has several.")


def budget_in_words(budget: float, unit: str) -> str:
    """For example ``9 epochs``."""
    return f"{budget:.4g} {unit.removesuffix('s') if budget == 1 else unit}"


def _by_budget(records: Sequence[TrialRecord], unit: str) -> list[tuple[str, int, float, list[TrialRecord]]]:
    """Trials of the same budget with its name, colour and size; all together if there are too many budgets."""
    budgets = sorted({record.budget for record in records})
    if len(budgets) > len(_BUDGET_COLOURS):
        return [("trial", _BUDGET_COLOURS[2], 4.5, list(records))]
    colours = _BUDGET_COLOURS if len(budgets) > 1 else _BUDGET_COLOURS[2:]
    return [
        (
            budget_in_words(budget, unit),
            colours[place],
            4.0 + 1.2 * place,
            [record for record in records if record.budget == budget],
        )
        for place, budget in enumerate(budgets)
    ]


def choices_figure(records: Sequence[TrialRecord], objective: str, found: Importance | None) -> Figure | None:
    """Parallel coordinates of the choices that matter most, with the best tenth of the runs in colour."""
    runs = ranking(records)
    names = _differing(runs, found)[:_MOST_AXES]
    if len(runs) < 2 or not names:
        return None
    best = math.ceil(len(runs) / 10)
    axes = [ParallelAxis(name=name, values=[run.values.get(name) for run in runs]) for name in names]
    scores = ParallelAxis(
        name=score_name(objective), values=[run.score for run in runs], per_cent=is_share(objective), is_result=True
    )
    svg = parallel_svg(
        [*axes, scores], [place < best for place in range(len(runs))], name="choices", label="choices of each run"
    )
    which = "the best run" if best == 1 else f"the best {best} of {len(runs)} runs"
    many = f" Shown are {len(names)} choices, the most important ones first." if found else ""
    return Figure("choices", svg, f"Each line is a run, in colour {which}.{many}")


def _differing(runs: Sequence[TrialRecord], found: Importance | None) -> list[str]:
    names = dict.fromkeys(name for run in runs for name in run.values)
    differing = [name for name in names if len({str(run.values.get(name)) for run in runs}) > 1]
    order = list(found.shares) if found else []

    def place(name: str) -> tuple[int, int]:
        """The important ones first; after them, those that most of the runs have used."""
        uses = sum(name in run.values for run in runs)
        return (order.index(name), 0) if name in order else (len(order), -uses)

    return sorted(differing, key=place)


def importance_figure(found: Importance) -> Figure:
    """Share of the score's variance that each choice accounts for, the largest first."""
    seen = [(name, share) for name, share in found.shares.items() if share >= _LEAST_SHARE]
    shown = seen[:_MOST_BARS] or list(found.shares.items())[:1]
    bars = [Bar(name=name, place=0, value=share) for name, share in shown]
    svg = bars_svg(bars, name="importance", x_label="share of the score's variance", from_zero=True)
    left = len(found.shares) - len(shown)
    rest = f" {left} of less importance are not shown." if left else ""
    caption = (
        f"How much of the variance each choice accounts for, alone or with others, by a random forest. From {found.n} "
        f"runs, compared at their first budget.{rest}"
    )
    return Figure("importance", svg, caption)


def cost_figures(records: Sequence[TrialRecord]) -> list[Figure]:
    """Validation accuracy against training seconds and against FLOPs, with the Pareto front marked."""
    completed = [record for record in records if record.status == COMPLETED]
    seconds = _cost_figure(
        completed,
        lambda record: record.train_seconds,
        name="accuracy-and-seconds",
        x_label="seconds of training",
        caption="Accuracy against training time; a run that went on has a point for each of its budgets.",
    )
    largest = max((record.flops or 0 for record in completed), default=0)
    divisor, unit = (1e6, "million") if largest >= 1e6 else (1e3, "thousand")
    flops = _cost_figure(
        ranking(records),
        lambda record: None if record.flops is None else record.flops / divisor,
        name="accuracy-and-flops",
        x_label=f"{unit} FLOPs an image",
        caption="Accuracy against operations of one image's forward pass, each run with its latest budget.",
    )
    return [figure for figure in (seconds, flops) if figure is not None]


def _cost_figure(
    records: Sequence[TrialRecord], cost_of: Callable[[TrialRecord], float | None], *, name: str, x_label: str,
    caption: str,
) -> Figure | None:  # fmt: skip
    points: list[tuple[float, float]] = []
    owners: list[TrialRecord] = []
    for record in records:
        cost = cost_of(record)
        if cost is not None and record.val_accuracy is not None:
            points.append((cost, record.val_accuracy))
            owners.append(record)
    if not points:
        return None
    front = pareto_front(points)
    others = [place for place in range(len(points)) if place not in front]
    winner = ranking(records)[:1]
    best = [place for place, record in enumerate(owners) if record in winner]
    groups = [
        _group("trial", 9, points, others, 4.5),
        _group("Pareto front", 0, points, front, 6.0),
        _group("winner", _ORANGE, points, best, 11.0, ring=True),
    ]
    steps = Steps(
        name="best for the cost", x=[points[place][0] for place in front], y=[points[place][1] for place in front]
    )
    labels: dict[str, Any] = {"x_label": x_label, "y_label": "validation accuracy", "per_cent": True, "far_apart": True}
    svg = points_svg(groups, steps if len(front) > 1 else None, name=name, **labels)
    return Figure(name, svg, f"{caption} On the Pareto front no other is as cheap and as accurate.")


def _group(
    name: str, place: int, points: Sequence[tuple[float, float]], which: Sequence[int], size: float, ring: bool = False
) -> Points:
    x, y = [points[number][0] for number in which], [points[number][1] for number in which]
    return Points(name=name, place=place, x=x, y=y, size=size, ring=ring)
