"""The one number, the settings and the claims of report `lenet-bn`."""

from kerasnets.studies.published.lenet_bn import STUDY
from kerasnets.studies.report_verdicts import comparison_in_words
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


def test_every_claim_says_what_the_report_says():
    found = {claim.text: [comparison_in_words(one) for one in claim.comparisons] for claim in STUDY.claims}
    assert found == {
        "BoringNet without activations ends slightly above LazyNet and well below BoringNet with them.": [
            "test accuracy: 'BoringNet' > 'LazyNet'",
            "test accuracy: 'BoringNet' = 'LazyNet' within 5.00 points",
            "test accuracy: 'BoringNet, ReLU' > 'BoringNet' + 5.00 points",
            "test accuracy: 'BoringNet, LeakyReLU' > 'BoringNet' + 5.00 points",
        ],
        "CoolNet beats both.": [
            "test accuracy: 'CoolNet' > 'LazyNet'",
            "test accuracy: 'CoolNet' > 'BoringNet'",
            "test accuracy: 'CoolNet' > 'BoringNet, ReLU'",
            "test accuracy: 'CoolNet' > 'BoringNet, LeakyReLU'",
        ],
        "Of batch sizes 4, 32 and 256, 32 ends best.": [
            "test accuracy: 'batch 32' > 'CoolNet'",
            "test accuracy: 'batch 32' > 'batch 256'",
        ],
        "Batch size 4 does not bring the loss down enough.": [
            "train loss: 'CoolNet' > 'batch 32'",
        ],
        "Batch size 256 has too few steps to saturate.": [
            "train loss: 'batch 256' > 'batch 32'",
            "train loss after epoch 40 of 'batch 256' > train loss after epoch 50 of 'batch 256' + 0.01",
        ],
        "Of learning rates 10, 0.1, 0.01 and 0.0001, 0.01 has the best test accuracy.": [
            "test accuracy: 'CoolNet' > 'rate 10'",
            "test accuracy: 'CoolNet' > 'rate 0.1'",
            "test accuracy: 'CoolNet' > 'rate 0.0001'",
        ],
        "Of learning rates 10, 0.1, 0.01 and 0.0001, 0.01 has the lowest train loss.": [
            "train loss: 'rate 10' > 'CoolNet'",
            "train loss: 'rate 0.1' > 'CoolNet'",
            "train loss: 'rate 0.0001' > 'CoolNet'",
        ],
        "150 epochs raise train accuracy and not test accuracy over 50.": [
            "train accuracy after epoch 150 of '200 epochs' > train accuracy after epoch 50 of 'CoolNet'",
            "test accuracy after epoch 50 of 'CoolNet' > test accuracy after epoch 150 of '200 epochs' - 1.00 points",
        ],
        "Over 200 epochs, horizontal flips raise test accuracy clearly while train loss is higher.": [
            "test accuracy: '200 epochs, flips' > '200 epochs' + 2.00 points",
            "train loss: '200 epochs, flips' > '200 epochs'",
        ],
        "Mean squared error on softmax outputs has a smaller gradient and converges more slowly.": [
            "train accuracy after epoch 1: 'CoolNet' > 'MSE'",
            "train accuracy after epoch 5: 'CoolNet' > 'MSE'",
            "norm of the gradient after epoch 1: 'CoolNet' > 'MSE'",
        ],
    }
