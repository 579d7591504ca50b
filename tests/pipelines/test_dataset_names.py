"""Names with a place in them, the parts that splits play, and what a class may be called."""

import pytest

from pipelines import DataError
from pipelines.dataset_names import class_name, settle_splits, short_name, split_kind, whole_path


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("folder:pets", ("folder", "pets")),
        ("tfds:mnist:3.0.1", ("tfds", "mnist:3.0.1")),
        ("csv:C:/a.csv", ("csv", "C:/a.csv")),
        ("npz:", ("npz", "")),
        ("cifar10", (None, "cifar10")),
        ("s3:pets", (None, "s3:pets")),
        ("folder", (None, "folder")),
    ],
)
def test_a_kind_is_what_stands_before_the_first_colon(name, parts):
    assert split_kind(name) == parts


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("cifar10", "cifar10"),
        ("folder:/data/My pets", "folder-My_pets"),
        ("folder:pets/", "folder-pets"),
        ("folder:~/Bilder/Vögel", "folder-Vögel"),
        ("folder:/", "folder-data"),
        ("folder:..", "folder-data"),
        ("folder:/data/--help", "folder---help"),
        ("folder:/data/<script>", "folder-script"),
        ("csv:/data/my list.v2.csv", "csv-my_list.v2"),
        ("npz:a.npz", "npz-a"),
        ("tfds:imagenet/64x64:1.0.0", "tfds-imagenet_64x64_1.0.0"),
        ("tfds:/data/sets/pets", "tfds-pets"),
    ],
)
def test_short_names_hold_no_path_and_nothing_a_shell_misreads(name, short):
    assert short_name(name) == short


def test_short_names_stay_short_in_every_script():
    short = short_name("folder:/data/" + "鳥" * 200)
    assert short == "folder-" + "鳥" * 26  # three bytes each


def test_a_class_name_is_composed_and_otherwise_kept():
    assert class_name("cafe\u0301", "here") == "caf\u00e9"
    for name in ("<script>", "--help", "two words", "鳥", "0", "a/b"):
        assert class_name(name, "here") == name


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "tab\t", "\udcff"])
def test_a_class_name_that_no_table_can_hold_is_refused(name):
    with pytest.raises(DataError, match="must be text in one line, in UTF-8. Received: '.*' in here. Rename") as caught:
        class_name(name, "here")
    str(caught.value).encode()
    assert "\n" not in str(caught.value)


def test_the_parts_of_splits():
    def settle(*names):
        return list(settle_splits({name: name for name in names}, "here", "Add one.").items())

    assert settle("test", "train") == [("train", "train"), ("test", "test")]
    assert settle("train", "validation") == [("train", "train"), ("test", "validation")]
    assert settle("validation", "test", "train") == [(key, key) for key in ("train", "test", "validation")]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["test"], "here must have a split 'train'. Received: test. Add it"),
        (["validation", "test"], "Received: test and validation."),
        ([], "Received: none."),
        (["train"], "must have a split 'test' or 'val' beside 'train'. Received: train alone. Add one."),
    ],
)
def test_splits_that_do_not_suffice(names, message):
    with pytest.raises(DataError, match=message):
        settle_splits(dict.fromkeys(names), "here", "Add one.")


def test_paths_are_made_whole(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert whole_path("folder:pets") == f"folder:{tmp_path}/pets"
    assert whole_path("csv:~/list.csv") == "csv:/home/me/list.csv"
    assert whole_path("npz:/a/b.npz") == "npz:/a/b.npz"
    assert whole_path("tfds:./flowers") == f"tfds:{tmp_path}/flowers"
    for name in ("tfds:beans", "tfds:cifar10/plain:1.0.0", "cifar10", "", "folder:"):
        assert whole_path(name) == name
