"""The declaration of a study, which checks itself."""

import dataclasses

import pytest

from kerasnets.errors import InputError
from kerasnets.studies.study import Claim, Diverges, Equal, Higher, Measure, Point, Row, Setting, Study

SMALL, LARGE = Setting(name="small", config={"batch_size": 4}), Setting(name="large", config={"batch_size": 256})


def study(**fields):
    given = {"name": "s", "question": "?", "dataset": "digits", "base": {"arch": "lazynet"}, "settings": (SMALL, LARGE)}
    return Study(**(given | fields))


def test_a_configuration_is_the_recipe_then_the_base_then_the_setting():
    config = study(base={"arch": "lazynet", "epochs": 3, "batch_size": 9}).config(LARGE, seed=7)
    # The recipe of lazynet: rate 0.01 without momentum.
    assert (config.dataset, config.arch, config.seed) == ("digits", "lazynet", 7)
    assert (config.epochs, config.batch_size, config.learning_rate, config.momentum) == (3, 256, 0.01, 0.0)


def test_every_epoch_is_tested_and_float32_is_used_unless_said_otherwise():
    assert study(base={"epochs": 7}).config(SMALL, seed=0).test_curve == 7
    assert study(base={"epochs": 7, "test_curve": 0}).config(SMALL, seed=0).test_curve == 0
    assert study().config(SMALL, seed=0).precision == "float32"
    assert study(base={"precision": "bfloat16"}).config(SMALL, seed=0).precision == "bfloat16"


def test_a_study_in_another_precision_is_a_study_of_its_own():
    as_published = study(assumes=("Digits.",))
    assert as_published.in_precision("float32") is as_published
    other = as_published.in_precision("bfloat16")
    assert other.name == "s-bfloat16"
    was, became = (one.config(SMALL, seed=1) for one in (as_published, other))
    assert became == dataclasses.replace(was, precision="bfloat16") != was
    assert other.assumes == ("Digits.", "Networks are computed in bfloat16, with weights and losses in float32.")
    with pytest.raises(InputError, match="--precision must be float32 or bfloat16. Received: 'auto'"):
        as_published.in_precision("auto")


@pytest.mark.parametrize("where", ["base", "setting"])
def test_a_study_that_sets_its_precision_has_no_other(where):
    config = {"precision": "float32"}
    fields = {"base": config} if where == "base" else {"settings": (Setting(name="a", config=config),)}
    with pytest.raises(InputError, match="Study 's' says itself in which precision .* Leave the flag out"):
        study(**fields).in_precision("bfloat16")


def test_a_setting_may_have_another_data_set_and_network():
    other = Setting(name="other", config={"dataset": "mnist", "arch": "boringnet"})
    config = study(settings=(SMALL, other)).config(other, seed=0)
    assert (config.dataset, config.arch) == ("mnist", "boringnet")


def test_the_options_of_a_network_are_written_out():
    config = study(base={"arch": "boringnet", "epochs": 1}).config(SMALL, seed=0)
    assert config.arch_options == {"activation": "none"}
    with pytest.raises(InputError, match="Setting 'small' of study 's': Unknown option 'depth' of model 'boringnet'"):
        study(base={"arch": "boringnet", "arch_options": {"depth": 3}})


def test_a_folder_of_images_is_the_same_from_wherever_the_study_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert study(dataset="folder:pets").config(SMALL, seed=0).dataset == f"folder:{tmp_path}/pets"


def test_a_wrong_setting_is_named_when_the_study_is_made():
    wrong = Setting(name="wrong", config={"batch_sise": 4})
    with pytest.raises(InputError, match="Setting 'wrong' of study 's': Unknown setting 'batch_sise'.*'batch_size'"):
        study(settings=(SMALL, wrong))
    with pytest.raises(InputError, match="Setting 'wrong' of study 's': batch_size must be a whole number"):
        study(settings=(Setting(name="wrong", config={"batch_size": 0}),))


@pytest.mark.parametrize("name", ["", "../up", "a b", "-dash", "a/b", "cells", "a-scale-0.1"])
def test_a_name_that_is_no_folder(name):
    with pytest.raises(InputError, match="A study's name must be letters"):
        study(name=name)


def test_settings_have_different_names():
    with pytest.raises(InputError, match="must have different names. Received twice: {'small'}"):
        study(settings=(SMALL, SMALL))
    with pytest.raises(InputError, match="must have at least one setting"):
        study(settings=())


@pytest.mark.parametrize(("key", "value"), [("seed", 7), ("threads", 1), ("output", "x")])
def test_what_belongs_to_the_command(key, value):
    with pytest.raises(InputError, match=f"Setting 'small' of study 's': {key} belongs to the command that runs"):
        study(base={"arch": "lazynet", key: value})


@pytest.mark.parametrize("train_images", [0, 1.5, "many"])
def test_number_of_images(train_images):
    with pytest.raises(InputError, match="train_images must be a whole number from 1"):
        study(train_images=train_images)


@pytest.mark.parametrize("seeds", [0, -1, 2.0, True])
def test_seeds(seeds):
    with pytest.raises(InputError, match="seeds must be a whole number from 1"):
        study(seeds=seeds)


@pytest.mark.parametrize(
    "fields",
    [
        {"rows": (Row(setting="smal", published=0.5, rounding=0.005),)},
        {"claims": (Claim(text="", comparisons=(Diverges(setting="smal"),)),)},
        {
            "claims": (
                Claim(text="", comparisons=(Higher(first=Point(setting="large"), second=Point(setting="smal")),)),
            )
        },
        {
            "claims": (
                Claim(
                    text="", comparisons=(Equal(first=Point(setting="smal"), second=Point(setting="large"), margin=1),)
                ),
            )
        },
    ],
)
def test_rows_and_claims_name_settings_that_exist(fields):
    with pytest.raises(InputError, match="has no setting 'smal'.*Did you mean 'small'"):
        study(**fields)


def test_setting_by_name():
    assert study().setting("large") is LARGE
    with pytest.raises(InputError, match="Study 's' has no setting 'larg'.*Did you mean 'large'"):
        study().setting("larg")


def test_measures_check_themselves():
    with pytest.raises(InputError, match="Unknown quantity 'accuracy'.*Did you mean"):
        Measure(quantity="accuracy")
    for epoch in (0, -1, 1.0, True):
        with pytest.raises(InputError, match="epoch must be a whole number from 1"):
            Measure(epoch=epoch)
    with pytest.raises(InputError, match="late_dip belongs to a whole run"):
        Measure(quantity="late_dip", epoch=3)
    with pytest.raises(InputError, match="class_name belongs to class_accuracy"):
        Measure(class_name="cat")
    with pytest.raises(InputError, match="class_name belongs to class_accuracy"):
        Measure(quantity="class_accuracy")


def test_measures_in_words():
    assert str(Measure()) == "test accuracy"
    assert str(Measure(quantity="train_loss", epoch=5)) == "train loss after epoch 5"
    assert str(Measure(quantity="class_accuracy", class_name="cat")) == "test accuracy of cat"
    assert Measure(quantity="gap").is_share and not Measure(quantity="test_loss").is_share
    assert str(Point(setting="small")) == "test accuracy of 'small'"


@pytest.mark.parametrize(
    ("published", "upper", "rounding"), [(0.33, 0.32, 0), (0.3, None, -1), (float("nan"), None, 0)]
)
def test_rows_check_themselves(published, upper, rounding):
    with pytest.raises(InputError, match="A row must have a published number"):
        Row(setting="small", published=published, upper=upper, rounding=rounding)


@pytest.mark.parametrize("margin", [0, -0.1, float("nan")])
def test_equal_within_nothing(margin):
    with pytest.raises(InputError, match="margin must be above 0"):
        Equal(first=Point(setting="a"), second=Point(setting="b"), margin=margin)
