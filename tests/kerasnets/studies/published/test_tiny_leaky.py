"""The rows of report `tiny-leaky`, and the networks that show the cause of its worst."""

from kerasnets.studies.published.tiny_leaky import STUDY
from kerasnets.studies.report_verdicts import comparison_in_words
from kerasnets.studies.study import Measure

CONFIGS = {setting.name: STUDY.config(setting, seed=0) for setting in STUDY.settings}


def test_rows():
    found = [(row.setting[:5], row.measure.quantity, row.measure.epoch, row.published, row.upper) for row in STUDY.rows]
    assert found == [
        ("best", "train_loss", None, 0.034331, None),
        ("best", "test_loss", None, 3.2329, None),
        ("best", "test_accuracy", None, 0.39, None),
        ("best", "test_accuracy", 5, 0.39, 0.40),
        ("worst", "test_accuracy", None, 0.05, None),
        ("logit", "test_accuracy", None, 0.35, None),
    ]


def test_the_best_is_trained_as_published():
    best = CONFIGS["best"]
    assert (best.epochs, best.batch_size, best.learning_rate, best.momentum) == (83, 128, 0.05, 0.9)
    assert (best.schedule, best.schedule_decay, best.normalization) == ("step", 0.9, "none")


def test_the_cause_is_every_output_with_and_without_batch_norm():
    options = [(config.arch_options["output"], config.arch_options["batch_norm"]) for config in CONFIGS.values()]
    assert sorted(options) == [("logits", False), ("logits", True), ("probabilities", False), ("probabilities", True)]
    assert {config.loss for config in CONFIGS.values()} == {"cross_entropy"}
    # but for the options they differ in nothing that matters within ten epochs
    alike = {"arch_options": {}, "epochs": 10, "test_curve": 10}
    first, *others = (config.replace(**alike) for config in CONFIGS.values())
    assert others == [first] * 3


def test_what_is_compared_with_probabilities_has_test_images():
    final = [
        comparison.first.measure == comparison.second.measure == Measure()
        for comparison in STUDY.claims[-1].comparisons
    ]
    assert STUDY.seeds == 3 and final == [True, True]


def test_gradients_are_part_of_the_cause():
    measured = [
        comparison.first.measure.quantity
        for claim in STUDY.claims
        for comparison in claim.comparisons
        if claim.text.startswith("The cause")
    ]
    assert measured.count("gradient_norm") == 2


def test_every_claim_says_what_the_report_says():
    found = {claim.text: [comparison_in_words(one) for one in claim.comparisons] for claim in STUDY.claims}
    assert found == {
        "Test accuracy stops near epoch 5 and does not fall afterwards while train loss goes on falling.": [
            "test accuracy after epoch 5 of 'best' = test accuracy of 'best' within 3.00 points",
            "train loss after epoch 5 of 'best' > train loss of 'best' + 1",
        ],
        "The network overfits from about epoch 5 on.": [
            "train accuracy minus test accuracy of 'best' > "
            "train accuracy minus test accuracy after epoch 5 of 'best' + 20.00 points",
        ],
        "Changing softmax to log-softmax alone lifts 5 % to 35 %.": [
            "test accuracy: 'logits, no batch norm' > 'worst: probabilities, no batch norm' + 20.00 points",
        ],
        "The cause: probabilities squashed twice leave hardly a gradient, with or without batch norm.": [
            "norm of the gradient after epoch 1: 'logits, no batch norm' > 'worst: probabilities, no batch norm' + 0.1",
            "norm of the gradient after epoch 1: 'best' > 'probabilities, batch norm' + 0.1",
        ],
        "The cause: the doubled softmax and not the missing batch norm.": [
            "test accuracy: 'logits, no batch norm' > 'probabilities, batch norm'",
            "test accuracy: 'best' > 'probabilities, batch norm' + 10.00 points",
        ],
    }
