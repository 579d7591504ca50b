"""`judge_row`: whether runs of ours reproduce a published number, by a rule that is written out here in full."""

import dataclasses
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from kerasnets.evaluation.compare import student_interval
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Measure, Row

REPRODUCED = "REPRODUCED"
ABOVE = "ABOVE"
BELOW = "BELOW"
PROTOCOL_DIFFERS = "PROTOCOL DIFFERS"
TOO_FEW_RUNS = "TOO FEW RUNS"
IMPOSSIBLE = "IMPOSSIBLE"

LEVEL = 0.95
FEWEST_RUNS = 3
WIDEST_SHARE = 0.05  # five points of accuracy
WIDEST_PART = 0.25  # of any number that is no share
LOSSES = ("train_loss", "test_loss", "test_objective")


@dataclass(frozen=True, kw_only=True)
class RowVerdict:
    """A published number beside ours.

    Attributes:
        row: The published number.
        n: Runs that have a number.
        mean: Mean of their numbers; None without one.
        standard_deviation: Between seeds (n - 1 in the denominator); None below two runs.
        interval: 95 % interval of the mean over seeds, Student's t; None below two runs.
        difference: Mean minus published number, or minus the nearer end of a range and 0 inside it; None when there is
            nothing to compare.
        tolerance: How large the difference may be, see `judge_row`; None below two runs.
        verdict: ``REPRODUCED``, ``ABOVE``, ``BELOW`` (of the number: a loss ABOVE is a worse one), ``PROTOCOL
            DIFFERS``, ``TOO FEW RUNS`` or ``IMPOSSIBLE``.
        why: The reason, with numbers.
        values: The number of each run, in the order of the runs.
        selection: Which network of each run was taken: ``last epoch`` or ``after epoch 3``.
    """

    row: Row
    n: int
    mean: float | None
    standard_deviation: float | None
    interval: tuple[float, float] | None
    difference: float | None
    tolerance: float | None
    verdict: str
    why: str
    values: tuple[float, ...]
    selection: str


def judge_row(row: Row, results: Sequence[CellResult], *, notes: Sequence[str] = ()) -> RowVerdict:
    """Says whether a published number is reproduced by runs of its setting.

    The rule. A published number is the outcome of one run. If that run was made as ours are, it differs from the mean
    of our n runs by as much as one more run would, so the tolerance is half a 95 % prediction interval and the rounding
    of the printed number::

        tolerance = t * sqrt(s^2 (1 + 1/n) + v) + rounding

    * t: Student's t with n - 1 degrees of freedom, 97.5 % (4.303 for three runs, 2.776 for five).
    * s: standard deviation between our seeds. The 1 stands for the published run's own chance, 1/n for our mean's.
    * v: sampling variance of the N test images. For test accuracy p(1-p)/N; for the accuracy of one class the same with
      that class's images; for train minus test accuracy that of the test accuracy; for test loss, with the
      L2 penalty or without, the variance of the losses of single images over N, from the predictions after the last
      epoch (for an earlier epoch they stand in).
      For all other measures 0. Mean over the runs. It is counted once: a publication that used the very same test
      images shares their chance with us and one that held out others does not, and we are seldom told which.
    * rounding: half a unit of the last digit printed.

    Both kinds of chance are multiplied by t, although the second is known better than n seeds tell: the rule rather
    calls too little a difference than too much. Hence in this order:

    * IMPOSSIBLE: the publication itself shows that the number cannot be right (``row.impossible``); no comparison.
    * TOO FEW RUNS: no run at all.
    * PROTOCOL DIFFERS: any note, that is a known difference from what was published; numbers are given all the same.
    * TOO FEW RUNS: fewer than three, whatever the difference. The sentence tells it.
    * ABOVE, BELOW: the difference is larger than the tolerance. For a loss, ABOVE is worse.
    * TOO FEW RUNS: the difference is within a tolerance so wide that hardly any number would have been outside: over
      5 points of a share, over a quarter of any other number. The sentence says how many runs would narrow it.
    * REPRODUCED: within the tolerance. This says that nothing speaks against the number, within so and so much.

    Runs that have no number for the measure do not count. Those that diverged count as networks that guess in an
    accuracy and in what is made of accuracies; they have no final loss, for theirs is not that of a network that
    guesses but no number. ``why`` says how many they are. The intervals and tolerances are of each number for itself.

    Args:
        row: The published number.
        results: What came of the cells of its setting, one a seed.
        notes: Known differences from the published protocol: the setting's note, ``"scaled to 0.1"``.

    Source:
        Prediction interval of one further observation: Hahn and Meeker 1991, "Statistical intervals", section 4.7;
        the term v and the two limits of width are ours.
    """
    guess = row.measure.quantity not in LOSSES
    there = [(result, value) for result in results if (value := result.value(row.measure, guess=guess)) is not None]
    values, counted = tuple(value for _, value in there), [result for result, _ in there]
    n = len(values)
    # In fractions: equal numbers have exactly that mean, and no deviation.
    mean, deviation = (statistics.mean(values) if n else None), (statistics.stdev(values) if n > 1 else None)
    variance = _variance_of_images(row.measure, counted)
    difference, tolerance = None, None
    if n and not row.impossible:
        upper = row.published if row.upper is None else row.upper
        difference = mean - min(max(mean, row.published), upper)
        tolerance = None if n < 2 else float(_tolerance(n, deviation, variance, row.rounding))
    verdict = RowVerdict(
        row=row,
        n=n,
        mean=mean,
        standard_deviation=deviation,
        interval=None if n < 2 else student_interval(mean, deviation, n),
        difference=difference,
        tolerance=tolerance,
        verdict=_verdict(row, n, difference, tolerance, notes),
        why="",
        values=values,
        selection=_selection(row.measure, counted),
    )
    if not n and not row.impossible and _too_short(row.measure, results):
        why = f"No run has {row.measure.epoch} epochs."
    else:
        why = _why(verdict, variance, notes) + _missing(row.measure, counted, results)
    return dataclasses.replace(verdict, why=why)


def in_words(value: float, measure: Measure) -> str:
    """A number of a measure, to be read: ``"87.10 %"`` for a share, ``"0.4632"`` or ``"1,250"`` for another."""
    if measure.is_share:
        return f"{100 * value:.2f} %"
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def size_in_words(difference: float, measure: Measure) -> str:
    """How large a difference is, without its sign: ``"1.30 points"`` for shares, ``"0.0123"`` for others."""
    return f"{100 * abs(difference):.2f} points" if measure.is_share else f"{abs(difference):.3g}"


def published_in_words(row: Row) -> str:
    """The published number with as many digits as were printed: ``"87 %"``, ``"0.4632"``, ``"32 to 33 %"``."""
    factor = 100 if row.measure.is_share else 1
    unit = 2 * row.rounding * factor
    decimals = max(0, math.ceil(-math.log10(unit) - 1e-9)) if unit else None
    ends = [row.published] if row.upper is None else [row.published, row.upper]
    texts = [f"{factor * end:.6g}" if decimals is None else f"{factor * end:.{decimals}f}" for end in ends]
    return " to ".join(texts) + (" %" if row.measure.is_share else "")


def _tolerance(n, deviation: float, variance: float, rounding: float):
    """The formula of `judge_row`, for one n or an array of them."""
    quantile = stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return quantile * np.sqrt(deviation**2 * (1 + 1 / n) + variance) + rounding


def _widest(row: Row) -> float:
    return WIDEST_SHARE if row.measure.is_share else WIDEST_PART * abs(row.published)


def _verdict(row: Row, n: int, difference: float | None, tolerance: float | None, notes: Sequence[str]) -> str:
    if row.impossible:
        return IMPOSSIBLE
    if n and notes:
        return PROTOCOL_DIFFERS
    if n < FEWEST_RUNS:
        return TOO_FEW_RUNS
    # 0.865 is within half a per cent of 0.87 on paper, though not in binary.
    if abs(difference) > tolerance + 1e-9 * max(abs(row.published), abs(difference)):
        return ABOVE if difference > 0 else BELOW
    return TOO_FEW_RUNS if tolerance > _widest(row) else REPRODUCED


def _why(verdict: RowVerdict, variance: float, notes: Sequence[str]) -> str:
    """The reason in words, always with the difference if there is one."""
    row, n, name = verdict.row, verdict.n, verdict.verdict
    if name == IMPOSSIBLE:
        return row.impossible
    if not n:
        return "No run has this number."
    text = f"the mean of {_count(n, 'run')}, {in_words(verdict.mean, row.measure)}, {_place(row, verdict.difference)}"
    if verdict.tolerance is not None:
        text += f"; one published run may differ by {_tolerance_in_words(verdict, variance)}"
    if name == PROTOCOL_DIFFERS:
        text = f"{'; '.join(note.rstrip('.') for note in notes)}; {text}"
    elif n < FEWEST_RUNS:
        text = f"at least {FEWEST_RUNS} runs are needed; {text}"
    elif name == TOO_FEW_RUNS:
        text += f", so hardly any number would have been outside: {_remedy(verdict, variance)}"
    elif name in (ABOVE, BELOW) and row.measure.quantity.endswith("loss"):
        text += f"; a {'higher loss is worse' if name == ABOVE else 'lower loss is better'}"
    return f"{text[0].upper()}{text[1:]}."


def _tolerance_in_words(verdict: RowVerdict, variance: float) -> str:
    parts = {
        "seeds": verdict.standard_deviation * math.sqrt(1 + 1 / verdict.n),
        "test images": math.sqrt(variance),
    }
    errors = ", ".join(f"{name} {size_in_words(error, verdict.row.measure)}" for name, error in parts.items() if error)
    whole, rounding = (size_in_words(size, verdict.row.measure) for size in (verdict.tolerance, verdict.row.rounding))
    return f"{whole} ({f'standard errors: {errors}; ' if errors else ''}rounding {rounding})"


def _place(row: Row, difference: float) -> str:
    published = published_in_words(row)
    if difference == 0:
        return f"is {'inside' if row.upper is not None else 'equal to'} the published {published}"
    side = "above" if difference > 0 else "below"
    return f"is {size_in_words(difference, row.measure)} {side} the published {published}"


def _remedy(verdict: RowVerdict, variance: float) -> str:
    row, counts = verdict.row, np.arange(FEWEST_RUNS, 201)
    enough = counts[_tolerance(counts, verdict.standard_deviation, variance, row.rounding) <= _widest(row)]
    widest = size_in_words(_widest(row), row.measure)
    return f"about {enough[0]} runs would bring it to {widest}" if len(enough) else f"not 200 runs bring it to {widest}"


def _missing(measure: Measure, counted: list[CellResult], results: Sequence[CellResult]) -> str:
    if _too_short(measure, results):
        return ""
    guessing = sum(result.status == "diverged" for result in counted) if measure.epoch is None else 0
    # By identity: results of the same cell are equal.
    there = {id(result) for result in counted}
    lost = sum(result.status == "diverged" and id(result) not in there for result in results)
    missing = len(counted) + lost < len(results)
    texts = [f" {len(counted)} of {_count(len(results), 'run')} are there."] if missing else []
    if guessing:
        texts.append(f" {_count(guessing, 'run')} diverged and count{'s' if guessing == 1 else ''} as guessing.")
    if lost:
        texts.append(f" {_count(lost, 'run')} diverged.")
    return "".join(texts)


def _too_short(measure: Measure, results: Sequence[CellResult]) -> bool:
    """Whether an epoch is beyond the end of all runs."""
    longest = max((result.cell.config.epochs for result in results), default=0) if measure.epoch else 0
    return bool(longest) and measure.epoch > longest


def _count(n: int, name: str) -> str:
    return f"{n} {name}{'' if n == 1 else 's'}"


def _selection(measure: Measure, results: list[CellResult]) -> str:
    if measure.epoch is not None:
        return f"after epoch {measure.epoch}"
    # Only the predictions, hence the accuracy of a class, are those of the epoch that a validation split chose.
    chosen = measure.quantity == "class_accuracy" and any(result.cell.config.validation for result in results)
    return "best validation accuracy" if chosen else "last epoch"


def _variance_of_images(measure: Measure, results: list[CellResult]) -> float:
    """The term v of `judge_row`."""
    of_each = [variance for result in results if (variance := _variance_of_run(measure, result)) is not None]
    return float(np.mean(of_each)) if of_each else 0.0


def _variance_of_run(measure: Measure, result: CellResult) -> float | None:
    if measure.quantity in ("test_accuracy", "gap"):
        accuracy = result.value(Measure(epoch=measure.epoch))
        return accuracy * (1 - accuracy) / sum(result.data["class_counts"]["test"])
    if measure.quantity == "class_accuracy":
        accuracy = result.value(measure)
        place = result.data["class_names"].index(measure.class_name)
        return accuracy * (1 - accuracy) / result.data["class_counts"]["test"][place]
    # The penalty is the same for every image.
    if measure.quantity in ("test_loss", "test_objective") and result.answers is not None:
        losses = result.answers.losses
        # An earlier epoch can have a finite loss where the last one has none.
        return (
            float(np.var(losses, ddof=1, dtype=np.float64)) / len(losses)
            if len(losses) > 1 and np.isfinite(losses).all()
            else None
        )
    return None
