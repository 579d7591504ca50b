import re

import pytest

from kerasnets.errors import InputError
from kerasnets.search.config import RUNNING_FIELDS, SearchConfig


def test_the_folder_is_named_after_what_is_searched():
    assert str(SearchConfig(dataset="cifar10").folder) == "searches/cifar10-hyperband-s0"
    config = SearchConfig(dataset="folder:/data/My pets", tuner="random", seed=3, output="out")
    assert str(config.folder) == "out/folder-My_pets-random-s3"
    assert str(SearchConfig(dataset="digits", name="mine").folder) == "searches/mine"


def test_budgets_are_epochs_or_parts_of_a_time():
    epochs = SearchConfig(dataset="digits", epochs=27)
    assert (epochs.unit, epochs.budget_units, epochs.unit_size) == ("epochs", 27, 1.0)
    seconds = SearchConfig(dataset="digits", objective="accuracy_at_seconds", trial_time="90s")
    assert seconds.unit == "seconds"
    assert seconds.budget_units * seconds.unit_size == pytest.approx(90)


def test_only_what_decides_the_trials_is_the_identity():
    one = SearchConfig(dataset="digits", data_dir="/a", trials=3, max_time="1h", workers=2, name="x", output="y")
    other = SearchConfig(dataset="digits", data_dir="/b", trials=9, nice=0, final_seeds=0)
    assert one.identity() == other.identity()
    assert one.identity() != SearchConfig(dataset="digits", epochs=5).identity()
    assert not set(RUNNING_FIELDS) & set(one.identity())


@pytest.mark.parametrize(
    ("tuner", "trials", "max_time", "expected"),
    [
        ("hyperband", None, None, None),
        ("random", None, None, 30),
        ("bayesian", None, "1h", None),
        ("random", 5, None, 5),
        ("hyperband", 50, "1h", 50),
    ],
)
def test_something_always_ends_a_search(tuner, trials, max_time, expected):
    config = SearchConfig(dataset="digits", tuner=tuner, trials=trials, max_time=max_time)
    assert config.max_trials == expected


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, "epochs must be a whole number from 1"),
        ("epochs", 2.5, "epochs must be a whole number"),
        ("validation", 0.0, "validation must be a number from 0.001 to 0.9"),
        ("tuner", "hyperbad", "tuner must be one of the known.*Did you mean 'hyperband'"),
        ("objective", "test_accuracy", "objective must be one of the known"),
        ("max_time", "0s", "max_time must be above zero"),
        ("max_time", "soon", "A time must look like"),
        ("name", "../up", "name must be letters, digits, dots and dashes"),
        ("dataset", "", "dataset must be a name"),
        ("workers", -1, "workers must be a whole number from 0"),
        ("max_flops", True, "max_flops must be a whole number"),
    ],
)
def test_a_wrong_setting_is_refused(field, value, words):
    with pytest.raises(InputError, match=words):
        SearchConfig(**({"dataset": "digits"} | {field: value}))


@pytest.mark.parametrize("values", [{"objective": "accuracy_at_seconds"}, {"trial_time": "60s"}])
def test_a_trial_time_goes_with_its_objective(values):
    with pytest.raises(InputError, match=re.escape("trial_time goes with objective accuracy_at_seconds")):
        SearchConfig(dataset="digits", **values)


def test_only_the_built_in_space_has_a_limit_of_cost_by_itself():
    assert SearchConfig(dataset="digits").most_cost == 1.0
    assert SearchConfig(dataset="digits", space="mine.yaml").most_cost is None
    assert SearchConfig(dataset="digits", space="mine.yaml", max_cost=3.0).most_cost == 3.0


def test_rivals_are_named_with_commas():
    assert SearchConfig(dataset="digits", against=" cifarnet,resblocks, cifarnet").rivals == ("cifarnet", "resblocks")
    assert SearchConfig(dataset="digits").rivals == ()


@pytest.mark.parametrize("settings", [{"against": ","}, {"against": "cifarnet", "final_seeds": 0}])
def test_rivals_need_names_and_a_final_training(settings):
    with pytest.raises(InputError, match="against must name networks, such as cifarnet,resblocks, for a final"):
        SearchConfig(dataset="digits", **settings)
