"""Tiny ImageNet's official folder, written here with images small enough to check."""

import numpy as np
import pytest
from PIL import Image

from pipelines.errors import DataError
from pipelines.sources import load_source

WORDS = {"n03": "crane, derrick", "n01": "goldfish, Carassius auratus", "n02": "crane, wading bird", "n09": "other"}
VALUES = {"n01": 10, "n02": 120, "n03": 230}  # the grey of every image of a class


@pytest.fixture
def folder(tmp_path):
    """Three classes, two training images of each, and three test images in an order of their own."""
    root = tmp_path / "tiny-imagenet-200"
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
    return tmp_path


def image(value, path):
    Image.new("L", (64, 64), value).save(path, quality=95)  # some of the official images are grey


def test_images_labels_and_names(folder):
    source = load_source("tiny_imagenet", folder)
    assert source.class_names == ("goldfish", "crane, wading bird", "crane, derrick")  # by id; "crane" stands for two
    train, test = source.splits["train"], source.splits["test"]
    assert train.images.shape == (6, 64, 64, 3) and train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert np.abs(train.images.mean(axis=(1, 2, 3)) - [10, 11, 120, 121, 230, 231]).max() <= 1
    assert test.labels.tolist() == [1, 2, 0]
    assert np.abs(test.images.mean(axis=(1, 2, 3)) - [129, 239, 19]).max() <= 1
    assert source.origin == str(folder / "tiny-imagenet-200")


def test_its_own_folder_may_be_given(folder):
    assert len(load_source("tiny_imagenet", folder / "tiny-imagenet-200").splits["train"]) == 6


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("val/images/val_1.JPEG", b"", "must hold whole images. Received: .*val_1.JPEG: it holds 0 bytes. Unpack"),
        ("val/images/val_1.JPEG", None, "Received: .*val_1.JPEG: it does not exist. Unpack"),
        ("val/val_annotations.txt", b"val_0.JPEG\tn09\t0\n", "must name classes of wnids.txt. Received: 'n09'"),
        (
            "val/val_annotations.txt",
            b"val_0.JPEG n01\n",
            "with a tab between. Received: 'val_0.JPEG n01'",
        ),
        ("val/val_annotations.txt", b"../../a.JPEG\tn01\n", "must hold a file's name .*Received: '../../a"),
        ("val/val_annotations.txt", b"", "must hold whole images. Received: no image"),
        ("wnids.txt", b"\xff\xfe", "must be a text file of Tiny ImageNet. Received: 'utf-8' codec"),
        ("words.txt", None, "needs its files .*Received: .*tiny-imagenet-200 without words.txt. Put"),
    ],
)
def test_what_is_missing_or_damaged_is_named(folder, file, content, message):
    path = folder / "tiny-imagenet-200" / file
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        load_source("tiny_imagenet", folder)
    assert "\n" not in str(caught.value)


def test_several_damaged_files_are_counted(folder):
    for path in (folder / "tiny-imagenet-200" / "train" / "n02" / "images").iterdir():
        path.write_bytes(b"text")
    with pytest.raises(DataError, match="n02_0.JPEG: it is none of .* and 1 more like it. Unpack"):
        load_source("tiny_imagenet", folder)


def test_a_class_without_words_keeps_its_id(folder):
    (folder / "tiny-imagenet-200" / "words.txt").write_text("n01\tgoldfish\n")
    assert load_source("tiny_imagenet", folder).class_names == ("goldfish", "n02", "n03")
