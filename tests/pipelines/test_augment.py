"""The fields, the composition in its declared order, what every operation promises, and normalisation."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from pipelines import Augmentation, DataError, normalize
from pipelines.augment import augment, draw_augmentation
from pipelines.augment_color import change_color
from pipelines.augment_crop import crop_and_flip
from pipelines.augment_erase import fill_boxes
from pipelines.augment_geometry import warp
from pipelines.augment_policy import apply_policy

SHAPES = [(32, 32, 3), (28, 28, 1), (8, 8, 1), (5, 9, 3), (9, 5, 4)]
N = 37
MEAN = (0.2, 0.4, 0.6)
ALL = Augmentation(
    crop_padding=2,
    flip="random",
    policy="randaugment",
    policy_operations=1,
    rotation=20,
    translation=0.1,
    zoom=0.2,
    brightness=0.3,
    contrast=0.3,
    saturation=0.3,
    hue=0.1,
    cutout=3,
    random_erasing=0.5,
    mixup=0.2,
    cutmix=1.0,
)
ALONE = {
    "crop": Augmentation(crop_padding=2),
    "flip": Augmentation(flip="random"),
    "rotation": Augmentation(rotation=180),
    "translation": Augmentation(translation=0.5),
    "zoom": Augmentation(zoom=0.5),
    "randaugment": Augmentation(policy="randaugment"),
    "trivialaugment": Augmentation(policy="trivialaugment"),
    "brightness": Augmentation(brightness=0.5),
    "contrast": Augmentation(contrast=0.5),
    "saturation": Augmentation(saturation=0.5),
    "hue": Augmentation(hue=0.5),
    "cutout": Augmentation(cutout=3),
    "random_erasing": Augmentation(random_erasing=0.9),
    "mixup": Augmentation(mixup=0.5),
    "cutmix": Augmentation(cutmix=0.5),
    "all": ALL,
}


def random_images(shape, size=50):
    return np.random.default_rng(sum(shape)).integers(0, 256, (size, *shape), dtype=np.uint8)


def numpy_draws(augmentation, count=N, shape=(9, 7, 3), seed=5, epoch=3):
    draws = draw_augmentation(augmentation, count, shape, seed=seed, epoch=epoch)
    return {name: values.numpy() for name, values in draws.items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)


@pytest.mark.parametrize("augmentation", ALONE.values(), ids=ALONE)
def test_draws_depend_on_seed_epoch_and_example_alone(augmentation):
    whole = numpy_draws(augmentation)
    assert_same(numpy_draws(augmentation, count=10), {name: values[:10] for name, values in whole.items()})
    assert_same(numpy_draws(augmentation, epoch=tf.constant(3, tf.int64)), whole)
    for other in (numpy_draws(augmentation, seed=6), numpy_draws(augmentation, epoch=4)):
        assert any((other[name] != values).any() for name, values in whole.items())
    stream = tf.data.Dataset.range(3, 4).map(
        lambda epoch: draw_augmentation(augmentation, N, (9, 7, 3), seed=5, epoch=epoch)
    )
    assert_same(next(stream.as_numpy_iterator()), whole)


@pytest.mark.parametrize(
    "augmentation, channels",
    [pytest.param(augmentation, 3, id=name) for name, augmentation in ALONE.items() if name != "randaugment"]
    + [pytest.param(ALL, 1, id="all-grey")],
)
def test_the_same_bytes_eagerly_inside_map_and_in_batches_of_any_size(augmentation, channels):
    images = random_images((9, 7, channels), N)
    draws = numpy_draws(augmentation, shape=(9, 7, channels))

    def vary(images, draws):
        return augment(images, draws, augmentation, MEAN[:channels])

    eager = vary(tf.constant(images), {name: tf.constant(values) for name, values in draws.items()})
    assert eager.dtype == tf.uint8
    batches = tf.data.Dataset.from_tensors((images, draws)).rebatch([1, 8, N - 9]).map(vary)
    assert batches.element_spec.shape.as_list() == [None, 9, 7, channels]
    varied = list(batches.as_numpy_iterator())
    assert [len(batch) for batch in varied] == [1, 8, N - 9]
    assert np.concatenate(varied).tobytes() == eager.numpy().tobytes()


def test_what_is_off_is_not_drawn():
    assert numpy_draws(Augmentation()) == {}
    expected = {
        "crop": {"crop", "flip"},
        "flip": {"crop", "flip"},
        "zoom": {"affine"},
        "trivialaugment": {"operation", "strength"},
        "brightness": {"color"},
        "contrast": {"color", "pull"},
        "cutout": {"cutout"},
        "random_erasing": {"erasing"},
        "mixup": {"share", "weight"},
        "cutmix": {"share", "paste"},
    }
    assert {name: set(numpy_draws(ALONE[name])) for name in expected} == expected
    assert numpy_draws(Augmentation(saturation=0.5, hue=0.5), shape=(9, 7, 1)) == {}


def test_what_is_on_does_not_change_what_the_others_draw():
    whole = numpy_draws(ALL)
    fewer = numpy_draws(dataclasses.replace(ALL, rotation=0.0, translation=0.0, zoom=0.0, hue=0.0, mixup=0.0))
    same = ("crop", "flip", "operation", "strength", "pull", "cutout", "erasing")
    assert all(fewer[name].tobytes() == whole[name].tobytes() for name in same)


def test_operations_come_in_the_declared_order():
    images = tf.constant(random_images((9, 7, 3), N))
    draws = draw_augmentation(ALL, N, (9, 7, 3), seed=5, epoch=3)
    expected = crop_and_flip(images, draws["crop"], draws["flip"], padding=2, mode="zero")
    expected = warp(expected, draws["affine"])
    expected = apply_policy(expected, draws["operation"], draws["strength"])
    expected = change_color(expected, draws["color"], draws["pull"])
    expected = fill_boxes(fill_boxes(expected, draws["cutout"], (51, 102, 153)), draws["erasing"], (51, 102, 153))
    np.testing.assert_array_equal(augment(images, draws, ALL, MEAN), expected)


def test_what_is_blanked_is_zero_once_it_is_normalised():
    images = tf.constant(random_images((9, 7, 3), 4))
    on = Augmentation(cutout=100)
    blank = augment(images, draw_augmentation(on, 4, (9, 7, 3), seed=0, epoch=0), on, MEAN)
    np.testing.assert_allclose(normalize(blank, MEAN, (0.2, 0.2, 0.2)), 0, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_normalize_equals_numpy_eagerly_and_inside_map(shape):
    images = random_images(shape)
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
    images = random_images((5, 9, 1))
    np.testing.assert_array_equal(unknown(tf.constant(images)), normalize(tf.constant(images), (0.5,), (0.5,)))


@pytest.mark.parametrize(
    "mean, std",
    [((0.5,), (0.5,)), ((0.5,) * 3, (0.5,) * 2), ((0.5,) * 3, (0.5, 0, 0.5)), ((float("nan"),) * 3, (0.5,) * 3)],
    ids=["one channel", "two stds", "zero std", "nan"],
)
def test_statistics_that_do_not_fit_the_channels_are_refused(mean, std):
    with pytest.raises(DataError, match="mean and std must hold 3 finite values each"):
        normalize(tf.zeros((1, 4, 4, 3), tf.uint8), mean, std)
