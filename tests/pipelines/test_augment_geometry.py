"""Affine maps against NumPy and Pillow, and their random parameters."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from pipelines.augment_geometry import affine_maps, draw_affine, warp, warp_nearest

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 11, 14, 3), dtype=np.uint8)
GREY = IMAGES[..., :1]


def maps_of(angle=0.0, right=0.0, down=0.0, scale=1.0, height=11, width=14):
    numbers = (tf.constant([value], tf.float64) for value in (angle, right, down, scale))
    return affine_maps(*numbers, height=height, width=width)


def pillow(image, numbers, resample):
    """Pillow's transform of one image; with a black frame, so that it fades to black at the edge as ours does."""
    a, b, c, d, e, f = (float(number) for number in numbers)
    framed = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    framed = Image.fromarray(framed if image.shape[-1] == 3 else framed[..., 0])
    result = framed.transform(image.shape[1::-1], Image.Transform.AFFINE, (a, b, c + 2, d, e, f + 2), resample)
    return np.asarray(result).reshape(image.shape)


@pytest.mark.parametrize("images", [IMAGES, GREY], ids=["colour", "grey"])
def test_warp_equals_pillow(images):
    maps = np.array(
        [
            [1, 0, 0.25, 0, 1, -0.75],
            [0.9123, 0.3217, -1.1329, -0.2171, 1.2039, 2.3113],
            [1.7131, 0, -4.3173, 0, 1.6217, -2.2311],
            [0.3119, -0.9077, 9.1313, 0.8731, 0.3373, -4.4217],
            [-1, 0, 14, 0, -1, 11],
            [1, 0, 30, 0, 1, 0],
        ],
        np.float32,
    )
    smooth = warp(tf.constant(images), tf.constant(maps)).numpy().astype(int)
    nearest = warp_nearest(tf.constant(images), tf.constant(maps)).numpy()
    assert nearest.dtype == np.uint8
    for index, image in enumerate(images):
        # Pillow cuts off where we round.
        difference = smooth[index] - pillow(image, maps[index], Image.Resampling.BILINEAR)
        assert difference.min() >= 0 and difference.max() <= 1
        np.testing.assert_array_equal(nearest[index], pillow(image, maps[index], Image.Resampling.NEAREST))
    assert not smooth[5].any() and not nearest[5].any()


@pytest.mark.parametrize("apply", [warp, warp_nearest])
def test_no_change_whole_shifts_and_a_half_turn_are_exact(apply):
    image = IMAGES[:1]
    np.testing.assert_array_equal(apply(image, maps_of()), image)
    np.testing.assert_array_equal(apply(image, maps_of(angle=np.pi)), image[:, ::-1, ::-1])
    moved = apply(image, maps_of(right=3, down=-2)).numpy()
    np.testing.assert_array_equal(moved[:, :9, 3:], image[:, 2:, :-3])
    assert not moved[:, 9:].any() and not moved[:, :, :3].any()


def test_half_a_pixel_takes_the_mean_of_two_rounded_up():
    moved = warp(IMAGES[:1], maps_of(right=0.5))
    framed = np.pad(IMAGES[:1].astype(int), ((0, 0), (0, 0), (1, 0), (0, 0)))
    np.testing.assert_array_equal(moved, (framed[:, :, 1:] + framed[:, :, :-1] + 1) // 2)


def test_turns_are_anticlockwise():
    square = IMAGES[:1, :, :11]
    turned = warp(square, maps_of(angle=np.pi / 2, width=11))
    np.testing.assert_array_equal(turned[0], np.rot90(square[0]))
    pillow_turned = Image.fromarray(square[0]).rotate(20, Image.Resampling.NEAREST)
    turned = warp_nearest(square, maps_of(angle=np.radians(20), width=11))
    np.testing.assert_array_equal(turned[0], np.asarray(pillow_turned))


def test_scales_above_one_enlarge_about_the_centre():
    image = np.zeros((1, 8, 8, 1), np.uint8)
    image[:, 3:5, 3:5] = 200
    larger = warp_nearest(image, maps_of(scale=2, height=8, width=8)).numpy()
    expected = np.zeros_like(image)
    expected[:, 2:6, 2:6] = 200
    np.testing.assert_array_equal(larger, expected)


def test_zoom_and_rotation_come_before_translation():
    together = maps_of(angle=0.4, right=3, down=-2, scale=1.3).numpy().reshape(2, 3)
    first, then = (np.vstack([maps_of(**part).numpy().reshape(2, 3), [0, 0, 1]]) for part in STEPS)
    np.testing.assert_allclose(together, (first @ then)[:2], atol=1e-5)


STEPS = ({"angle": 0.4, "scale": 1.3}, {"right": 3, "down": -2})


def parameters(maps, height, width):
    """Angle in degrees, scale, and the shift of the centre, from the maps alone."""
    a, b, c, d, e, f = np.asarray(maps, np.float64).T
    scale = 1 / np.hypot(a, d)
    matrices = np.linalg.inv(np.stack([a, b, d, e], axis=1).reshape(-1, 2, 2))
    source = np.array([width / 2, height / 2]) - np.stack([c, f], axis=1)
    right, down = ((matrices @ source[..., None])[..., 0] - [width / 2, height / 2]).T
    return np.degrees(np.arctan2(d, a)), scale, right, down


def test_drawn_parameters_are_uniform_within_their_limits_and_independent():
    limits = {"rotation": 40.0, "translation": 0.25, "zoom": 0.3}
    maps = draw_affine(20_000, (20, 40, 3), **limits, seed=1, epoch=2)
    drawn = parameters(maps, 20, 40)
    for values, low, high in zip(drawn, (-40, 0.7, -10, -5), (40, 1.3, 10, 5), strict=True):
        assert low - 1e-3 <= values.min() < low + 0.01 * (high - low)
        assert high + 1e-3 >= values.max() > high - 0.01 * (high - low)
        counts = np.histogram(values, 20, (low, high))[0]
        assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-squared with 19 degrees of freedom, p = 0.001
    assert np.abs(np.corrcoef(drawn) - np.eye(4)).max() < 4 / np.sqrt(20_000)


@pytest.mark.parametrize("only", ["rotation", "translation", "zoom"])
def test_each_parameter_works_alone(only):
    limits = {"rotation": 0.0, "translation": 0.0, "zoom": 0.0} | {only: 0.5}
    angle, scale, right, down = parameters(draw_affine(50, (8, 8, 1), **limits, seed=0, epoch=0), 8, 8)
    varied = {"rotation": np.ptp(angle) > 0.1, "zoom": np.ptp(scale) > 0.1}
    varied["translation"] = np.ptp(right) > 0.1 and np.ptp(down) > 0.1
    assert [name for name, value in varied.items() if value] == [only]
