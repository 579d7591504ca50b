"""Every file is read: the bad ones are listed with split, class, kind and reason, equal images found among the good."""

import numpy as np
import pytest
from PIL import Image

from pipelines.check import check_files
from pipelines.decode import decode_image
from pipelines.labelled_files import FileSplit, LabelledFiles
from pipelines.reading import Reading

READING = Reading(image_size=8)


@pytest.fixture
def files(tmp_path):
    """Six training and three test files of two classes; training files 1, 2 and 5 and test file 0 are bad."""
    rng = np.random.default_rng(0)
    paths = {
        "train": [tmp_path / f"train {i}.png" for i in range(6)],
        "test": [tmp_path / f"t{i}.png" for i in (1, 2, 3)],
    }
    for path in (*paths["train"], *paths["test"]):
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(path)
    whole = paths["train"][0].read_bytes()
    paths["train"][1].write_bytes(b"")
    paths["train"][2].write_bytes(whole[: len(whole) // 2])
    paths["train"][5].unlink()
    paths["test"][0].write_text("no image")
    paths["test"][2].write_bytes(paths["train"][3].read_bytes())
    labels = {"train": [0, 0, 1, 1, 1, 0], "test": [1, 0, 0]}
    splits = {key: FileSplit(paths=tuple(own), labels=np.array(labels[key], np.int32)) for key, own in paths.items()}
    return LabelledFiles(name="folder-x", class_names=("cat", "dog"), splits=splits, origin=str(tmp_path))


def test_every_bad_file_is_listed_with_split_class_and_kind(files):
    check = check_files(files, READING)
    listed = [(file.path.name, file.split, file.class_name, file.kind) for file in check.bad_files]
    assert listed == [
        ("train 1.png", "train", "cat", "empty"),
        ("train 2.png", "train", "dog", "damaged"),
        ("train 5.png", "train", "cat", "missing"),
        ("t1.png", "test", "dog", "no image"),
    ]
    assert all(file.reason for file in check.bad_files)
    assert check.bad_by_class() == {"cat": 2, "dog": 2}
    assert check.bad_by_kind() == {"empty": 1, "damaged": 1, "missing": 1, "no image": 1}
    assert check.split_sizes == {"train": 6, "test": 3}


def test_equal_images_are_named_by_their_files_and_bad_files_are_not_equal(files):
    check = check_files(files, READING)
    assert (check.duplicates.within, check.duplicates.across) == ({"train": 0, "test": 0}, {("train", "test"): 1})
    (row,) = check.duplicates.rows(check.image_name)
    assert (row["image"], row["class"]) == (str(files.splits["test"].paths[2]), "cat")
    assert (row["equals_image"], row["equals_class"]) == (str(files.splits["train"].paths[3]), "dog")


def test_equal_means_equal_in_the_shape_that_is_read(files):
    paths = files.splits["test"].paths
    Image.fromarray(decode_image(files.splits["train"].paths[4], (8, 8, 3))).save(paths[1])
    assert check_files(files, READING).duplicates.across == {("train", "test"): 2}
    assert check_files(files, Reading(image_size=9)).duplicates.across == {("train", "test"): 1}


def test_progress_counts_every_file(files):
    steps = []
    check_files(files, READING, steps.append)
    assert sum(steps) == 9


def test_json_lists_the_files(files):
    result = check_files(files, READING).to_json()
    assert (result["bad"], result["images"]) == (4, {"train": 6, "test": 3})
    assert result["bad_files"][0] == {
        "file": str(files.splits["train"].paths[1]),
        "split": "train",
        "class": "cat",
        "kind": "empty",
        "reason": "it holds 0 bytes",
    }


def test_nothing_is_bad(files):
    good = FileSplit(paths=files.splits["train"].paths[3:5], labels=np.array([0, 1], np.int32))
    check = check_files(
        LabelledFiles(name="x", class_names=("cat", "dog"), splits={"train": good, "test": good}, origin="here"),
        READING,
    )
    assert (check.bad_files, check.bad_by_kind()) == ((), {})


def test_a_class_whose_training_files_are_all_bad_is_named(files):
    assert check_files(files, READING).classes_without_images() == []
    files.splits["train"].paths[0].write_bytes(b"")
    check = check_files(files, READING)
    assert check.classes_without_images() == ["cat"]
    assert check.to_json()["classes_without_images"] == ["cat"]
