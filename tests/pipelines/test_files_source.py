"""Image files to a data set: memory, cache folder or neither, and what is done about bad files."""

import dataclasses
import errno
import os
import shutil

import numpy as np
import pytest
from PIL import Image

from pipelines import image_cache
from pipelines.decode import decode_image
from pipelines.errors import DataError
from pipelines.files_source import BadFile, BadFilesError, bad_files_csv, first_images, read_labelled_files
from pipelines.labelled_files import FileSplit, LabelledFiles
from pipelines.reading import Reading
from pipelines.stored_images import StoredImages

SIZES = {"train": 12, "test": 5}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASNETS_CACHE", str(tmp_path / "cache"))
    generator = np.random.default_rng(0)
    splits = {}
    for key, count in SIZES.items():
        paths = tuple(tmp_path / f"{key}-{number}.png" for number in range(count))
        for path in paths:
            Image.fromarray(generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path)
        splits[key] = FileSplit(paths=paths, labels=np.arange(count, dtype=np.int32) % 2)
    return LabelledFiles(name="folder-x", class_names=("a", "<b>"), splits=splits, origin=str(tmp_path))


def no_room():
    return image_cache.shutil.disk_usage("/").total == 9


@pytest.fixture(params=["memory", "cache", "neither"])
def reading(request, monkeypatch):
    if request.param == "neither":
        monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    size = 17 * 8 * 8 * 3
    return Reading(
        image_size=8, resize="crop", cache_bytes=size if request.param == "memory" else size - 1, max_bad=0.2
    )


def test_all_ways_give_the_same(files, reading):
    told = []
    source = read_labelled_files(files, reading, told.append)
    in_memory = reading.cache_bytes == 17 * 8 * 8 * 3
    for key, split in files.splits.items():
        assert isinstance(source.splits[key].images, np.ndarray if in_memory else StoredImages)
        expected = [decode_image(path, (8, 8, 3), "crop") for path in split.paths]
        np.testing.assert_array_equal(source.splits[key].images[:], expected)
        np.testing.assert_array_equal(source.splits[key].labels, split.labels)
    assert (source.name, source.class_names, source.origin) == (files.name, files.class_names, files.origin)
    assert source.bad_files == () and sum(told) == 17
    assert source.storage == ("memory" if in_memory else "files" if no_room() else "cache folder")


def test_bad_files_are_left_out_with_their_labels(files, reading):
    paths = files.splits["train"].paths
    paths[0].write_bytes(b"")
    paths[7].unlink()
    files.splits["test"].paths[4].write_bytes(b"text")
    source = read_labelled_files(files, reading)
    kept = [number for number in range(12) if number not in (0, 7)]
    np.testing.assert_array_equal(source.splits["train"].labels, np.array(kept) % 2)
    expected = [decode_image(paths[number], (8, 8, 3), "crop") for number in kept]
    np.testing.assert_array_equal(source.splits["train"].images[:], expected)
    assert source.split_sizes == {"train": 10, "test": 4}
    assert [(file.path, file.split, file.class_name, file.kind) for file in source.bad_files] == [
        (paths[0], "train", "a", "empty"),
        (paths[7], "train", "<b>", "missing"),
        (files.splits["test"].paths[4], "test", "a", "no image"),
    ]


def test_the_share_that_may_be_bad(files, reading):
    for path in files.splits["train"].paths[:4]:  # 4 of 17 are more than a fifth
        path.write_bytes(b"")
    with pytest.raises(BadFilesError, match=r"At most 0.2 of the 17 files .* Received: 4 \(4 empty\)") as e:
        read_labelled_files(files, reading)
    assert [file.path for file in e.value.bad_files] == list(files.splits["train"].paths[:4])
    assert isinstance(e.value, DataError) and "Mend or remove them" in str(e.value)


def test_a_class_that_ends_empty_and_a_split_that_does(files):
    everything = Reading(max_bad=1)
    for path in files.splits["train"].paths[1::2]:
        path.write_bytes(b"")
    with pytest.raises(BadFilesError, match="Received: nothing but bad files for '<b>'"):
        read_labelled_files(files, everything)
    for path in files.splits["test"].paths:
        path.write_bytes(b"")
    with pytest.raises(BadFilesError, match="Split 'test' of .* must hold images. Received: 5 bad files"):
        read_labelled_files(files, everything)


def test_a_file_that_goes_bad_later(files, monkeypatch):
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    source = read_labelled_files(files, Reading(cache_bytes=0))
    files.splits["train"].paths[3].write_bytes(b"")
    assert source.splits["train"].images[2].shape == (64, 64, 3)
    with pytest.raises(OSError, match="train-3.png was an image when the run began and is none now: it holds 0 bytes"):
        source.splits["train"].images[2:5]


def divided_again(files, seed):
    """The same files with their labels, in other splits and another order."""
    paths = [path for split in files.splits.values() for path in split.paths]
    labels = np.concatenate([split.labels for split in files.splits.values()])
    drawn = np.random.default_rng(seed).permutation(len(paths))
    splits = {
        key: FileSplit(paths=tuple(paths[place] for place in places), labels=labels[places])
        for key, places in (("train", drawn[5:]), ("test", drawn[:5]))
    }
    return dataclasses.replace(files, splits=splits)


@pytest.mark.parametrize("room", [True, False])
def test_however_files_are_divided_they_share_one_entry(files, tmp_path, monkeypatch, room):
    if not room:
        monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    files.splits["train"].paths[2].write_bytes(b"")
    files.splits["train"].paths[10].unlink()
    files.splits["test"].paths[1].write_bytes(b"text")
    bad = {files.splits["train"].paths[2]: "empty", files.splits["train"].paths[10]: "missing"}
    bad[files.splits["test"].paths[1]] = "no image"
    for seed in range(4):
        told, own = [], divided_again(files, seed)
        source = read_labelled_files(own, Reading(image_size=8, cache_bytes=0, max_bad=0.5), told.append)
        assert sum(told) == (17 if seed == 0 or not room else 0)
        for key, split in own.splits.items():
            kept = [place for place, path in enumerate(split.paths) if path not in bad]
            np.testing.assert_array_equal(source.splits[key].labels, split.labels[kept])
            expected = [decode_image(split.paths[place], (8, 8, 3)) for place in kept]
            np.testing.assert_array_equal(source.splits[key].images[:], expected)
        listed = [(file.path, file.split, file.kind) for file in source.bad_files]
        assert listed == [
            (path, key, bad[path]) for key, split in own.splits.items() for path in split.paths if path in bad
        ]
    assert len(list((tmp_path / "cache").glob("images-*"))) == room


def test_a_disk_that_fills_up_is_not_told_as_progress(files, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.image_files._PART", 2)
    monkeypatch.setattr(image_cache, "_to_disk", full)
    told = []
    source = read_labelled_files(files, Reading(image_size=8, cache_bytes=0), told.append)
    assert source.storage == "files" and sum(told) == 17 and min(told) > 0
    written = iter(range(3))
    monkeypatch.setattr(image_cache, "_write_all", lambda *_: next(written, None) is None and full())
    told.clear()
    read_labelled_files(files, Reading(image_size=8, cache_bytes=0), told.append)
    assert told == [2] * 8 + [1]


def test_no_process_is_started_for_a_batch(files, monkeypatch):
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    source = read_labelled_files(files, Reading(image_size=8, cache_bytes=0))
    monkeypatch.setattr("pipelines.image_files._FILES_FOR_PROCESSES", 1)
    monkeypatch.setattr("pipelines.image_files.subprocess.Popen", lambda *_, **__: pytest.fail("was started"))
    assert source.splits["train"].images[:].shape == (12, 8, 8, 3)


def test_default_limit_is_a_quarter_of_the_free_memory(files, monkeypatch):
    size = 17 * 64 * 64 * 3
    for free, kind in ((4 * size, np.ndarray), (4 * size - 4, StoredImages)):
        monkeypatch.setattr("pipelines.files_source.free_memory_bytes", lambda free=free: free)
        assert isinstance(read_labelled_files(files, Reading()).splits["train"].images, kind)


def test_the_table_of_bad_files(tmp_path):
    rows = [
        BadFile(path=tmp_path / 'a, "b".png', split="train", class_name="<script>", kind="empty", reason="0 bytes"),
        BadFile(path=tmp_path / os.fsdecode(b"c\xff.png"), split="test", class_name="ä", kind="damaged", reason="cut"),
    ]
    quoted = f'{tmp_path}/a, ""b"".png'
    assert bad_files_csv(rows).decode().splitlines() == [
        "file,split,class,kind,reason",
        f'"{quoted}",train,<script>,empty,0 bytes',
        f"{tmp_path}/c\\udcff.png,test,ä,damaged,cut",
    ]


def test_first_images_are_the_first_good_ones_and_few_others_are_opened(files, monkeypatch):
    paths = files.splits["train"].paths
    paths[1].write_bytes(b"")
    paths[11].unlink()
    monkeypatch.setattr("pipelines.image_files._PART", 2)
    reading = Reading(image_size=8)
    expected = [decode_image(path, (8, 8, 3)) for number, path in enumerate(paths[:11]) if number != 1]
    np.testing.assert_array_equal(first_images(files, "train", 4, reading), expected[:4])
    np.testing.assert_array_equal(first_images(files, "train", 99, reading), expected)
