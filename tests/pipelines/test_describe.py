"""A data set in numbers, compared with a hand calculation."""

import json

import numpy as np
import pytest

from pipelines.describe import describe_source
from pipelines.source import ImageSource, Split


@pytest.fixture
def source():
    """Four training images of grey 0, 51, 51 and 255, two test images of which one is a training image too."""

    def split(values, labels):
        images = np.array(values, np.uint8)[:, None, None, None] * np.ones((2, 3, 1), np.uint8)
        return Split(images=images, labels=np.array(labels, np.int32))

    splits = {"train": split([0, 51, 51, 255], [0, 1, 1, 0]), "test": split([255, 9], [2, 0])}
    return ImageSource(name="tiny", class_names=("a", "b", "c"), splits=splits, origin="here")


def test_counts_statistics_and_duplicates(source):
    description = describe_source(source)
    assert {split: counts.tolist() for split, counts in description.class_counts.items()} == {
        "train": [2, 2, 0],
        "test": [1, 0, 1],
    }
    values = np.array([0, 0.2, 0.2, 1])
    assert description.mean == pytest.approx((values.mean(),))
    assert description.std == pytest.approx((values.std(),))
    assert (description.duplicates.within, description.duplicates.across) == (
        {"train": 1, "test": 0},
        {("train", "test"): 1},
    )


def test_json_has_everything_in_plain_values(source):
    result = json.loads(json.dumps(describe_source(source).to_json()))
    assert result["images"] == {"train": 4, "test": 2}
    assert result["classes"][2] == {"class": "c", "images": {"train": 0, "test": 1}}
    assert (result["image_shape"], result["num_classes"], result["bad_files"]) == ([2, 3, 1], 3, 0)
    pair = result["duplicates"]["pairs"][0]
    assert (pair["image"], pair["class"], pair["equals_image"], pair["equals_class"]) == (0, "c", 3, "a")
