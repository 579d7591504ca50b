"""Lists of image files: what makes no data set, and how they are divided without parting equal files."""

import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from pipelines import DataError, labelled_files
from pipelines.labelled_files import FileSplit, LabelledFiles, check_labels, check_train_classes, divide_files


def split(labels, folder=None, contents=None):
    """Files without names of their own; on disk, with their contents, if there is a folder."""
    paths = tuple((folder or Path("nowhere")) / f"{number}.png" for number in range(len(labels)))
    for path, content in zip(paths, contents or (), strict=False):
        path.write_bytes(content)
    return FileSplit(paths=paths, labels=np.array(labels, np.int32))


def files(train=(0, 1), test=(0,), names=("cat", "dog")):
    return LabelledFiles(
        name="toy", class_names=names, splits={"train": split(train), "test": split(test)}, origin="here"
    )


def test_a_split_is_as_long_as_its_files():
    assert len(files().splits["train"]) == 2


def test_a_class_of_the_test_may_be_missing_but_not_one_of_train():
    files(train=[0, 1], test=[1])
    with pytest.raises(DataError, match="Every class needs images to train on. Received: no image for 'dog' in here"):
        files(train=[0, 0], test=[1])


def test_what_is_left_is_checked_again():
    with pytest.raises(DataError, match="Received: only bad files for 'cat' in here"):
        files().check_train_classes({"train": np.array([1])}, "only bad files")


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ({"train": [0]}, ["cat"], "at least two classes. Received: 1 in here"),
        ({"train": []}, [], "at least two classes. Received: 0 in here"),
        ({"train": [0]}, ["cat", "dog", "cat"], "must differ. Received: 'cat' twice in here"),
        ({"train": [0], "test": []}, ["cat", "dog"], "Split 'test' of here must hold images. Received: none"),
        ({"train": [0, 2]}, ["cat", "dog"], r"must lie in 0\.\.1. Received: 2 in split 'train'"),
        ({"train": [0], "test": [-1]}, ["cat", "dog"], r"must lie in 0\.\.1. Received: -1 in split 'test'"),
    ],
)
def test_labels_that_make_no_data_set(labels, names, message):
    with pytest.raises(DataError, match=message):
        check_labels({key: np.array(own, np.int64) for key, own in labels.items()}, names, "here")


def test_each_class_needs_a_training_example():
    check_train_classes(np.array([1, 0, 1]), ["cat", "dog"], "here", "none")
    with pytest.raises(DataError, match="Received: none for 'bird' in here"):
        check_train_classes(np.array([1, 0]), ["cat", "dog", "bird"], "here", "none")


def test_equal_files_stay_together(tmp_path):
    contents = [b"%d" % (number % 20) for number in range(60)]  # each three times, and of the same size as others
    every = split([number % 2 for number in range(60)], tmp_path, contents)
    for seed in range(5):
        divided = divide_files(every, ["cat", "dog"], seed, "here")
        sides = {key: {path.read_bytes() for path in part.paths} for key, part in divided.items()}
        assert len(sides["train"]) == 16 and len(sides["test"]) == 4 and not sides["train"] & sides["test"]
        assert [len(divided[key]) for key in ("train", "test")] == [48, 12]
        for part in divided.values():
            assert part.labels.tolist() == [int(path.stem) % 2 for path in part.paths]


def test_only_files_of_equal_size_are_opened(tmp_path, monkeypatch):
    every = split([0, 0, 0, 1, 1], tmp_path, [b"1", b"22", b"333", b"33", b"4444"])
    opened = []
    original = Path.open
    monkeypatch.setattr(Path, "open", lambda path, *mode: opened.append(path.name) or original(path, *mode))
    divide_files(every, ["cat", "dog"], 0, "here")
    assert opened == ["1.png", "3.png"]


HEADS = 4096


def test_files_are_read_further_than_their_beginning_only_if_that_is_equal(tmp_path, monkeypatch):
    contents = [letter * HEADS + end for letter, end in ((b"a", b"1"), (b"b", b"1"), (b"b", b"2"), (b"b", b"1"))]
    contents += [b"c" * HEADS, b"c" * HEADS, b"d" * HEADS]  # nothing follows
    contents += [b"e" * HEADS + b"long", b"e" * HEADS + b"longer"]  # of one beginning, but not of one size
    paths = split([0] * len(contents), tmp_path, contents).paths
    whole = []
    original = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda file, name: whole.append(file.name) or original(file, name))
    assert labelled_files._equal_files(paths).tolist() == [0, 1, 2, 1, 3, 3, 4, 5, 6]
    assert sorted(whole) == list(map(str, paths[1:4]))


def test_files_are_read_by_several_threads_which_have_them_fetched_first(tmp_path, monkeypatch):
    monkeypatch.setattr(labelled_files, "usable_cores", lambda: 2)
    monkeypatch.setattr(labelled_files, "_PART", 3)
    sizes = [5] * 6 + [labelled_files._READ_AHEAD + 1] * 6
    paths = split([0] * 12, tmp_path, [b"%d" % (place % 2) * size for place, size in enumerate(sizes)]).paths
    both = threading.Barrier(2, timeout=5)  # breaks if one thread has to do it alone
    events = []
    original = labelled_files._head

    def head(path):
        if path.stem in ("0", "3"):
            both.wait()
        events.append(path.stem)
        return original(path)

    monkeypatch.setattr(labelled_files, "read_ahead", lambda path: events.append(f"ahead {path.stem}"))
    monkeypatch.setattr(labelled_files, "_head", head)
    assert labelled_files._equal_files(paths).tolist() == [0, 1] * 3 + [2, 3] * 3
    for part in (("0", "1", "2"), ("3", "4", "5")):
        own = [event for event in events if event.split()[-1] in part]
        assert own == [f"ahead {stem}" for stem in part] + list(part)
    # To tell those from one another that are larger, the first bytes would have done.
    assert len(events) == 6 + 12


def test_one_file_under_two_names_and_one_that_is_listed_twice(tmp_path):
    first, second = split([0, 1], tmp_path, [b"same", b"else"]).paths
    (tmp_path / "link.png").symlink_to(first)
    missing = tmp_path / "missing.png"
    paths = [first, missing, second, tmp_path / "link.png", missing, second]
    assert labelled_files._equal_files(paths).tolist() == [0, 1, 2, 0, 1, 2]


def test_files_that_cannot_be_opened_are_left_for_the_reader_to_report(tmp_path, monkeypatch):
    contents = [b"same"] * 2 + [b"b", b"cc", b"ddd", b"eeeee"]
    every = split([0, 0, 0, 1, 1, 1], tmp_path, contents)
    (tmp_path / "2.png").unlink()  # missing
    (tmp_path / "3.png").unlink()
    os.mkfifo(tmp_path / "3.png")  # opening it would wait for ever

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    divided = divide_files(every, ["cat", "dog"], 0, "here")
    assert sorted(path.name for part in divided.values() for path in part.paths) == [f"{n}.png" for n in range(6)]
