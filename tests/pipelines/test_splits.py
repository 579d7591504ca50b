"""Stratified parts of the training split: fair, nested, seeded, in the original order."""

import numpy as np
import pytest

from pipelines import DataError, ImageSource, Split, carve_validation, limit_train
from pipelines.splits import divide_split, draw_test, stratified_choice


def make_source(labels) -> ImageSource:
    labels = np.array(labels, np.int32)
    # The image says which example it is, so that order and identity can be followed.
    images = np.arange(len(labels), dtype=np.uint16).view(np.uint8).reshape(-1, 1, 1, 2)
    train = Split(images=images, labels=labels)
    test = Split(images=images[:1], labels=labels[:1])
    names = tuple(str(label) for label in range(labels.max() + 1))
    return ImageSource(name="toy", class_names=names, splits={"train": train, "test": test}, origin="memory")


def identities(split: Split) -> list[int]:
    return split.images.reshape(-1, 2).copy().view(np.uint16).ravel().tolist()


DRAWN = [6, 10, 18, 24, 27, 29, 31, 33]
UNEVEN = np.random.default_rng(0).choice(5, 400, p=[0.5, 0.25, 0.15, 0.07, 0.03])


def test_limit_takes_the_first_of_each_class_by_hand():
    source = make_source([0, 0, 0, 0, 1, 1, 1, 1])
    assert identities(limit_train(source, 4).splits["train"]) == [0, 1, 4, 5]
    assert identities(limit_train(source, 3).splits["train"]) == [0, 1, 4]
    source = make_source([1, 0, 0, 0, 0, 0, 1])  # shares of 4: 2.86 and 1.14
    assert identities(limit_train(source, 4).splits["train"]) == [0, 1, 2, 3]


def test_limit_of_everything_is_the_source_itself_and_the_test_split_is_left_alone():
    source = make_source(UNEVEN)
    assert limit_train(source, 400) is source
    assert limit_train(source, 7).splits["test"] is source.splits["test"]


def test_limits_are_nested_fair_and_in_order():
    source, before = make_source(UNEVEN), set()
    shares = np.bincount(UNEVEN) / 400
    for n in range(1, 400):
        limited = limit_train(source, n)
        chosen = identities(limited.splits["train"])
        assert len(chosen) == n and chosen == sorted(chosen)
        assert before < set(chosen)
        before = set(chosen)
        assert np.abs(limited.class_counts("train") - shares * n).max() < 1.5


@pytest.mark.parametrize("n", [0, -1, 401])
def test_a_limit_out_of_range_is_refused(n):
    with pytest.raises(DataError, match=rf"must lie in 1\.\.400 for 'toy'. Received: {n}"):
        limit_train(make_source(UNEVEN), n)


def test_validation_parts_train_without_loss_or_overlap():
    source = make_source(UNEVEN)
    carved = carve_validation(source, 0.2, seed=3)
    train, validation = (identities(carved.splits[key]) for key in ("train", "validation"))
    assert carved.split_sizes == {"train": 320, "test": 1, "validation": 80}
    assert train == sorted(train) and validation == sorted(validation)
    assert sorted(train + validation) == list(range(400))
    for key in ("train", "validation"):
        np.testing.assert_array_equal(carved.splits[key].labels, UNEVEN[identities(carved.splits[key])])
    assert np.abs(carved.class_counts("validation") - np.bincount(UNEVEN) * 0.2).max() < 1.5


def test_validation_follows_its_seed():
    source = make_source(UNEVEN)
    chosen = [identities(carve_validation(source, 0.2, seed).splits["validation"]) for seed in (0, 0, 1, 2**64 - 1)]
    assert chosen[0] == chosen[1]
    assert len({tuple(each) for each in chosen}) == 3


def test_validation_is_the_same_for_ever():
    """Philox words are fixed; these ten were written down once and must not move with a version of NumPy."""
    carved = carve_validation(make_source([0, 1] * 20), 0.25, seed=0)
    assert identities(carved.splits["validation"]) == [5, 14, 15, 16, 17, 22, 31, 34, 38, 39]


def test_no_validation_is_the_source_itself():
    source = make_source(UNEVEN)
    assert carve_validation(source, 0, seed=0) is source


@pytest.mark.parametrize("fraction", [-0.1, 1, 1.5, float("nan")])
def test_a_fraction_out_of_range_is_refused(fraction):
    with pytest.raises(DataError, match=r"validation fraction must lie in \[0, 1\)"):
        carve_validation(make_source(UNEVEN), fraction, seed=0)


@pytest.mark.parametrize("fraction, taken", [(0.001, 0), (0.999, 400)])
def test_a_fraction_that_leaves_a_side_empty_is_refused(fraction, taken):
    with pytest.raises(DataError, match=f"must leave examples on both sides of the 400 .* takes {taken}"):
        carve_validation(make_source(UNEVEN), fraction, seed=0)


def test_a_second_validation_split_is_refused():
    carved = carve_validation(make_source(UNEVEN), 0.1, seed=0)
    with pytest.raises(DataError, match="'toy' must not have a validation split yet"):
        carve_validation(carved, 0.1, seed=0)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(DataError, match=rf"seed must lie in 0\.\.2\*\*64 - 1. Received: {seed}"):
        carve_validation(make_source(UNEVEN), 0.1, seed=seed)


def test_choice_follows_the_given_order_inside_each_class():
    labels = np.array([0, 0, 0, 0, 1, 1])
    chosen = stratified_choice(labels, 3, order=np.array([3, 5, 2, 1, 4, 0]))
    assert chosen.tolist() == [2, 3, 5]  # class 0 lists 3, 2, 1, 0 and class 1 lists 5, 4; shares 2 and 1


def draw(labels, groups=None, seed=0, names="abcdef"):
    labels = np.array(labels)
    groups = np.arange(len(labels)) if groups is None else np.array(groups)
    return draw_test(labels, groups, class_names=names[: labels.max() + 1], seed=seed, origin="here")


@pytest.mark.parametrize(("members", "expected"), [(2, 1), (3, 1), (7, 1), (8, 2), (12, 2), (13, 3), (100, 20)])
def test_a_fifth_of_each_class_is_drawn_and_at_least_one(members, expected):
    labels = np.tile([0, 1], members)
    train, test = draw(labels)
    assert np.bincount(labels[test]).tolist() == [expected] * 2
    assert sorted([*train, *test]) == list(range(2 * members))
    assert (np.diff(train) > 0).all() and (np.diff(test) > 0).all()


def test_the_draw_follows_its_seed_and_is_the_same_for_ever():
    """Written down once, as for the validation split; and another stream of words than that one's."""
    draws = [draw([0, 1] * 20, seed=seed)[1].tolist() for seed in (0, 0, 1, 2**64 - 1)]
    assert draws[0] == draws[1] == DRAWN
    assert len({tuple(each) for each in draws}) == 3


def test_the_names_of_groups_do_not_matter():
    groups = np.random.default_rng(0).integers(0, 60, 100)
    labels = groups % 3
    renamed = np.random.default_rng(1).permutation(1000)[groups]
    np.testing.assert_array_equal(draw(labels, groups)[1], draw(labels, renamed)[1])


def test_equal_examples_stay_together_and_count_once():
    groups = np.random.default_rng(0).integers(0, 50, 400)
    labels = groups % 5  # ten groups in each class, of any size
    for seed in range(5):
        train, test = draw(labels, groups, seed)
        assert not set(groups[train]) & set(groups[test])
        assert all(len(set(groups[test][labels[test] == label])) == 2 for label in range(5))


def test_equal_examples_of_two_classes_stay_together_with_the_first():
    labels, groups = [0, 0, 1, 1, 1], [0, 1, 0, 2, 3]
    for seed in range(10):
        train, test = draw(labels, groups, seed)
        assert (0 in train) == (2 in train)
        assert len(test) in (2, 3)


@pytest.mark.parametrize("groups", [[0, 1, 2], [0, 1, 2, 2], [0, 1, 2, 0]])
def test_a_class_of_one_image_cannot_be_divided(groups):
    with pytest.raises(DataError, match="at least two different images .* Received: 1 for 'b' in here, equal ones"):
        draw([0, 0, 1, 1][: len(groups)], groups)


def test_images_are_divided_by_their_pixels():
    source = make_source([0, 1] * 20)
    twice = Split(
        images=np.concatenate([source.splits["train"].images] * 2),
        labels=np.concatenate([source.splits["train"].labels] * 2),
    )
    divided = divide_split(twice, ("a", "b"), 0, "here")
    assert {key: len(split) for key, split in divided.items()} == {"train": 64, "test": 16}
    assert identities(divided["test"]) == 2 * DRAWN
    assert not set(identities(divided["test"])) & set(identities(divided["train"]))
