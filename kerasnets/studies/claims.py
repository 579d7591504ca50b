"""`judge_claims`: whether published sentences hold on our runs, by tests over seeds and over test images."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, special, stats

from kerasnets.errors import InputError
from kerasnets.evaluation.compare import (
    holm,
    matched_difference,
    normal_interval,
    p_in_words,
    student_interval,
    swap_test,
)
from kerasnets.evaluation.metrics import wilson_interval
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Claim, Comparison, Diverges, Equal, Higher, Measure, Point
from kerasnets.studies.verdicts import in_words, size_in_words

HOLDS = "HOLDS"
FAILS = "FAILS"
UNDECIDED = "UNDECIDED"

POWER = 0.8
FINAL_ACCURACY = Measure()
# What a verdict shows of a note that contains it; any other note is shown as a protocol that differs.
_NOTES_IN_SHORT = ("scaled", "part of the data")


@dataclass(frozen=True, kw_only=True)
class ComparisonVerdict:
    """One comparison of a claim, tested.

    Attributes:
        comparison: What was said.
        n: Seeds for which both sides have a number (``Diverges``: runs that came to an end).
        difference: Mean of first minus second over those seeds; None without one and for ``Diverges``.
        interval: Its 95 % interval, not corrected: over seeds with Student's t, or over test images for one seed.
        p: The smaller one of two one-sided p-values, that the comparison holds and that it fails; None untested.
        p_holm: The same after Holm's correction over the claim. A comparison of two claims may have two.
        test: Which test was used.
        verdict: ``HOLDS``, ``FAILS`` or ``UNDECIDED``; with one seed, of those very networks on other test images.
        smallest_difference: The true difference (beyond ``by``) that so many runs would have seen with probability 0.8
            at the level that Holm's procedure asked of this comparison; for ``Equal`` the smallest margin within which
            they would have shown two equal points to be equal. None when unknown, or when no difference is enough.
        why: The reason, with numbers.
        spent: What both sides had of epochs, images and seconds: ``"equal epochs and images, 2.1 times the seconds"``,
            the first in terms of the second; empty when unknown.
        notes: Known differences of the settings compared from what was published.
    """

    comparison: Comparison
    n: int
    difference: float | None = None
    interval: tuple[float, float] | None = None
    p: float | None = None
    p_holm: float | None = None
    test: str
    verdict: str
    smallest_difference: float | None = None
    why: str
    spent: str = ""
    notes: tuple[str, ...] = ()

    @property
    def seeds(self) -> int:
        """Smallest number of seeds that the verdict is from."""
        return self.n

    @property
    def words(self) -> str:
        """The verdict as it is shown: ``"HOLDS (1 seed), scaled"``."""
        return _verdict_in_words(self.verdict, self.seeds, self.notes)


@dataclass(frozen=True, kw_only=True)
class ClaimVerdict:
    """A published sentence, judged.

    Attributes:
        claim: The sentence and its comparisons.
        verdict: ``HOLDS`` if all comparisons hold, ``FAILS`` if one fails, otherwise ``UNDECIDED``.
        comparisons: Their verdicts, in the same order.
        why: How many hold, fail and are undecided.
    """

    claim: Claim
    verdict: str
    comparisons: tuple[ComparisonVerdict, ...]
    why: str

    @property
    def seeds(self) -> int:
        """Smallest number of seeds of all that was compared; 0 if nothing was."""
        return min((verdict.seeds for verdict in self.comparisons if verdict.seeds), default=0)

    @property
    def words(self) -> str:
        """The verdict as it is shown: ``"HOLDS (1 seed), scaled"``."""
        notes = dict.fromkeys(note for verdict in self.comparisons for note in verdict.notes)
        return _verdict_in_words(self.verdict, self.seeds, tuple(notes))


def judge_claims(
    claims: Sequence[Claim],
    results: Mapping[str, Sequence[CellResult]],
    *,
    notes: Mapping[str, Sequence[str]] | None = None,
    alpha: float = 0.05,
) -> list[ClaimVerdict]:
    """Tests all claims of a study on its runs.

    ``Higher`` and ``Equal`` compare two points seed by seed, d_i = first - second. Each is tested in both directions,
    that it holds and that it fails, with two questions asked of the data where both can be:

    * Would other seeds say the same? Paired one-sided t test of d_i against ``by``, for two seeds or more. Differences
      that are all the same number have no spread that a t test could use; then the sign test, p = 2^-n.
    * Would other test images say the same? For final test accuracy of two settings that were tested on the same images.
      An image's score is the number of paired seeds in which the first is right on it minus that of the second. Images,
      not pairs of image and seed, are the units, because networks of one setting fail on the same images. If the two
      settings are equally good, an image's score is as likely as its negative, so the distribution of the sum of scores
      over all choices of signs is known exactly; for one seed this is McNemar's exact test. (Where only the mean score
      is 0, it is right for many images.) For ``by`` other than 0 and for ``Equal``, where signs cannot be turned round,
      the normal test of the mean score, with Agresti and Min's half a case more in each cell of McNemar's table.

    Where both were asked, both must agree: the larger p-value counts. With one seed only the images answer, and the
    verdict says nothing of other seeds. Not asked of images: runs that diverged, which have no predictions, and runs
    whose predictions are not the last epoch's alone (a validation split, test-time augmentation).

    ``Equal`` holds by two one-sided tests (TOST): d above -margin and d below margin, the larger p-value counts. It
    fails when d is beyond one of the two, twice the smaller p-value counts, since either side will do.

    Holm's correction. The family is one claim: two one-sided hypotheses for each different ``Higher`` and ``Equal`` of
    it, "does not hold" and "does not fail", also of those that have no runs yet (p = 1), so that a verdict does not
    fall because more runs arrive. A comparison HOLDS or FAILS if the corrected p-value of that direction is at most
    alpha. So the probability that even one comparison of a claim, and hence that a claim is decided wrongly, in either
    direction, is at most alpha, however the tests depend on each other: each claim for itself, and of twenty claims
    about one may be wrong. With one seed the chance meant is that of the test images alone. (Where a claim has one
    comparison, this is the two-sided test whose direction is read from the sign. With several, two-sided p-values
    corrected over half as many would decide more; but that Holm's procedure then errs as seldom about directions is
    known of independent tests, Shaffer 1980, and comparisons that share a setting are not independent.)

    ``Diverges`` needs no test: a run counts as diverged if a loss was no number, or if its final test accuracy's 95 %
    Wilson interval contains 1/classes or lies below. All runs: HOLDS; none: FAILS; some: UNDECIDED.

    Runs that are missing do not hold up a verdict on those seeds that are there; ``why`` counts both.

    Args:
        claims: The claims, each judged for itself.
        results: Results by name of setting, one a seed.
        notes: Known differences from what was published by name of setting: its note, ``"scaled to 0.1"``. They decide
            nothing; verdicts on comparisons of such settings show them.
        alpha: Probability of a wrong decision of a claim.

    Raises:
        InputError: alpha is not between 0 and 1.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure"; McNemar 1947; Schuirmann 1987 (TOST);
        Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions"; the signs turned
        round: Fisher 1935, "The design of experiments", section 21; Shaffer 1980, "Control of directional errors with
        stagewise multiple test procedures".
    """
    if not 0 < alpha < 1:
        raise InputError(f"alpha must be above 0 and below 1. Received: {alpha!r}. 0.05 is usual.")
    return [_judge_claim(claim, results, notes or {}, alpha) for claim in claims]


def _judge_claim(
    claim: Claim,
    results: Mapping[str, Sequence[CellResult]],
    notes: Mapping[str, Sequence[str]],
    alpha: float,
) -> ClaimVerdict:
    # What a claim says twice is one hypothesis.
    declared = list(dict.fromkeys(claim.comparisons))
    tested = [_gather(comparison, results) for comparison in declared if not isinstance(comparison, Diverges)]
    adjusted, levels = holm([p for evidence in tested for p in (evidence.p_holds, evidence.p_fails)], alpha)
    judged: dict[Comparison, ComparisonVerdict] = {
        evidence.comparison: _judge(evidence, adjusted[2 * i : 2 * i + 2], levels[2 * i : 2 * i + 2], alpha)
        for i, evidence in enumerate(tested)
    }
    for comparison in declared:
        if isinstance(comparison, Diverges):
            judged[comparison] = _judge_divergence(comparison, results.get(comparison.setting, ()))
    comparisons = tuple(_with_notes(judged[comparison], notes) for comparison in claim.comparisons)
    counts = {name: sum(verdict.verdict == name for verdict in comparisons) for name in (HOLDS, FAILS, UNDECIDED)}
    verdict = FAILS if counts[FAILS] else HOLDS if comparisons and counts[HOLDS] == len(comparisons) else UNDECIDED
    why = f"Comparisons: {counts[HOLDS]} hold, {counts[FAILS]} fail, {counts[UNDECIDED]} undecided."
    return ClaimVerdict(claim=claim, verdict=verdict, comparisons=comparisons, why=why)


def _with_notes(verdict: ComparisonVerdict, notes: Mapping[str, Sequence[str]]) -> ComparisonVerdict:
    comparison = verdict.comparison
    if isinstance(comparison, Diverges):
        settings = [comparison.setting]
    else:
        settings = list(dict.fromkeys((comparison.first.setting, comparison.second.setting)))
    found: dict[str, list[str]] = {}  # note: the settings that have it
    for setting in settings:
        for note in notes.get(setting, ()):
            found.setdefault(note, []).append(setting)
    if not found:
        return verdict
    texts = [
        note.rstrip(".") + ("" if len(having) == len(settings) else f" ({having[0]!r})")
        for note, having in found.items()
    ]
    return dataclasses.replace(
        verdict, notes=tuple(found), why=f"{verdict.why} Other than published: {'; '.join(texts)}."
    )


def _verdict_in_words(verdict: str, seeds: int, notes: Sequence[str]) -> str:
    short = [next((words for words in _NOTES_IN_SHORT if words in note), "protocol differs") for note in notes]
    return ", ".join([f"{verdict} (1 seed)" if seeds == 1 else verdict, *dict.fromkeys(short)])


@dataclass(frozen=True, kw_only=True)
class _Images:
    """Scores of test images, of which each seed can add -1, 0 or 1; see `judge_claims`."""

    scores: np.ndarray
    seeds: int

    @cached_property
    def matched(self) -> tuple[float, float]:
        """Mean score a seed, that is accuracy of the first minus accuracy of the second, and its standard error."""
        return matched_difference(self.scores / self.seeds)

    def p_values(self, shift: float) -> tuple[float, float]:
        """One-sided p-values of a difference above, and below, a shift."""
        if shift == 0:
            return swap_test(self.scores)
        difference, error = self.matched
        z = (difference - shift) / error
        return float(stats.norm.sf(z)), float(stats.norm.cdf(z))


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    """A comparison and what its runs say, before the correction."""

    comparison: Higher | Equal
    pairs: list[tuple[CellResult, CellResult]]
    planned: int
    longest: tuple[int, int]
    firsts: np.ndarray
    seconds: np.ndarray
    images: _Images | None
    p_holds: float
    p_fails: float

    @property
    def differences(self) -> np.ndarray:
        return self.firsts - self.seconds


def _gather(comparison: Higher | Equal, results: Mapping[str, Sequence[CellResult]]) -> _Evidence:
    first, second = comparison.first, comparison.second
    of_first, of_second = (
        {result.cell.seed: result for result in results.get(point.setting, ())} for point in (first, second)
    )
    both = [(of_first[seed], of_second[seed]) for seed in sorted(of_first.keys() & of_second.keys())]
    rows = [(pair, pair[0].value(first.measure), pair[1].value(second.measure)) for pair in both]
    rows = [row for row in rows if row[1] is not None and row[2] is not None]
    pairs = [pair for pair, _, _ in rows]
    firsts, seconds = (np.array([row[place] for row in rows], np.float64) for place in (1, 2))
    images = _images(first, second, pairs)
    if len(rows) < 2 and images is None:
        p_holds = p_fails = 1.0
    elif isinstance(comparison, Higher):
        p_holds, p_fails = _p_values(firsts - seconds, images, comparison.by)
    else:
        above_low, below_low = _p_values(firsts - seconds, images, -comparison.margin)
        above_high, below_high = _p_values(firsts - seconds, images, comparison.margin)
        p_holds, p_fails = max(above_low, below_high), min(1.0, 2 * min(below_low, above_high))
    return _Evidence(
        comparison=comparison,
        pairs=pairs,
        planned=len(of_first.keys() | of_second.keys()),
        longest=tuple(
            max((result.cell.config.epochs for result in of_one.values()), default=0)
            for of_one in (of_first, of_second)
        ),
        firsts=firsts,
        seconds=seconds,
        images=images,
        p_holds=p_holds,
        p_fails=p_fails,
    )


def _images(first: Point, second: Point, pairs: list[tuple[CellResult, CellResult]]) -> _Images | None:
    """Scores of the test images over all pairs; None where images cannot be compared one by one."""
    if not pairs or first.measure != FINAL_ACCURACY or second.measure != FINAL_ACCURACY:
        return None
    results = [result for pair in pairs for result in pair]
    # What such runs predicted is not what the last epoch's accuracy was measured on.
    if any(result.cell.config.validation or result.cell.config.tta != "none" for result in results):
        return None
    if any(result.answers is None for result in results):
        return None
    labels = [result.answers.labels for result in results]
    if not all(np.array_equal(labels[0], others) for others in labels):
        return None
    scores = sum(a.answers.correct.astype(np.int64) - b.answers.correct.astype(np.int64) for a, b in pairs)
    return _Images(scores=scores, seeds=len(pairs))


def _p_values(differences: np.ndarray, images: _Images | None, shift: float) -> tuple[float, float]:
    """One-sided p-values of a difference above, and below, a shift: the larger ones over seeds and over images."""
    of_seeds = _p_values_over_seeds(differences - shift) if len(differences) > 1 else (0.0, 0.0)
    of_images = images.p_values(shift) if images else (0.0, 0.0)
    return max(of_seeds[0], of_images[0]), max(of_seeds[1], of_images[1])


def _p_values_over_seeds(differences: np.ndarray) -> tuple[float, float]:
    n, mean = len(differences), float(differences.mean())
    if _all_the_same(differences):
        if abs(mean) <= 1e-12:
            return 1.0, 1.0
        return (0.5**n, 1.0) if mean > 0 else (1.0, 0.5**n)
    t = mean / (float(differences.std(ddof=1)) / math.sqrt(n))
    return float(stats.t.sf(t, n - 1)), float(stats.t.cdf(t, n - 1))


def _all_the_same(differences: np.ndarray) -> bool:
    """Whether they are one number but for the rounding of floats."""
    return np.allclose(differences, differences[0], rtol=1e-9, atol=1e-12)


def _judge(evidence: _Evidence, corrected: np.ndarray, levels: np.ndarray, alpha: float) -> ComparisonVerdict:
    comparison, differences, n = evidence.comparison, evidence.differences, len(evidence.pairs)
    untested = n < 2 and evidence.images is None
    direction = 0 if evidence.p_holds <= evidence.p_fails else 1
    verdict = (HOLDS, FAILS)[direction] if corrected[direction] <= alpha else UNDECIDED
    judged = ComparisonVerdict(
        comparison=comparison,
        n=n,
        difference=float(differences.mean()) if n else None,
        interval=_interval(differences, evidence.images),
        p=None if untested else min(evidence.p_holds, evidence.p_fails),
        p_holm=None if untested else float(corrected[direction]),
        test=_test_in_words(evidence),
        verdict=verdict,
        smallest_difference=None if untested else _smallest_difference(evidence, float(levels[direction])),
        why="",
        spent=_spent(evidence),
    )
    return dataclasses.replace(judged, why=_why(judged, evidence))


def _interval(differences: np.ndarray, images: _Images | None) -> tuple[float, float] | None:
    n = len(differences)
    if n > 1:
        return student_interval(float(differences.mean()), float(differences.std(ddof=1)), n)
    return normal_interval(*images.matched) if images else None


def _smallest_difference(evidence: _Evidence, level: float) -> float | None:
    """See ``ComparisonVerdict.smallest_difference``; of seeds and images, the larger.

    Seeds: nc * s / sqrt(n), where nc is the non-centrality at which a t test with n - 1 degrees of freedom has the
    power. Images: (z of the level + z of the power) standard errors. To be equal takes both of two one-sided tests, so
    each is given half of the probability of missing, which makes the power at least what it should be.
    """
    power = POWER if isinstance(evidence.comparison, Higher) else (1 + POWER) / 2
    differences, n, parts = evidence.differences, len(evidence.pairs), []
    if n > 1 and _all_the_same(differences):
        if 0.5**n > level:
            return None
        parts.append(0.0)
    elif n > 1:
        parts.append(_noncentrality(n, level, power) * float(differences.std(ddof=1)) / math.sqrt(n))
    if evidence.images:
        quantiles = stats.norm.isf(level) + stats.norm.ppf(power)
        parts.append(float(quantiles) * evidence.images.matched[1])
    return max(parts)


def _noncentrality(n: int, level: float, power: float) -> float:
    """The nc for which a t test has a power: P(Z + nc > t * u) of a normal Z and u^2 = chi^2 / (n - 1), a mean over u.

    scipy's own non-central t does not converge for the large t of two seeds and a small level.
    """
    threshold = float(stats.t.isf(level, n - 1))
    spreads = np.sqrt(stats.chi2.ppf((np.arange(1000) + 0.5) / 1000, n - 1) / (n - 1))
    root = optimize.brentq(
        lambda nc: float(special.ndtr(nc - threshold * spreads).mean()) - power, 0, threshold * spreads[-1] + 10
    )
    return float(root)


def _test_in_words(evidence: _Evidence) -> str:
    comparison, n = evidence.comparison, len(evidence.pairs)
    tests = []
    if n > 1:
        same = _all_the_same(evidence.differences)
        tests.append(f"{'sign test (all differences are the same)' if same else 'paired t'} over {n} seeds")
    if evidence.images:
        exact = isinstance(comparison, Higher) and comparison.by == 0
        name = "normal test of the mean" if not exact else "McNemar, exact" if n == 1 else "McNemar, exact, all seeds"
        tests.append(f"{name}, over {len(evidence.images.scores):,} test images")
    if not tests:
        return "none"
    return ("two one-sided tests: " if isinstance(comparison, Equal) else "") + " and ".join(tests)


def _why(verdict: ComparisonVerdict, evidence: _Evidence) -> str:
    comparison, n = verdict.comparison, verdict.n
    there = ""
    if n < evidence.planned:
        there = _too_short(evidence) or f" {n} of {evidence.planned} pairs of runs are there."
    if not n:
        return there.strip() or "No runs are there."
    measure = comparison.first.measure
    first, second = float(evidence.firsts.mean()), float(evidence.seconds.mean())
    text = (
        f"{_capital(comparison.first)} is {in_words(first, measure)}, {comparison.second} "
        f"{in_words(second, comparison.second.measure)}: {_difference_in_words(verdict)}."
    )
    if verdict.p is None:
        return f"{text} One seed decides nothing here, since there are no test images to compare one by one.{there}"
    direction = "holds" if evidence.p_holds <= evidence.p_fails else "fails"
    text += f" That it {direction}: p {p_in_words(verdict.p)}, {p_in_words(verdict.p_holm)} after Holm's correction."
    if n == 1:
        text += " One seed: of other seeds this says nothing."
    if verdict.verdict == UNDECIDED:
        text += f" {_seen_in_words(verdict)}"
    return text + there


def _too_short(evidence: _Evidence) -> str:
    """Says that an epoch is beyond the end of all runs; else ""."""
    for point, longest in zip((evidence.comparison.first, evidence.comparison.second), evidence.longest, strict=True):
        if longest and (point.measure.epoch or 0) > longest:
            return f" No run of {point.setting!r} has {point.measure.epoch} epochs."
    return ""


def _difference_in_words(verdict: ComparisonVerdict) -> str:
    comparison, measure = verdict.comparison, verdict.comparison.first.measure
    text = f"{size_in_words(verdict.difference, measure)} {'higher' if verdict.difference >= 0 else 'lower'}"
    if verdict.interval:
        scale, digits = (100, ".2f") if measure.is_share else (1, ".3g")
        low, high = (f"{scale * end:+{digits}}" for end in verdict.interval)
        text += f" (95 % interval {low} to {high})"
    if isinstance(comparison, Equal):
        return f"{text}, where less than {size_in_words(comparison.margin, measure)} either way is meant"
    if comparison.by:
        meant = ("more", "higher") if comparison.by > 0 else ("less", "lower")
        text += f", where {meant[0]} than {size_in_words(comparison.by, measure)} {meant[1]} is meant"
    return text


def _seen_in_words(verdict: ComparisonVerdict) -> str:
    if verdict.smallest_difference is None:
        return f"{verdict.n} seeds are too few to see any difference."
    smallest = size_in_words(verdict.smallest_difference, verdict.comparison.first.measure)
    if isinstance(verdict.comparison, Equal):
        return f"Runs so many and so scattered could have shown equality within {smallest} (80 % power)."
    return f"Runs so many and so scattered could have seen a difference of {smallest} (80 % power)."


def _capital(point: Point) -> str:
    text = str(point)
    return text[0].upper() + text[1:]


def _spent(evidence: _Evidence) -> str:
    """Epochs, images and seconds of the first in terms of the second; seconds within 5 % are equal.

    Up to an epoch before the last, images and seconds are in proportion.
    """
    points = (evidence.comparison.first, evidence.comparison.second)
    costs = [[_cost(pair[side], point.measure.epoch) for pair in evidence.pairs] for side, point in enumerate(points)]
    if not evidence.pairs or any(cost is None for side in costs for cost in side):
        return ""
    first, second = (np.mean(side, axis=0) for side in costs)
    equal, different = [], []
    for name, a, b, within in zip(("epochs", "images", "seconds"), first, second, (0, 0, 0.05), strict=True):
        if abs(a - b) <= within * b:
            equal.append(name)
        elif b:
            different.append(f"{a / b:.2g} times the {name}")
    listed = f"{', '.join(equal[:-1])} and {equal[-1]}" if len(equal) > 1 else "".join(equal)
    return ", ".join(([f"equal {listed}"] if listed else []) + different)


def _cost(result: CellResult, epoch: int | None) -> tuple[float, float, float] | None:
    summary = result.summary
    epochs, images, seconds = summary.get("epochs"), summary.get("train_images"), summary.get("seconds", {})
    if not epochs or not images or "train" not in seconds:
        return None
    counted = epoch or epochs
    return counted, counted * images, seconds["train"] * counted / epochs


def _judge_divergence(comparison: Diverges, results: Sequence[CellResult]) -> ComparisonVerdict:
    answers = [answer for result in results if (answer := _diverges(result)) is not None]
    n, diverged = len(answers), sum(answers)
    verdict = HOLDS if n and diverged == n else FAILS if n and not diverged else UNDECIDED
    why = f"{diverged} of {n} runs of {comparison.setting!r} diverged or ended at chance." if n else ""
    if n < len(results) or not n:
        why += f" {n} of {len(results)} runs are there."
    return ComparisonVerdict(
        comparison=comparison,
        n=n,
        test="count of runs that diverged or whose final test accuracy is that of chance (95 % Wilson interval)",
        verdict=verdict,
        why=why.strip(),
    )


def _diverges(result: CellResult) -> bool | None:
    """Whether a run ended without having learned; None if it has not ended, or was not tested."""
    if result.status == "diverged":
        return True
    accuracy = result.value(FINAL_ACCURACY)
    if accuracy is None:
        return None
    n = sum(result.data["class_counts"]["test"])
    return wilson_interval(round(accuracy * n), n)[0] <= 1 / len(result.data["class_names"])
