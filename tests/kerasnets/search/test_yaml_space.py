"""A YAML file of ranges over the settings of a training run."""

import json

import pytest
import yaml

from kerasnets.errors import InputError
from kerasnets.recipes import recipe
from kerasnets.search.space import check_sample, hyperparameters, load_space
from kerasnets.search.yaml_space import EXAMPLE
from kerasnets.training.config import TrainConfig

SHAPE = (8, 8, 1)


@pytest.fixture
def space(tmp_path):
    def load(text, arch=None, dataset="digits"):
        path = tmp_path / "mine.yaml"
        path.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
        return load_space(str(path), dataset, arch)

    return load


def test_the_example(space):
    found = space(EXAMPLE)
    hp = hyperparameters(found, SHAPE, 10)
    assert [one.name for one in hp.space] == ["arch_options.width", "learning_rate", "schedule"]
    assert hp.values == {
        "arch_options.width": 64,
        "learning_rate": pytest.approx(0.158, rel=0.01),
        "schedule": "linear",
    }
    hp.values = {"arch_options.width": 32, "learning_rate": 0.3, "schedule": "cosine"}
    config = TrainConfig(dataset="digits", **found.settings(hp))
    assert (config.arch, config.arch_options["width"], config.learning_rate) == ("speednet", 32, 0.3)
    assert (config.schedule, config.label_smoothing) == ("cosine", 0.1)
    # Whatever is not named is the recipe's.
    best = recipe("digits", "speednet")
    assert (config.optimizer, config.batch_size, config.tta) == (best.optimizer, best.batch_size, best.tta)
    check_sample(config, SHAPE, 10)


def test_what_belongs_to_the_search_is_left_to_it(space):
    settings = space("learning_rate: [0.1, 0.2]")
    settings = settings.settings(hyperparameters(settings, SHAPE, 10))
    assert not {"dataset", "seed", "epochs", "validation", "output", "threads", "precision"} & set(settings)


def test_the_best_network_unless_one_is_named(space):
    rates = "learning_rate: [0.1, 0.2]"
    assert space(rates).settings(hyperparameters(space(rates), SHAPE, 10))["arch"] == "speednet"
    named = space(rates, "lenet_bn")
    assert named.settings(hyperparameters(named, SHAPE, 10))["arch"] == "lenet_bn"
    same = space("arch: lenet_bn\n" + rates, "lenet_bn")
    assert same.settings(hyperparameters(same, SHAPE, 10))["arch"] == "lenet_bn"


def test_several_networks_have_their_own_recipes(space):
    found = space("arch: [lenet_bn, speednet]")
    hp = hyperparameters(found, SHAPE, 10)
    batches = {}
    for arch in ("lenet_bn", "speednet"):
        hp.values["arch"] = arch
        batches[arch] = found.settings(hp)["batch_size"]
    assert batches == {arch: recipe("digits", arch).batch_size for arch in ("lenet_bn", "speednet")}
    assert batches["lenet_bn"] != batches["speednet"]


def test_options_of_blocks(space):
    found = space(
        {"arch": "blocks", "arch_options": {"stages": ["8 max2", "16 max2"], "dropout": {"min": 0, "max": 0.5}}}
    )
    hp = hyperparameters(found, SHAPE, 10)
    settings = found.settings(hp)
    assert settings["arch_options"] == {"stages": "8 max2", "dropout": 0.0}
    assert {one.name: type(one).__name__ for one in hp.space} == {
        "arch_options.stages": "Choice",
        "arch_options.dropout": "Float",
    }


def test_the_description_forgets_the_layout(space):
    one = space("arch: speednet\nlearning_rate: [0.1, 0.2]  # rates\n").describe()
    assert one == space("learning_rate:\n- 0.1\n- 0.2\narch: speednet\n").describe()
    assert json.loads(json.dumps(one)) == one
    for other in ("arch: speednet\nlearning_rate: [0.1, 0.3]", "arch: lenet_bn\nlearning_rate: [0.1, 0.2]"):
        assert space(other).describe() != one
    assert space("arch: speednet\nlearning_rate: [0.1, 0.2]", dataset="mnist").describe() != one


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "mine.yaml must be YAML. Received: "),
        ("- a", r"mine.yaml must hold settings, one 'name: value' a line. Received: \['a'\]"),
        ("3: 4", "mine.yaml must hold settings"),
        ("learning_rat: 3", "mine.yaml: Unknown setting 'learning_rat'. .*Did you mean 'learning_rate'"),
        ("epochs: [3, 4]", "mine.yaml: epochs must not be part of a space, it belongs to the search. Received: epochs"),
        ("output: x", "mine.yaml: output must not be part of a space"),
        ("momentum: [0.5, 1.5]", "mine.yaml: momentum must be a number from 0 to 0.99999. Received: 1.5."),
        ("learning_rate: {min: 0.1, max: fast}", "mine.yaml: max of learning_rate must be a number. Received: 'fast'."),
        (
            "optimizer: [sgd, adm]",
            "mine.yaml: optimizer must be one of the known. Received: 'adm'. .*Did you mean 'adam",
        ),
        ("arch: cifarnt", "mine.yaml: arch: Unknown model 'cifarnt'.* Did you mean 'cifarnet'"),
        ("arch_options: 3", "mine.yaml: arch_options must be options with values, .* Received: 3."),
        ("arch: cifarnet\narch_options: {width: 3}", "Unknown option 'width' of model 'cifarnet'. It has none."),
        ("arch_options: {width: [3, a]}", "'width' of model 'speednet' must be a whole number .* Received: 'a'."),
        ("arch: [speednet, lenet_bn]\narch_options: {width: [3, 4]}", "Unknown option 'width' of model 'lenet_bn'"),
    ],
)
def test_mistakes_name_the_file_and_the_key(space, text, message):
    with pytest.raises(InputError, match=message) as caught:
        space(text)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="A space must be a file. Received: .*no.yaml, which is none."):
        load_space(str(tmp_path / "no.yaml"), "digits")


def test_a_file_with_nothing_to_vary(space):
    with pytest.raises(InputError, match="mine.yaml must let something vary. Received: nothing."):
        hyperparameters(space("learning_rate: 0.1"), SHAPE, 10)


def test_two_networks_are_one_too_many(space):
    with pytest.raises(InputError, match="mine.yaml names its network, 'lenet_bn'. Received: arch 'lazynet' beside it"):
        space("arch: lenet_bn", "lazynet")
