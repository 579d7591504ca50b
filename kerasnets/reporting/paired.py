"""Two networks tested on the same images: which is right where the other is wrong, and whether that is chance."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import stats


@dataclass(frozen=True, kw_only=True)
class PairedTest:
    """McNemar's test of two networks.

    Attributes:
        n: Images.
        only_first: Images on which the first alone is right.
        only_second: Images on which the second alone is right.
        difference: Accuracy of the first minus that of the second.
        interval: 95 % interval of the difference.
        p: Probability, if the two were equally good, of a split at least as uneven (exact, two-sided).
    """

    n: int
    only_first: int
    only_second: int
    difference: float
    interval: tuple[float, float]
    p: float


def paired_test(first: np.ndarray, second: np.ndarray) -> PairedTest:
    """Compares two networks image by image.

    It speaks of these two networks on images like these, not of other seeds.

    Args:
        first: (n,) bool, n > 0: whether the first network is right.
        second: (n,) bool, the same for the second, in the same order.

    Source:
        McNemar 1947, in its exact form, the sign test of the images on which only one is right. The interval: Agresti
        and Min 2005, "Simple improved confidence intervals for comparing matched proportions", half a case more in each
        of the four cells.
    """
    n, only_first, only_second = len(first), int(np.sum(first & ~second)), int(np.sum(second & ~first))
    discordant = only_first + only_second
    p = float(stats.binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0
    centre = (only_first - only_second) / (n + 2)
    error = math.sqrt((discordant + 1) / (n + 2) - centre**2) / math.sqrt(n + 2)
    half = NormalDist().inv_cdf(0.975) * error
    return PairedTest(
        n=n,
        only_first=only_first,
        only_second=only_second,
        difference=(only_first - only_second) / n,
        interval=(centre - half, centre + half),
        p=p,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values of several tests, corrected so that the chance of even one false alarm stays that of a single test.

    Source:
        Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(sorted(range(len(p_values)), key=lambda place: p_values[place])):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected
