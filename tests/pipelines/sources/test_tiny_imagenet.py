"""Tiny ImageNet's official folder, written here with images small enough to check."""

import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines.archives import extract
from pipelines.errors import DataError
from pipelines.sources import load_source, tiny_imagenet
from pipelines.sources.tiny_imagenet import list_tiny_imagenet

WORDS = {"n03": "crane, derrick", "n01": "goldfish, Carassius auratus", "n02": "crane, wading bird", "n09": "other"}
VALUES = {"n01": 10, "n02": 120, "n03": 230}  # the grey of every image of a class


@pytest.fixture
def folder(tmp_path):
    """Three classes, two training images of each, and three test images in an order of their own."""
    root = tmp_path / "data" / "tiny-imagenet-200"
    (root / "val" / "images").mkdir(parents=True)
    (root / "wnids.txt").write_text("n03\nn01\nn02\n")
    (root / "words.txt").write_text("".join(f"{key}\t{words}\n" for key, words in WORDS.items()))
    for wordnet_id, value in VALUES.items():
        images = root / "train" / wordnet_id / "images"
        images.mkdir(parents=True)
        (root / "train" / wordnet_id / f"{wordnet_id}_boxes.txt").write_text("")
        for number in range(2):
            image(value + number, images / f"{wordnet_id}_{number}.JPEG")
    order = ["n02", "n03", "n01"]
    for number, wordnet_id in enumerate(order):
        image(VALUES[wordnet_id] + 9, root / "val" / "images" / f"val_{number}.JPEG")
    lines = [f"val_{number}.JPEG\t{wordnet_id}\t0\t0\t63\t63\n" for number, wordnet_id in enumerate(order)]
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    return tmp_path / "data"


def image(value, path):
    Image.new("L", (64, 64), value).save(path, quality=95)  # some of the official images are grey


def test_images_labels_and_names(folder):
    source = load_source("tiny_imagenet", folder)
    assert source.class_names == ("goldfish", "crane, wading bird", "crane, derrick")  # by id; "crane" stands for two
    train, test = source.splits["train"], source.splits["test"]
    assert train.images.shape == (6, 64, 64, 3) and train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.abs(train.images.mean(axis=(1, 2, 3)) - [10, 11, 120, 121, 230, 231]).max() <= 1
    assert test.labels.tolist() == [0, 1, 2]
    assert np.abs(test.images.mean(axis=(1, 2, 3)) - [19, 129, 239]).max() <= 1
    assert source.origin == str(folder / "tiny-imagenet-200")


def test_its_own_folder_may_be_given(folder):
    assert len(load_source("tiny_imagenet", folder / "tiny-imagenet-200").splits["train"]) == 6


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("val/val_annotations.txt", b"val_0.JPEG\tn09\t0\n", "must name classes of wnids.txt. Received: 'n09'"),
        (
            "val/val_annotations.txt",
            b"val_0.JPEG n01\n",
            "with a tab between. Received: 'val_0.JPEG n01'",
        ),
        ("val/val_annotations.txt", b"../../a.JPEG\tn01\n", "must hold a file's name .*Received: '../../a"),
        ("val/val_annotations.txt", b"", "Split 'test' of .* must hold images. Received: none"),
        ("wnids.txt", b"\xff\xfe", "must be a text file of Tiny ImageNet. Received: 'utf-8' codec"),
        ("words.txt", None, "needs its files .*Received: .*tiny-imagenet-200 without words.txt. Run"),
    ],
)
def test_what_is_missing_or_damaged_is_named(folder, file, content, message):
    path = folder / "tiny-imagenet-200" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_source("tiny_imagenet", folder)
    assert "\n" not in str(caught.value)


def test_a_class_without_training_images_is_named(folder):
    for path in (folder / "tiny-imagenet-200" / "train" / "n02" / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="images to train on. Received: no image for 'crane, wading bird' in .*-200"):
        load_source("tiny_imagenet", folder)


def test_a_class_without_words_keeps_its_id(folder):
    (folder / "tiny-imagenet-200" / "words.txt").write_text("n01\tgoldfish\n")
    assert load_source("tiny_imagenet", folder).class_names == ("goldfish", "n02", "n03")


@pytest.fixture
def archive(folder):
    """The same as the official archive alone."""
    file = shutil.make_archive(folder / "tiny-imagenet-200", "zip", folder, "tiny-imagenet-200")
    shutil.rmtree(folder / "tiny-imagenet-200")
    return Path(file)


def test_the_archive_is_unpacked_once_beside_itself(folder, archive):
    files = list_tiny_imagenet(folder)
    assert files.origin == str(folder / "tiny-imagenet-200")
    assert [path.parent for path in files.splits["test"].paths] == [folder / "tiny-imagenet-200" / "val" / "images"] * 3
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == ["tiny-imagenet-200"]
    archive.write_bytes(b"is not looked at again")
    assert load_source("tiny_imagenet", folder).split_sizes == {"train": 6, "test": 3}


def test_a_damaged_archive_leaves_no_folder(folder, archive):
    archive.write_bytes(archive.read_bytes()[:-50])
    with pytest.raises(DataError, match="tiny-imagenet-200.zip must be a complete archive. Received: a truncated"):
        list_tiny_imagenet(folder)
    assert not (folder / "tiny-imagenet-200").exists()


def test_an_archive_of_something_else(folder, archive):
    with zipfile.ZipFile(archive, "w") as content:
        content.writestr("tiny-imagenet-200/wnids.txt", "n01")
    with pytest.raises(
        DataError, match="tiny-imagenet-200.zip must hold wnids.txt, .*Received: no words.txt, val/val_a"
    ):
        list_tiny_imagenet(folder)


def test_the_archive_beside_an_incomplete_folder(folder, archive):
    (folder / "tiny-imagenet-200").mkdir()
    (folder / "tiny-imagenet-200" / "wnids.txt").write_text("n01")
    with pytest.raises(DataError, match="tiny-imagenet-200 must not exist before .*zip is unpacked"):
        list_tiny_imagenet(folder)


def test_two_processes_that_unpack_at_once(folder, archive, monkeypatch):
    def slower(archive, target, **options):
        extract(archive, target, **options)
        return extract(archive, target, **options)  # finds the folder of the faster one

    monkeypatch.setattr(tiny_imagenet, "extract", slower)
    assert len(list_tiny_imagenet(folder).splits["train"]) == 6


def test_the_same_images_as_a_folder_are_the_same_rows(folder):
    """`folder:` with the test images sorted into class folders: the same arrays, under other names."""
    own = list_tiny_imagenet(folder)
    root = folder / "sorted"
    shutil.copytree(folder / "tiny-imagenet-200" / "train", root / "train")
    for path, label in zip(own.splits["test"].paths, own.splits["test"].labels, strict=True):
        place = root / "val" / sorted(VALUES)[label]
        place.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    source, other = load_source("tiny_imagenet", folder), load_source(f"folder:{root}")
    assert other.class_names == ("n01", "n02", "n03")
    np.testing.assert_array_equal(source.splits["train"].images, other.splits["train"].images)
    np.testing.assert_array_equal(source.splits["train"].labels, other.splits["train"].labels)
    np.testing.assert_array_equal(source.splits["test"].images, other.splits["test"].images)
