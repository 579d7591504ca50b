"""The built-in space as a whole: its defaults, what it knows of a data set, what decides it."""

import dataclasses
import json
import random

import pytest

from kerasnets.errors import InputError
from kerasnets.recipes import recipe
from kerasnets.search.built_in_space import BuiltInSpace
from kerasnets.search.sample import RejectedSample, check_sample
from kerasnets.search.space import hyperparameters
from kerasnets.training.config import TrainConfig

SHAPES = {
    "digits": (8, 8, 1),
    "mnist": (28, 28, 1),
    "fashion_mnist": (28, 28, 1),
    "cifar10": (32, 32, 3),
    "tiny_imagenet": (64, 64, 3),
    "folder:/somewhere/pets": (64, 64, 3),
    "npz:/somewhere/a.npz": (20, 30, 3),
}


def samples(space, shape, count, seed=0):
    hp = hyperparameters(space, shape, 10)
    draw = random.Random(seed)
    for _ in range(count):
        sample = hp.copy()
        sample.values = {}
        for one in hp.space:
            if sample.is_active(one):
                sample.values[one.name] = one.random_sample(draw.randrange(10**9))
        yield sample


@pytest.mark.parametrize("dataset", SHAPES)
def test_every_sample_is_a_configuration_and_most_can_be_trained(dataset):
    space, shape = BuiltInSpace(dataset), SHAPES[dataset]
    rejected = 0
    for sample in samples(space, shape, 200):
        before = dict(sample.values)
        config = TrainConfig(dataset=dataset, **space.settings(sample))
        assert sample.values == before  # everything had been declared
        assert (config.flip, config.tta) == ("none", "none") or dataset not in ("digits", "mnist")
        assert config.tta == "none" or config.flip != "none"
        try:
            check_sample(config, shape, 10)
        except RejectedSample:
            rejected += 1
    assert rejected < 60


@pytest.mark.parametrize("dataset", SHAPES)
def test_the_default_is_speednet_with_nearly_its_recipe(dataset):
    space = BuiltInSpace(dataset)
    config = TrainConfig(dataset=dataset, **space.settings(hyperparameters(space, SHAPES[dataset], 10)))
    check_sample(config, SHAPES[dataset], 10)
    expected = recipe(dataset, "speednet")
    for name in ("optimizer", "momentum", "muon_momentum", "weight_decay", "bias_weight_decay", "schedule", "flip"):
        assert getattr(config, name) == getattr(expected, name), name
    for name in ("label_smoothing", "crop_mode", "policy", "tta", "normalization"):
        assert getattr(config, name) == getattr(expected, name), name
    assert config.crop_padding == (4 if dataset.startswith("folder") else expected.crop_padding)
    # Rates as in the recipe, which change as the root of the batch; it is rounded to three digits.
    scale = (config.batch_size / expected.batch_size) ** 0.5
    for name in ("learning_rate", "bias_learning_rate_scale", "head_learning_rate_scale"):
        assert getattr(config, name) == pytest.approx(getattr(expected, name) * scale, rel=0.02), name


@pytest.mark.parametrize(
    ("dataset", "sizes", "in_recipe"),
    [  # The space has one smaller size, a recipe may have another before it.
        ("cifar10", [[24, 0.5]], [[20, 0.27], [24, 0.55]]),
        ("mnist", [[20, 0.5]], [[20, 0.5]]),
        ("digits", [], []),
    ],
)
def test_smaller_images_first_as_in_the_recipe(dataset, sizes, in_recipe):
    space = BuiltInSpace(dataset)
    assert space.settings(hyperparameters(space, SHAPES[dataset], 10)).get("early_sizes", []) == sizes
    assert recipe(dataset).early_sizes == in_recipe


def test_the_size_of_the_images_may_be_given():
    names = [one.name for one in hyperparameters(BuiltInSpace("npz:a.npz", image_size=32), (32, 32, 3), 10).space]
    assert "small_images_share" in names and "cutout" in names
    names = [one.name for one in hyperparameters(BuiltInSpace("npz:a.npz"), (32, 32, 3), 10).space]
    assert "small_images_share" not in names and "cutout" not in names


@pytest.mark.parametrize(
    "values",
    [
        {"normalization": "batch"},
        {"hidden_layers": True, "hidden": "512", "hidden_normalization": "none", "hidden_activation": "relu"},
    ],
)
def test_factors_of_a_normalisation_and_biases_have_a_lower_rate(values):
    space = BuiltInSpace("cifar10")
    hp = hyperparameters(space, (32, 32, 3), 10)
    high = space.settings(hp)["bias_learning_rate_scale"]
    hp.values |= values
    assert space.settings(hp)["bias_learning_rate_scale"] < high / 100


def test_a_kept_network_varies_in_its_training_only():
    space = BuiltInSpace("digits", "scratch_mlp")
    hp = hyperparameters(space, (8, 8, 1), 10)
    names = {one.name for one in hp.space}
    assert {"optimizer", "sgd_rate", "batch_size"} <= names and not names & {"poolings", "hidden", "small_images_share"}
    settings = space.settings(hp)
    assert settings["arch"] == "scratch_mlp"
    assert set(settings) <= {field.name for field in dataclasses.fields(TrainConfig)}
    with pytest.raises(InputError, match="Unknown model 'scratch'"):
        BuiltInSpace("digits", "scratch")


def test_the_description_holds_whatever_decides():
    described = BuiltInSpace("cifar10").describe()
    assert json.loads(json.dumps(described)) == described == BuiltInSpace("cifar10").describe()
    others = [BuiltInSpace("digits"), BuiltInSpace("cifar10", "lazynet"), BuiltInSpace("cifar10", image_size=64)]
    for other in others:
        assert other.describe() != described
    assert BuiltInSpace("cifar10", "lazynet").describe() != BuiltInSpace("cifar10", "lenet_bn").describe()
