"""Folders of images in every layout and disorder; the files are only listed, so they need not be images."""

import os
import unicodedata

import numpy as np
import pytest
from PIL import Image

from pipelines import DataError, load_source
from pipelines.reading import Reading
from pipelines.sources.folder import list_folder


def fill(root, *files):
    """Writes files whose contents all differ."""
    for number, file in enumerate(files):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_text(f"{file} {number}")
    return root


def listed(root, seed=0):
    """The files of each split below the root, with the names of their classes."""
    files = list_folder(str(root), None, Reading(seed=seed))
    return {
        key: [(str(path.relative_to(root)), files.class_names[label]) for path, label in zip(*parts, strict=True)]
        for key, split in files.splits.items()
        for parts in [(split.paths, split.labels)]
    }


def refused(root, message):
    with pytest.raises(DataError, match=message) as caught:
        list_folder(str(root), None, Reading())
    assert "\n" not in str(caught.value)


def names(split):
    return [path for path, _ in split]


TRAIN = ("train/cat/1.jpg", "train/cat/2.jpg", "train/dog/1.jpg")
CLASSES = [f"{name}/{number}.png" for name in ("cat", "dog") for number in range(10)]


def test_splits_classes_and_files_are_in_order(tmp_path):
    fill(tmp_path, "test/dog/b.png", "test/dog/a.png", "test/cat/9.png", *TRAIN)
    files = list_folder(str(tmp_path), None, Reading())
    assert files.class_names == ("cat", "dog") and files.origin == str(tmp_path)
    assert files.name.startswith("folder-") and list(files.splits) == ["train", "test"]
    assert files.splits["train"].labels.tolist() == [0, 0, 1]
    assert listed(tmp_path) == {
        "train": [("train/cat/1.jpg", "cat"), ("train/cat/2.jpg", "cat"), ("train/dog/1.jpg", "dog")],
        "test": [("test/cat/9.png", "cat"), ("test/dog/a.png", "dog"), ("test/dog/b.png", "dog")],
    }


@pytest.mark.parametrize("name", ["val", "validation", "valid", "Val"])
def test_validation_is_the_test_split_unless_there_is_one(tmp_path, name):
    fill(tmp_path, *TRAIN, f"{name}/cat/v.jpg")
    assert list(listed(tmp_path)) == ["train", "test"]
    assert names(listed(tmp_path)["test"]) == [f"{name}/cat/v.jpg"]
    fill(tmp_path, "test/dog/t.jpg")
    assert list(listed(tmp_path)) == ["train", "test", "validation"]
    assert names(listed(tmp_path)["validation"]) == [f"{name}/cat/v.jpg"]


def test_class_folders_alone_are_divided(tmp_path):
    splits = listed(fill(tmp_path, *CLASSES))
    assert sorted(names(splits["train"] + splits["test"])) == CLASSES
    assert [name for _, name in splits["test"]] == ["cat", "cat", "dog", "dog"]
    assert splits == listed(tmp_path) != listed(tmp_path, seed=1)


def test_equal_files_of_class_folders_stay_on_one_side(tmp_path):
    fill(tmp_path, *CLASSES)
    for number in range(10):
        (tmp_path / f"cat/copy {number}.png").write_bytes((tmp_path / f"cat/{number}.png").read_bytes())
    for seed in range(5):
        splits = listed(tmp_path, seed)
        test = {(tmp_path / path).read_bytes() for path in names(splits["test"])}
        assert not test & {(tmp_path / path).read_bytes() for path in names(splits["train"])}
        assert len(splits["test"]) == 4 + 2


def test_the_order_is_that_of_image_folder(tmp_path):
    """torchvision 0.20, `make_dataset`: sorted(os.walk(folder, followlinks=True)), then sorted names."""
    inside = ("z.png", "A.png", "a/1.png", "a b/1.png", "a/x/10.png", "a/x/9.png", "a-/1.png", "ä/1.png", "a.b/1.png")
    fill(
        tmp_path,
        *(f"{split}/{name}/{file}" for split in ("train", "test") for name in ("2", "10", "b", "B") for file in inside),
    )
    expected = [
        os.path.join(folder, file)
        for name in sorted(os.listdir(tmp_path / "train"))
        for folder, _, files in sorted(os.walk(tmp_path / "train" / name, followlinks=True))
        for file in sorted(files)
    ]
    assert [str(tmp_path / path) for path in names(listed(tmp_path)["train"])] == expected
    assert list_folder(str(tmp_path), None, Reading()).class_names == ("10", "2", "B", "b")


def test_endings_decide_in_any_case(tmp_path):
    kinds = ("a.jpg", "b.JPEG", "c.Png", "d.webp", "e.BMP", "f.gif")
    fill(
        tmp_path,
        *(f"train/cat/{file}" for file in (*kinds, "g.tif", "h.txt", "png", "i.png.part")),
        *TRAIN,
        "test/cat/1.png",
    )
    assert [path for path in names(listed(tmp_path)["train"]) if path[10:11].isalpha()] == [
        f"train/cat/{file}" for file in kinds
    ]


def test_odd_names_are_kept(tmp_path):
    odd = (
        "two words",
        "-rf",
        "--help",
        "<script>alert(1)</script>".replace("/", "_"),
        "鳥",
        "a'b\"c",
        "$(id)",
        "%s {0}",
    )
    fill(tmp_path, *(f"{split}/{name}/{file}.png" for split in ("train", "test") for name in odd for file in odd))
    files = list_folder(str(tmp_path), None, Reading())
    assert files.class_names == tuple(sorted(odd))
    assert [path.parent.name for path in files.splits["test"].paths] == [name for name in sorted(odd) for _ in odd]


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    fill(tmp_path, *TRAIN, "test/cat/1.png")
    expected = listed(tmp_path)
    litter = (".DS_Store", "Thumbs.db", ".ipynb_checkpoints/1.png", "__MACOSX/1.png", "._1.jpg", "@eaDir/1.png")
    for folder in ("", "train/", "train/cat/", "test/"):
        fill(tmp_path, *(folder + name for name in litter))
    assert listed(tmp_path) == expected


def test_files_beside_class_folders_are_passed_over(tmp_path):
    fill(tmp_path, *TRAIN, "test/cat/1.png")
    expected = listed(tmp_path)
    fill(tmp_path, "overview.png", "train/overview.png", "README.md")
    (tmp_path / "logs").mkdir()
    fill(tmp_path, "logs/log.txt")
    assert listed(tmp_path) == expected


def test_a_class_without_test_images_is_no_fault(tmp_path):
    fill(tmp_path, *TRAIN, "test/dog/1.jpg")
    (tmp_path / "test" / "cat").mkdir()
    assert listed(tmp_path)["test"] == [("test/dog/1.jpg", "dog")]


def test_a_class_without_training_images_is_named(tmp_path):
    fill(tmp_path, *TRAIN, "test/dgo/1.jpg", "test/cat/1.jpg")
    refused(
        tmp_path, "classes of .*/test must be among those of .*/train. Received: 'dgo', which has no images to train"
    )


@pytest.mark.parametrize(("layout", "empty"), [((*TRAIN, "test/cat/1.png"), "train/bird"), (CLASSES, "bird")])
def test_an_empty_class_folder_is_named(tmp_path, layout, empty):
    fill(tmp_path, *layout, f"{empty}/notes.txt")
    refused(tmp_path, r"must hold images that end in \.jpg, .*\. Received: none in 'bird' of ")


def test_an_empty_split_is_named(tmp_path):
    fill(tmp_path, *TRAIN)
    (tmp_path / "test").mkdir()
    refused(tmp_path, "/test must hold a folder of images for each class, .*Received: no folder in it")
    (tmp_path / "test" / "cat").mkdir()
    refused(tmp_path, "Split 'test' of .* must hold images. Received: none")


def test_images_without_class_folders(tmp_path):
    fill(tmp_path, "b.png", "a.png", "notes.txt")
    refused(tmp_path, r"CLASS/IMAGE, or train/CLASS/IMAGE and .*Received: 2 images right in it, such as 'a.png'. Sort")
    fill(tmp_path / "split", *TRAIN, "test/1.png")
    refused(tmp_path / "split", "/split/test must hold a folder .*Received: 1 images right in it, such as '1.png'")


def test_an_empty_folder(tmp_path):
    refused(tmp_path, "must hold a folder of images for each class.*Received: no folder in it")


def test_names_that_differ_in_code_points_only(tmp_path):
    composed, decomposed = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))
    fill(tmp_path, f"{composed}/1.png", f"{decomposed}/1.png")
    refused(tmp_path, "Class names must differ. Received: 'café' twice in .*, spelt with different code points")
    fill(tmp_path / "split", f"train/{composed}/1.png", "train/cat/1.png", f"test/{decomposed}/1.png")
    assert listed(tmp_path / "split")["test"][0][1] == composed  # across splits they are one class


def test_a_class_name_that_is_no_unicode(tmp_path):
    fill(tmp_path, "cat/1.png")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")
    refused(tmp_path, r"must be text in one line, in UTF-8. Received: '\\udcff'")


def test_one_class(tmp_path):
    fill(tmp_path, "pets/cat/1.png", "pets/dog/2.png")
    refused(tmp_path, "at least two class folders. Received: 'pets' alone. Add a class, or if .* give folder:.*/pets")
    fill(tmp_path / "split", "train/cat/1.png", "test/cat/2.png")
    refused(tmp_path / "split", "at least two classes. Received: 1 in .*/split")


def test_a_class_too_small_to_be_divided(tmp_path):
    fill(tmp_path, *CLASSES, "bird/1.png")
    (tmp_path / "bird/2.png").write_bytes((tmp_path / "bird/1.png").read_bytes())
    refused(tmp_path, "at least two different images .* Received: 1 for 'bird' in .*, equal ones counted once")


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (["test/cat/1.png"], "must have a split 'train'. Received: test. Add"),
        (
            ["train/cat/1.png", "train/dog/1.png"],
            "'test' or 'val' beside 'train'. Received: train alone. .*folder:.*/train",
        ),
        ([*TRAIN, "val/cat/1.png", "valid/cat/1.png"], "one folder for each split. Received: 'val' and 'valid'"),
        ([*TRAIN, "test/cat/1.png", "dog/1.png"], "splits or classes, not both. Received: 'dog' with images, beside"),
        (
            ["valid/1.png", "invalid/1.png"],
            "Received: 'invalid' with images, .*rename the one that is named like a split",
        ),
        (
            ["training/cat/1.png", "testing/cat/1.png"],
            "must be named train, val, .*Received: testing, training. Rename",
        ),
    ],
)
def test_splits_that_do_not_fit(tmp_path, layout, message):
    refused(fill(tmp_path, *layout), message)


def test_a_missing_path_and_a_file(tmp_path):
    refused(tmp_path / "none", "A folder of images is needed. Received: .*/none, which does not exist")
    fill(tmp_path, "file")
    refused(tmp_path / "file", "Received: .*/file, which is a file")
    refused(tmp_path / "nul\0", "must be readable. Received: embedded null byte")


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    fill(tmp_path / "pets", *CLASSES)
    assert list_folder("~/pets", None, Reading()).origin == str(tmp_path / "pets")


def test_links_to_files_and_folders_outside_are_followed(tmp_path):
    outside = fill(tmp_path / "outside", "more/1.png", "one.png")
    root = fill(tmp_path / "root", *TRAIN, "test/cat/1.png")
    (root / "train/dog/more").symlink_to(outside / "more")
    (root / "train/dog/one.png").symlink_to(outside / "one.png")
    (root / "train/bird").symlink_to(outside / "more", target_is_directory=True)
    assert names(listed(root)["train"])[:-1] == ["train/bird/1.png", *TRAIN, "train/dog/one.png"]
    assert names(listed(root)["train"])[-1] == "train/dog/more/1.png"


def test_no_folder_is_listed_twice_within_a_class(tmp_path):
    fill(tmp_path, *TRAIN, "test/cat/1.png", "train/dog/x/3.png")
    (tmp_path / "train/dog/again").symlink_to(tmp_path / "train/dog/x")
    assert names(listed(tmp_path)["train"])[2:] == ["train/dog/1.jpg", "train/dog/x/3.png"]


@pytest.mark.parametrize("target", [".", "..", "../..", "../../..", "loop", "/"])
@pytest.mark.parametrize("place", ["train/dog", "train", ""])
def test_loops_of_links_are_passed_over(tmp_path, place, target):
    root = fill(tmp_path / "root", *TRAIN, "test/cat/1.png")
    expected = listed(root)
    (root / place / "loop").symlink_to(target, target_is_directory=True)
    assert listed(root) == expected


def test_a_loop_by_way_of_a_folder_outside_ends(tmp_path):
    root = fill(tmp_path / "root", *TRAIN, "test/cat/1.png")
    fill(tmp_path / "outside", "2.png")
    (tmp_path / "outside/back").symlink_to(root / "train")
    (root / "train/dog/out").symlink_to(tmp_path / "outside")
    assert names(listed(root)["train"])[2:] == ["train/dog/1.jpg", "train/dog/out/2.png"]


def test_a_split_that_is_a_link_may_hold_a_link_back(tmp_path):
    root = fill(tmp_path / "root", "test/cat/1.png")
    fill(tmp_path / "elsewhere", "cat/1.png", "dog/2.png")
    (root / "train").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere/dog/back").symlink_to(root)
    assert names(listed(root)["train"]) == ["train/cat/1.png", "train/dog/2.png"]


def test_a_folder_named_like_an_image_is_a_folder(tmp_path):
    fill(tmp_path, *TRAIN, "test/cat/1.png", "train/dog/2.png/3.png")
    assert names(listed(tmp_path)["train"])[2:] == ["train/dog/1.jpg", "train/dog/2.png/3.png"]


def test_links_that_lead_nowhere_are_left_for_the_reader_to_report(tmp_path):
    fill(tmp_path, *TRAIN, "test/cat/1.png")
    (tmp_path / "train/dog/2.png").symlink_to("none.png")
    (tmp_path / "train/dog/3.png").symlink_to("3.png")
    assert names(listed(tmp_path)["train"])[2:] == ["train/dog/1.jpg", "train/dog/2.png", "train/dog/3.png"]


@pytest.mark.parametrize("place", ["", "train", "train/dog", "train/dog/deep"])
def test_a_folder_without_the_right_to_read_is_named(tmp_path, monkeypatch, place):
    fill(tmp_path, *TRAIN, "test/cat/1.png", "train/dog/deep/1.png")
    original = os.scandir

    def scandir(path):  # root may read everything, whatever chmod says
        if os.fspath(path) == str(tmp_path / place):
            raise PermissionError(13, "Permission denied")
        return original(path)

    monkeypatch.setattr(os, "scandir", scandir)
    refused(tmp_path, f"{tmp_path / place} must be readable. Received: Permission denied. Correct its rights")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_locked_folder_is_named(tmp_path):
    fill(tmp_path, *TRAIN, "test/cat/1.png")
    (tmp_path / "train/dog").chmod(0)
    try:
        refused(tmp_path, "/train/dog must be readable. Received: Permission denied")
    finally:
        (tmp_path / "train/dog").chmod(0o700)


def test_images_are_read(tmp_path):
    for place, value in (("train/a/1.png", 10), ("train/b/1.png", 20), ("test/b/1.png", 30)):
        (tmp_path / place).parent.mkdir(parents=True)
        Image.new("L", (9, 7), value).save(tmp_path / place)
    source = load_source(f"folder:{tmp_path}", None, Reading(image_size=4, channels=1))
    np.testing.assert_array_equal(source.splits["train"].images[:, 0, 0, 0], [10, 20])
    assert source.splits["test"].images.shape == (1, 4, 4, 1) and source.splits["test"].images.min() == 30
    assert source.name == f"folder-{tmp_path.name}" and source.class_names == ("a", "b")
