"""The rows and settings of report `coolnet-cpu`."""

from kerasnets.studies.published.coolnet_cpu import STUDY

CONFIGS = {setting.name: STUDY.config(setting, seed=0) for setting in STUDY.settings}


def test_rows():
    found = [(row.setting, row.measure.quantity, row.published, row.upper) for row in STUDY.rows]
    assert found == [
        ("LazyNet", "test_accuracy", 0.32, 0.33),
        ("BoringNet", "train_accuracy", 0.43, None),
        ("BoringNet", "test_accuracy", 0.37, 0.38),
        ("CoolNet v7", "train_accuracy", 0.81, None),
        ("CoolNet v7", "test_accuracy", 0.61, None),
        ("CoolNet v10", "train_accuracy", 0.99, None),
        ("CoolNet v10", "test_accuracy", 0.62, None),  # one point above v7
    ]
    assert all(row.measure.epoch is None for row in STUDY.rows)


def test_settings_differ_from_v7_in_what_they_are_about():
    base = CONFIGS["CoolNet v7"]
    assert (base.dataset, base.epochs, base.batch_size, base.learning_rate) == ("cifar10", 50, 4, 0.01)
    assert {config.momentum for config in CONFIGS.values()} == {0.0}
    assert (base.optimizer, base.schedule, base.flip, base.loss) == ("sgd", "constant", "none", "cross_entropy")
    long = {"epochs": 200, "test_curve": 200, "crop_padding": 4, "flip": "random"}
    expected = {
        "CoolNet v10": {"arch": "coolnet_v10"},
        "batch 5": {"batch_size": 5},
        "batch 10": {"batch_size": 10},
        "batch 20": {"batch_size": 20},
        "rate 10": {"learning_rate": 10.0},
        "rate 0.1": {"learning_rate": 0.1},
        "rate 0.0001": {"learning_rate": 0.0001},
        "decreasing rate": {"schedule": "step"},
        "augmentation, 200 epochs": long,
        "augmentation, MSE, 200 epochs": long | {"loss": "mse"},
    }
    for name, changes in expected.items():
        assert CONFIGS[name] == base.replace(**changes), name
    assert len(CONFIGS) == len(expected) + 5


def test_every_claim_is_there():
    words = ("LazyNet", "at the end", "LeakyReLU", "v10", "about the same loss", "quicker", "fewer epochs", "diverge")
    words += ("is best", "too slow", "late dip", "Augmentation", "squared")
    assert len(words) == len(STUDY.claims)
    assert all(word in claim.text for word, claim in zip(words, STUDY.claims, strict=True))
