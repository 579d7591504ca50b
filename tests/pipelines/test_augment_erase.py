"""Boxes: filling and pasting against NumPy slices, and where cutout and random erasing put them."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.augment_erase import draw_cutout, draw_erasing, fill_boxes, paste_boxes

IMAGES, OTHERS = np.random.default_rng(0).integers(0, 256, (2, 5, 8, 6, 3), dtype=np.uint8)
BOXES = np.array([[0, 0, 8, 6], [2, 1, 5, 2], [0, 0, 0, 0], [7, 5, 8, 6], [3, 4, 3, 6]], np.int32)


@pytest.mark.parametrize("channels", [1, 3])
def test_boxes_are_filled_and_pasted_as_numpy_slices(channels):
    images, others, color = IMAGES[..., :channels], OTHERS[..., :channels], [10, 20, 30][:channels]
    filled, pasted = images.copy(), images.copy()
    for index, (top, left, bottom, right) in enumerate(BOXES):
        filled[index, top:bottom, left:right] = color
        pasted[index, top:bottom, left:right] = others[index, top:bottom, left:right]
    np.testing.assert_array_equal(fill_boxes(tf.constant(images), tf.constant(BOXES), color), filled)
    np.testing.assert_array_equal(paste_boxes(images, tf.constant(others), tf.constant(BOXES)), pasted)


@pytest.mark.parametrize("size", [4, 5, 30])
def test_cutouts_are_squares_about_random_pixels_cut_off_at_the_edges(size):
    boxes = draw_cutout(10_000, (12, 9, 3), size, seed=0, epoch=0).numpy()
    top, left, bottom, right = boxes.T
    assert boxes.min() >= 0 and bottom.max() <= 12 and right.max() <= 9
    assert (bottom > top).all() and (right > left).all() and (bottom - top).max() == min(size, 12)
    # What remains says where the centre was, unless both edges cut.
    if size < 9:
        rows = np.where(top > 0, top + size // 2, bottom - size + size // 2)
        columns = np.where(left > 0, left + size // 2, right - size + size // 2)
        counts = np.bincount(rows * 9 + columns, minlength=108)
        assert ((counts - 10_000 / 108) ** 2 / (10_000 / 108)).sum() < 156.6  # 107 degrees of freedom, p = 0.001


def test_erased_rectangles_have_the_published_sizes_and_lie_inside():
    top, left, bottom, right = draw_erasing(20_000, (32, 32, 3), 1.0, seed=0, epoch=0).numpy().T
    height, width = bottom - top, right - left
    assert min(top.min(), left.min()) == 0 and bottom.max() == right.max() == 32
    share, aspect = height * width / 1024, height / width
    assert 0.015 < share.min() < 0.025 and 0.38 < share.max() < 0.42
    wide = share > 0.1  # small ones are rounded to few pixels
    assert 0.27 < aspect[wide].min() < 0.33 and 3 < aspect[wide].max() < 3.7
    # Uniform but for what does not fit, which is about every twentieth of the largest.
    assert abs(share.mean() - 0.21) < 0.01


@pytest.mark.parametrize("probability", [0.0, 0.25, 1.0])
def test_erasing_happens_with_its_probability(probability):
    boxes = draw_erasing(10_000, (16, 16, 1), probability, seed=0, epoch=0).numpy()
    erased = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    assert abs(erased.mean() - probability) <= 4 * np.sqrt(probability * (1 - probability) / 10_000)
    np.testing.assert_array_equal(boxes[~erased][:, :2], boxes[~erased][:, 2:])


def test_where_a_rectangle_may_start_is_uniform():
    top, left, bottom, right = draw_erasing(20_000, (32, 32, 3), 1.0, seed=1, epoch=0).numpy().T
    for start, end in ((top, bottom), (left, right)):
        room = 32 - (end - start)
        assert abs((start / room).mean() - 0.5) < 0.01
        assert (start == 0).any() and (start == room).any() and (start <= room).all()


def test_an_image_that_no_rectangle_fits_stays_whole():
    boxes = draw_erasing(2000, (64, 1, 1), 1.0, seed=0, epoch=0).numpy()
    assert (boxes[:, 2:] == boxes[:, :2]).any(axis=1).all()
