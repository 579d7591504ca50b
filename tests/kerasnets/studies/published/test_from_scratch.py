"""The rows of report `from-scratch` against sums over its printed tables."""

import pytest

from kerasnets.studies.published.from_scratch import STUDY
from kerasnets.studies.report_verdicts import comparison_in_words


def numbers(setting, quantity):
    rows = [row for row in STUDY.rows if row.setting == setting and row.measure.quantity == quantity]
    assert [row.measure.epoch for row in rows] == list(range(1, len(rows) + 1))
    return [row.published for row in rows]


@pytest.mark.parametrize(
    ("setting", "quantity", "count", "total"),
    [
        ("Fashion-MNIST", "train_accuracy", 10, 7.8474),
        ("Fashion-MNIST", "test_accuracy", 10, 7.9179),
        ("Fashion-MNIST", "train_loss", 10, 6.180),
        ("Fashion-MNIST", "test_loss", 10, 5.878),
        ("CIFAR-10", "train_accuracy", 20, 7.5645),
        ("CIFAR-10", "test_accuracy", 20, 7.4294),
        ("CIFAR-10", "train_loss", 20, 1573.20),
        ("CIFAR-10", "test_objective", 20, 929.84),
    ],
)
def test_columns(setting, quantity, count, total):
    column = numbers(setting, quantity)
    assert len(column) == count and sum(column) == pytest.approx(total, abs=1e-9)


def test_rounding_is_half_a_unit_of_the_last_printed_digit():
    def roundings(setting, epoch):
        rows = [row for row in STUDY.rows if (row.setting, row.measure.epoch) == (setting, epoch)]
        return [number for row in rows[:3] for number in (row.published, row.rounding)]

    # 65.15 68.82 1.03 and 73.31 73.69 .734
    assert roundings("Fashion-MNIST", 1) == pytest.approx([0.6515, 5e-5, 0.6882, 5e-5, 1.03, 5e-3])
    assert roundings("Fashion-MNIST", 2) == pytest.approx([0.7331, 5e-5, 0.7369, 5e-5, 0.734, 5e-4])
    assert roundings("CIFAR-10", 1) == pytest.approx([0.1664, 5e-5, 0.2023, 5e-5, 974.5, 5e-3])


def test_settings_are_plain_sgd():
    configs = {setting.name: STUDY.config(setting, seed=0) for setting in STUDY.settings}
    assert {(config.optimizer, config.momentum, config.schedule) for config in configs.values()} == {
        ("sgd", 0.0, "constant")
    }
    assert (configs["Fashion-MNIST"].dataset, configs["Fashion-MNIST"].epochs) == ("fashion_mnist", 10)
    assert configs["Fashion-MNIST"].learning_rate == 0.01
    table = configs["CIFAR-10"]
    assert (table.dataset, table.epochs, table.learning_rate, table.batch_size) == ("cifar10", 20, 0.001, 1)
    # what is compared with the table differs from it in the one thing that it is about
    assert table.replace(learning_rate=0.01) == configs["CIFAR-10, rate 0.01"]
    assert table.replace(loss="cross_entropy_unstable") == configs["CIFAR-10, softmax as written"]


def test_every_claim_says_what_the_report_says():
    found = {claim.text: [comparison_in_words(one) for one in claim.comparisons] for claim in STUDY.claims}
    assert found == {
        "Learning rate 0.01 is too big for CIFAR-10: 0.001 ends better.": [
            "test accuracy: 'CIFAR-10' > 'CIFAR-10, rate 0.01' + 2.00 points",
        ],
        "Without the stable softmax the loss becomes inf or NaN; with it, all else equal, it does not.": [
            "'CIFAR-10, softmax as written' diverges or stays at chance",
            "test accuracy: 'CIFAR-10' > 'CIFAR-10, softmax as written' + 20.00 points",
        ],
    }
