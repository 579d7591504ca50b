"""Examples of each operation: what is there, that it shows, and that each is its operation alone."""

import dataclasses

import numpy as np
import pytest

from pipelines import Augmentation, DataError
from pipelines.augment_examples import augmentation_examples, usual_augmentations

IMAGE, PARTNER = np.random.default_rng(0).integers(0, 256, (2, 16, 20, 3), dtype=np.uint8)
NAMES = ["crop", "flip", "zoom", "rotation", "translation", "randaugment", "trivialaugment", "brightness", "contrast"]
NAMES += ["saturation", "hue", "cutout", "random_erasing", "mixup", "cutmix"]


def test_every_operation_shows():
    examples = augmentation_examples(IMAGE, PARTNER, 1, 8)
    assert list(examples) == NAMES
    for name, images in examples.items():
        assert images.shape == (8, 16, 20, 3) and images.dtype == np.uint8
        assert (images != IMAGE).any(), name
        assert len({image.tobytes() for image in images}) > 1, name


def test_grey_images_work_and_have_no_colours_to_change():
    examples = augmentation_examples(IMAGE[..., :1], PARTNER[..., :1], 1, 3)
    same = [name for name, images in examples.items() if (images == IMAGE[..., :1]).all()]
    assert same == ["saturation", "hue"]


def test_same_seed_same_bytes_other_seed_other_examples():
    first, same, other = (augmentation_examples(IMAGE, PARTNER, seed, 4) for seed in (1, 1, 2))
    assert all(first[name].tobytes() == same[name].tobytes() for name in NAMES)
    assert sum(first[name].tobytes() != other[name].tobytes() for name in NAMES) >= len(NAMES) - 1


def test_mixed_examples_hold_both_images():
    examples = augmentation_examples(IMAGE, PARTNER, 1, 8)
    from_either = (examples["cutmix"] == IMAGE) | (examples["cutmix"] == PARTNER)
    assert from_either.all() and (examples["cutmix"] == PARTNER).all(axis=-1).any()
    low, high = np.minimum(IMAGE, PARTNER), np.maximum(IMAGE, PARTNER)
    assert ((low <= examples["mixup"]) & (examples["mixup"] <= high)).all()


def test_each_operation_is_alone_and_none_is_missing():
    def on(augmentation):
        return {
            field.name
            for field in dataclasses.fields(augmentation)
            if getattr(augmentation, field.name) != field.default
        }

    fields = [on(augmentation) for augmentation in usual_augmentations(32).values()]
    assert all(len(names) == 1 for names in fields)
    settings = {"crop_mode", "policy_operations", "policy_magnitude"}
    assert set.union(*fields) == {field.name for field in dataclasses.fields(Augmentation)} - settings


@pytest.mark.parametrize(
    "image, partner",
    [(IMAGE, PARTNER[:8]), (IMAGE[None], PARTNER[None]), (IMAGE / 255, PARTNER / 255)],
    ids=["sizes", "batches", "floats"],
)
def test_images_that_do_not_fit_are_refused(image, partner):
    with pytest.raises(DataError, match="image and partner must be uint8 of one shape"):
        augmentation_examples(image, partner, 0, 1)


def test_no_examples_are_refused():
    with pytest.raises(DataError, match="count must be 1 or more. Received: 0"):
        augmentation_examples(IMAGE, PARTNER, 0, 0)


@pytest.mark.parametrize("seed", [-1, 2**60])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(DataError, match=r"The seed must lie in 0..2\*\*60 - 1. Received: "):
        augmentation_examples(IMAGE, PARTNER, seed, 1)
