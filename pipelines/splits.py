"""Fair parts of a data set: a stratified prefix of the training split, validation and test splits drawn by a seed."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipelines.duplicates import image_digests
from pipelines.errors import DataError
from pipelines.source import ImageSource, Split


def limit_train(source: ImageSource, n: int) -> ImageSource:
    """Keeps `n` training examples: the first of each class, as many of each as its share, in their original order.

    The same `n` always gives the same examples, and a smaller part lies inside each larger one.

    Args:
        source: Any source with a "train" split; the other splits stay as they are.
        n: From 1 to the size of the training split.

    Raises:
        DataError: `n` lies outside that range.
    """
    train = source.splits["train"]
    if not 1 <= n <= len(train):
        raise DataError(
            f"The limit on training examples must lie in 1..{len(train)} for '{source.name}'. Received: {n}. "
            "Choose a value in that range or leave the limit out."
        )
    if n == len(train):
        return source
    chosen = stratified_choice(train.labels, n, order=np.arange(len(train)))
    return replace(source, splits={**source.splits, "train": train.take(chosen)})


def carve_validation(source: ImageSource, fraction: float, seed: int) -> ImageSource:
    """Moves a seeded, stratified part of "train" into a new split "validation"; both keep the original order.

    Args:
        source: A source with a "train" split and no "validation" split.
        fraction: The share of the training split in [0, 1); 0 returns the source as it is.
        seed: Not negative, below 2**64; with the labels it fixes which examples are chosen, on any NumPy version.

    Raises:
        DataError: `fraction` lies outside [0, 1) or leaves one of the two splits empty, `seed` is out of range, or
            there is a validation split already.
    """
    if not 0 <= fraction < 1:
        raise DataError(
            f"The validation fraction must lie in [0, 1). Received: {fraction}. 0.1 is usual, 0 means none."
        )
    if not 0 <= seed < 2**64:
        raise DataError(f"The seed must lie in 0..2**64 - 1. Received: {seed}. Choose a value in that range.")
    if fraction == 0:
        return source
    if "validation" in source.splits:
        raise DataError(f"'{source.name}' must not have a validation split yet. Received one. Carve it once only.")
    train = source.splits["train"]
    count = round(fraction * len(train))
    if not 0 < count < len(train):
        raise DataError(
            f"The validation fraction must leave examples on both sides of the {len(train)} training examples of "
            f"'{source.name}'. Received: {fraction}, which takes {count}. Use 0 or a fraction nearer to one half."
        )
    # Raw Philox words are fixed for ever; NumPy's own permutations may change between its versions.
    words = np.random.Philox(key=np.array([seed, 1], np.uint64)).random_raw(len(train))
    chosen = stratified_choice(train.labels, count, order=np.argsort(words, kind="stable"))
    rest = np.setdiff1d(np.arange(len(train)), chosen)
    return replace(source, splits={**source.splits, "train": train.take(rest), "validation": train.take(chosen)})


def draw_test(
    labels: np.ndarray, groups: np.ndarray, *, class_names: Sequence[str], seed: int, origin: str
) -> tuple[np.ndarray, np.ndarray]:
    """Divides examples that came without a test split: a fifth of each class, at least one, is for the test.

    Equal examples count once and stay on one side. Those that stand under several classes count for the first one.

    Args:
        labels: (n,) integers in 0..len(class_names) - 1.
        groups: (n,) integers from 0, the same for equal examples.
        class_names: In label order.
        seed: Not negative, below 2**64; with `labels` and `groups` it fixes the choice, on any NumPy version.
        origin: Where the examples were found, for messages.

    Returns:
        (train, test): positions, ascending; together all of them.

    Raises:
        DataError: A class has fewer than two different examples.
    """
    _, first, members = np.unique(groups, return_index=True, return_inverse=True)
    # Numbered in the order of their first examples, whatever numbers the caller gave.
    order = np.argsort(first)
    units, place = first[order], np.argsort(order)[members]
    words = np.random.Philox(key=np.array([seed, 2], np.uint64)).random_raw(len(units))
    chosen = np.zeros(len(units), bool)
    for label, name in enumerate(class_names):
        own = np.flatnonzero(labels[units] == label)
        if len(own) < 2:
            raise DataError(
                f"A class needs at least two different images to be divided into train and test. Received: {len(own)} "
                f"for {name!r} in {origin}, equal ones counted once. Add images or give a test split."
            )
        chosen[own[np.argsort(words[own], kind="stable")[: max(1, round(len(own) / 5))]]] = True
    return np.flatnonzero(~chosen[place]), np.flatnonzero(chosen[place])


def divide_split(split: Split, class_names: Sequence[str], seed: int, origin: str) -> dict[str, Split]:
    """Divides images that came without a test split into "train" and "test", see `draw_test`."""
    _, groups = np.unique(image_digests(split.images), axis=0, return_inverse=True)
    train, test = draw_test(split.labels, groups, class_names=class_names, seed=seed, origin=origin)
    return {"train": split.take(train), "test": split.take(test)}


def stratified_choice(labels: np.ndarray, count: int, *, order: np.ndarray) -> np.ndarray:
    """Chooses `count` examples so that every class gives its share to within one example or so.

    Within a class the examples are taken as `order` lists them. The example of rank r among the m of its class has the
    key (r + 1/2) / m, and the smallest keys win, among equal ones the earlier example. This is Webster's rounding;
    unlike the method of largest remainders it never takes an example back when `count` grows.

    Args:
        labels: (n,) integers.
        count: From 0 to n.
        order: A permutation of 0..n-1.

    Returns:
        (count,) the chosen positions, ascending.
    """
    keys = np.empty(len(labels))
    for label in np.unique(labels):
        members = order[labels[order] == label]
        keys[members] = (np.arange(len(members)) + 0.5) / len(members)
    return np.sort(np.argsort(keys, kind="stable")[:count])
