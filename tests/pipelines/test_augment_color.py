"""Colour changes against Pillow's ImageEnhance, complex arithmetic for hue, and exact float64."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance

from pipelines.augment_color import change_color, draw_color, mean_grey, rounded_maps

N = 40
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 9, 7, 3), dtype=np.uint8)
IMAGES[0], IMAGES[1] = 0, 255
OFF = {"brightness": 0.0, "contrast": 0.0, "saturation": 0.0, "hue": 0.0}
LUMA = np.array([0.299, 0.587, 0.114])


def draw(channels=3, count=N, **limits):
    return draw_color(count, channels, **(OFF | limits), seed=3, epoch=1)


def changed(images, maps, pulls):
    return change_color(tf.constant(images), maps, pulls).numpy().astype(int)


def enhanced(kind, images, factors):
    squeezed = images if images.shape[-1] == 3 else images[..., 0]
    pairs = zip(squeezed, factors, strict=True)
    results = [np.asarray(kind(Image.fromarray(image)).enhance(float(factor))) for image, factor in pairs]
    return np.stack(results).reshape(images.shape).astype(int)


@pytest.mark.parametrize("channels", [1, 3])
def test_brightness_equals_pillow(channels):
    maps, _ = draw(channels, brightness=0.9)
    assert maps.shape == (N, 1)
    images = IMAGES[..., :channels]
    difference = changed(images, maps, None) - enhanced(ImageEnhance.Brightness, images, maps[:, 0])
    assert np.abs(difference).max() <= 1  # Pillow cuts off where we round


@pytest.mark.parametrize("channels", [1, 3])
def test_contrast_equals_pillow(channels):
    maps, pulls = draw(channels, contrast=0.9)
    np.testing.assert_allclose(maps[:, 0] + pulls, 1, atol=2e-4)
    images = IMAGES[..., :channels]
    difference = changed(images, maps, pulls) - enhanced(ImageEnhance.Contrast, images, maps[:, 0])
    assert np.abs(difference).max() <= 1


def test_saturation_equals_pillow():
    maps, pulls = draw(saturation=0.9)
    assert maps.shape == (N, 3, 3) and not pulls.numpy().any()
    factors = 1 - maps[:, 1, 0] / LUMA[1]
    difference = changed(IMAGES, maps, None) - enhanced(ImageEnhance.Color, IMAGES, factors)
    assert np.abs(difference).max() <= 1


def test_hue_turns_colours_about_the_grey_axis():
    """Red, green and blue stand at angles of a third of a turn; a colour is a complex number beside its mean."""
    maps, _ = draw(hue=0.5)
    corners = np.exp(2j * np.pi * np.arange(3) / 3)
    turned_red = 2 / 3 * (maps.numpy()[:, 0] @ corners)  # where red goes; times 3 / 2 because of its mean
    angles = np.angle(turned_red * 1.5)
    assert -np.pi <= angles.min() < -2.5 and 2.5 < angles.max() <= np.pi
    colors = (IMAGES @ corners) * np.exp(1j * angles)[:, None, None]
    expected = IMAGES.mean(axis=-1, keepdims=True) + 2 / 3 * (colors[..., None] * corners.conj()).real
    turned = changed(IMAGES, maps, None)
    assert np.abs(turned - np.clip(np.rint(expected), 0, 255)).max() <= 1
    np.testing.assert_array_equal(turned[:2], IMAGES[:2])  # grey stays


def test_a_third_of_a_turn_makes_red_green():
    maps, _ = draw_color(3000, 3, **(OFF | {"hue": 0.5}), seed=0, epoch=0)
    third = np.argmax(maps[:, 0, 1])
    np.testing.assert_allclose(maps[third], [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=2e-3)


def test_all_together_come_in_the_declared_order_and_are_clipped_once():
    limits = {"brightness": 0.4, "contrast": 0.3, "saturation": 0.6, "hue": 0.2}
    maps, pulls = draw(**limits)
    # The draws of an operation do not depend on the others' limits: each alone tells its factor.
    bright = draw(brightness=0.4)[0][:, 0].numpy()
    contrasted = draw(contrast=0.3)[0][:, 0].numpy()
    saturate, turn = draw(saturation=0.6)[0].numpy(), draw(hue=0.2)[0].numpy()
    values = IMAGES * bright[:, None, None, None]
    grey = (values @ LUMA).mean(axis=(1, 2))[:, None, None, None]
    values = grey + (values - grey) * contrasted[:, None, None, None]
    for matrices in (saturate, turn):
        values = np.einsum("nhwc,ncd->nhwd", values, matrices)
    difference = changed(IMAGES, maps, pulls) - np.clip(np.rint(values), 0, 255)
    assert np.abs(difference).max() <= 1 and (difference != 0).mean() < 0.1


def test_results_have_no_rounding_error_before_the_last_step():
    maps, pulls = draw(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.5)
    steps = maps.numpy().astype(np.float64) * 4096
    np.testing.assert_array_equal(steps, np.rint(steps))
    shifts = rounded_maps(pulls * mean_grey(IMAGES)).numpy().astype(np.float64)[:, None, None, None]
    exact = np.einsum("nhwc,ncd->nhwd", IMAGES.astype(np.float64), maps.numpy().astype(np.float64)) + shifts
    np.testing.assert_array_equal(change_color(IMAGES, maps, pulls), np.floor(np.clip(exact + 0.5, 0, 255)))


@pytest.mark.parametrize("channels, weights", [(1, [1]), (3, LUMA), (4, [0.25] * 4)])
def test_mean_grey(channels, weights):
    images = np.random.default_rng(1).integers(0, 256, (5, 6, 8, channels), dtype=np.uint8)
    np.testing.assert_allclose(mean_grey(tf.constant(images)), (images @ np.array(weights)).mean(axis=(1, 2)), 1e-4)


def test_saturation_and_hue_do_nothing_to_grey_images():
    maps, pulls = draw(1, saturation=0.5, hue=0.5)
    np.testing.assert_array_equal(change_color(IMAGES[..., :1], maps, pulls), IMAGES[..., :1])


def test_factors_are_uniform_within_their_limits_and_independent():
    count = 20_000
    drawn = [
        draw(count=count, brightness=0.4)[0][:, 0],
        draw(count=count, contrast=0.4)[0][:, 0],
        1 - draw(count=count, saturation=0.4)[0][:, 1, 0] / LUMA[1],
    ]
    for factors in np.array(drawn):
        assert 0.599 <= factors.min() < 0.605 and 1.395 < factors.max() <= 1.401
        counts = np.histogram(factors, 20, (0.599, 1.401))[0]
        assert ((counts - count / 20) ** 2 / (count / 20)).sum() < 43.8  # 19 degrees of freedom, p = 0.001
    assert np.abs(np.corrcoef(drawn) - np.eye(3)).max() < 4 / np.sqrt(count)
