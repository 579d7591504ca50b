"""Fair parts of the training split: a stratified prefix, and a stratified validation split."""

from dataclasses import replace

import numpy as np

from pipelines.errors import DataError
from pipelines.source import ImageSource


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
