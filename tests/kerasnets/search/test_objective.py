import pytest

from kerasnets.search.objective import WORST, score


def test_accuracy_is_its_own_score():
    assert score("val_accuracy", 0.61, 1) == 0.61
    assert score("accuracy_at_seconds", 0.61, 10**12) == 0.61


def test_accuracy_per_flop_trades_as_published():
    # Tan et al. 2019: doubling the cost is about worth 5 % relative accuracy.
    cheap, dear = score("accuracy_per_flop", 0.50, 10**7), score("accuracy_per_flop", 0.525, 2 * 10**7)
    assert cheap == pytest.approx(dear, rel=2e-3)
    assert score("accuracy_per_flop", 0.7, 100_000_000) == 0.7
    assert score("accuracy_per_flop", 0.7, 0) > 0.7  # a network without convolutions and linear layers


def test_nothing_is_below_the_worst():
    assert score("accuracy_per_flop", 0.0, 10**9) == WORST
