"""scikit-learn's handwritten digits: 1,797 real grey 8x8 images inside the dependency, so no file is needed."""

from pathlib import Path

import numpy as np

from pipelines.source import ImageSource, Split
from pipelines.splits import stratified_choice

TEST_EXAMPLES = 360


def load_digits(data_dir: str | Path | None = None) -> ImageSource:
    """Loads the digits with a fixed split: 1,437 for training and 360 for testing.

    The images come with values 0..16; they are scaled to 0..255 and rounded. The test examples are chosen once and for
    all: evenly over the classes, within a class by the smallest words of a Philox stream with key 0.

    Args:
        data_dir: Not used; the images come with scikit-learn.

    Source: Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits" (its test part), through
        `sklearn.datasets.load_digits`.
    """
    import sklearn.datasets  # here, because it takes a second that the other data sets need not pay

    bunch = sklearn.datasets.load_digits()
    images = np.round(bunch.images * (255 / 16)).astype(np.uint8)[..., None]
    every = Split(images=images, labels=bunch.target.astype(np.int32))
    order = np.argsort(np.random.Philox(key=0).random_raw(len(every)), kind="stable")
    test = stratified_choice(every.labels, TEST_EXAMPLES, order=order)
    train = np.setdiff1d(np.arange(len(every)), test)
    return ImageSource(
        name="digits",
        class_names=tuple(str(digit) for digit in range(10)),
        splits={"train": every.take(train), "test": every.take(test)},
        origin="scikit-learn",
    )
