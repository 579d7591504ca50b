"""McNemar's test of two networks against published examples and SciPy."""

import numpy as np
import pytest
from scipy import stats

from kerasnets.reporting.paired import paired_test


def answers(both, first, second, neither):
    right_first = np.repeat([True, True, False, False], [both, first, second, neither])
    right_second = np.repeat([True, False, True, False], [both, first, second, neither])
    return right_first, right_second


def test_the_exact_test_is_the_sign_test_of_the_images_that_tell():
    test = paired_test(*answers(80, 9, 1, 10))
    assert (test.n, test.only_first, test.only_second, test.difference) == (100, 9, 1, 0.08)
    # 2 (C(10, 0) + C(10, 1)) / 2^10
    assert test.p == pytest.approx(22 / 1024)
    assert paired_test(*answers(80, 1, 9, 10)).p == pytest.approx(22 / 1024)


def test_two_that_are_right_on_the_same_images_are_not_told_apart():
    test = paired_test(*answers(90, 0, 0, 10))
    assert (test.p, test.difference) == (1.0, 0.0)
    assert test.interval[0] == -test.interval[1] < 0


def test_the_interval_is_agresti_and_mins():
    # Approval of the prime minister, Agresti 2002, table 10.1: 794, 150, 86, 570. With half a case more in each cell.
    n, b, c = 1602, 150.5, 86.5
    difference = (b - c) / n
    error = np.sqrt((b + c) - (b - c) ** 2 / n) / n
    test = paired_test(*answers(794, 150, 86, 570))
    assert test.interval == pytest.approx((difference - 1.959964 * error, difference + 1.959964 * error), abs=1e-8)
    assert test.difference == pytest.approx(0.04)


def test_p_values_are_those_of_scipy():
    rng = np.random.default_rng(0)
    first, second = rng.random(500) < 0.8, rng.random(500) < 0.75
    test = paired_test(first, second)
    both = stats.binomtest(test.only_first, test.only_first + test.only_second).pvalue
    assert test.p == both
