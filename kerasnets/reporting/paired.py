"""Two networks tested on the same images: which is right where the other is wrong, and whether that is chance."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from kerasnets.evaluation.compare import matched_difference, normal_interval


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
        and Min, see `compare.matched_difference`.
    """
    n, only_first, only_second = len(first), int(np.sum(first & ~second)), int(np.sum(second & ~first))
    discordant = only_first + only_second
    scores = first.astype(np.int64) - second.astype(np.int64)
    return PairedTest(
        n=n,
        only_first=only_first,
        only_second=only_second,
        difference=(only_first - only_second) / n,
        interval=normal_interval(*matched_difference(scores)),
        p=float(stats.binomtest(only_first, discordant, 0.5).pvalue) if discordant else 1.0,
    )
