"""RandAugment and TrivialAugment: every operation against Pillow, the published strengths, and what is drawn."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from pipelines.augment_policy import OPERATIONS, apply_operations, apply_policy, draw_policy, policy_strengths

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(120, 40, (40, 16, 20, 3)).clip(0, 255).astype(np.uint8)


def draw(policy, count=40, operations=2, magnitude=9):
    settings = {"policy": policy, "operations": operations, "magnitude": magnitude}
    return draw_policy(count, (16, 20, 3), **settings, seed=1, epoch=2)


def affine(*numbers):
    return lambda image: image.transform(image.size, Image.Transform.AFFINE, numbers)


# AutoAugment's own reference code, with Pillow (Cubuk et al. 2018; the same in timm).
REFERENCES = {
    "identity": lambda v: lambda image: image,
    "shear_x": lambda v: affine(1, v, 0, 0, 1, 0),
    "shear_y": lambda v: affine(1, 0, 0, v, 1, 0),
    "translate_x": lambda v: affine(1, 0, v, 0, 1, 0),
    "translate_y": lambda v: affine(1, 0, 0, 0, 1, v),
    "rotate": lambda v: lambda image: image.rotate(v),
    "brightness": lambda v: lambda image: ImageEnhance.Brightness(image).enhance(1 + v),
    "color": lambda v: lambda image: ImageEnhance.Color(image).enhance(1 + v),
    "contrast": lambda v: lambda image: ImageEnhance.Contrast(image).enhance(1 + v),
    "sharpness": lambda v: lambda image: ImageEnhance.Sharpness(image).enhance(1 + v),
    "posterize": lambda v: lambda image: ImageOps.posterize(image, round(v)),
    "solarize": lambda v: lambda image: ImageOps.solarize(image, v),
    "autocontrast": lambda v: ImageOps.autocontrast,
    "equalize": lambda v: ImageOps.equalize,
}
ROUNDED = ("brightness", "color", "contrast", "sharpness", "autocontrast")


@pytest.mark.parametrize("channels", [1, 3])
def test_every_operation_equals_pillow_in_a_batch_of_all(channels):
    images = IMAGES[..., :channels]
    chosen = np.concatenate([np.arange(14), GENERATOR.integers(0, 14, 26)]).astype(np.int32)
    levels = GENERATOR.integers(0, 31, 40)
    strengths = policy_strengths("trivialaugment", 20, 16)[chosen, levels]
    strengths[::2] *= np.where(np.isin(chosen[::2], range(1, 10)), -1, 1)
    result = apply_operations(tf.constant(images), tf.constant(chosen), tf.constant(strengths)).numpy()
    for image, operation, strength, ours in zip(images, chosen, strengths, result, strict=True):
        name = OPERATIONS[operation]
        pillow = REFERENCES[name](float(strength))(Image.fromarray(image if channels == 3 else image[..., 0]))
        difference = np.abs(ours.astype(int) - np.asarray(pillow).reshape(image.shape))
        # Turned by 45 degrees and the like, a pixel may lie between two: either is right.
        ties = name == "rotate" and (difference > 0).mean() < 0.1
        assert ties or difference.max() <= (name in ROUNDED), (name, strength)


def test_operations_come_one_after_the_other():
    draws = draw("randaugment", operations=3)
    expected = tf.constant(IMAGES)
    for number in range(3):
        expected = apply_operations(expected, draws["operation"][:, number], draws["strength"][:, number])
    result = apply_policy(tf.constant(IMAGES), draws["operation"], draws["strength"])
    np.testing.assert_array_equal(result, expected)


def test_a_batch_of_one_operation_and_a_batch_of_none_work():
    equalized = apply_operations(IMAGES, tf.fill((40,), OPERATIONS.index("equalize")), tf.zeros(40))
    assert (equalized.numpy() != IMAGES).any()
    assert apply_operations(IMAGES[:0], tf.zeros(0, tf.int32), tf.zeros(0)).shape == (0, 16, 20, 3)


# torchvision's _augmentation_space of RandAugment (31 bins, at bin 9) and of TrivialAugmentWide (at the last bin),
# for images 331 pixels wide and 662 high.
PUBLISHED = {
    "randaugment": (9, [0, 0.09, 0.09, 45, 90, 9, 0.27, 0.27, 0.27, 0.27, 7, 178.5, 0, 0]),
    "trivialaugment": (30, [0, 0.99, 0.99, 32, 32, 135, 0.99, 0.99, 0.99, 0.99, 2, 0, 0, 0]),
}


@pytest.mark.parametrize("policy", PUBLISHED)
def test_strengths_are_the_published_ones(policy):
    level, expected = PUBLISHED[policy]
    strengths = policy_strengths(policy, 331, 662)
    assert strengths.shape == (14, 31) and strengths.dtype == np.float32
    np.testing.assert_allclose(strengths[:, level], expected, rtol=1e-6)
    np.testing.assert_array_equal(strengths[:10, 0], 0)
    assert strengths[10, 0] == 8 and strengths[11, 0] == 255


def uniform(values, kinds, bound):
    expected = values.size / kinds
    return ((np.bincount(values.ravel(), minlength=kinds) - expected) ** 2 / expected).sum() < bound


def test_randaugment_draws_each_operation_anew_at_one_magnitude():
    draws = {name: values.numpy() for name, values in draw("randaugment", 10_000).items()}
    operations, strengths = draws["operation"], draws["strength"]
    assert operations.shape == strengths.shape == (10_000, 2)
    assert uniform(operations, 14, 34.5) and uniform(operations[:, 0] * 14 + operations[:, 1], 196, 261.0)
    table = policy_strengths("randaugment", 20, 16)[:, 9]
    np.testing.assert_array_equal(np.abs(strengths), table[operations])
    signed = np.isin(operations, range(1, 10))
    assert (strengths[~signed] >= 0).all() and abs((strengths[signed] < 0).mean() - 0.5) < 0.02


def test_trivialaugment_draws_one_operation_and_any_magnitude():
    draws = {name: values.numpy() for name, values in draw("trivialaugment", 31_000).items()}
    operations, strengths = draws["operation"][:, 0], draws["strength"][:, 0]
    assert draws["operation"].shape == (31_000, 1) and uniform(operations, 14, 34.5)
    turns = strengths[operations == OPERATIONS.index("rotate")]
    assert uniform(np.rint(np.abs(turns) / 4.5).astype(int), 31, 59.7)
    assert (turns < 0).any()
