"""What may be asked of reading, and what is refused."""

import pytest

from pipelines import DataError
from pipelines.reading import DEFAULT_IMAGE_SIZE, Reading


def test_files_get_the_default_shape_unless_another_is_asked_for():
    assert Reading().file_shape == (DEFAULT_IMAGE_SIZE, DEFAULT_IMAGE_SIZE, 3) == (64, 64, 3)
    assert Reading(image_size=32, channels=1).file_shape == (32, 32, 1)


def test_the_ends_of_each_range_are_allowed():
    Reading(image_size=1, max_bad=0, cache_bytes=0, seed=0)
    Reading(image_size=4096, max_bad=1, seed=2**64 - 1, resize="pad")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("image_size", 0, r"image_size must lie in 1\.\.4096. Received: 0"),
        ("image_size", 4097, r"Received: 4097"),
        ("resize", "zoom", "resize must be one of squash, crop, pad. Received: 'zoom'"),
        ("channels", 4, "channels must be 1 .* or 3 .* Received: 4"),
        ("max_bad", 1.01, r"max_bad must lie in \[0, 1\]. Received: 1.01"),
        ("max_bad", float("nan"), "Received: nan"),
        ("cache_bytes", -1, "cache_bytes must be 0 or more. Received: -1"),
        ("seed", -1, r"seed must lie in 0\.\.2\*\*64 - 1. Received: -1"),
        ("seed", 2**64, "Received: 18446744073709551616"),
    ],
)
def test_what_lies_outside_is_refused(field, value, message):
    with pytest.raises(DataError, match=message):
        Reading(**{field: value})
