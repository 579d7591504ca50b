"""Equal images are found inside and across splits, in memory and not, and told apart from unequal ones."""

import numpy as np
import pytest

from pipelines.duplicates import Pair, find_duplicates, image_digests
from pipelines.stored_images import StoredImages


def images(*values):
    """One 2x2 grey image for each value."""
    return np.array(values, np.uint8)[:, None, None, None] * np.ones((2, 2, 1), np.uint8)


def found(splits, **options):
    return find_duplicates({key: image_digests(split) for key, split in splits.items()}, **options)


def test_repeats_are_counted_in_each_split_and_in_each_two():
    result = found({"train": images(1, 2, 1, 1, 3), "validation": images(3, 4), "test": images(4, 4, 1, 9)})
    assert result.within == {"train": 2, "validation": 0, "test": 1}
    assert result.across == {("train", "validation"): 1, ("train", "test"): 1, ("validation", "test"): 2}
    assert result.pairs == (
        Pair("train", 4, "validation", 0),
        Pair("train", 0, "test", 2),
        Pair("validation", 1, "test", 0),
        Pair("validation", 1, "test", 1),
        Pair("train", 0, "train", 2),
        Pair("train", 0, "train", 3),
        Pair("test", 0, "test", 1),
    )


def test_only_the_first_pairs_are_named_but_all_are_counted():
    result = found({"train": images(5, 5, 5, 5), "test": images(5, 5)}, at_most=3)
    assert (result.within, result.across) == ({"train": 3, "test": 1}, {("train", "test"): 2})
    assert result.pairs == (
        Pair("train", 0, "test", 0), Pair("train", 0, "test", 1), Pair("train", 0, "train", 1),
    )  # fmt: skip


def test_without_repeats_there_are_no_pairs():
    result = found({"train": images(1, 2), "test": images(3)})
    assert (result.within, result.pairs) == ({"train": 0, "test": 0}, ())


def test_a_split_without_images():
    result = found({"train": images(1, 1), "test": images()})
    assert (result.within, result.across) == ({"train": 1, "test": 0}, {("train", "test"): 0})


@pytest.mark.parametrize("n", [3, 700])
def test_digests_tell_images_apart_by_every_pixel(n):
    rng = np.random.default_rng(0)
    every = rng.integers(0, 256, (n, 4, 5, 3), np.uint8)
    changed = every.copy()
    changed[n - 1, 3, 4, 2] ^= 1
    digests, others = image_digests(every), image_digests(changed)
    assert (digests.shape, digests.dtype) == ((n, 2), np.uint64)
    assert (digests == others).all(axis=1).tolist() == [True] * (n - 1) + [False]
    assert len(np.unique(digests, axis=0)) == n


def test_images_that_are_not_in_memory_have_the_same_digests():
    every = np.random.default_rng(0).integers(0, 256, (600, 3, 3, 1), np.uint8)
    stored = StoredImages(lambda rows: every[rows], np.arange(600), every.shape[1:])
    np.testing.assert_array_equal(image_digests(stored), image_digests(every))


def test_rows_name_the_repeat_first_and_json_has_plain_values():
    result = found({"train": images(7, 8), "test": images(8)})
    labels = {"train": ["a", "b"], "test": ["c"]}
    row = {"split": "test", "image": 0, "class": "c", "equals_split": "train", "equals_image": 1, "equals_class": "b"}
    assert result.rows(lambda split, position: (position, labels[split][position])) == [row]
    assert result.to_json(lambda split, position: (position, labels[split][position])) == {
        "within": {"train": 0, "test": 0},
        "across": [{"splits": ["train", "test"], "images": 1}],
        "pairs": [row],
    }
