"""The training and evaluation streams: order, replay, resume, replicas, and equality with NumPy."""

import gc

import numpy as np
import pytest
import tensorflow as tf

from pipelines import (
    Augmentation,
    DataError,
    Split,
    build,
    evaluation_dataset,
    normalize,
    steps_per_epoch,
    training_dataset,
)
from pipelines.augment_crop import draw_crops, draw_flips
from pipelines.augment_mix import draw_mix
from pipelines.augment_seeds import ORDER_STREAM, stream_seed
from pipelines.build import _gather, replica_part, shuffled_order
from pipelines.stored_images import StoredImages

N, BATCH, STEPS = 23, 5, 5
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
VARIED = Augmentation(crop_padding=2, crop_mode="reflect", flip="alternating")
EVERYTHING = Augmentation(
    **{"crop_padding": 2, "flip": "random", "policy": "trivialaugment", "cutout": 2, "random_erasing": 0.5},
    **{"rotation": 20, "translation": 0.1, "zoom": 0.2, "mixup": 0.2, "cutmix": 1.0},
    **{"brightness": 0.3, "contrast": 0.3, "saturation": 0.3, "hue": 0.1},
)


def make_split(n=N) -> Split:
    """Random images; the label is the example's index."""
    images = np.random.default_rng(n).integers(0, 256, (n, 6, 7, 3), dtype=np.uint8)
    return Split(images=images, labels=np.arange(n, dtype=np.int32))


def stream(count, split=None, *, batch_size=BATCH, seed=1, augmentation=VARIED, mean=MEAN, std=STD, **options):
    split = make_split() if split is None else split
    options = {
        "batch_size": batch_size,
        "seed": seed,
        "augmentation": augmentation,
        "mean": mean,
        "std": std,
        **options,
    }
    dataset = training_dataset(split, **options)
    return [tuple(part.numpy() for part in element) for element in dataset.take(count)]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert [part.tobytes() for part in one] == [part.tobytes() for part in other]
        assert [part.shape for part in one] == [part.shape for part in other]


def by_example(elements):
    """The augmented image of each example in one epoch, in index order."""
    images, labels = (np.concatenate(parts) for parts in list(zip(*elements, strict=True))[:2])
    return images[np.argsort(labels)]


def test_types_shapes_and_weights():
    dataset = training_dataset(make_split(), batch_size=4, seed=0, augmentation=VARIED, mean=MEAN, std=STD)
    images, labels, weights = dataset.element_spec
    assert (images.shape.as_list(), images.dtype) == ([None, 6, 7, 3], tf.float32)
    assert (labels.shape.as_list(), labels.dtype) == ([None], tf.int32)
    assert (weights.shape.as_list(), weights.dtype) == ([None], tf.float32)
    assert all((weights == 1).all() for _, _, weights in stream(2 * STEPS))


def test_every_epoch_sees_each_example_once_in_another_order_with_a_small_last_batch():
    elements = stream(3 * STEPS)
    assert [len(labels) for _, labels, _ in elements] == [5, 5, 5, 5, 3] * 3
    orders = [np.concatenate([labels for _, labels, _ in elements[e : e + STEPS]]) for e in (0, 5, 10)]
    assert all(sorted(order) == list(range(N)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3


def test_an_epoch_can_be_replayed_in_numpy():
    split, epoch = make_split(), 3
    order = shuffled_order(N, seed=1, epoch=epoch).numpy()
    crops, flips = (
        draw_crops(N, 2, seed=1, epoch=epoch).numpy(),
        draw_flips(N, "alternating", seed=1, epoch=epoch).numpy(),
    )
    padded = np.pad(split.images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    expected = []
    for index in order:
        top, left = crops[index]
        window = padded[index, top : top + 6, left : left + 7]
        expected.append(window[:, ::-1] if flips[index] else window)
    elements = stream(STEPS, start_epoch=epoch)
    np.testing.assert_array_equal(np.concatenate([labels for _, labels, _ in elements]), order)
    images = np.concatenate([images for images, _, _ in elements])
    np.testing.assert_array_equal(images, normalize(tf.constant(np.stack(expected)), MEAN, STD))
    np.testing.assert_allclose(images, (np.stack(expected) / 255 - MEAN) / STD, atol=2e-6)


def test_without_augmentation_the_images_are_only_normalised():
    elements = stream(STEPS, augmentation=Augmentation())
    np.testing.assert_array_equal(by_example(elements), normalize(tf.constant(make_split().images), MEAN, STD))


@pytest.mark.parametrize(
    "augmentation", [Augmentation(flip="random"), Augmentation(crop_padding=1)], ids=["flip", "crop"]
)
def test_each_augmentation_works_alone(augmentation):
    plain = stream(STEPS, augmentation=Augmentation())
    varied = stream(STEPS, augmentation=augmentation)
    np.testing.assert_array_equal([labels for _, labels, _ in plain[:4]], [labels for _, labels, _ in varied[:4]])
    changed = (by_example(plain) != by_example(varied)).any(axis=(1, 2, 3))
    assert 0 < changed.sum() < N


@pytest.mark.parametrize("replicas", [1, 2])
def test_a_stream_started_anywhere_equals_the_rest_of_the_whole_stream(replicas):
    whole = stream(3 * STEPS * replicas, num_replicas=replicas)
    for epoch, step in [(0, 1), (0, STEPS), (1, 0), (1, 3), (2, STEPS - 1)]:
        rest = whole[(epoch * STEPS + step) * replicas :]
        assert_same(stream(len(rest), start_epoch=epoch, start_step=step, num_replicas=replicas), rest)


def test_same_seed_same_bytes_other_seed_other_order_and_images():
    first, other = stream(2 * STEPS), stream(2 * STEPS, seed=2)
    assert_same(first, stream(2 * STEPS))
    assert any((one[1] != two[1]).any() for one, two in zip(first, other, strict=True))
    assert (by_example(first[:STEPS]) != by_example(other[:STEPS])).any()


def test_an_examples_variation_does_not_depend_on_the_batch_size():
    expected = by_example(stream(STEPS))
    for batch_size in (1, 8, 100):
        np.testing.assert_array_equal(by_example(stream(-(-N // batch_size), batch_size=batch_size)), expected)


@pytest.mark.parametrize("together", [10, 15, 1000])
@pytest.mark.parametrize("start_step", [0, 3])
def test_small_batches_made_together_equal_those_made_alone(monkeypatch, together, start_step):
    monkeypatch.setattr(build, "_EXAMPLES_AT_A_TIME", together)
    received = stream(2 * STEPS + 1, start_step=start_step)
    monkeypatch.setattr(build, "_EXAMPLES_AT_A_TIME", 1)
    assert_same(received, stream(2 * STEPS + 1, start_step=start_step))


@pytest.mark.parametrize(
    ("batch_size", "image_shape", "steps"),
    [
        (4, (32, 32, 3), 32),  # 128 images
        (4, (8, 8, 1), 32),
        (100, (32, 32, 3), 1),
        (512, (8, 8, 1), 1),
        (4, (128, 128, 3), 2),  # 10 images fill 2 MiB as float32
        (1, (1000, 1000, 3), 1),
    ],
)
def test_small_batches_are_made_together_but_not_much_memory(batch_size, image_shape, steps):
    assert build.steps_together(batch_size, image_shape) == steps


def test_order_does_not_depend_on_the_batch_size_and_small_sets_fill_one_batch():
    expected = np.concatenate([labels for _, labels, _ in stream(2 * STEPS)])
    elements = stream(2, batch_size=100)
    assert [len(labels) for _, labels, _ in elements] == [N, N]
    np.testing.assert_array_equal(np.concatenate([labels for _, labels, _ in elements]), expected)


@pytest.mark.parametrize("replicas", [2, 3])
def test_the_parts_of_a_step_join_to_the_step(replicas):
    whole, parts = stream(2 * STEPS), stream(2 * STEPS * replicas, num_replicas=replicas)
    for step, expected in enumerate(whole):
        mine = parts[step * replicas : (step + 1) * replicas]
        sizes = [len(labels) for _, labels, _ in mine]
        assert max(sizes) - min(sizes) <= 1 and sizes == sorted(sizes, reverse=True)
        counted = [np.concatenate([part[i][part[2] == 1] for part in mine]) for i in range(3)]
        assert_same([tuple(counted)], [expected])


def test_a_step_with_fewer_examples_than_replicas_repeats_its_first_ones_with_weight_zero():
    parts = stream(2 * 7, make_split(6), batch_size=4, num_replicas=7)
    whole = stream(2, make_split(6), batch_size=4)
    for step, real in enumerate([4, 2]):
        mine = parts[step * 7 : (step + 1) * 7]
        assert [len(labels) for _, labels, _ in mine] == [1] * 7
        assert [weights[0] for _, _, weights in mine] == [1] * real + [0] * (7 - real)
        labels = whole[step][1]
        assert [part[1][0] for part in mine] == [labels[i % real] for i in range(7)]


@pytest.mark.parametrize(
    "size, replicas, expected",
    [(7, 3, [[0, 1, 2], [3, 4], [5, 6]]), (4, 2, [[0, 1], [2, 3]]), (1, 3, [[0], [0], [0]]), (2, 3, [[0], [1], [0]])],
)
def test_replica_part_by_hand(size, replicas, expected):
    parts = [replica_part(tf.range(size), tf.constant(replica), replicas) for replica in range(replicas)]
    assert [indices.numpy().tolist() for indices, _ in parts] == expected
    assert sum(weights.numpy().sum() for _, weights in parts) == size


def test_order_is_a_permutation_that_pure_numpy_explains_and_that_stays():
    keys = tf.random.stateless_uniform((100,), stream_seed(3, ORDER_STREAM, 2), None, None, tf.int32, alg="philox")
    order = shuffled_order(100, seed=3, epoch=2).numpy()
    np.testing.assert_array_equal(order, np.argsort(keys.numpy(), kind="stable"))
    assert order[:8].tolist() == [13, 24, 71, 20, 68, 32, 30, 76]


def test_orders_are_uniform_over_positions():
    """Where example 0 of 10 stands, over 2,000 epochs: chi-squared with 9 degrees of freedom, p = 0.001."""
    where = [
        int(np.argmin(order))
        for order in tf.data.Dataset.range(2000).map(lambda e: shuffled_order(10, seed=0, epoch=e))
    ]
    assert ((np.bincount(where, minlength=10) - 200) ** 2 / 200).sum() < 27.9


MIXED = {"num_classes": N, "augmentation": Augmentation(crop_padding=2, flip="random", mixup=0.5, cutmix=1.0)}


def test_mixed_labels_are_shares_of_two_neighbours_in_the_order():
    order = shuffled_order(N, seed=1, epoch=2).numpy()
    elements = stream(STEPS, start_epoch=2, **MIXED)
    labels = np.concatenate([labels for _, labels, _ in elements])
    assert labels.shape == (N, N) and labels.dtype == np.float32
    share = draw_mix(N, (6, 7, 3), mixup=0.5, cutmix=1.0, seed=1, epoch=2)["share"].numpy()[order]
    expected = np.eye(N)[order] * share[:, None] + np.eye(N)[np.roll(order, 1)] * (1 - share[:, None])
    np.testing.assert_allclose(labels, expected, atol=1e-6)
    dataset = training_dataset(make_split(), batch_size=4, seed=0, mean=MEAN, std=STD, **MIXED)
    assert dataset.element_spec[1] == tf.TensorSpec((None, N), tf.float32)


def test_partners_are_varied_as_they_are_themselves():
    """Mixed by hand from the stream without mixing, whose images are those that the partners have, too."""
    plain = by_example(stream(STEPS, augmentation=Augmentation(crop_padding=2, flip="random")))
    order = shuffled_order(N, seed=1, epoch=0).numpy()
    mixed = np.concatenate([images for images, _, _ in stream(STEPS, **MIXED)])
    draws = draw_mix(N, (6, 7, 3), mixup=0.5, cutmix=1.0, seed=1, epoch=0)
    weight, boxes = draws["weight"].numpy(), draws["paste"].numpy()
    for place, index in enumerate(order):
        own, other = plain[index].copy(), plain[order[place - 1]]
        top, left, bottom, right = boxes[index]
        own[top:bottom, left:right] = other[top:bottom, left:right]
        np.testing.assert_allclose(mixed[place], own * weight[index] + other * (1 - weight[index]), atol=1e-5)


def test_with_all_operations_neither_start_nor_batch_size_nor_replicas_change_an_example():
    options = {"num_classes": N, "augmentation": EVERYTHING}
    whole = stream(2 * STEPS, **options)
    for other, first in (
        (stream(2 * N, batch_size=1, **options), 0),
        (stream(2 * (2 * STEPS - 3), num_replicas=2, start_step=3, **options), 3),
    ):
        for part in range(3):
            joined, expected = (
                np.concatenate([element[part] for element in these]) for these in (other, whole[first:])
            )
            assert joined.tobytes() == expected.tobytes()


def test_mixing_with_more_replicas_than_examples_repeats_examples_as_they_are():
    split = make_split(6)
    whole = stream(2, split, batch_size=4, **MIXED)
    parts = stream(2 * 7, split, batch_size=4, num_replicas=7, **MIXED)
    for step, real in enumerate((4, 2)):
        for replica, part in enumerate(parts[step * 7 : step * 7 + 7]):
            expected = [values[replica % real] for values in whole[step][:2]]
            assert [values[0].tobytes() for values in part[:2]] == [values.tobytes() for values in expected]
            assert part[2].tolist() == [1 if replica < real else 0]


def test_a_single_example_is_mixed_with_itself():
    ((images, labels, _),) = stream(1, make_split(1), **MIXED | {"augmentation": Augmentation(mixup=0.5)})
    np.testing.assert_allclose(images, normalize(tf.constant(make_split(1).images), MEAN, STD), atol=1e-5)
    np.testing.assert_allclose(labels, np.eye(N)[:1], atol=1e-6)


@pytest.mark.parametrize("num_classes", [None, N - 1])
def test_mixing_needs_the_number_of_classes(num_classes):
    with pytest.raises(DataError, match=f"num_classes must be above the largest label, 22,.* Received: {num_classes}"):
        stream(1, **MIXED | {"num_classes": num_classes})


def test_evaluation_sees_every_example_once_in_order_untouched():
    split = make_split()
    elements = list(evaluation_dataset(split, batch_size=BATCH).as_numpy_iterator())
    assert [len(labels) for _, labels in elements] == [5, 5, 5, 5, 3]
    images, labels = (np.concatenate(parts) for parts in zip(*elements, strict=True))
    assert images.dtype == np.uint8 and labels.dtype == np.int32
    np.testing.assert_array_equal(images, split.images)
    np.testing.assert_array_equal(labels, split.labels)
    assert evaluation_dataset(split, batch_size=BATCH).cardinality() == 5


@pytest.mark.parametrize("n, batch_size, steps", [(10, 5, 2), (11, 5, 3), (1, 5, 1), (50_000, 256, 196)])
def test_steps_per_epoch_counts_the_small_last_batch(n, batch_size, steps):
    assert steps_per_epoch(n, batch_size) == steps


@pytest.mark.parametrize("n, batch_size", [(0, 5), (5, 0), (5, -1)])
def test_no_examples_or_no_batch_size_is_refused(n, batch_size):
    with pytest.raises(DataError, match=f"Received: {n} examples, batch size {batch_size}"):
        steps_per_epoch(n, batch_size)
    with pytest.raises(DataError, match="An epoch needs at least 1 example"):
        stream(1, make_split(n), batch_size=batch_size)
    with pytest.raises(DataError, match="An epoch needs at least 1 example"):
        evaluation_dataset(make_split(n), batch_size=batch_size)


@pytest.mark.parametrize(
    "option, value", [("seed", -1), ("seed", 2**60), ("start_epoch", -1), ("start_step", 6), ("num_replicas", 0)]
)
def test_options_out_of_range_are_refused(option, value):
    with pytest.raises(DataError, match=rf"{option} must lie in .* Received: {value}"):
        stream(1, **{option: value})


def test_statistics_that_do_not_fit_are_refused_before_the_first_batch():
    with pytest.raises(DataError, match="mean and std must hold 3 finite values each"):
        stream(0, mean=(0.5,))


def test_images_share_the_memory_of_the_split():
    split = make_split(6)
    gather = _gather(split.images)
    split.images[0, 0, 0, 0] += 1
    images = gather(tf.range(6))
    assert images.device.endswith("CPU:0")
    np.testing.assert_array_equal(images.numpy(), split.images)


def test_stored_images_give_the_same_streams():
    split = make_split()
    rows = np.random.default_rng(0).permutation(N)
    store = split.images[np.argsort(rows)]
    stored = Split(images=StoredImages(lambda places: store[places], rows, (6, 7, 3)), labels=split.labels)
    for options in ({"start_epoch": 1, "start_step": 3}, {"num_replicas": 2}, MIXED):
        for ours, theirs in zip(stream(12, stored, **options), stream(12, split, **options), strict=True):
            for one, other in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(one, other)
    for ours, theirs in zip(*(evaluation_dataset(part, batch_size=5) for part in (stored, split)), strict=True):
        np.testing.assert_array_equal(ours[0], theirs[0])
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_images_outlive_their_split():
    split = make_split(6)
    expected = split.images.copy()
    gather = _gather(split.images)
    del split
    gc.collect()
    np.testing.assert_array_equal(gather(tf.range(6)).numpy(), expected)


def test_no_tuning_thread_holds_up_the_end_of_a_stream():
    options = {"batch_size": 4, "seed": 0, "augmentation": VARIED, "mean": MEAN, "std": STD}
    for dataset in (training_dataset(make_split(), **options), evaluation_dataset(make_split(), batch_size=4)):
        assert dataset.options().autotune.enabled is False
