import json
import random

import keras_tuner
import pytest

from kerasnets.errors import InputError
from kerasnets.search.samples import Samples, draw_values


def conditional_space():
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["wide"]):
        hp.Int("width", 8, 64)
    hp.Float("rate", 1e-3, 1.0, sampling="log")
    hp.Boolean("flip")
    return hp.space


def small_space(choices=4):
    hp = keras_tuner.HyperParameters()
    hp.Choice("one", list(range(choices)))
    hp.Boolean("two")
    return hp.space


def accept_all(values):
    return None


def test_inactive_values_are_not_drawn_and_numbers_are_in_their_ranges():
    samples = Samples(conditional_space(), accept_all, seed=3)
    drawn = [samples.draw() for _ in range(200)]
    assert {values["kind"] for values in drawn} == {"plain", "wide"}
    assert all(("width" in values) == (values["kind"] == "wide") for values in drawn)
    assert all(1e-3 <= values["rate"] <= 1 for values in drawn)
    assert 60 < sum(values["rate"] < 0.0316 for values in drawn) < 140  # half below the middle of the logarithm
    assert 60 < sum(values["flip"] for values in drawn) < 140


def test_the_first_choice_is_the_defaults():
    samples = Samples(conditional_space(), accept_all, 3)
    expected = {}
    for hp in conditional_space():
        if all(condition.is_active(expected) for condition in hp.conditions):
            expected[hp.name] = hp.default
    assert samples.draw() == expected
    assert samples.draw() != expected


def test_refused_defaults_are_no_trial():
    space = conditional_space()
    first = Samples(space, accept_all, 3).draw()
    samples = Samples(space, lambda values: "no" if values == first else None, 3)
    assert samples.draw() != first
    assert samples.rejected == {"no": 1}


def test_same_seed_same_draws_and_neighbouring_seeds_share_none():
    def rates(seed):
        samples = Samples(conditional_space(), accept_all, seed)
        return [samples.draw()["rate"] for _ in range(50)][1:]  # the first are the defaults

    assert rates(0) == rates(0)
    assert not set(rates(0)) & set(rates(1))


def test_every_choice_of_a_small_space_is_drawn_once_and_then_none():
    samples = Samples(small_space(), accept_all, seed=0)
    drawn = [tuple(samples.draw().items()) for _ in range(8)]
    assert len(set(drawn)) == 8
    assert not samples.exhausted
    assert samples.draw() is None
    assert samples.exhausted


def test_refused_choices_are_counted_once_and_not_asked_about_again():
    asked = []

    def accept(values):
        asked.append(tuple(values.items()))
        return "too odd" if values["one"] % 2 else None

    samples = Samples(small_space(), accept, seed=0)
    drawn = []
    while (values := samples.draw()) is not None:
        drawn.append(values)
    assert len(drawn) == 4
    assert not any(values["one"] % 2 for values in drawn)
    assert samples.rejected == {"too odd": 4}
    assert len(asked) == len(set(asked)) == 8


def test_what_accept_does_with_its_values_changes_nothing():
    samples = Samples(small_space(), lambda values: values.clear(), seed=0)
    assert set(samples.draw()) == {"one", "two"}


def test_a_thousand_refused_in_a_row_end_it_with_the_reasons():
    samples = Samples(conditional_space(), lambda values: f"no {values['kind']}", seed=0)
    with pytest.raises(InputError, match=r"1,000 samples in a row were not \(\d+ times: no \w+; \d+ times: no \w+\)"):
        samples.draw()
    assert samples.rejected.total() == 1000


def test_a_space_of_which_nothing_is_accepted_says_why():
    samples = Samples(small_space(), lambda values: "too large", seed=0)
    with pytest.raises(InputError, match=r"none of the space is \(8 times: too large\)"):
        samples.draw()


def test_a_space_without_choices_is_one_sample():
    samples = Samples([], accept_all, seed=0)
    assert samples.draw() == {}
    assert samples.draw() is None


def test_state_goes_on_where_it_was():
    def accept(values):
        return "flipped" if values["flip"] else None

    whole = Samples(conditional_space(), accept, seed=1)
    expected = [whole.draw() for _ in range(20)]
    drawn, samples = [], Samples(conditional_space(), accept, seed=1)
    for _ in range(20):
        drawn.append(samples.draw())
        state = json.loads(json.dumps(samples.get_state()))
        samples = Samples(conditional_space(), accept, seed=1)
        samples.set_state(state)
    assert drawn == expected
    assert samples.rejected == whole.rejected
    assert not samples.take(expected[0])


def test_neighbours_keep_most_values_and_stay_in_range():
    generator = random.Random(0)
    near = {"kind": "wide", "width": 64, "rate": 0.001, "flip": True}
    drawn = [draw_values(conditional_space(), generator, near=near, share=0.3) for _ in range(300)]
    assert all(8 <= values.get("width", 8) <= 64 and 1e-3 <= values["rate"] <= 1 for values in drawn)
    assert 190 < sum(values["flip"] for values in drawn) < 300
    assert any(0.001 < values["rate"] < 0.004 for values in drawn)
    kept = [values for values in drawn if values["kind"] == "wide"]
    assert 120 < sum(values["width"] == 64 for values in kept) < 260
    assert draw_values(conditional_space(), generator, near=near, share=0.0) == near
