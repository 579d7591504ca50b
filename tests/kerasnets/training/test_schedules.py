"""Every schedule at values worked by hand."""

import math

import pytest

from kerasnets.training.config import TrainConfig
from kerasnets.training.schedules import make_schedule


def rates(steps, total, steps_per_epoch=10, **settings):
    config = TrainConfig(dataset="digits", arch="lazynet", learning_rate=0.4, **settings)
    schedule = make_schedule(config, steps_per_epoch)
    return [schedule(step, total) for step in steps]


def test_constant():
    assert rates([0, 7, 99, 1000], 100, schedule="constant") == [0.4] * 4


def test_step():
    # x 0.9 an epoch of 10 steps
    expected = [0.4, 0.4, 0.36, 0.36, 0.324, 0.4 * 0.9**9]
    assert rates([0, 9, 10, 19, 20, 99], 100, schedule="step") == pytest.approx(expected, rel=1e-12)
    assert rates([30], 100, schedule="step", schedule_decay=0.5) == pytest.approx([0.05])


def test_step_never_reaches_zero():
    (rate,) = rates([10 * 400], 5000, schedule="step", schedule_decay=0.001)
    assert rate == pytest.approx(0.4e-30)


def test_linear():
    expected = [0.4, 0.3, 0.2, 0.1, 0.004]
    assert rates([0, 25, 50, 75, 99], 100, schedule="linear") == pytest.approx(expected)
    # down to a tenth: 0.4 * (1 + 0.1) / 2 half way
    settings = {"schedule": "linear", "final_learning_rate_scale": 0.1}
    assert rates([50, 100, 200], 100, **settings) == pytest.approx([0.22, 0.04, 0.04])


def test_cosine():
    # half a cosine: 1, (1 + cos 45 deg)/2, 1/2, (1 + cos 135 deg)/2
    half = math.sqrt(0.5)
    expected = [0.4, 0.2 * (1 + half), 0.2, 0.2 * (1 - half)]
    assert rates([0, 25, 50, 75], 100, schedule="cosine") == pytest.approx(expected)
    # down to a tenth: 0.04 + 0.36 / 2 half way
    halfway, end = rates([50, 100], 100, schedule="cosine", final_learning_rate_scale=0.1)
    assert (halfway, end) == pytest.approx((0.22, 0.04))


def test_triangular():
    # from 0.2 up to 1 at 23 steps, then straight down to 0 at 100: at 61.5 half of it
    expected = [0.08, 0.4 * (0.2 + 0.8 / 2), 0.4, 0.4 * (1 - 27 / 77), 0.4 / 77]
    assert rates([0, 11.5, 23, 50, 99], 100, schedule="triangular") == pytest.approx(expected)
    # peak after two epochs, final tenth of the peak: at 60 half way from 1 to 0.1
    settings = {"schedule": "triangular", "warmup_epochs": 2.0, "final_learning_rate_scale": 0.1}
    assert rates([10, 20, 60], 100, **settings) == pytest.approx([0.4 * 0.6, 0.4, 0.4 * 0.55])


def test_one_cycle():
    # 0.04 up to 1 at 30, then down, both along half a cosine: the middles are the means
    expected = [0.016, 0.4 * 0.52, 0.4, 0.2]
    assert rates([0, 15, 30, 65], 100, schedule="one_cycle") == pytest.approx(expected)
    quarter = 0.04 + 0.96 * (1 - math.cos(math.pi / 4)) / 2
    assert rates([7.5], 100, schedule="one_cycle") == pytest.approx([0.4 * quarter])


def test_warm_up():
    # 10 steps of warm-up: 1/11, 2/11, ... 10/11, then 1
    expected = [0.4 / 11, 0.8 / 11, 4 / 11, 0.4, 0.4]
    assert rates([0, 1, 9, 10, 50], 100, schedule="constant", warmup_epochs=1.0) == pytest.approx(expected)
    # step: the second epoch is 0.9 of it; cosine: its half way mark lies between warm-up and end
    step = rates([0, 10], 100, schedule="step", warmup_epochs=1.0)
    assert step == pytest.approx([0.4 / 11, 0.36])
    cosine = rates([4, 10, 55], 100, schedule="cosine", warmup_epochs=1.0)
    assert cosine == pytest.approx([0.4 * 5 / 11, 0.4, 0.2])
    # half an epoch: 1/6 ... 5/6
    assert rates([0, 4, 5], 100, schedule="constant", warmup_epochs=0.5) == pytest.approx([0.4 / 6, 2 / 6, 0.4])


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "triangular", "one_cycle"])
@pytest.mark.parametrize("warmup", [0.0, 1.0, 50.0])
@pytest.mark.parametrize("total", [1, 2, 30])
def test_rates_stay_above_zero_and_below_the_peak(schedule, warmup, total):
    every = rates(range(total), total, schedule=schedule, warmup_epochs=warmup)
    assert min(every) > 0 and max(every) <= 0.4 * (1 + 1e-12)


def test_planned_anew():
    # max_time shortens the plan: the same step is then later on the way
    long, short = (rates([30], total, schedule="cosine")[0] for total in (120, 60))
    assert long == pytest.approx(0.2 * (1 + math.sqrt(0.5))) and short == pytest.approx(0.2)
