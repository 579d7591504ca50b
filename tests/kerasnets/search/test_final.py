import pytest

from kerasnets.errors import InputError
from kerasnets.recipes import recipe
from kerasnets.search.config import SearchConfig
from kerasnets.search.final import (
    final_cells,
    final_config,
    final_seconds,
    reserve,
    rival_cells,
    rival_config,
    test_result,
)
from kerasnets.search.trial import TrialRecord
from kerasnets.studies.cells import Cell
from kerasnets.studies.results import CellResult
from kerasnets.training.config import TrainConfig

test_result.__test__ = False

WINNER = TrainConfig(dataset="digits", arch="lazynet", epochs=9, validation=0.2, limit_train=500, seed=4, threads=1)
BEST = TrialRecord(trial="1", run="trials/1", status="completed", score=0.9, budget=9, images_per_second=100.0)


def search(**settings) -> SearchConfig:
    return SearchConfig(**({"dataset": "digits", "seed": 4, "validation": 0.2, "limit_train": 500} | settings))


def test_the_final_run_has_all_training_images():
    config = final_config(search(), WINNER)
    assert (config.validation, config.limit_train, config.threads, config.seed) == (0.0, None, 0, 5)
    assert config.arch == "lazynet"
    assert config.epochs == 9


def test_the_time_of_the_final_training_is_estimated_from_the_trial():
    # 9 epochs of 1,000 images at 100 a second are 90 s, and 10 s beside it.
    assert final_seconds(search(), BEST, 1000, 1) == pytest.approx(3 * 100)
    assert final_seconds(search(), BEST, 1000, 2) == pytest.approx(2 * 100)
    assert final_seconds(search(final_seeds=0), BEST, 1000, 1) == 0
    assert final_seconds(search(), None, 1000, 1) == 0
    # Three seeds of the winner and then three of each rival: two at a time, 2 + 3 rounds.
    assert final_seconds(search(against="cifarnet,resblocks"), BEST, 1000, 1) == pytest.approx(9 * 100)
    assert final_seconds(search(against="cifarnet,resblocks"), BEST, 1000, 2) == pytest.approx(5 * 100)


def test_at_most_half_of_the_time_is_kept_for_it():
    assert reserve(search(), 1000, 300) == 300
    assert reserve(search(), 1000, 900) == 500
    assert reserve(search(final_seeds=0), 1000, 900) == 0


def test_each_seed_is_a_run_of_its_own(tmp_path):
    cells = final_cells(search(), WINNER, tmp_path, None, 330, 1)
    assert [cell.seed for cell in cells] == [5, 6, 7]
    assert len({cell.key for cell in cells}) == 3
    assert not any(cell.config.max_time for cell in cells)


def test_a_short_time_is_shared_out_and_stays_the_same_in_a_later_call(tmp_path):
    first = final_cells(search(), WINNER, tmp_path, 180, 330, 1)
    assert {cell.config.max_time for cell in first} == {"50s"}  # 60 s each, 10 of them beside the training
    later = final_cells(search(), WINNER, tmp_path, 5, 330, 1)
    assert later == first


def test_rivals_get_their_share_of_a_short_time(tmp_path):
    cells = final_cells(search(against="cifarnet,resblocks"), WINNER, tmp_path, 540, 900, 1)
    assert [cell.config.max_time for cell in cells] == ["50s"] * 3  # 540 s are 9 times 60


def test_another_winner_has_runs_of_its_own(tmp_path):
    first = final_cells(search(), WINNER, tmp_path, 180, 330, 1)
    other = final_cells(search(), WINNER.replace(learning_rate=0.2), tmp_path, 240, 330, 1)
    assert {cell.config.max_time for cell in other} == {"70s"}
    assert not {cell.key for cell in first} & {cell.key for cell in other}


def test_a_damaged_plan_is_made_anew(tmp_path):
    (tmp_path / "plan.json").write_text("{")
    assert len(final_cells(search(), WINNER, tmp_path, None, 330, 1)) == 3


class Finished(CellResult):
    def __init__(self, accuracy, seed):
        super().__init__(cell=Cell(setting="winner", config=WINNER.replace(seed=seed)), path=None, status="finished")
        test = {"accuracy": accuracy, "n": 100, "interval": [0.1, 0.9], "selection": "last epoch"}
        test["accuracy_without_tta"] = accuracy - 0.01
        seconds = {"total": 3.0, "compile": 0.5, "train": seed - 3.0}
        self.__dict__["summary"] = {"test": test, "seconds": seconds}


def test_the_interval_counts_seeds_and_images():
    result = test_result([Finished(0.90, 5), Finished(0.92, 6), Finished(0.94, 7)])
    assert result["mean"] == pytest.approx(0.92)
    assert result["standard_deviation"] == pytest.approx(0.02)
    # t at 97.5 % with two degrees of freedom is 4.3027; 100 images have a standard error of 0.02713.
    half = ((4.3027 * 0.02 / 3**0.5) ** 2 + (1.95996 * 0.027129) ** 2) ** 0.5
    assert result["interval"] == pytest.approx([0.92 - half, 0.92 + half], rel=1e-4)
    assert result["seeds"] == [5, 6, 7]
    assert result["accuracies_alone"] == pytest.approx([0.89, 0.91, 0.93])


def test_equal_seeds_are_no_certainty():
    low, high = test_result([Finished(0.90, 5), Finished(0.90, 6)])["interval"]
    assert high - low == pytest.approx(2 * 1.95996 * 0.03, rel=1e-4)


def test_no_interval_leaves_what_an_accuracy_can_be():
    assert test_result([Finished(0.92, 5), Finished(0.97, 6)])["interval"] == [pytest.approx(0.624, abs=2e-3), 1.0]


def test_a_single_run_has_the_interval_of_its_images():
    assert test_result([Finished(0.9, 5)])["interval"] == [0.1, 0.9]


def test_without_a_finished_run_there_is_no_result():
    assert test_result([CellResult(cell=Cell(setting="winner", config=WINNER), path=None, status="diverged")]) is None


def test_rivals_have_their_recipe_and_the_winners_seeds_and_time():
    winners = [Finished(0.90, 5), Finished(0.92, 6)]  # 2 and 3 s of training, each half a second of compiling
    cells = rival_cells(search(against="cifarnet, boringnet"), winners)
    assert [(cell.setting, cell.seed) for cell in cells] == [
        ("cifarnet", 5), ("boringnet", 5), ("cifarnet", 6), ("boringnet", 6),
    ]  # fmt: skip
    assert {cell.config.max_time for cell in cells} == {"3.0s"}
    own, config = recipe("digits", "cifarnet"), cells[0].config
    assert (config.arch, config.epochs, config.learning_rate, config.batch_size, config.validation) == (
        "cifarnet", own.epochs, own.learning_rate, own.batch_size, 0.0,
    )  # fmt: skip


def test_a_rival_sees_the_images_as_the_winner_does_and_is_tested_by_its_own_recipe():
    winner = WINNER.replace(tta="flip", precision="bfloat16", image_size=16, max_time="50s")
    config = rival_config(search(against="resblocks"), "resblocks", winner, "50s")
    assert recipe("digits", "resblocks").tta == "none"
    assert (config.tta, config.precision, config.image_size, config.max_time) == ("none", "bfloat16", 16, "50s")


def test_rivals_wait_for_a_winner_that_is_finished():
    unfinished = CellResult(cell=Cell(setting="winner", config=WINNER), path=None, status="interrupted")
    assert rival_cells(search(against="cifarnet"), [unfinished]) == []


def test_an_unknown_rival_is_a_mistake():
    with pytest.raises(InputError, match="cifarnut.*Did you mean 'cifarnet'"):
        rival_config(search(against="cifarnut"), "cifarnut", WINNER, "50s")
