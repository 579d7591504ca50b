"""Each operation against Pillow's, in colour and grey, on noise and on images with few values."""

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageEnhance, ImageOps

from pipelines.augment_tones import autocontrast, equalize, posterize, sharpen, solarize

GENERATOR = np.random.default_rng(0)
NOISE = GENERATOR.integers(0, 256, (8, 40, 52, 3), dtype=np.uint8)
IMAGES = np.concatenate(
    [
        NOISE,
        (NOISE // 4 + 90),
        (GENERATOR.normal(128, 30, NOISE.shape).clip(0, 255)).astype(np.uint8),
        np.broadcast_to([[[[0]]], [[[255]]], [[[77]]]], (3, 40, 52, 3)).astype(np.uint8),
        np.where(NOISE < 250, 40, NOISE),
        np.where(NOISE[..., :1] < 128, [5, 100, 200], [6, 250, 200]).astype(np.uint8),
    ]
)
LEVELS = GENERATOR.uniform(0, 255, len(IMAGES)).astype(np.float32)
LEVELS[:3] = [0, 255, 128]
CASES = {
    "sharpness": (
        lambda images: sharpen(images, LEVELS / 128),
        lambda image, level: ImageEnhance.Sharpness(image).enhance(float(level / 128)),
        1,
    ),
    "posterize": (
        lambda images: posterize(images, (LEVELS / 32).astype(np.int32) + 1),
        lambda image, level: ImageOps.posterize(image, int(level / 32) + 1),
        0,
    ),
    "solarize": (
        lambda images: solarize(images, LEVELS),
        lambda image, level: ImageOps.solarize(image, float(level)),
        0,
    ),
    # Pillow is one lower where its rounding error makes a whole number a little less.
    "autocontrast": (autocontrast, lambda image, level: ImageOps.autocontrast(image), 1),
    "equalize": (equalize, lambda image, level: ImageOps.equalize(image), 0),
}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("ours, pillow, tolerance", CASES.values(), ids=CASES)
def test_equals_pillow(ours, pillow, tolerance, channels):
    images = IMAGES[..., :channels]
    result = ours(tf.constant(images))
    assert result.dtype == tf.uint8 and result.shape == images.shape
    squeezed = images if channels == 3 else images[..., 0]
    expected = [
        np.asarray(pillow(Image.fromarray(image), level)) for image, level in zip(squeezed, LEVELS, strict=True)
    ]
    difference = result.numpy().astype(int) - np.stack(expected).reshape(images.shape)
    assert np.abs(difference).max() <= tolerance


def test_no_bits_are_left_of_none():
    assert not posterize(tf.constant(NOISE), tf.zeros(8, tf.int32)).numpy().any()


@pytest.mark.parametrize("shape", [(0, 5, 4, 3), (2, 1, 1, 1), (2, 2, 5, 3)], ids=str)
def test_empty_batches_and_images_without_an_inside_work(shape):
    images = GENERATOR.integers(0, 256, shape, dtype=np.uint8)
    count = shape[0]
    for result in (
        sharpen(images, tf.zeros(count)),
        posterize(tf.constant(images), tf.fill((count,), 8)),
        solarize(images, tf.fill((count,), 255.0)),
        autocontrast(images),
        equalize(tf.constant(images)),
    ):
        assert result.shape == shape
    np.testing.assert_array_equal(sharpen(images, tf.zeros(count)), images)
