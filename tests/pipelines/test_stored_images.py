"""Images outside of memory, indexed as an array is."""

import os

import numpy as np
import pytest

from pipelines.source import Split
from pipelines.stored_images import StoredImages, stored_in_file


@pytest.fixture
def array():
    return np.random.default_rng(0).integers(0, 256, (10, 4, 6, 3), dtype=np.uint8)


@pytest.fixture
def stored(array, tmp_path):
    (tmp_path / "pixels").write_bytes(array.tobytes())
    return stored_in_file(tmp_path / "pixels", 10, (4, 6, 3))


@pytest.mark.parametrize("key", [3, -1, slice(2, 5), slice(None), slice(8, 20), slice(4, 4), [7, 0, 7], []])
def test_indexing_is_an_arrays(array, stored, key):
    key = np.array(key, int) if isinstance(key, list) else key
    read = stored[key]
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array[key])


def test_shape_and_type(stored):
    assert (stored.shape, stored.dtype, stored.ndim, len(stored)) == ((10, 4, 6, 3), np.uint8, 4, 10)


def test_selecting_reads_nothing_and_can_be_repeated(array):
    reads = []
    images = StoredImages(lambda rows: reads.append(rows.tolist()) or array[rows], np.arange(10), (4, 6, 3))
    chosen = images.select(np.array([9, 1, 4])).select(np.array([2, 0]))
    assert (reads, chosen.shape) == ([], (2, 4, 6, 3))
    np.testing.assert_array_equal(chosen[:], array[[4, 9]])
    assert reads == [[4, 9]]


def test_a_change_is_made_when_images_are_read(array, stored):
    dark = stored.map(lambda images: images[:, :2] // 2, (2, 6, 3)).select(slice(3, 6))
    assert dark.shape == (3, 2, 6, 3)
    np.testing.assert_array_equal(dark[1], array[4, :2] // 2)


def test_a_split_takes_examples_without_reading_them(array, stored):
    split = Split(images=stored, labels=np.arange(10, dtype=np.int32))
    part = split.take(np.array([8, 2]))
    assert isinstance(part.images, StoredImages) and part.labels.tolist() == [8, 2]
    np.testing.assert_array_equal(part.images[:], array[[8, 2]])


def test_a_file_may_be_deleted_but_not_cut(array, tmp_path, stored):
    (tmp_path / "pixels").unlink()
    np.testing.assert_array_equal(stored[9], array[9])
    (tmp_path / "short").write_bytes(array.tobytes()[:-1])
    short = stored_in_file(tmp_path / "short", 10, (4, 6, 3))
    np.testing.assert_array_equal(short[8], array[8])
    with pytest.raises(OSError, match="short is shorter than when it was opened"):
        short[9]


def test_errors_of_reading_are_kept_where_they_can_be_found(stored, tmp_path):
    os.truncate(tmp_path / "pixels", 100)
    small = stored.select(slice(2, 9)).map(lambda images: images[:, :2], (2, 6, 3))
    with pytest.raises(OSError, match="shorter than when it was opened"):
        small[3]
    assert [str(problem) for problem in stored.problems] == [
        f"{tmp_path / 'pixels'} is shorter than when it was opened"
    ]
