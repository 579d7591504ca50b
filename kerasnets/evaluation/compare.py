"""Statistics of comparisons: intervals of means, McNemar's exact test, Holm's correction. NumPy and SciPy only."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy import stats


def student_interval(mean: float, standard_deviation: float, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of the mean of numbers whose spread is estimated from themselves.

    Args:
        mean: Of the numbers.
        standard_deviation: Of the numbers, with n - 1 in the denominator.
        n: How many there are, at least 2.
        confidence: Two-sided level in (0, 1).

    Source:
        Student 1908, "The probable error of a mean".
    """
    half_width = float(stats.t.ppf((1 + confidence) / 2, n - 1)) * standard_deviation / math.sqrt(n)
    return float(mean - half_width), float(mean + half_width)


def difference_of_means(
    first: Sequence[float], second: Sequence[float], confidence: float = 0.95
) -> tuple[float, tuple[float, float] | None]:
    """Difference of two means, such as accuracies over seeds, and its confidence interval.

    Args:
        first: Numbers, at least one.
        second: Numbers of others, at least one; they need not be as many, nor vary as much.
        confidence: Two-sided level in (0, 1).

    Returns:
        Mean of the first less that of the second, and the interval; None for it where one has a single number, or
        neither varies.

    Source:
        Welch 1947, "The generalization of Student's problem when several different population variances are involved".
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    difference = float(a.mean() - b.mean())
    if min(len(a), len(b)) < 2 or a.std() + b.std() == 0:
        return difference, None
    low, high = stats.ttest_ind(a, b, equal_var=False).confidence_interval(confidence)
    return difference, (float(low), float(high))


def normal_interval(mean: float, standard_error: float, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a mean whose standard error is known.

    Args:
        mean: The mean.
        standard_error: Its standard error.
        confidence: Two-sided level in (0, 1).
    """
    half_width = NormalDist().inv_cdf((1 + confidence) / 2) * standard_error
    return float(mean - half_width), float(mean + half_width)


def matched_difference(scores: np.ndarray) -> tuple[float, float]:
    """Difference of two accuracies on the same images, and its standard error, both good for few images too.

    Args:
        scores: (n,) for each image the share of runs in which the first is right minus that in which the second is; of
            two single networks -1, 0 or 1.

    Returns:
        The mean score, drawn slightly to 0, and its standard error.

    Source:
        Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions": half a case more
        in each of the four cells of McNemar's table. For shares between -1 and 1 the same two cases more are ours.
    """
    n = len(scores) + 2
    mean = float(np.sum(scores)) / n
    square = (float(np.square(scores).sum()) + 1) / n
    return mean, math.sqrt((square - mean**2) / n)


def swap_test(scores: np.ndarray) -> tuple[float, float]:
    """Exact test of whole numbers whose signs are as likely one way as the other.

    Args:
        scores: (n,) integers: times that the first is right minus times that the second is. Of -1, 0 and 1 alone, this
            is McNemar's exact test.

    Returns:
        Probability, over all choices of signs, of a sum at least as large as that of ``scores``, and of one at most as
        large.

    Source:
        McNemar 1947; the signs turned round: Fisher 1935, "The design of experiments", section 21.
    """
    # Half of (sum of scores + sum of sizes) is the sum of the positive ones: for each size a binomial number of them.
    distribution = np.ones(1)
    for size, count in enumerate(np.bincount(np.abs(scores))):
        if size and count:
            spaced = np.zeros(size * count + 1)
            spaced[::size] = stats.binom.pmf(np.arange(count + 1), count, 0.5)
            distribution = np.convolve(distribution, spaced)
    observed = int(scores[scores > 0].sum())
    return min(1.0, float(distribution[observed:].sum())), min(1.0, float(distribution[: observed + 1].sum()))


def holm(p_values: Sequence[float], alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Holm's step-down correction: the chance of even one false alarm stays that of a single test.

    Args:
        p_values: (m,) of all hypotheses of a family.
        alpha: Probability that any true hypothesis is rejected.

    Returns:
        (m,) corrected p-values, in the same order: max over j <= k of (m - j + 1) p_(j), at most 1; rejected are those
        of at most alpha. And (m,) the level that each one was held against: alpha / (m - k + 1) for the k-th rejected
        one, and for those not rejected the level at which the procedure stopped.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values, kind="stable")
    left = len(p_values) - np.arange(len(p_values))  # hypotheses that are not yet rejected
    corrected = np.minimum(1, np.maximum.accumulate(p_values[order] * left))
    rejected = int(np.sum(corrected <= alpha))
    steps = alpha / left
    if rejected < len(p_values):
        steps[rejected:] = steps[rejected]
    adjusted, levels = np.empty_like(corrected), np.empty_like(corrected)
    adjusted[order], levels[order] = corrected, steps
    return adjusted, levels


def p_in_words(p: float | None) -> str:
    """A p-value to be read: ``"0.013"``, ``"< 0.0001"``; empty without one."""
    return "" if p is None else "< 0.0001" if p < 0.0001 else f"{p:.2g}"
