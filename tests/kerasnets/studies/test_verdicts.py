"""The rule for a published number: hand calculations, and how often it is right about numbers that are true."""

import dataclasses
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from kerasnets.studies.cells import Cell
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Measure, Row
from kerasnets.studies.verdicts import in_words, judge_row, published_in_words, size_in_words
from kerasnets.training.config import TrainConfig

CLASSES = [f"class {i}" for i in range(10)]
TRAIN_LOSS = Measure(quantity="train_loss")


def make_result(seed=0, *, status="finished", predictions=None, images=10_000, config=None, **columns):
    """A result whose folder is never read: one value a column is the last epoch's, a list is the whole curve."""
    config = TrainConfig(**({"dataset": "digits", "arch": "lazynet", "seed": seed} | (config or {})))
    result = CellResult(cell=Cell(setting="a", config=config), path=Path("nowhere"), status=status)
    curve = pd.DataFrame({name: np.atleast_1d(values) for name, values in columns.items()})
    data = {"class_names": CLASSES, "class_counts": {"train": [100] * 10, "test": [images // 10] * 10}}
    result.__dict__.update(curve=curve, data=data, predictions=predictions, summary={"seconds": {"train": 1.0}})
    return result


def runs(*values, quantity="train_loss", **options):
    return [make_result(seed, **{quantity: value}, **options) for seed, value in enumerate(values)]


def row(published, *, rounding=0.0005, measure=TRAIN_LOSS, **options):
    return Row(setting="a", published=published, rounding=rounding, measure=measure, **options)


def test_interval_of_the_mean_by_hand():
    # Mean 3, s = sqrt(2.5), Student's t of 4 degrees of freedom 2.776445: 3 +- 2.776445 * sqrt(2.5 / 5).
    verdict = judge_row(row(3.0), runs(1.0, 2.0, 3.0, 4.0, 5.0))
    assert (verdict.n, verdict.mean) == (5, 3.0)
    assert verdict.standard_deviation == pytest.approx(math.sqrt(2.5))
    assert verdict.interval == pytest.approx((3 - 1.963243, 3 + 1.963243), abs=1e-6)
    assert verdict.values == (1.0, 2.0, 3.0, 4.0, 5.0)
    assert verdict.selection == "last epoch"


# s = 0.01, t = 4.302653: the tolerance is 4.302653 * 0.01 * sqrt(4 / 3) + 0.0005 = 0.0501828.
@pytest.mark.parametrize(
    ("published", "expected"),
    [(0.4599, "REPRODUCED"), (0.4597, "ABOVE"), (0.5601, "REPRODUCED"), (0.5603, "BELOW"), (0.51, "REPRODUCED")],
)
def test_tolerance_by_hand(published, expected):
    verdict = judge_row(row(published), runs(0.50, 0.51, 0.52))
    assert verdict.tolerance == pytest.approx(0.0501828, abs=1e-7)
    assert verdict.difference == pytest.approx(0.51 - published)
    assert verdict.verdict == expected


def test_why_says_which_way_a_loss_is_worse():
    assert judge_row(row(0.3), runs(0.50, 0.51, 0.52)).why == (
        "The mean of 3 runs, 0.51, is 0.21 above the published 0.300; one published run may differ by 0.0502 "
        "(standard errors: seeds 0.0115; rounding 0.0005); a higher loss is worse."
    )
    assert judge_row(row(0.7), runs(0.50, 0.51, 0.52)).why.endswith("; a lower loss is better.")


def test_noise_of_the_test_images_counts():
    # Mean of p(1-p)/N over the runs: (0.1204 + 0.1131 + 0.1056) / 3 / 10000; the seeds add 0.01^2 * 4/3.
    verdict = judge_row(row(0.87, measure=Measure()), runs(0.86, 0.87, 0.88, quantity="test_accuracy"))
    assert verdict.tolerance == pytest.approx(4.302653 * math.sqrt(1.3333333e-4 + 1.1303333e-5) + 0.0005, abs=1e-7)
    alike = runs(0.87, 0.87, 0.87, quantity="test_accuracy")
    assert judge_row(row(0.87, measure=Measure()), alike).tolerance == pytest.approx(
        4.302653 * math.sqrt(0.1131 / 10_000) + 0.0005, abs=1e-7
    )


def test_noise_of_a_class_is_that_of_its_images():
    labels = np.arange(1000) % 10
    answers = np.where((labels == 3) & (np.arange(1000) % 20 == 3), 4, labels)  # half of class 3 are wrong
    log_probabilities = np.log(np.where(np.arange(10) == answers[:, None], 0.91, 0.01))
    results = [make_result(seed, images=1000, predictions=(labels, log_probabilities)) for seed in range(3)]
    measure = Measure(quantity="class_accuracy", class_name="class 3")
    verdict = judge_row(row(0.5, measure=measure), results)
    assert verdict.mean == 0.5
    assert verdict.tolerance == pytest.approx(4.302653 * math.sqrt(0.25 / 100) + 0.0005, abs=1e-6)
    assert verdict.verdict == "TOO FEW RUNS"
    assert verdict.selection == "last epoch"
    # 1.96 * 5 points of noise remain however many seeds there are.
    assert "not 200 runs bring it to 5.00 points" in verdict.why
    chosen = [make_result(0, predictions=(labels, log_probabilities), config={"validation": 0.1})]
    assert judge_row(row(0.5, measure=measure), chosen).selection == "best validation accuracy"


def test_noise_of_the_test_loss_is_that_of_single_losses():
    # Half of the images have loss log 2, the others log 4: variance of single losses log(2)^2 / 4 * 100 / 99.
    log_probabilities = np.log(np.array([[0.5, 0.5], [0.75, 0.25]] * 50))
    predictions = (np.array([0, 1] * 50), log_probabilities)
    results = runs(1.04, 1.04, 1.04, quantity="test_loss", predictions=predictions)
    verdict = judge_row(row(1.0, measure=Measure(quantity="test_loss")), results)
    assert verdict.tolerance == pytest.approx(4.302653 * math.log(2) / 2 / math.sqrt(99) + 0.0005, abs=1e-6)
    assert verdict.verdict == "REPRODUCED"


def test_noise_of_the_test_loss_is_that_of_the_objective_too():
    # As above: the penalty is the same for every image.
    log_probabilities = np.log(np.array([[0.5, 0.5], [0.75, 0.25]] * 50))
    predictions = (np.array([0, 1] * 50), log_probabilities)
    results = runs(1.0, 1.0, 1.0, quantity="test_loss", predictions=predictions, penalty=0.04)
    verdict = judge_row(row(1.0, measure=Measure(quantity="test_objective")), results)
    assert verdict.mean == 1.04
    assert verdict.tolerance == pytest.approx(4.302653 * math.log(2) / 2 / math.sqrt(99) + 0.0005, abs=1e-6)


def test_infinite_losses_are_no_noise():
    predictions = (np.array([0, 1]), np.array([[0.0, -np.inf], [0.0, -np.inf]]))
    results = runs([1.0, 1.0], [1.0, 1.0], [1.0, 1.0], quantity="test_loss", predictions=predictions)
    assert judge_row(row(1.0, measure=Measure(quantity="test_loss", epoch=1)), results).tolerance == 0.0005


def test_probabilities_fed_to_a_cross_entropy_have_its_noise():
    generator = np.random.default_rng(0)
    predictions = (generator.integers(0, 5, 40), np.log(generator.dirichlet(np.ones(5), 40)))
    measure = Measure(quantity="test_loss")
    verdicts = [
        judge_row(row(1.4, measure=measure), runs(1.4, 1.4, 1.4, quantity="test_loss", predictions=predictions, **more))
        for more in ({}, {"config": {"arch": "tiny_leaky", "arch_options": {"output": "probabilities"}}})
    ]
    assert verdicts[1].tolerance < verdicts[0].tolerance / 3


def test_train_and_test_difference_has_the_noise_of_the_test():
    results = [make_result(seed, train_accuracy=0.9, test_accuracy=0.5) for seed in range(3)]
    verdict = judge_row(row(0.4, measure=Measure(quantity="gap")), results)
    assert verdict.mean == pytest.approx(0.4)
    assert verdict.tolerance == pytest.approx(4.302653 * 0.005 + 0.0005, abs=1e-7)


def test_half_a_unit_of_the_last_digit_is_within():
    measure = Measure(quantity="train_accuracy")
    good = judge_row(row(0.87, rounding=0.005, measure=measure), runs(0.865, 0.865, 0.865, quantity="train_accuracy"))
    assert good.difference < -0.005  # in binary
    assert good.verdict == "REPRODUCED"
    assert good.why.endswith("one published run may differ by 0.50 points (rounding 0.50 points).")
    bad = judge_row(row(0.87, rounding=0.005, measure=measure), runs(0.8649, 0.8649, 0.8649, quantity="train_accuracy"))
    assert bad.verdict == "BELOW"


@pytest.mark.parametrize(
    ("values", "difference", "expected"),
    [
        ((0.321, 0.325, 0.329), 0.0, "REPRODUCED"),
        ((0.338, 0.34, 0.342), 0.01, "REPRODUCED"),
        ((0.358, 0.36, 0.362), 0.03, "ABOVE"),
        ((0.298, 0.3, 0.302), -0.02, "BELOW"),
    ],
)
def test_a_range_is_compared_with_its_nearer_end(values, difference, expected):
    range_row = row(0.32, upper=0.33, rounding=0.005, measure=Measure(quantity="train_accuracy"))
    verdict = judge_row(range_row, runs(*values, quantity="train_accuracy"))
    assert verdict.difference == pytest.approx(difference)
    assert verdict.verdict == expected
    if not difference:
        assert "32.50 %, is inside the published 32 to 33 %;" in verdict.why


@pytest.mark.parametrize("values", [(0.5,), (0.5, 0.51)])
def test_fewer_than_three_are_too_few(values):
    verdict = judge_row(row(5.0), runs(*values))
    assert verdict.verdict == "TOO FEW RUNS"
    assert verdict.why.startswith("At least 3 runs are needed; the mean of ")
    assert "below the published 5.000" in verdict.why
    assert verdict.difference == pytest.approx(np.mean(values) - 5)
    assert (verdict.tolerance is None) == (verdict.interval is None) == (len(values) == 1)


def test_without_runs_nothing_is_said():
    verdict = judge_row(row(5.0), [make_result(seed, status="missing") for seed in range(2)], notes=["scaled"])
    assert (verdict.verdict, verdict.n, verdict.mean, verdict.difference) == ("TOO FEW RUNS", 0, None, None)
    assert verdict.why == "No run has this number. 0 of 2 runs are there."
    assert judge_row(row(5.0), []).verdict == "TOO FEW RUNS"


def test_only_runs_with_the_number_count():
    results = [
        *runs([0.5, 0.4], [0.51, 0.4], [0.52, 0.4]),
        make_result(3, train_loss=0.1),
        make_result(4, status="failed"),
    ]
    verdict = judge_row(row(0.4, measure=Measure(quantity="train_loss", epoch=2)), results)
    assert verdict.values == (0.4, 0.4, 0.4)
    assert verdict.verdict == "REPRODUCED"
    assert verdict.selection == "after epoch 2"
    assert verdict.why == (
        "The mean of 3 runs, 0.4, is equal to the published 0.400; one published run may differ by 0.0005 "
        "(rounding 0.0005). 3 of 5 runs are there."
    )


def test_a_diverged_run_counts_as_guessing():
    results = [*runs(0.3, 0.3, quantity="test_accuracy"), make_result(2, status="diverged")]
    verdict = judge_row(row(0.3, measure=Measure()), results)
    assert verdict.values == (0.3, 0.3, 0.1)
    assert verdict.why.endswith(" 1 run diverged and counts as guessing.")


@pytest.mark.parametrize("quantity", ["train_loss", "test_loss", "test_objective"])
def test_a_diverged_run_has_no_loss(quantity):
    measure = Measure(quantity=quantity)
    diverged = [make_result(seed, status="diverged") for seed in range(3)]
    verdict = judge_row(row(4.1, measure=measure), diverged)
    assert (verdict.n, verdict.mean, verdict.verdict) == (0, None, "TOO FEW RUNS")
    assert verdict.why == "No run has this number. 3 runs diverged."
    finished = runs(4.1, 4.1, 4.1, quantity="train_loss" if quantity == "train_loss" else "test_loss", penalty=0.0)
    mixed = [*finished, *diverged[:1], make_result(9, status="missing")]
    verdict = judge_row(row(4.1, measure=measure), mixed)
    assert (verdict.n, verdict.mean, verdict.verdict) == (3, 4.1, "REPRODUCED")
    assert verdict.why.endswith(" 3 of 5 runs are there. 1 run diverged.")


def test_a_diverged_run_has_the_epochs_before():
    results = [make_result(seed, status="diverged", train_loss=[2.0]) for seed in range(3)]
    verdict = judge_row(row(2.0, measure=Measure(quantity="train_loss", epoch=1)), results)
    assert (verdict.verdict, verdict.n, "diverged" in verdict.why) == ("REPRODUCED", 3, False)


def test_epochs_beyond_the_runs_are_named():
    results = runs(0.5, 0.51, 0.52)
    epochs = results[0].cell.config.epochs
    verdict = judge_row(row(0.4, measure=Measure(quantity="train_loss", epoch=epochs + 1)), results)
    assert (verdict.verdict, verdict.why) == ("TOO FEW RUNS", f"No run has {epochs + 1} epochs.")
    verdict = judge_row(row(0.4, measure=Measure(quantity="train_loss", epoch=epochs)), results)
    assert verdict.why == "No run has this number. 0 of 3 runs are there."


def test_notes_come_before_a_comparison():
    verdict = judge_row(row(0.51), runs(0.50, 0.51, 0.52), notes=["Widths are not given.", "scaled to 0.1"])
    assert verdict.verdict == "PROTOCOL DIFFERS"
    assert verdict.why.startswith("Widths are not given; scaled to 0.1; the mean of 3 runs, 0.51, is equal to")
    assert verdict.tolerance == pytest.approx(0.0501828, abs=1e-7)


def test_an_impossible_number_is_not_compared():
    bad = row(0.51, impossible="It is the list of another data set.")
    verdict = judge_row(bad, runs(0.50, 0.51, 0.52), notes=["scaled"])
    assert (verdict.verdict, verdict.why) == ("IMPOSSIBLE", "It is the list of another data set.")
    assert (verdict.difference, verdict.tolerance) == (None, None)
    assert verdict.mean == pytest.approx(0.51)


def test_a_tolerance_that_lets_everything_pass_reproduces_nothing():
    accuracy = Measure(quantity="train_accuracy")
    wide = judge_row(row(0.87, measure=accuracy), runs(0.86, 0.88, 0.87, quantity="train_accuracy"))
    assert wide.tolerance == pytest.approx(0.0501828, abs=1e-7)
    assert wide.verdict == "TOO FEW RUNS"
    # Four runs: 3.182446 * 0.01 * sqrt(1.25) + 0.0005 = 0.0361.
    assert "so hardly any number would have been outside: about 4 runs would bring it to 5.00 points" in wide.why
    assert judge_row(row(0.75, measure=accuracy), runs(0.86, 0.88, 0.87, quantity="train_accuracy")).verdict == "ABOVE"
    # A quarter of the published loss is 0.0502; the tolerance is 0.05018 again.
    assert judge_row(row(0.2008), runs(0.19, 0.20, 0.21)).verdict == "REPRODUCED"
    assert judge_row(row(0.2007), runs(0.19, 0.20, 0.21)).verdict == "TOO FEW RUNS"


@pytest.mark.parametrize("n", [3, 6])
def test_true_numbers_are_reproduced_in_95_of_100(n):
    generator = np.random.default_rng(0)
    draws = generator.normal(100, 1, (1500, n + 1))
    reproduced = 0
    for published, *ours in draws:
        results = [SimpleNamespace(value=lambda _, guess, x=x: x, status="finished") for x in ours]
        reproduced += judge_row(row(published, rounding=0.0), results).verdict == "REPRODUCED"
    assert 0.93 < reproduced / 1500 < 0.97


@pytest.mark.parametrize(
    ("published", "rounding", "upper", "quantity", "text"),
    [
        (0.87, 0.005, None, "test_accuracy", "87 %"),
        (0.8289, 0.00005, None, "test_accuracy", "82.89 %"),
        (0.32, 0.005, 0.33, "test_accuracy", "32 to 33 %"),
        (974.5, 0.005, None, "train_loss", "974.50"),
        (0.4632, 0.00005, None, "test_loss", "0.4632"),
        (4.1, 0.05, None, "train_loss", "4.1"),
        (4500, 500, None, "train_seconds", "4500"),
        (0.125, 0.0, None, "test_accuracy", "12.5 %"),
    ],
)
def test_published_numbers_keep_their_digits(published, rounding, upper, quantity, text):
    assert (
        published_in_words(row(published, rounding=rounding, upper=upper, measure=Measure(quantity=quantity))) == text
    )


def test_numbers_in_words():
    assert in_words(0.8712, Measure()) == "87.12 %"
    assert in_words(974.5, TRAIN_LOSS) == "974.5"
    assert in_words(12345.6, Measure(quantity="train_seconds")) == "12,346"
    assert size_in_words(-0.0123, Measure()) == "1.23 points"
    assert size_in_words(-0.0123, TRAIN_LOSS) == "0.0123"


def test_a_verdict_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign"):
        judge_row(row(1.0), []).verdict = "REPRODUCED"
