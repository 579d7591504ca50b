"""What is declared by a space is found, in whatever scope; spaces by the kind of file."""

import pytest

from kerasnets.errors import InputError
from kerasnets.search.space import hyperparameters, load_space

SHAPE = (8, 8, 1)


class Declared:
    """A space made of a function that declares."""

    name = "declared"

    def __init__(self, declare):
        self._declare = declare

    def declare(self, hp, image_shape, num_classes):
        self._declare(hp)


def nested(hp):
    # As user code is written: what is not active is not even reached.
    kind = hp.Choice("kind", ["plain", "deep"])
    with hp.conditional_scope("kind", ["deep"]):
        if kind == "deep":
            depth = hp.Int("depth", 1, 3)
            with hp.conditional_scope("depth", [2, 3]):
                if depth in (2, 3):
                    hp.Float("shortcut", 0.0, 1.0, default=0.5)
    with hp.conditional_scope("kind", ["plain"]):
        if kind == "plain":
            hp.Boolean("bias", default=True)


def test_scopes_in_scopes_are_found_and_values_are_defaults():
    found = hyperparameters(Declared(nested), SHAPE, 10)
    assert [one.name for one in found.space] == ["kind", "bias", "depth", "shortcut"]
    assert found.values == {"kind": "plain", "bias": True}


def test_a_scope_that_can_never_be_active_is_not_waited_for():
    def impossible(hp):
        hp.Choice("a", [1, 2])
        with hp.conditional_scope("a", [3]):
            hp.Choice("b", [1, 2])

    assert [one.name for one in hyperparameters(Declared(impossible), SHAPE, 10).space] == ["a", "b"]


def test_a_space_that_never_ends_is_refused(monkeypatch):
    monkeypatch.setattr("kerasnets.search.space._MOST_BUILDS", 50)
    count = iter(range(10**9))

    def endless(hp):
        kind = hp.Choice("kind", [0, 1])
        with hp.conditional_scope("kind", [1 - kind]):
            hp.Choice(f"x{next(count)}", [1, 2])
        hp.Choice(f"k{next(count)}", [0, 1])
        with hp.conditional_scope(f"k{next(count) - 1}", [1]):
            pass

    with pytest.raises(InputError, match="declared declares new hyperparameters again and again. Give them fixed nam"):
        hyperparameters(Declared(endless), SHAPE, 10)


def test_nothing_to_vary_is_refused():
    with pytest.raises(InputError, match="declared must let something vary. Received: nothing. Give a setting a ran"):
        hyperparameters(Declared(lambda hp: None), SHAPE, 10)


def test_a_file_of_another_kind_is_refused():
    with pytest.raises(InputError, match=r"A space must be a Python file \(.py\) or a YAML file .* Received: a.json"):
        load_space("a.json", "digits")


def test_a_python_file_has_its_own_network():
    with pytest.raises(InputError, match="a.py builds a network of its own. Received: arch 'lazynet' beside it"):
        load_space("a.py", "digits", "lazynet")


def test_the_built_in_space():
    space = load_space(None, "digits")
    assert space.name == "built-in"
    found = hyperparameters(space, SHAPE, 10)
    assert space.settings(found)["arch"] == "blocks"
