"""Shrinking: against TensorFlow's resize and hand-computed pixels."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines import DataError, ImageSource, Split, shrink, shrink_split
from pipelines.decode import fit_array
from pipelines.reading import Reading
from pipelines.resize import fit_source
from pipelines.stored_images import StoredImages


def random_images(*shape) -> np.ndarray:
    return np.random.default_rng(7).integers(0, 256, shape, dtype=np.uint8)


@pytest.mark.parametrize(
    "side, size, channels", [(32, 24, 3), (32, 17, 1), (8, 6, 1), (9, 3, 2), (7, 1, 3), (64, 63, 3)]
)
def test_equals_antialiased_resize_but_for_ties_in_rounding(side, size, channels):
    images = random_images(11, side, side, channels)
    expected = tf.image.resize(images, (size, size), method="bilinear", antialias=True).numpy()
    shrunk = shrink(images, size)
    assert shrunk.shape == (11, size, size, channels) and shrunk.dtype == np.uint8
    assert np.abs(shrunk - expected.astype(np.float64)).max() <= 0.5 + 1e-3


def test_hand_computed_pixels():
    # From four pixels to two: the first one's centre lies 0.25, 0.25, 0.75 and 1.25 new pixels from the old ones'.
    # Their weights are 1 minus that, in the ratio of 3, 3, 1 and 0.
    row = np.array([7, 70, 140, 210], np.uint8)
    left, right = (3 * 7 + 3 * 70 + 140) / 7, (70 + 3 * 140 + 3 * 210) / 7
    shrunk = shrink(np.tile(row, (1, 4, 1))[..., None], 2)
    np.testing.assert_array_equal(shrunk[0, :, :, 0], np.tile(np.rint([left, right]), (2, 1)))


def test_constant_images_stay_as_they_are():
    for value in (0, 3, 255):
        assert (shrink(np.full((2, 32, 32, 3), value, np.uint8), 21) == value).all()


def test_more_images_than_are_computed_at_once():
    images = random_images(2005, 8, 8, 1)
    shrunk = shrink(images, 6)
    for index in (0, 999, 1000, 2004):
        np.testing.assert_array_equal(shrunk[index], shrink(images[index : index + 1], 6)[0])


@pytest.mark.parametrize("side, channels, size", [(32, 1, 24), (32, 3, 24), (28, 1, 20), (64, 3, 32)])
def test_an_image_shrinks_to_the_same_bits_alone_and_among_others(side, channels, size):
    images = random_images(300, side, side, channels)
    alone = np.concatenate([shrink(image[None], size) for image in images])
    np.testing.assert_array_equal(shrink(images, size), alone)


def test_split_keeps_labels_and_alignment():
    split = Split(images=random_images(5, 8, 8, 3), labels=np.arange(5, dtype=np.int32))
    shrunk = shrink_split(split, 5)
    assert shrunk.labels.tolist() == [0, 1, 2, 3, 4]
    assert shrunk.images.shape == (5, 5, 5, 3) and shrunk.images.ctypes.data % 64 == 0


def test_full_size_costs_nothing():
    split = Split(images=random_images(5, 8, 8, 3), labels=np.zeros(5, np.int32))
    assert shrink(split.images, 8) is split.images
    assert shrink_split(split, 8) is split


@pytest.mark.parametrize("size", [0, 9])
def test_a_size_out_of_range_is_refused(size):
    with pytest.raises(DataError, match=rf"size must lie in 1\.\.8, the side of the images. Received: {size}. Take"):
        shrink(random_images(1, 8, 8, 1), size)


def test_images_that_are_not_square_are_refused():
    with pytest.raises(DataError, match="must be square to be shrunk. Received: 8x9"):
        shrink(random_images(1, 8, 9, 1), 4)


def source(*shape) -> ImageSource:
    images = random_images(*shape)
    split = Split(images=images, labels=np.arange(len(images), dtype=np.int32) % 2)
    return ImageSource(name="x", class_names=("a", "b"), splits={"train": split, "test": split}, origin="made up")


@pytest.mark.parametrize("resize", ["squash", "crop", "pad"])
@pytest.mark.parametrize(("channels", "wanted"), [(3, 1), (1, 3), (3, None)])
def test_fit_source_does_to_arrays_what_is_done_to_files(resize, channels, wanted):
    given = source(3, 5, 9, channels)
    fitted = fit_source(given, Reading(image_size=8, resize=resize, channels=wanted))
    shape = (8, 8, wanted or channels)
    assert fitted.image_shape == shape
    expected = [fit_array(image, shape, resize) for image in given.splits["train"].images]
    np.testing.assert_array_equal(fitted.splits["train"].images, expected)
    np.testing.assert_array_equal(fitted.splits["test"].labels, given.splits["test"].labels)


def test_fit_source_leaves_alone_what_fits():
    given = source(3, 8, 8, 3)
    for reading in (Reading(), Reading(image_size=8), Reading(channels=3, resize="crop")):
        assert fit_source(given, reading) is given
    wide = source(3, 5, 9, 3)
    assert fit_source(wide, Reading()) is wide


def test_stored_images_are_shrunk_when_they_are_read():
    images, reads = random_images(6, 8, 8, 3), []
    stored = StoredImages(lambda rows: reads.append(len(rows)) or images[rows], np.arange(6), (8, 8, 3))
    split = Split(images=stored, labels=np.zeros(6, np.int32))
    small = shrink_split(split, 4)
    assert isinstance(small.images, StoredImages) and small.images.shape == (6, 4, 4, 3) and reads == []
    np.testing.assert_array_equal(small.images[2:5], shrink(images[2:5], 4))
    assert shrink_split(split, 8) is split
    with pytest.raises(DataError, match="The size must lie in 1..8, the side of the images. Received: 9"):
        shrink_split(split, 9)
