"""The fields of the augmentation, their ranges and choices, and that knowing them costs nothing."""

import dataclasses
import math
import subprocess
import sys

import numpy as np
import pytest

import pipelines
from kerasnets.training.config import TrainConfig
from pipelines import DataError
from pipelines.augmentation import CHOICES, RANGES, Augmentation

WHOLE = {"crop_padding", "policy_operations", "policy_magnitude", "cutout"}


def test_it_is_public():
    assert pipelines.Augmentation is Augmentation


def test_it_imports_neither_tensorflow_nor_numpy():
    code = "import sys, pipelines.augmentation; assert not {'tensorflow', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=pipelines.__path__[0] + "/..", timeout=60)


def test_every_field_has_a_range_or_choices():
    kinds = {field.name: field.type for field in dataclasses.fields(Augmentation)}
    assert set(RANGES) | set(CHOICES) == set(kinds) and not set(RANGES) & set(CHOICES)
    assert {name for name, kind in kinds.items() if kind is int} == WHOLE


def test_fields_are_those_of_the_training_configuration():
    config = TrainConfig(dataset="digits", arch="lazynet")
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(Augmentation)}
    assert Augmentation(**fields) == Augmentation()


def test_what_is_off_does_not_mix():
    assert not Augmentation().mixes and Augmentation(mixup=0.1).mixes and Augmentation(cutmix=0.1).mixes


@pytest.mark.parametrize(
    "field, value, known",
    [
        ("crop_mode", "mirror", "zero, reflect"),
        ("flip", True, "none, random, alternating"),
        ("policy", "autoaugment", "none, randaugment, trivialaugment"),
    ],
)
def test_an_unknown_choice_is_refused_with_the_known_ones(field, value, known):
    with pytest.raises(DataError, match=f"^{field} must be one of {known}\\. Received: {value!r}\\. Choose one\\."):
        Augmentation(**{field: value})


@pytest.mark.parametrize(
    "field, low, high",
    [
        ("crop_padding", 0, 1000),
        ("policy_operations", 1, 16),
        ("policy_magnitude", 0, 30),
        ("rotation", 0, 180),
        ("translation", 0, 1),
        ("zoom", 0, 0.99),
        ("brightness", 0, 1),
        ("contrast", 0, 1),
        ("saturation", 0, 1),
        ("hue", 0, 0.5),
        ("cutout", 0, 4096),
        ("random_erasing", 0, 1),
        ("mixup", 0, 100),
        ("cutmix", 0, 100),
    ],
)
def test_ranges(field, low, high):
    for good in (low, high):
        assert getattr(Augmentation(**{field: good}), field) == good
    kind = "a whole number" if field in WHOLE else "a number"
    for bad in (low - 1, high + 1, math.nan, math.inf, True, "1", None, [1]):
        with pytest.raises(DataError, match=rf"^{field} must be {kind} from {low} to {high}\. Received: "):
            Augmentation(**{field: bad})


@pytest.mark.parametrize("field", sorted(WHOLE))
def test_whole_numbers(field):
    assert getattr(Augmentation(**{field: np.int64(3)}), field) == 3
    with pytest.raises(DataError, match=rf"{field} must be a whole number from .* Received: 1\.5\. "):
        Augmentation(**{field: 1.5})
