"""Crop, flip, normalisation and their random parameters, each against NumPy, eagerly and inside map."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines import Augmentation, DataError, normalize
from pipelines.augment import crop_and_flip, draw_crops, draw_flips, stream_seed

SHAPES = [(32, 32, 3), (28, 28, 1), (8, 8, 1), (5, 9, 3), (9, 5, 4)]


def random_batch(shape, padding, size=50):
    """Images, and crops and flips that hold every corner and then random values."""
    generator = np.random.default_rng(sum(shape))
    images = generator.integers(0, 256, (size, *shape), dtype=np.uint8)
    crops = generator.integers(0, 2 * padding + 1, (size, 2), dtype=np.int32)
    crops[:4] = np.array([[0, 0], [0, 2], [2, 0], [2, 2]]) * padding
    return images, crops, generator.integers(0, 2, size, dtype=np.int32)


def reference(images, crops, flips, padding, mode):
    """Pads, cuts and mirrors one image after the other, as the words say."""
    _, height, width, _ = images.shape
    sides = ((padding, padding), (padding, padding), (0, 0))
    results = []
    for image, (top, left), flip in zip(images, crops, flips, strict=True):
        padded = np.pad(image, sides, mode="reflect" if mode == "reflect" else "constant")
        window = padded[top : top + height, left : left + width]
        results.append(window[:, ::-1] if flip else window)
    return np.stack(results)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("mode", ["zero", "reflect"])
@pytest.mark.parametrize("padding", [0, 1, 4])
def test_crop_and_flip_equal_numpy_eagerly_and_inside_map(shape, mode, padding):
    images, crops, flips = random_batch(shape, padding)
    expected = reference(images, crops, flips, padding, mode)

    def augment(images, crops, flips):
        return crop_and_flip(images, crops, flips, padding=padding, mode=mode)

    eager = augment(tf.constant(images), tf.constant(crops), tf.constant(flips))
    assert eager.dtype == tf.uint8
    np.testing.assert_array_equal(eager, expected)
    batches = tf.data.Dataset.from_tensor_slices((images, crops, flips)).batch(8).map(augment)
    assert batches.element_spec.shape.as_list() == [None, *shape]
    np.testing.assert_array_equal(np.concatenate(list(batches.as_numpy_iterator())), expected)


def test_zero_padding_may_be_larger_than_the_image():
    images, crops, flips = random_batch((3, 4, 1), 6)
    result = crop_and_flip(tf.constant(images), tf.constant(crops), tf.constant(flips), padding=6, mode="zero")
    np.testing.assert_array_equal(result, reference(images, crops, flips, 6, "zero"))


def test_reflected_padding_as_large_as_the_image_is_refused():
    images, crops, flips = random_batch((8, 5, 1), 5)
    with pytest.raises(DataError, match="must be smaller than the image, 8x5. Received: crop_padding 5"):
        crop_and_flip(tf.constant(images), tf.constant(crops), tf.constant(flips), padding=5, mode="reflect")


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normalize_equals_numpy_eagerly_and_inside_map(shape):
    images, _, _ = random_batch(shape, 0)
    mean, std = np.linspace(0.3, 0.6, shape[2]), np.linspace(0.2, 0.3, shape[2])
    eager = normalize(tf.constant(images), mean, std)
    assert eager.dtype == tf.float32
    np.testing.assert_allclose(eager, (images / 255 - mean) / std, rtol=0, atol=1e-6)
    batches = tf.data.Dataset.from_tensor_slices(images).batch(8).map(lambda batch: normalize(batch, mean, std))
    assert batches.element_spec.shape.as_list() == [None, *shape]
    assert np.concatenate(list(batches.as_numpy_iterator())).tobytes() == eager.numpy().tobytes()


def test_normalize_with_one_half_maps_black_and_white_to_minus_one_and_one():
    images = tf.constant([0, 255], tf.uint8, (1, 1, 2, 1))
    np.testing.assert_allclose(tf.reshape(normalize(images, (0.5,), (0.5,)), (2,)), [-1, 1], atol=1e-7)


def test_normalize_works_where_the_image_size_is_unknown():
    function = tf.function(lambda images: normalize(images, (0.5,), (0.5,)))
    unknown = function.get_concrete_function(tf.TensorSpec((None, None, None, 1), tf.uint8))
    images, _, _ = random_batch((5, 9, 1), 0)
    np.testing.assert_array_equal(unknown(tf.constant(images)), normalize(tf.constant(images), (0.5,), (0.5,)))


def test_a_batch_without_images_stays_one():
    empty = tf.zeros((0, 4, 5, 1), tf.uint8)
    assert normalize(empty, (0.5,), (0.5,)).shape == (0, 4, 5, 1)
    crops, flips = tf.zeros((0, 2), tf.int32), tf.zeros((0,), tf.int32)
    assert crop_and_flip(empty, crops, flips, padding=1, mode="zero").shape == (0, 4, 5, 1)


@pytest.mark.parametrize(
    "mean, std",
    [((0.5,), (0.5,)), ((0.5,) * 3, (0.5,) * 2), ((0.5,) * 3, (0.5, 0, 0.5)), ((float("nan"),) * 3, (0.5,) * 3)],
    ids=["one channel", "two stds", "zero std", "nan"],
)
def test_statistics_that_do_not_fit_the_channels_are_refused(mean, std):
    with pytest.raises(DataError, match="mean and std must hold 3 finite values each"):
        normalize(tf.zeros((1, 4, 4, 3), tf.uint8), mean, std)


@pytest.mark.parametrize("field, value", [("crop_mode", "mirror"), ("flip", True)])
def test_an_unknown_choice_is_refused_with_the_known_ones(field, value):
    with pytest.raises(DataError, match=f"{field} must be one of .* Received: {value!r}"):
        Augmentation(**{field: value})


def test_negative_padding_is_refused():
    with pytest.raises(DataError, match="crop_padding must be 0 or more. Received: -1"):
        Augmentation(crop_padding=-1)


DRAWS = {
    "crops": lambda n, seed, epoch: draw_crops(n, 4, seed=seed, epoch=epoch),
    "random": lambda n, seed, epoch: draw_flips(n, "random", seed=seed, epoch=epoch),
    "alternating": lambda n, seed, epoch: draw_flips(n, "alternating", seed=seed, epoch=epoch),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_parameters_depend_on_seed_epoch_and_example_alone(draw):
    whole = draw(1000, 5, 3).numpy()
    assert whole.tobytes() == draw(1000, 5, tf.constant(3, tf.int64)).numpy().tobytes()
    np.testing.assert_array_equal(draw(37, 5, 3), whole[:37])  # of how many examples there are, they do not
    assert (draw(1000, 5, 4).numpy() != whole).any()
    assert (draw(1000, 6, 3).numpy() != whole).any()
    (mapped,) = tf.data.Dataset.range(3, 4).map(lambda epoch: draw(1000, 5, epoch))
    assert mapped.numpy().tobytes() == whole.tobytes()


def test_crops_are_uniform_over_all_windows():
    crops = draw_crops(81 * 500, 4, seed=0, epoch=0).numpy()
    counts = np.bincount(crops[:, 0] * 9 + crops[:, 1], minlength=81)
    assert crops.min() == 0 and crops.max() == 8
    assert ((counts - 500) ** 2 / 500).sum() < 124.8  # chi-squared with 80 degrees of freedom, p = 0.001


def test_random_flips_are_fair_and_independent_of_the_crops_and_of_other_epochs():
    flips = [draw_flips(20_000, "random", seed=0, epoch=epoch).numpy() for epoch in range(2)]
    crops = draw_crops(20_000, 4, seed=0, epoch=0).numpy()
    bound = 4 / np.sqrt(20_000)
    assert abs(flips[0].mean() - 0.5) < bound / 2
    for other in (flips[1], crops[:, 0], crops[:, 1]):
        assert abs(np.corrcoef(flips[0], other)[0, 1]) < bound


def test_alternating_flips_mirror_each_example_every_other_epoch():
    flips = np.stack([draw_flips(10_000, "alternating", seed=0, epoch=epoch).numpy() for epoch in range(4)])
    assert set(np.unique(flips)) == {0, 1}
    np.testing.assert_array_equal(flips[0] + flips[1], np.ones(10_000))
    np.testing.assert_array_equal(flips[:2], flips[2:])
    assert abs(flips[0].mean() - 0.5) < 0.02


def test_no_flip_mirrors_nothing():
    assert not draw_flips(100, "none", seed=0, epoch=1).numpy().any()


def test_streams_of_neighbouring_seeds_never_share_a_pair():
    pairs = {
        tuple(stream_seed(seed, stream, epoch).numpy())
        for seed in range(5)
        for stream in range(4)
        for epoch in range(5)
    }
    assert len(pairs) == 100


def test_drawn_values_are_the_same_for_ever():
    """Philox is fixed; these values were written down once, so that a run can be repeated with another TensorFlow."""
    assert draw_crops(4, 4, seed=7, epoch=2).numpy().ravel().tolist() == [1, 0, 7, 3, 0, 7, 2, 1]
    assert draw_flips(12, "random", seed=7, epoch=2).numpy().tolist() == [1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1]
