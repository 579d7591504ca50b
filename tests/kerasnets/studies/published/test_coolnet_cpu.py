"""The rows and settings of report `coolnet-cpu`."""

from kerasnets.studies.published.coolnet_cpu import STUDY
from kerasnets.studies.report_verdicts import comparison_in_words

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


def test_every_claim_says_what_the_report_says():
    found = {claim.text: [comparison_in_words(one) for one in claim.comparisons] for claim in STUDY.claims}
    assert found == {
        "LazyNet's train accuracy rises, then is flat; its test accuracy jumps about.": [
            "train accuracy after epoch 25 of 'LazyNet' > train accuracy after epoch 1 of 'LazyNet'",
            "train accuracy after epoch 25 of 'LazyNet' = "
            "train accuracy after epoch 50 of 'LazyNet' within 1.00 points",
            "best test accuracy of all epochs minus that of the last: 'LazyNet' > 'decreasing rate'",
        ],
        "BoringNet without activations falls in test accuracy at the end.": [
            "test accuracy after epoch 25 of 'BoringNet' > test accuracy after epoch 50 of 'BoringNet'",
        ],
        "BoringNet with ReLU or LeakyReLU is higher than without, much more in train than in test.": [
            "train accuracy: 'BoringNet, ReLU' > 'BoringNet'",
            "test accuracy: 'BoringNet, ReLU' > 'BoringNet'",
            "train accuracy minus test accuracy: 'BoringNet, ReLU' > 'BoringNet' + 5.00 points",
            "train accuracy: 'BoringNet, LeakyReLU' > 'BoringNet'",
            "test accuracy: 'BoringNet, LeakyReLU' > 'BoringNet'",
            "train accuracy minus test accuracy: 'BoringNet, LeakyReLU' > 'BoringNet' + 5.00 points",
        ],
        "CoolNet v10 reaches 99 % in train where v7 reaches 81 %, and one point more in test.": [
            "train accuracy: 'CoolNet v10' > 'CoolNet v7' + 10.00 points",
            "test accuracy: 'CoolNet v10' > 'CoolNet v7'",
            "test accuracy: 'CoolNet v10' = 'CoolNet v7' within 2.00 points",
        ],
        "Batch sizes 20, 10 and 5 end at about the same loss and test accuracy.": [
            "train loss: 'batch 5' = 'batch 10' within 0.23",
            "test accuracy: 'batch 5' = 'batch 10' within 2.00 points",
            "train loss: 'batch 10' = 'batch 20' within 0.23",
            "test accuracy: 'batch 10' = 'batch 20' within 2.00 points",
        ],
        "Larger batches run quicker.": [
            "seconds of training: 'batch 5' > 'batch 10'",
            "seconds of training: 'batch 10' > 'batch 20'",
        ],
        "Smaller batches converge in fewer epochs.": [
            "train accuracy after epoch 1: 'batch 5' > 'batch 10'",
            "train accuracy after epoch 1: 'batch 10' > 'batch 20'",
        ],
        "Learning rates 10 and 0.1 diverge (NaN, chance accuracy).": [
            "'rate 10' diverges or stays at chance",
            "'rate 0.1' diverges or stays at chance",
        ],
        "Of learning rates 10, 0.1, 0.01 and 0.0001, 0.01 is best.": [
            "test accuracy: 'CoolNet v7' > 'rate 10'",
            "test accuracy: 'CoolNet v7' > 'rate 0.1'",
            "test accuracy: 'CoolNet v7' > 'rate 0.0001'",
        ],
        "0.0001 is too slow for 50 epochs but overfits less.": [
            "train accuracy: 'CoolNet v7' > 'rate 0.0001'",
            "train accuracy after epoch 50 of 'rate 0.0001' > "
            "train accuracy after epoch 40 of 'rate 0.0001' + 1.00 points",
            "train accuracy minus test accuracy: 'CoolNet v7' > 'rate 0.0001'",
        ],
        "A decreasing learning rate ends without the late dip of test accuracy.": [
            "best test accuracy of all epochs minus that of the last: 'CoolNet v7' > 'decreasing rate'",
        ],
        "Augmentation lowers train accuracy and leaves test accuracy about the same (50 epochs).": [
            "train accuracy after epoch 50: 'CoolNet v7' > 'augmentation, 200 epochs'",
            "test accuracy after epoch 50: 'CoolNet v7' = 'augmentation, 200 epochs' within 3.00 points",
        ],
        "Mean squared error (200 epochs, with augmentation) overfits much less and converges more slowly.": [
            "train accuracy minus test accuracy: 'CoolNet v7' > 'augmentation, MSE, 200 epochs' + 10.00 points",
            "train accuracy minus test accuracy: 'augmentation, 200 epochs' > 'augmentation, MSE, 200 epochs'",
            "train accuracy after epoch 10: 'augmentation, 200 epochs' > 'augmentation, MSE, 200 epochs'",
        ],
    }
