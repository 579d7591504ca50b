"""How an unknown name is answered."""

from kerasnets.errors import InputError, closest


def test_closest_names_the_near_one():
    assert closest("sdg", ["sgd", "adamw"]) == "Known: adamw, sgd. Did you mean 'sgd'?"


def test_closest_without_a_near_one():
    assert closest("qqq", ("b", "a")) == "Known: a, b."


def test_input_error_is_a_value_error():
    assert issubclass(InputError, ValueError)
