"""A Python file as a space: what it declares, what becomes an option of the network and what a setting."""

import pytest

from kerasnets.errors import InputError
from kerasnets.models import build_model
from kerasnets.search.space import RejectedSample, check_sample, hyperparameters, load_space
from kerasnets.training.config import TrainConfig

FILE = """\
import keras

def build(hp, image_shape, num_classes):
    images = keras.Input(image_shape)
    features = keras.layers.Flatten()(images)
    kind = hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["wide"]):
        if kind == "wide":
            features = keras.layers.Dense(hp.Int("units", 4, 64), activation="relu")(features)
    return keras.Model(images, keras.layers.Dense(num_classes)(features))
"""
SETTINGS = """
def settings(hp):
    optimizer = hp.Choice("optimizer", ["adamw", "sgd"])
    settings = {"optimizer": optimizer, "learning_rate": 0.001}
    with hp.conditional_scope("optimizer", ["sgd"]):
        if optimizer == "sgd":
            settings["learning_rate"] = hp.Float("sgd_rate", 0.01, 1.0, sampling="log")
    return settings
"""
SHAPE = (8, 8, 1)


@pytest.fixture
def space(tmp_path):
    def load(text=FILE + SETTINGS):
        path = tmp_path / "mine.py"
        path.write_text(text)
        return load_space(str(path), "digits")

    return load


def test_everything_is_found(space):
    hp = hyperparameters(space(), SHAPE, 10)
    assert {one.name for one in hp.space} == {"kind", "units", "optimizer", "sgd_rate"}
    assert hp.values == {"kind": "plain", "optimizer": "adamw"}


def test_options_of_the_network_and_settings_are_told_apart(space, tmp_path):
    found = space()
    hp = hyperparameters(found, SHAPE, 10)
    hp.values = {"kind": "wide", "units": 7, "optimizer": "sgd", "sgd_rate": 0.3}
    config = TrainConfig(dataset="digits", **found.settings(hp))
    assert config.arch == f"file:{tmp_path / 'mine.py'}"
    assert config.arch_options == {"kind": "wide", "units": 7}
    assert (config.optimizer, config.learning_rate) == ("sgd", 0.3)
    model = build_model(config.arch, SHAPE, 10, **config.arch_options)
    facts = check_sample(config, SHAPE, 10)
    assert facts.weights == sum(weight.numpy().size for weight in model.trainable_weights) == 64 * 7 + 7 + 70 + 10
    assert facts.flops == 2 * (64 * 7 + 70)


def test_what_is_not_active_is_no_option(space):
    found = space()
    hp = hyperparameters(found, SHAPE, 10)
    hp.values = {"kind": "plain", "optimizer": "adamw"}
    settings = found.settings(hp)
    assert (settings["arch_options"], settings["learning_rate"]) == ({"kind": "plain"}, 0.001)


def test_without_settings_there_is_a_recipe(space):
    found = space(FILE)
    settings = found.settings(hyperparameters(found, SHAPE, 10))
    assert (settings["optimizer"], settings["flip"]) == ("adamw", "none")
    assert "epochs" not in settings


def test_the_description_is_the_text(space):
    one = space().describe()
    assert space().describe() == one
    assert space(FILE).describe() != one


def test_a_choice_that_does_not_build_is_rejected(space):
    text = FILE.replace("keras.layers.Dense(num_classes)", "keras.layers.Dense(num_classes + (kind == 'wide'))")
    path = space(text)._path
    config = TrainConfig(dataset="digits", arch=f"file:{path}", arch_options={"kind": "wide"})
    with pytest.raises(RejectedSample, match=r"build must return a model from .* to \(None, 10\). Received: .* 11"):
        check_sample(config, SHAPE, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 3", "mine.py must have a function build"),
        ("1 / 0", "mine.py, line 1: the file must work. Received: ZeroDivisionError"),
        (
            FILE + "\ndef settings(hp):\n    return {'learning_rat': 1}\n",
            r"settings\(hp\): Unknown setting 'learning_rat",
        ),
        (FILE + "\ndef settings(hp):\n    return 1\n", r"settings\(hp\) must return names with values. Received: 1"),
        (FILE.replace("hp.Choice", "hp.Choise"), "mine.py, line 6: build.* must work. Received: AttributeError"),
    ],
)
def test_mistakes(space, text, message):
    with pytest.raises(InputError, match=message):
        hyperparameters(space(text), SHAPE, 10)


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match="file:PATH must name a Python file. Received: /no/such.py, which is no file"):
        load_space("/no/such.py", "digits")
