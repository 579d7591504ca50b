"""Mixup and cutmix against NumPy, and their shares against the beta distribution."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.augment_mix import draw_beta, draw_mix, mix_images, mix_labels
from pipelines.augment_seeds import MIX_STREAM, draw_uniform

IMAGES, OTHERS = np.random.default_rng(0).integers(0, 256, (2, 50, 8, 6, 3), dtype=np.uint8)


def draw(mixup, cutmix, count=50, shape=(8, 6, 3)):
    return draw_mix(count, shape, mixup=mixup, cutmix=cutmix, seed=1, epoch=2)


@pytest.mark.parametrize("alpha", [0.001, 0.2, 1.0, 8.0, 100.0])
def test_shares_follow_the_beta_distribution(alpha):
    powers = draw_uniform(20_000, 2, MIX_STREAM, seed=0, epoch=0)
    drawn = np.sort(draw_beta(20_000, alpha, powers, seed=0, epoch=0))
    assert np.isfinite(drawn).all() and drawn[0] >= 0 and drawn[-1] <= 1
    expected = np.sort(np.random.default_rng(0).beta(alpha, alpha, 200_000))
    # Kolmogorov and Smirnov: 1.95 is the bound at p = 0.001.
    points = np.linspace(0.001, 0.999, 500)
    distance = np.searchsorted(drawn, points) / 20_000 - np.searchsorted(expected, points) / 200_000
    assert np.abs(distance).max() < 1.95 * np.sqrt(1 / 20_000 + 1 / 200_000)


def test_mixup_weighs_every_pixel_and_the_label():
    draws = draw(0.5, 0)
    assert sorted(draws) == ["share", "weight"] and draws["share"] is draws["weight"]
    weights = draws["weight"].numpy().astype(np.float64)[:, None, None, None]
    mixed = mix_images(tf.constant(IMAGES), tf.constant(OTHERS), draws)
    assert mixed.dtype == tf.float32
    np.testing.assert_allclose(mixed, IMAGES * weights + OTHERS * (1 - weights), atol=1e-4)


def test_cutmix_pastes_a_box_and_shares_the_label_by_pixels():
    draws = draw(0, 1.0)
    assert sorted(draws) == ["paste", "share"]
    mixed = mix_images(tf.constant(IMAGES), tf.constant(OTHERS), draws)
    assert mixed.dtype == tf.uint8
    for index, (top, left, bottom, right) in enumerate(draws["paste"].numpy()):
        expected = IMAGES[index].copy()
        expected[top:bottom, left:right] = OTHERS[index, top:bottom, left:right]
        np.testing.assert_array_equal(mixed[index], expected)
        own = np.ones((8, 6))
        own[top:bottom, left:right] = 0
        assert draws["share"][index].numpy() == pytest.approx(own.mean(), abs=1e-6)


def test_cutmix_boxes_have_the_images_proportions():
    top, left, bottom, right = draw(0, 1.0, 5000, (32, 64, 1))["paste"].numpy().T
    inside = (top > 0) & (left > 0) & (bottom < 32) & (right < 64)
    assert inside.sum() > 300
    # With alpha 1 the share of the box before cutting is uniform, and both its sides are cut off to whole pixels.
    difference = (right - left)[inside] - 2 * (bottom - top)[inside]
    assert difference.min() == 0 and difference.max() == 1
    assert 0.6 < draw(0, 1.0, 5000, (32, 64, 1))["share"].numpy().mean() < 0.75


def test_with_both_a_random_half_gets_each():
    draws = draw(0.5, 1.0, 4000)
    weight, share, boxes = (draws[name].numpy() for name in ("weight", "share", "paste"))
    blended = weight < 1
    assert abs(blended.mean() - 0.5) < 4 * 0.5 / np.sqrt(4000) + 0.05  # some shares of mixup round to 1
    assert not boxes[blended].any()
    np.testing.assert_array_equal(share[blended], weight[blended])
    alone = draw(0, 1.0, 4000)
    pasted = boxes.any(axis=1)
    np.testing.assert_array_equal(share[pasted], alone["share"].numpy()[pasted])
    np.testing.assert_array_equal(boxes[pasted], alone["paste"].numpy()[pasted])


def test_mixed_labels():
    labels = mix_labels(tf.constant([0, 2, 1]), tf.constant([1, 2, 0]), tf.constant([0.25, 0.5, 1.0]), 4)
    assert labels.dtype == tf.float32
    np.testing.assert_allclose(labels, [[0.25, 0.75, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0]])
