"""The one number, the settings and the claims of report `lenet-bn`."""

from kerasnets.studies.published.lenet_bn import STUDY
from kerasnets.studies.study import Measure, Row

CONFIGS = {setting.name: STUDY.config(setting, seed=0) for setting in STUDY.settings}


def test_the_one_number_that_is_left():
    assert STUDY.rows == (Row(setting="rate 10", measure=Measure(quantity="train_loss"), published=4.1, rounding=0.05),)


def test_settings_differ_from_coolnet_in_what_they_are_about():
    base = CONFIGS["CoolNet"]
    assert (base.arch, base.epochs, base.batch_size, base.learning_rate) == ("lenet_bn", 50, 4, 0.01)
    # the report's one number is that of SGD without momentum
    assert (base.momentum, base.schedule, base.flip, base.crop_padding) == (0.0, "constant", "none", 0)
    expected = {
        "batch 32": {"batch_size": 32},
        "batch 256": {"batch_size": 256},
        "rate 10": {"learning_rate": 10.0},
        "rate 0.1": {"learning_rate": 0.1},
        "rate 0.0001": {"learning_rate": 0.0001},
        "MSE": {"loss": "mse"},
        "200 epochs": {"epochs": 200, "test_curve": 200},
        "200 epochs, flips": {"epochs": 200, "test_curve": 200, "flip": "random"},
    }
    for name, changes in expected.items():
        assert CONFIGS[name] == base.replace(**changes), name
    assert len(CONFIGS) == len(expected) + 5


def test_every_claim_is_there():
    words = ("slightly above", "beats both", "32 ends best", "enough", "saturate", "best test accuracy", "train loss")
    words += ("150 epochs", "flips", "squared")
    assert len(words) == len(STUDY.claims)
    assert all(word in claim.text for word, claim in zip(words, STUDY.claims, strict=True))
