"""The embedded digits: real values, a fixed stratified split."""

import numpy as np
from sklearn.datasets import load_digits as scikit_digits

from pipelines import load_source


def test_sizes_names_and_shape():
    source = load_source("digits")
    assert source.split_sizes == {"train": 1437, "test": 360}
    assert source.image_shape == (8, 8, 1)
    assert source.class_names == tuple("0123456789")
    assert source.origin == "scikit-learn"


def test_every_image_of_scikit_learn_is_there_once_scaled_and_with_its_label():
    source, bunch = load_source("digits"), scikit_digits()
    expected = np.round(bunch.data * 255 / 16).astype(int)
    assert expected.min() == 0 and expected.max() == 255
    rows = [
        (*split.images[i].ravel().tolist(), int(split.labels[i]))
        for split in source.splits.values()
        for i in range(len(split))
    ]
    assert sorted(rows) == sorted(
        (*row.tolist(), int(label)) for row, label in zip(expected, bunch.target, strict=True)
    )


def test_the_split_is_stratified_and_always_the_same():
    source = load_source("digits")
    shares = (source.class_counts("train") + source.class_counts("test")) * 360 / 1797
    assert np.abs(source.class_counts("test") - shares).max() <= 1
    again = load_source("digits")
    np.testing.assert_array_equal(source.splits["test"].images, again.splits["test"].images)
    assert source.splits["test"].labels[:12].tolist() == [0, 2, 9, 1, 0, 1, 8, 7, 2, 3, 6, 9]
