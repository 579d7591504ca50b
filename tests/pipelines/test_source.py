"""Split and ImageSource: what they check, count and compute."""

import numpy as np
import pytest

from pipelines import DataError, ImageSource, Split
from pipelines.stored_images import StoredImages


def make_split(labels, shape=(4, 4, 3), seed=0) -> Split:
    images = np.random.default_rng(seed).integers(0, 256, (len(labels), *shape), dtype=np.uint8)
    return Split(images=images, labels=np.array(labels, np.int32))


def make_source(**splits) -> ImageSource:
    return ImageSource(name="toy", class_names=("a", "b", "c"), splits=splits, origin="memory")


def test_names_shape_sizes_and_counts():
    source = make_source(train=make_split([0, 2, 2, 0, 0]), test=make_split([1]))
    assert source.image_shape == (4, 4, 3)
    assert source.num_classes == 3
    assert source.split_sizes == {"train": 5, "test": 1}
    counts = source.class_counts("train")
    assert counts.tolist() == [3, 0, 2] and counts.dtype == np.int64
    assert len(source.splits["train"]) == 5


def test_take_keeps_images_and_labels_together():
    split = make_split([0, 1, 2])
    taken = split.take(np.array([2, 0]))
    assert taken.labels.tolist() == [2, 0]
    np.testing.assert_array_equal(taken.images, split.images[[2, 0]])


@pytest.mark.parametrize("n, shape", [(3, (5, 4, 3)), (9000, (2, 3, 1))])
def test_channel_statistics_equal_numpy_over_several_chunks(n, shape, monkeypatch):
    monkeypatch.setattr("pipelines.source._CHUNK_BYTES", 10_000)
    source = make_source(train=make_split([0] * n, shape), test=make_split([0], shape))
    pixels = source.splits["train"].images.reshape(-1, shape[2]) / 255
    mean, std = source.channel_statistics()
    np.testing.assert_allclose(mean, pixels.mean(0), rtol=1e-12)
    np.testing.assert_allclose(std, pixels.std(0), rtol=1e-12)
    assert all(isinstance(value, float) for value in (*mean, *std))


def test_channel_statistics_of_a_hand_computed_example():
    images = np.array([0, 255, 0, 255], np.uint8).reshape(1, 2, 2, 1)
    source = make_source(test=Split(images=images, labels=np.zeros(1, np.int32)))
    assert source.channel_statistics("test") == ((0.5,), (0.5,))


@pytest.mark.parametrize(
    "images", [np.zeros((2, 4, 4, 3), np.float32), np.zeros((2, 4, 4), np.uint8)], ids=["float", "rank 3"]
)
def test_images_of_another_type_or_rank_are_refused(images):
    with pytest.raises(DataError, match="Images must be uint8 of shape"):
        Split(images=images, labels=np.zeros(2, np.int32))


@pytest.mark.parametrize("labels", [np.zeros(2, np.int64), np.zeros(3, np.int32)], ids=["type", "length"])
def test_labels_of_another_type_or_length_are_refused(labels):
    with pytest.raises(DataError, match="Labels must be int32, one for each of the 2 images"):
        Split(images=np.zeros((2, 4, 4, 1), np.uint8), labels=labels)


def test_splits_of_different_image_shapes_are_refused():
    with pytest.raises(DataError, match="splits of 'toy' must share one image shape"):
        make_source(train=make_split([0]), test=make_split([0], (4, 5, 3)))


@pytest.mark.parametrize("label", [-1, 3])
def test_a_label_without_a_class_name_is_refused(label):
    with pytest.raises(DataError, match=rf"Labels of 'toy' must lie in 0\.\.2.*Received: {label} in split 'test'"):
        make_source(train=make_split([0]), test=make_split([0, label]))


def test_an_unknown_split_is_refused_with_the_known_ones():
    source = make_source(train=make_split([0]), test=make_split([0]))
    with pytest.raises(DataError, match="'toy' has no split 'validation'. Known: train, test"):
        source.class_counts("validation")
    with pytest.raises(DataError, match="'toy' has no split 'validation'"):
        source.channel_statistics("validation")


def test_an_empty_split_has_no_statistics():
    source = make_source(train=make_split([]), test=make_split([0]))
    with pytest.raises(DataError, match="Split 'train' of 'toy' must not be empty"):
        source.channel_statistics()


def test_images_are_aligned_and_contiguous():
    planes = np.arange(2 * 3 * 5 * 4, dtype=np.uint8).reshape(2, 3, 5, 4)
    split = Split(images=planes.transpose(0, 2, 3, 1), labels=np.zeros(2, np.int32))
    assert split.images.ctypes.data % 64 == 0
    assert split.images.flags.c_contiguous
    np.testing.assert_array_equal(split.images, planes.transpose(0, 2, 3, 1))


def test_aligned_images_are_not_copied():
    split = Split(images=np.zeros((3, 5, 4, 1), np.uint8), labels=np.zeros(3, np.int32))
    assert Split(images=split.images, labels=split.labels).images is split.images


@pytest.mark.parametrize(("shape", "at_once"), [((512, 512, 3), 21), ((5000, 5000, 1), 1)])
def test_the_larger_the_images_the_fewer_are_counted_at_once(shape, at_once):
    read = []

    def blank(rows):
        read.append(len(rows))
        return np.full((len(rows), 1, 1, shape[2]), 255, np.uint8)  # small ones, so that the test needs no memory

    images = StoredImages(blank, np.arange(at_once + 1), shape)
    source = make_source(train=Split(images=images, labels=np.zeros(at_once + 1, np.int32)))
    assert source.channel_statistics() == ((1.0,) * shape[2], (0.0,) * shape[2])
    assert read == [at_once, 1]  # 2**24 // (512 * 512 * 3), and one that is larger than the budget


def test_statistics_of_stored_images_are_those_of_the_array():
    images = np.random.default_rng(0).integers(0, 256, (9, 4, 5, 3), dtype=np.uint8)
    stored = StoredImages(lambda rows: images[rows], np.arange(9), (4, 5, 3))
    sources = [
        ImageSource(
            name="x",
            class_names=("a", "b"),
            splits={"train": Split(images=some, labels=np.zeros(9, np.int32))},
            origin="made up",
        )
        for some in (images, stored)
    ]
    assert sources[0].channel_statistics() == sources[1].channel_statistics()
