"""What may stand behind a key of a YAML space, and the hyperparameter that it becomes."""

import keras_tuner
import pytest

from kerasnets.errors import InputError
from kerasnets.search.yaml_ranges import Range, declare_range, read_range


def read(value, kind=float, usual=0.01, check=lambda value: None):
    return read_range("rate", value, kind, usual, check)


def declared(one, value=None):
    """The hyperparameter of a range (None if it is fixed), and what a value of it stands for."""
    hp = keras_tuner.HyperParameters()
    if value is not None:
        hp.values["rate"] = value
    found = declare_range(hp, one)
    return (hp.space[0] if hp.space else None), found


def test_a_value_is_fixed():
    assert read(0.3) == Range("rate", choices=(0.3,), default=0.3)
    assert declared(read(0.3)) == (None, 0.3)
    assert declared(read([0.3])) == (None, 0.3)
    assert declared(read(None)) == (None, None)


def test_a_list_is_a_choice_whose_default_is_the_usual_value():
    hp, found = declared(read([0.1, 0.01]))
    assert (type(hp).__name__, hp.values, found) == ("Choice", [0.1, 0.01], 0.01)
    assert declared(read([0.1, 0.2]))[1] == 0.1
    assert declared(read([0.1, 0.2]), 0.2)[1] == 0.2


def test_true_and_false_stay_what_they_are():
    # A Choice of keras-tuner makes numbers of them.
    hp, found = declared(read([False, True], bool, usual=True))
    assert (type(hp).__name__, found) == ("Boolean", True)


def test_choices_of_several_kinds():
    one = read([0, 0.5], float, usual=0.0)
    assert declared(one)[0].values == [0.0, 0.5]
    one = read([None, 0.5], float | None, usual=None)
    assert declared(one)[1] is None
    assert declared(one, "0.5")[1] == 0.5


def test_a_setting_that_is_a_list():
    def check(value):
        if value and not isinstance(value[0][0], int):
            raise InputError("no sizes")

    sizes = [[24, 0.5]]
    assert declared(read(sizes, list[list[float]], [], check)) == (None, sizes)
    one = read(
        [[], sizes], list[list[float]], [], lambda value: check(value) if value != [[], sizes] else check([["x"]])
    )
    assert declared(one)[1] == []
    assert declared(one, "[[24, 0.5]]")[1] == sizes


def test_a_range():
    hp, found = declared(read({"min": 0.001, "max": 0.1, "log": True}))
    assert (type(hp).__name__, hp.min_value, hp.max_value, hp.sampling, found) == ("Float", 0.001, 0.1, "log", 0.01)
    hp, found = declared(read({"min": 0, "max": 1}, usual=3.0))
    assert (type(hp).__name__, hp.min_value, hp.max_value, hp.sampling, found) == ("Float", 0.0, 1.0, "linear", 0.5)
    hp, found = declared(read({"min": 1, "max": 100, "log": True}, int, usual=None))
    assert (type(hp).__name__, hp.sampling, found) == ("Int", "log", 10)
    hp, found = declared(read({"min": 32, "max": 128, "step": 32}, int, usual=50))
    assert (type(hp).__name__, hp.step, found) == ("Int", 32, 32)
    assert declared(read({"min": 0, "max": 1, "default": 0.25}))[1] == 0.25


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        ([], float, "rate must be a value, a list of choices or a range. Received: an empty list."),
        ([0, 0.0], float, r"rate must have choices that differ. Received: \[0, 0.0\]"),
        ({"min": 0}, float, r"rate must have min and max, such as .* Received: \{'min': 0\}"),
        ({"min": 0, "max": 1, "lgo": True}, float, "Unknown key 'lgo' in the range of rate. .* Did you mean 'log'"),
        ({"min": 1, "max": 1}, float, "rate must have a min below its max. Received: 1.0 and 1.0."),
        ({"min": 0, "max": 1, "log": True}, float, "rate must have a min above 0, since it is drawn by its log"),
        ({"min": 0, "max": 1, "log": 1}, float, "log of rate must be true or false. Received: 1."),
        ({"min": "0", "max": 1}, float, "min of rate must be a number. Received: '0'."),
        ({"min": 0, "max": True}, float, "max of rate must be a number. Received: True."),
        ({"min": 0, "max": float("inf")}, float, "max of rate must be a number. Received: inf."),
        ({"min": 0.5, "max": 2}, int, "min of rate must be a whole number. Received: 0.5."),
        ({"min": 0, "max": 1, "step": 0}, float, "step of rate must be above 0. Received: 0.0."),
        (
            {"min": 1, "max": 8, "step": 1, "log": True},
            int,
            "step of rate must be above 1, it is a ratio. Received: 1.",
        ),
        ({"min": 0, "max": 1, "default": 2}, float, "default of rate must be a number from 0.0 to 1.0. Received: 2."),
    ],
)
def test_mistakes(value, kind, message):
    with pytest.raises(InputError, match=message):
        read(value, kind)


@pytest.mark.parametrize("value", [9, [1, 9], {"min": 1, "max": 9}, {"min": -9, "max": 1}])
def test_every_value_is_checked(value):
    def check(value):
        if abs(value) > 5:
            raise InputError("too large")

    with pytest.raises(InputError, match="^rate: too large$"):
        read(value, check=check)
