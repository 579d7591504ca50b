"""The rows of report `cifarnet`, the class list that cannot be, and the images of other sizes."""

import pytest

from kerasnets.models import build_model
from kerasnets.studies.published.cifarnet import STUDY
from kerasnets.studies.report_verdicts import comparison_in_words


def rows(setting, quantity):
    return [row for row in STUDY.rows if row.setting == setting and row.measure.quantity == quantity]


@pytest.mark.parametrize(
    ("setting", "train_loss", "test_loss", "test_accuracy"),
    [
        ("cifarnet", 0.151191, 0.4632, 8670 / 10000),
        ("resblocks", 0.277197, 0.4956, 8386 / 10000),
        ("tinynet", 0.2075371, 2.4071, 3496 / 8000),
        ("tinynet-deep", None, None, 0.44),
    ],
)
def test_table(setting, train_loss, test_loss, test_accuracy):
    published = {"train_loss": train_loss, "test_loss": test_loss, "test_accuracy": test_accuracy}
    for quantity, number in published.items():
        assert [row.published for row in rows(setting, quantity)] == ([] if number is None else [number])


@pytest.mark.parametrize(("setting", "total", "cat"), [("cifarnet", 8.64, 0.67), ("resblocks", 8.27, 0.61)])
def test_classes(setting, total, cat):
    of_classes = rows(setting, "class_accuracy")
    # the order and names of the data set's own list
    names = "airplane automobile bird cat deer dog frog horse ship truck"
    assert " ".join(row.measure.class_name for row in of_classes) == names
    assert sum(row.published for row in of_classes) == pytest.approx(total) and of_classes[3].published == cat
    assert not any(row.impossible for row in of_classes)


def test_the_pasted_list_is_impossible():
    pasted, source = rows("tinynet", "class_accuracy"), rows("resblocks", "class_accuracy")
    assert [row.published for row in pasted] == [row.published for row in source] and len(pasted) == 10
    assert pasted[3].impossible.startswith("The report prints 61 % as the accuracy of 'cat' on Tiny ImageNet, which")
    assert [row for row in STUDY.rows if row.impossible] == pasted


def test_settings_are_as_published():
    best, tiny = (STUDY.config(STUDY.setting(name), seed=0) for name in ("cifarnet", "tinynet"))
    common = {"batch_size": 256, "learning_rate": 0.01, "momentum": 0.9, "schedule": "constant", "flip": "random"}
    common |= {"normalization": "half", "seed": 0}
    of_cifar10 = common | {"epochs": 20, "weight_decay": 0.0, "crop_padding": 4, "rotation": 0.0}
    of_tiny = common | {"epochs": 10, "weight_decay": 0.0005, "crop_padding": 0, "rotation": 30.0}
    assert {name: getattr(best, name) for name in of_cifar10} == of_cifar10
    assert {name: getattr(tiny, name) for name in of_tiny} == of_tiny
    assert STUDY.config(STUDY.setting("resblocks"), seed=0) == best.replace(arch="resblocks")
    assert STUDY.config(STUDY.setting("tinynet-deep"), seed=0) == tiny.replace(arch="tinynet_deep")
    assert STUDY.config(STUDY.setting("tinynet, 128x128"), seed=0) == tiny.replace(image_size=128)


@pytest.mark.parametrize(("side", "features"), [(32, 1024), (64, 4096), (128, 16384)])
def test_the_same_network_takes_every_size(side, features):
    model = build_model("tinynet", (side, side, 3), 200)
    assert model.layers[-1].kernel.shape == (features, 200) and model.output.shape == (None, 200)


def test_every_claim_says_what_the_report_says():
    found = {claim.text: [comparison_in_words(one) for one in claim.comparisons] for claim in STUDY.claims}
    assert found == {
        "More filters in a shallow network beat a deep network of few filters.": [
            "test accuracy: 'cifarnet' > 'resblocks'",
        ],
        "On Tiny ImageNet depth alone adds nothing.": [
            "test accuracy: 'tinynet-deep' = 'tinynet' within 2.00 points",
        ],
    }
