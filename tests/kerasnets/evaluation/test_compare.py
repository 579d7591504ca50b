"""Intervals, McNemar's test and Holm's correction against published examples, hand calculations and SciPy."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from kerasnets.evaluation.compare import (
    difference_of_means,
    holm,
    matched_difference,
    normal_interval,
    p_in_words,
    student_interval,
    swap_test,
)


def test_student_interval():
    # Student's own data, hours of sleep gained: mean 1.58, s = 1.23, n = 10: 0.70 to 2.46.
    gained = np.array([1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4])
    interval = student_interval(gained.mean(), gained.std(ddof=1), 10)
    assert interval == pytest.approx((0.7001, 2.4599), abs=5e-5)
    # Half of one degree of freedom's distribution lies within -1 and 1.
    assert student_interval(3.0, math.sqrt(2), 2, 0.5) == pytest.approx((2.0, 4.0))


def test_difference_of_means_by_hand():
    # Means 5 and 2, variances 4 and 1, three and two numbers: standard error sqrt(4/3 + 1/2), and Welch's degrees of
    # freedom (4/3 + 1/2)^2 / ((4/3)^2 / 2 + (1/2)^2 / 1).
    first, second = [3.0, 5.0, 7.0], [2 - math.sqrt(0.5), 2 + math.sqrt(0.5)]
    error, freedom = math.sqrt(4 / 3 + 0.5), (4 / 3 + 0.5) ** 2 / ((4 / 3) ** 2 / 2 + 0.25)
    half = stats.t.ppf(0.975, freedom) * error
    difference, interval = difference_of_means(first, second)
    assert difference == pytest.approx(3.0)
    assert interval == pytest.approx((3 - half, 3 + half))
    half = stats.t.ppf(0.75, freedom) * error
    assert difference_of_means(second, first, 0.5)[1] == pytest.approx((-3 - half, -3 + half))


@pytest.mark.parametrize(("first", "second"), [([1.0], [0.5, 0.6]), ([1.0, 1.1], [0.5]), ([1.0, 1.0], [0.5, 0.5])])
def test_a_difference_without_spread_has_no_interval(first, second):
    assert difference_of_means(first, second) == (pytest.approx(np.mean(first) - np.mean(second)), None)


def test_normal_interval():
    assert normal_interval(1.0, 0.5) == pytest.approx((1 - 0.979982, 1 + 0.979982), abs=1e-6)
    assert normal_interval(0.0, 1.0, 0.6827) == pytest.approx((-1, 1), abs=1e-4)


def test_matched_difference_by_hand():
    # Approval of the prime minister, Agresti 2002, table 10.1: 794, 150, 86, 570. With half a case more in each cell.
    scores = np.repeat([0, 1, -1, 0], [794, 150, 86, 570])
    n, b, c = 1602, 150.5, 86.5
    assert matched_difference(scores) == pytest.approx(((b - c) / n, math.sqrt((b + c) - (b - c) ** 2 / n) / n))
    # Two images of shares: mean (0.5 + 1) / 4, mean square (0.25 + 1 + 1) / 4.
    assert matched_difference(np.array([0.5, 1.0])) == pytest.approx((0.375, math.sqrt((0.5625 - 0.375**2) / 4)))


def test_swap_test_is_mcnemars():
    scores = np.repeat([1, -1, 0], [9, 1, 90])
    above, below = swap_test(scores)
    assert above == pytest.approx(11 / 1024)  # (C(10, 0) + C(10, 1)) / 2^10
    assert below == pytest.approx(1 - 1 / 1024)


def test_swap_test_counts_all_choices_of_signs():
    scores = np.array([2, -1, 1, 3, -2, 0, 1])
    sums = [np.dot(signs, scores) for signs in itertools.product((-1, 1), repeat=7)]
    expected = np.mean(np.greater_equal(sums, scores.sum())), np.mean(np.less_equal(sums, scores.sum()))
    assert swap_test(scores) == pytest.approx(expected)
    assert swap_test(np.zeros(5, np.int64)) == (1.0, 1.0)


def test_images_and_not_pairs_of_image_and_seed_are_counted():
    # Five times the same networks are no more evidence about images than once.
    assert swap_test(5 * np.repeat([1, -1], [12, 4])) == pytest.approx(swap_test(np.repeat([1, -1], [12, 4])))


def test_images_are_right_about_true_hypotheses():
    """Networks of one kind that share hard images: at level 0.1, at most a tenth is found to differ."""
    generator = np.random.default_rng(1)
    found = 0
    for _ in range(500):
        right = generator.random((2, 3, 60)) < generator.beta(0.5, 0.5, 60)
        found += swap_test(right[0].sum(axis=0, dtype=int) - right[1].sum(axis=0, dtype=int))[0] <= 0.1
    assert 0.05 < found / 500 < 0.125


def test_holm_has_the_published_values():
    # The example of R's p.adjust and of many courses.
    adjusted, levels = holm([0.01, 0.04, 0.03, 0.005])
    assert adjusted == pytest.approx([0.03, 0.06, 0.06, 0.02])
    # 0.005 is held against 0.05/4 and 0.01 against 0.05/3; at 0.05/2 it stops, and 0.04 is never looked at.
    assert levels == pytest.approx([0.05 / 3, 0.05 / 2, 0.05 / 2, 0.05 / 4])
    # 0.01 * 4, 0.02 * 3, 0.03 * 2 (which 0.06 before it holds up), 0.5 * 1
    assert holm([0.03, 0.01, 0.5, 0.02])[0] == pytest.approx([0.06, 0.04, 0.5, 0.06])


def test_holm_rejects_all_or_none():
    adjusted, levels = holm([0.001, 0.002], 0.05)
    assert (adjusted.tolist(), levels.tolist()) == ([0.002, 0.002], [0.025, 0.05])
    adjusted, levels = holm([0.9, 0.8], 0.05)
    assert (adjusted.tolist(), levels.tolist()) == ([1.0, 1.0], [0.025, 0.025])
    assert [array.size for array in holm([])] == [0, 0]


@pytest.mark.parametrize("n", [5, 300])
def test_swap_test_is_scipys_binomial_test(n):
    scores = np.random.default_rng(0).choice([-1, 0, 1], n, p=[0.2, 0.5, 0.3])
    first, both = int((scores > 0).sum()), int((scores != 0).sum())
    expected = [stats.binomtest(first, both, alternative=side).pvalue for side in ("greater", "less")]
    assert swap_test(scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("p", "text"), [(None, ""), (0.0133, "0.013"), (0.0001, "0.0001"), (0.00009, "< 0.0001"), (1.0, "1")]
)
def test_p_in_words(p, text):
    assert p_in_words(p) == text
