"""Claims: published examples of each test, hand calculations, and how often true and false claims are decided."""

import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kerasnets.errors import InputError
from kerasnets.studies.cells import Cell
from kerasnets.studies.claims import judge_claims
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Claim, Diverges, Equal, Higher, Measure, Point
from kerasnets.training.config import TrainConfig

LOSS = Measure(quantity="train_loss")
# Student 1908, "The probable error of a mean": hours of sleep gained by ten patients under two drugs.
SLEEP_A = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_B = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def make_result(setting, seed, *, status="finished", right=None, images=1000, config=None, summary=None, **columns):
    """A result whose folder is never read; ``right`` says for each test image whether it is recognised."""
    config = TrainConfig(dataset="digits", arch="lazynet", seed=seed, **(config or {}))
    result = CellResult(cell=Cell(setting=setting, config=config), path=Path("nowhere"), status=status)
    predictions = None
    if right is not None:
        right, images = np.asarray(right, bool), len(right)
        labels = np.arange(images) % 10
        answers = np.where(right, labels, (labels + 1) % 10)
        predictions = (labels, np.log(np.where(np.arange(10) == answers[:, None], 0.91, 0.01)))
        columns = {"test_accuracy": right.mean()} | columns
    result.__dict__.update(
        curve=pd.DataFrame({name: np.atleast_1d(values) for name, values in columns.items()}),
        data={"class_names": [str(i) for i in range(10)], "class_counts": {"test": [images / 10] * 10}},
        predictions=predictions,
        summary=summary or {},
    )
    return result


def losses(**settings):
    """Results by setting from one train loss a seed."""
    return {
        name: [make_result(name, seed, train_loss=value) for seed, value in enumerate(values)]
        for name, values in settings.items()
    }


def answers(**settings):
    """Results by setting from, for each seed, which images are recognised."""
    return {
        name: [make_result(name, seed, right=right) for seed, right in enumerate(values)]
        for name, values in settings.items()
    }


def higher(first="a", second="b", measure=LOSS, **options):
    return Higher(first=Point(setting=first, measure=measure), second=Point(setting=second, measure=measure), **options)


def equal(margin, measure=LOSS):
    return Equal(first=Point(setting="a", measure=measure), second=Point(setting="b", measure=measure), margin=margin)


def judge(comparison, results, **options):
    """The verdict of a claim that has this one comparison."""
    (claim,) = judge_claims([Claim(text="", comparisons=(comparison,))], results, **options)
    return claim.comparisons[0]


def table(both, first_only, second_only, neither):
    """Which images two networks recognise, with these counts in McNemar's table."""
    counts = (both, first_only, second_only, neither)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


# Tests over seeds


def test_paired_t_has_the_published_value():
    # Student's data: t = 4.0621 with 9 degrees of freedom, two-sided p = 0.002833, mean 1.58, interval 0.70 to 2.46.
    verdict = judge(higher("b", "a"), losses(a=SLEEP_A, b=SLEEP_B))
    assert verdict.p == pytest.approx(0.002833 / 2, abs=5e-7)
    assert verdict.p_holm == pytest.approx(0.002833, abs=1e-6)
    assert verdict.difference == pytest.approx(1.58)
    assert verdict.interval == pytest.approx((0.7001, 2.4599), abs=5e-5)
    assert (verdict.n, verdict.verdict, verdict.test) == (10, "HOLDS", "paired t over 10 seeds")
    assert verdict.why == (
        "Train loss of 'b' is 2.33, train loss of 'a' 0.75: 1.58 higher (95 % interval +0.7 to +2.46). "
        "That it holds: p 0.0014, 0.0028 after Holm's correction."
    )


def test_the_other_direction_fails():
    verdict = judge(higher("a", "b"), losses(a=SLEEP_A, b=SLEEP_B))
    assert (verdict.verdict, verdict.p) == ("FAILS", pytest.approx(0.002833 / 2, abs=5e-7))
    assert verdict.difference == pytest.approx(-1.58)
    assert "That it fails: p 0.0014" in verdict.why


def test_by_shifts_the_t_test():
    results = losses(a=SLEEP_A, b=SLEEP_B)
    shifted = stats.ttest_rel(SLEEP_B, np.add(SLEEP_A, 1.0), alternative="greater").pvalue
    verdict = judge(higher("b", "a", by=1.0), results)
    assert (verdict.p, verdict.difference) == (pytest.approx(shifted), pytest.approx(1.58))
    assert verdict.verdict == "UNDECIDED"
    assert "where more than 1 higher is meant" in verdict.why
    assert judge(higher("b", "a", by=3.0), results).verdict == "FAILS"
    undershot = judge(higher("a", "b", by=-3.0), results)
    assert (undershot.verdict, "where less than 3 lower is meant" in undershot.why) == ("HOLDS", True)


def test_seeds_are_paired_by_seed_and_not_by_place():
    results = losses(a=SLEEP_A, b=SLEEP_B)
    results["b"].reverse()
    assert judge(higher("b", "a"), results).p == pytest.approx(0.002833 / 2, abs=5e-7)


def test_epochs_of_one_setting_are_paired():
    curves = [[1.0, 0.5], [1.2, 0.6], [1.1, 0.7]]
    results = {"a": [make_result("a", seed, train_loss=curve) for seed, curve in enumerate(curves)]}
    early, late = (Point(setting="a", measure=Measure(quantity="train_loss", epoch=epoch)) for epoch in (1, None))
    verdict = judge(Higher(first=early, second=late), results)
    # Differences 0.5, 0.6, 0.4: mean 0.5, s = 0.1, t = 0.5 / (0.1 / sqrt(3)) = 5 sqrt(3).
    assert verdict.p == pytest.approx(stats.t.sf(5 * math.sqrt(3), 2))
    assert verdict.verdict == "HOLDS"
    assert verdict.why.startswith("Train loss after epoch 1 of 'a' is 1.1, train loss of 'a' 0.6: 0.5 higher")


def test_the_same_differences_are_no_certainty():
    three = judge(higher(), losses(a=[0.5, 0.6, 0.7], b=[0.4, 0.5, 0.6]))
    assert (three.p, three.verdict) == (0.125, "UNDECIDED")
    assert three.test == "sign test (all differences are the same) over 3 seeds"
    assert three.smallest_difference is None
    assert three.why.endswith("3 seeds are too few to see any difference.")
    six = judge(higher(), losses(a=[0.5] * 6, b=[0.4] * 6))
    assert (six.p, six.verdict, six.smallest_difference) == (2**-6, "HOLDS", 0.0)
    assert judge(higher(), losses(a=[0.4] * 6, b=[0.5] * 6)).verdict == "FAILS"


def test_the_same_numbers_decide_nothing():
    verdict = judge(higher(), losses(a=[0.5, 0.6, 0.7], b=[0.5, 0.6, 0.7]))
    assert (verdict.p, verdict.p_holm, verdict.verdict, verdict.interval) == (1.0, 1.0, "UNDECIDED", (0.0, 0.0))


# Tests over images


def test_one_seed_is_mcnemar():
    # Agresti, "Categorical data analysis", approval of the prime minister: 150 and 86 changed; z^2 = 17.36.
    first, second = table(794, 150, 86, 570)
    verdict = judge(higher(measure=Measure()), answers(a=[first], b=[second]))
    assert verdict.p == pytest.approx(stats.binomtest(150, 236, alternative="greater").pvalue)
    assert stats.norm.isf(verdict.p) ** 2 == pytest.approx(17.36, rel=0.05)
    assert (verdict.n, verdict.verdict) == (1, "HOLDS")
    assert verdict.test == "McNemar, exact, over 1,600 test images"
    # The published interval of the difference, 0.04 +- 1.96 * 0.0095.
    assert verdict.interval == pytest.approx((0.0214, 0.0586), abs=2e-4)
    assert "One seed: of other seeds this says nothing." in verdict.why
    assert (verdict.seeds, verdict.words) == (1, "HOLDS (1 seed)")
    assert judge(higher(measure=Measure()), answers(a=[second], b=[first])).verdict == "FAILS"


def test_few_discordant_images_are_exact():
    first, second = table(50, 5, 0, 45)
    verdict = judge(higher(measure=Measure()), answers(a=[first], b=[second]))
    assert (verdict.p, verdict.p_holm, verdict.verdict) == (1 / 32, 1 / 16, "UNDECIDED")


def test_seeds_and_images_must_agree():
    measure = Measure()
    # Seeds agree closely, but on 40 images that is chance; then many images, but seeds that contradict each other.
    few = answers(a=[np.arange(40) < n for n in (22, 23, 23)], b=[np.arange(40) < n for n in (20, 21, 20)])
    by_seeds = stats.ttest_1samp(np.array([2, 2, 3]) / 40, 0, alternative="greater").pvalue
    verdict = judge(higher(measure=measure), few)
    assert by_seeds < 0.025 < verdict.p
    assert verdict.p == 1 / 8  # three images have a score above 0, none below
    assert verdict.test == "paired t over 3 seeds and McNemar, exact, all seeds, over 40 test images"
    many = answers(a=[np.arange(4000) < n for n in (2400, 2200)], b=[np.arange(4000) < n for n in (2000, 2100)])
    verdict = judge(higher(measure=measure), many)
    assert verdict.p == pytest.approx(stats.ttest_1samp([0.1, 0.025], 0, alternative="greater").pvalue)
    assert verdict.verdict == "UNDECIDED"


def test_by_is_tested_on_images_by_their_mean():
    first, second = table(500, 200, 50, 250)
    verdict = judge(higher(measure=Measure(), by=0.1), answers(a=[first], b=[second]))
    # Agresti and Min: half a case more in each of four cells, 200.5 and 50.5 of 1002.
    mean, square = 150 / 1002, 251 / 1002
    z = (mean - 0.1) / math.sqrt((square - mean**2) / 1002)
    assert verdict.p == pytest.approx(stats.norm.sf(z))
    assert (verdict.verdict, verdict.test) == ("HOLDS", "normal test of the mean, over 1,000 test images")
    assert judge(higher(measure=Measure(), by=0.2), answers(a=[first], b=[second])).verdict == "FAILS"


@pytest.mark.parametrize("config", [{"validation": 0.1}, {"tta": "flip"}])
def test_predictions_of_another_epoch_or_view_are_not_compared(config):
    results = {
        name: [make_result(name, 0, right=right, config=config)]
        for name, right in zip("ab", table(794, 150, 86, 570), strict=True)
    }
    verdict = judge(higher(measure=Measure()), results)
    assert (verdict.verdict, verdict.p, verdict.p_holm, verdict.test) == ("UNDECIDED", None, None, "none")
    assert verdict.interval is None
    assert verdict.smallest_difference is None
    assert "One seed decides nothing here" in verdict.why


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
def test_images_do_not_speak_of_earlier_epochs(places):
    results = answers(a=[np.arange(100) < 60], b=[np.arange(100) < 20])
    points = [Point(setting="a", measure=Measure(epoch=1)), Point(setting="b")]
    first, second = (points[place] for place in places)
    assert judge(Higher(first=first, second=second), results).test == "none"


def test_other_images_are_not_compared():
    first, second = table(794, 150, 86, 570)
    results = answers(a=[first], b=[second])
    labels, log_probabilities = results["b"][0].predictions
    results["b"][0].__dict__["predictions"] = (labels[::-1], log_probabilities[::-1])
    assert judge(higher(measure=Measure()), results).test == "none"


def test_a_diverged_run_has_no_images_but_counts_as_guessing():
    results = answers(a=[np.arange(100) < n for n in (60, 62, 61)])
    results["b"] = [make_result("b", seed, status="diverged") for seed in range(3)]
    verdict = judge(higher(measure=Measure()), results)
    assert verdict.difference == pytest.approx(0.51)
    assert (verdict.test, verdict.verdict) == ("paired t over 3 seeds", "HOLDS")


# Equality


def test_equality_is_two_one_sided_tests():
    a, b = [1.00, 1.02, 0.99, 1.01, 1.00], [1.01, 1.00, 1.00, 1.00, 1.01]
    verdict = judge(equal(0.05), losses(a=a, b=b))
    expected = max(
        stats.ttest_rel(a, np.subtract(b, 0.05), alternative="greater").pvalue,
        stats.ttest_rel(a, np.add(b, 0.05), alternative="less").pvalue,
    )
    assert verdict.p == pytest.approx(expected)
    assert (verdict.verdict, verdict.test) == ("HOLDS", "two one-sided tests: paired t over 5 seeds")
    assert "where less than 0.05 either way is meant" in verdict.why
    vague = judge(equal(0.01), losses(a=a, b=b))
    assert vague.verdict == "UNDECIDED"
    assert "could have shown equality within" in vague.why


@pytest.mark.parametrize("sign", [1, -1])
def test_equality_fails_outside_the_margin(sign):
    a, b = sign * np.array([1.00, 1.02, 0.99, 1.01]), sign * np.array([0.5, 0.51, 0.5, 0.49])
    verdict = judge(equal(0.3), losses(a=a, b=b))
    expected = 2 * stats.ttest_1samp(sign * (a - b) - 0.3, 0, alternative="greater").pvalue
    assert (verdict.p, verdict.verdict) == (pytest.approx(expected), "FAILS")


def test_equality_needs_images_too():
    # Equal in every seed, yet the two disagree on so many of few images that a margin of 5 points proves nothing.
    first, second = table(30, 30, 30, 10)
    several = judge(equal(0.05, Measure()), answers(a=[first] * 7, b=[second] * 7))
    assert several.verdict == "UNDECIDED"
    one = judge(equal(0.05, Measure()), answers(a=[first], b=[second]))
    assert one.p == pytest.approx(stats.norm.sf(0.05 / math.sqrt(61 / 102 / 102)))
    assert judge(equal(0.3, Measure()), answers(a=[first], b=[second])).verdict == "HOLDS"


# Smallest differences


@pytest.mark.parametrize("n", [3, 5])
def test_smallest_difference_is_seen_in_80_of_100(n):
    noise = np.linspace(-1, 1, n)
    noise = noise / noise.std(ddof=1)
    verdict = judge(higher(), losses(a=noise, b=np.zeros(n)))
    # One comparison has two hypotheses; nothing is rejected, so each is held against 0.05 / 2.
    draws = np.random.default_rng(0).normal(verdict.smallest_difference, 1, (20_000, n))
    seen = stats.ttest_1samp(draws, 0, axis=1, alternative="greater").pvalue <= 0.025
    assert seen.mean() == pytest.approx(0.8, abs=0.01)
    assert "could have seen a difference of" in verdict.why


def test_smallest_difference_of_two_seeds_in_a_large_claim():
    # Two seeds, 50 comparisons: level 0.05 / 100, where the non-central t of scipy 1.17 is 815.861 and, for ten times
    # as many comparisons, no longer converges.
    results = losses(a=[1.0, -1.0], b=[0.0, 0.0])
    for count, expected in ((50, 815.861), (500, 8158.6)):
        claims = [Claim(text="", comparisons=(higher(), *(higher("x", str(i)) for i in range(count - 1))))]
        smallest = judge_claims(claims, results)[0].comparisons[0].smallest_difference
        assert smallest == pytest.approx(expected, rel=2e-4)  # s / sqrt(n) is 1


def test_smallest_margin_is_shown_in_at_least_80_of_100():
    noise = np.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    verdict = judge(equal(0.1), losses(a=noise / noise.std(ddof=1), b=np.zeros(5)))
    draws, margin = np.random.default_rng(0).normal(0, 1, (20_000, 5)), verdict.smallest_difference
    low = stats.ttest_1samp(draws + margin, 0, axis=1, alternative="greater").pvalue
    high = stats.ttest_1samp(draws - margin, 0, axis=1, alternative="less").pvalue
    assert 0.8 <= (np.maximum(low, high) <= 0.025).mean() < 0.82


def test_smallest_difference_of_images_by_hand():
    first, second = table(500, 100, 100, 300)
    verdict = judge(higher(measure=Measure()), answers(a=[first], b=[second]))
    assert verdict.smallest_difference == pytest.approx((1.959964 + 0.841621) * math.sqrt(201) / 1002, rel=1e-6)


def test_a_decided_comparison_has_the_level_that_it_passed():
    sure = losses(a=[1.0, 1.01, 0.99], b=[0.0, 0.0, 0.0])
    alone = judge(higher(), sure)
    claims = [Claim(text="", comparisons=(higher(), *(higher("x", str(i)) for i in range(9))))]
    among_ten = judge_claims(claims, sure)[0].comparisons[0]
    ratio = among_ten.smallest_difference / alone.smallest_difference
    noncentralities = [
        next(nc for nc in np.arange(0, 60, 0.01) if stats.nct.sf(stats.t.isf(level, 2), 2, nc) >= 0.8)
        for level in (0.05 / 20, 0.05 / 2)
    ]
    assert ratio == pytest.approx(noncentralities[0] / noncentralities[1], rel=2e-3)


# The family


def test_the_family_is_every_direction_of_every_comparison_of_one_claim():
    results = losses(a=[1.0, 1.02, 0.99], b=[0.5, 0.51, 0.5], c=[0.9, 1.1, 1.0])
    sure, vague, unrun = higher("a", "b"), higher("a", "c"), higher("a", "missing")
    results["d"] = [make_result("d", 0, test_accuracy=0.5)]
    diverges = Diverges(setting="d")
    claims = [
        Claim(text="first", comparisons=(sure,)),
        Claim(text="second", comparisons=(sure, unrun, vague, sure, diverges)),
    ]
    first, second = judge_claims(claims, results)
    # One comparison is two hypotheses; three different ones, of which one has no runs, are six.
    assert first.comparisons[0].p_holm == pytest.approx(2 * first.comparisons[0].p)
    assert second.comparisons[0].p_holm == pytest.approx(6 * first.comparisons[0].p)
    assert second.comparisons[3] == second.comparisons[0]
    assert second.comparisons[1].why == "0 of 3 pairs of runs are there."
    assert (first.why, first.verdict) == ("Comparisons: 1 hold, 0 fail, 0 undecided.", "HOLDS")
    assert (second.why, second.verdict) == ("Comparisons: 2 hold, 1 fail, 2 undecided.", "FAILS")


def test_other_claims_do_not_matter():
    # Three seeds with differences of 0.4, 0.6 and 0.4, t = 7. In one family of 66 hypotheses it would take t = 25.7;
    # here the two-sided p-value counts as it is, however much else a study says.
    results = losses(a=[1.0, 1.1, 0.9], b=[0.6, 0.5, 0.5])
    others = [Claim(text="", comparisons=(higher("a", str(i)),)) for i in range(32)]
    verdict = judge_claims([*others, Claim(text="", comparisons=(higher(),))], results)[-1]
    expected = stats.ttest_rel([1.0, 1.1, 0.9], [0.6, 0.5, 0.5])
    assert 4.303 < expected.statistic < 25.7
    assert verdict.comparisons[0].p_holm == pytest.approx(expected.pvalue)
    assert (verdict.verdict, verdict.seeds, verdict.words) == ("HOLDS", 3, "HOLDS")


# What is shown beside a verdict


def test_a_claim_has_the_fewest_seeds_of_what_was_compared():
    first, second = table(794, 150, 86, 570)
    results = answers(a=[first], b=[second]) | losses(c=[1.0, 1.02, 0.99], d=[0.5, 0.51, 0.5])
    one, three, none = higher(measure=Measure()), higher("c", "d"), higher("x", "y")
    verdicts = judge_claims(
        [Claim(text="", comparisons=some) for some in ((three, one), (three,), (three, none), (none,))], results
    )
    assert [(verdict.seeds, verdict.words) for verdict in verdicts] == [
        (1, "HOLDS (1 seed)"), (3, "HOLDS"), (3, "UNDECIDED"), (0, "UNDECIDED"),
    ]  # fmt: skip


def test_notes_are_shown_and_decide_nothing():
    results = losses(a=[1.0, 1.02, 0.99], b=[0.5, 0.51, 0.5], c=[0.1, 0.2, 0.3])
    notes = {"a": ["scaled to 0.1"], "b": ["Widths are not given.", "scaled to 0.1"], "c": ["never compared"]}
    (claim,) = judge_claims([Claim(text="", comparisons=(higher(), Diverges(setting="a")))], results, notes=notes)
    plain = judge(higher(), results)
    compared, diverges = claim.comparisons
    assert (compared.verdict, compared.p_holm) == (plain.verdict, pytest.approx(2 * plain.p))
    assert compared.words == "HOLDS, scaled, protocol differs"
    assert compared.why == f"{plain.why} Other than published: scaled to 0.1; Widths are not given ('b')."
    assert diverges.why.endswith("Other than published: scaled to 0.1.") and diverges.notes == ("scaled to 0.1",)
    assert claim.words == "UNDECIDED, scaled, protocol differs"
    part = {"a": ["trained and tested on a part of the data: 27 of its 1,437 training images"]}
    assert judge_claims([Claim(text="", comparisons=(higher(),))], results, notes=part)[0].words == (
        "HOLDS, part of the data"
    )


def test_a_claim_holds_if_all_of_it_holds():
    results = losses(a=[1.0, 1.02, 0.99], b=[0.5, 0.51, 0.5])
    assert [
        judge_claims([Claim(text="", comparisons=comparisons)], results)[0].verdict
        for comparisons in ((higher(),), (higher(), higher(by=0.1)), (higher(), higher("b", "a")), ())
    ] == ["HOLDS", "HOLDS", "FAILS", "UNDECIDED"]
    assert judge_claims([], results) == []


def test_wrong_decisions_are_as_rare_as_said():
    """Five true hypotheses that share a setting, four seeds: at most 5 % of claims decide any of them."""
    generator = np.random.default_rng(0)
    claims = [Claim(text="", comparisons=tuple(higher("base", name) for name in "vwxyz"))]
    wrong, config = 0, SimpleNamespace(epochs=1)
    for _ in range(200):
        results = {
            name: [
                SimpleNamespace(cell=SimpleNamespace(seed=seed, config=config), value=lambda _, x=x: x, summary={})
                for seed, x in enumerate(values)
            ]
            for name, values in zip(("base", *"vwxyz"), generator.normal(0, 1, (6, 4)), strict=True)
        }
        wrong += any(verdict.verdict != "UNDECIDED" for verdict in judge_claims(claims, results)[0].comparisons)
    assert 0 < wrong / 200 < 0.08


def test_alpha_decides():
    results = losses(a=SLEEP_A, b=SLEEP_B)
    assert judge(higher("b", "a"), results, alpha=0.002).verdict == "UNDECIDED"
    for alpha in (0, 1):
        with pytest.raises(InputError, match="alpha must be above 0 and below 1"):
            judge_claims([], {}, alpha=alpha)


# What is missing


def test_missing_runs_are_counted():
    results = losses(a=[1.0, 1.02, 0.99], b=[0.5, 0.51])
    results["b"].append(make_result("b", 2, status="failed"))
    verdict = judge(higher(by=0.3), results)
    assert verdict.n == 2
    assert verdict.why.endswith(" 2 of 3 pairs of runs are there.")
    results["b"][1:] = [make_result("b", seed, status="missing") for seed in (1, 2)]
    verdict = judge(higher(), results)
    assert (verdict.n, verdict.verdict, verdict.p) == (1, "UNDECIDED", None)
    assert verdict.difference == pytest.approx(0.5)
    assert verdict.why.endswith("there are no test images to compare one by one. 1 of 3 pairs of runs are there.")
    verdict = judge(higher(), {})
    assert (verdict.n, verdict.difference, verdict.why) == (0, None, "No runs are there.")


def test_epochs_beyond_the_runs_are_named():
    results = losses(a=[1.0, 1.02, 0.99], b=[0.5, 0.51, 0.5])
    epochs = results["a"][0].cell.config.epochs
    late = Measure(quantity="train_loss", epoch=epochs + 1)
    for first, second in ((LOSS, late), (late, LOSS)):
        comparison = Higher(first=Point(setting="a", measure=first), second=Point(setting="b", measure=second))
        setting = "a" if first == late else "b"
        verdict = judge(comparison, results)
        assert (verdict.verdict, verdict.n) == ("UNDECIDED", 0)
        assert verdict.why == f"No run of {setting!r} has {epochs + 1} epochs."
    last = Measure(quantity="train_loss", epoch=epochs)
    assert epochs > 1
    assert judge(higher(measure=last), results).why == "0 of 3 pairs of runs are there."


# Divergence


@pytest.mark.parametrize(
    ("runs", "expected", "counted"),
    [
        ([None, None, None], "HOLDS", "3 of 3"),
        ([None, 0.1, 0.05], "HOLDS", "3 of 3"),
        ([0.118, 0.118], "HOLDS", "2 of 2"),  # Wilson of 118 in 1000: 0.0995 to 0.1395
        ([0.119, 0.119], "FAILS", "0 of 2"),  # 0.1004 to 0.1405
        ([None, 0.4], "UNDECIDED", "1 of 2"),
        ([0.4, 0.5], "FAILS", "0 of 2"),
    ],
)
def test_divergence_is_no_number_or_chance(runs, expected, counted):
    results = [
        make_result("a", seed, status="diverged")
        if accuracy is None
        else make_result("a", seed, test_accuracy=accuracy)
        for seed, accuracy in enumerate(runs)
    ]
    verdict = judge(Diverges(setting="a"), {"a": results})
    assert (verdict.verdict, verdict.n) == (expected, len(runs))
    assert verdict.why == f"{counted} runs of 'a' diverged or ended at chance."


def test_divergence_is_seen_without_a_test_split():
    results = [make_result("a", seed, status="diverged") for seed in range(2)]
    for result in results:
        result.data["class_counts"] = {"train": [9] * 10}
    verdict = judge(Diverges(setting="a"), {"a": results})
    assert (verdict.verdict, verdict.why) == ("HOLDS", "2 of 2 runs of 'a' diverged or ended at chance.")


def test_divergence_without_runs_is_undecided():
    verdict = judge(Diverges(setting="a"), {"a": [make_result("a", 0, status="running")]})
    assert (verdict.verdict, verdict.n, verdict.why) == ("UNDECIDED", 0, "0 of 1 runs are there.")
    some = [make_result("a", 0, status="diverged"), make_result("a", 1, status="missing")]
    assert judge(Diverges(setting="a"), {"a": some}).why.endswith("ended at chance. 1 of 2 runs are there.")


# What was equal


@pytest.mark.parametrize(
    ("first", "second", "epoch", "text"),
    [
        ((10, 500, 84.0), (10, 500, 40.0), None, "equal epochs and images, 2.1 times the seconds"),
        ((10, 500, 40.0), (10, 500, 41.0), None, "equal epochs, images and seconds"),
        ((150, 500, 123.0), (50, 500, 40.0), None, "3 times the epochs, 3 times the images, 3.1 times the seconds"),
        ((10, 250, 20.0), (10, 500, 40.0), None, "equal epochs, 0.5 times the images, 0.5 times the seconds"),
        ((10, 500, 40.0), (30, 500, 120.0), 5, "equal epochs, images and seconds"),
    ],
)
def test_what_was_spent(first, second, epoch, text):
    results = {}
    for name, (epochs, images, seconds) in {"a": first, "b": second}.items():
        summary = {"epochs": epochs, "train_images": images, "seconds": {"train": seconds}}
        results[name] = [make_result(name, 0, train_loss=[0.5] * epochs, summary=summary)]
    assert judge(higher(measure=Measure(quantity="train_loss", epoch=epoch)), results).spent == text


def test_what_was_spent_is_unknown_without_a_summary():
    assert judge(higher(), losses(a=[1.0], b=[1.0])).spent == ""
    assert judge(higher(), {}).spent == ""
