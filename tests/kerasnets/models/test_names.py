import inspect

import pytest

from kerasnets.models.build import MODELS
from kerasnets.models.names import MODEL_FACTS, MODEL_NAMES


def test_the_names_are_those_of_the_builders():
    assert tuple(MODELS) == MODEL_NAMES
    assert [builder.__name__ for builder in MODELS.values()] == list(MODEL_NAMES)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_the_options_are_those_of_the_builder(name):
    parameters = list(inspect.signature(MODELS[name]).parameters.values())
    assert [parameter.name for parameter in parameters[:2]] == ["image_shape", "num_classes"]
    defaults = {parameter.name: parameter.default for parameter in parameters[2:]}
    assert defaults == {option: fact.default for option, fact in MODEL_FACTS[name].options.items()}
