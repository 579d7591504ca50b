"""What is long is shortened and says so; names of files cannot act on the terminal."""

from pathlib import Path

import numpy as np

from kerasnets.cli.data_tables import SHOWN, print_check, print_description
from pipelines.check import FilesCheck
from pipelines.describe import describe_source
from pipelines.duplicates import find_duplicates, image_digests
from pipelines.files_source import BadFile
from pipelines.labelled_files import FileSplit, LabelledFiles
from pipelines.source import ImageSource, Split


def print_classes(classes):
    """Prints a data set with as many images in each class as its label says, and one more."""
    labels = np.repeat(np.arange(classes), np.arange(1, classes + 1)).astype(np.int32)
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 4, 4, 3), np.uint8)
    names = tuple(f"class {label}" for label in range(classes))
    splits = {"train": Split(images=images, labels=labels)}
    print_description(describe_source(ImageSource(name="x", class_names=names, splits=splits, origin="here")))


def test_many_classes_are_shortened_with_a_summary(capsys):
    print_classes(SHOWN + 1)
    text = capsys.readouterr().out
    assert f"class {SHOWN - 1} " in text
    assert f"class {SHOWN} " not in text
    assert "and 1 more, which --json shows" in text
    assert [line.split() for line in text.splitlines() if line.startswith("train ")] == [
        ["train", "231", "1", "21", "11.0"]
    ]


def test_few_classes_are_all_there(capsys):
    print_classes(SHOWN)
    text = capsys.readouterr().out
    assert f"class {SHOWN - 1} " in text
    assert "more" not in text


def check_with(bad, count, labels):
    """A check of `count` training files of two classes, of which those at the places in `bad` are bad."""
    paths = tuple(Path(f"a\x1b[31m/{number}.png") for number in range(count))
    split = FileSplit(paths=paths, labels=np.array(labels, np.int32))
    files = LabelledFiles(name="x", class_names=("cat", "dog"), splits={"train": split}, origin="here")
    good = ~np.isin(np.arange(count), bad)
    images = np.arange(good.sum(), dtype=np.uint32).view(np.uint8).reshape(-1, 2, 2, 1)
    return FilesCheck(
        files=files,
        bad_files=tuple(
            BadFile(path=paths[place], split="train", class_name="cat", kind="empty", reason="it holds 0 bytes")
            for place in bad
        ),
        good={"train": good},
        duplicates=find_duplicates({"train": image_digests(images)}),
    )


def test_many_bad_files_are_shortened_and_escaped(capsys):
    print_check(check_with(range(SHOWN + 5), 100, [0, 1] * 50), 2.0)
    text = capsys.readouterr().out
    assert "x: 100 files of here read, 50 a second." in text
    assert "Bad files: 25 (25.00%)." in text
    assert text.count(": empty, it holds 0 bytes\n") == SHOWN
    assert "and 5 more\n" in text
    assert "a\\x1b[31m/0.png" in text
    assert "\x1b" not in text
    assert "Training stops over them (--max-bad 0.01)." in text
    assert "no image is left" not in text


def test_few_bad_files_are_left_out_by_training(capsys):
    print_check(check_with([3], 100, [0, 1] * 50), 1.0)
    assert "Training leaves them out (--max-bad 0.01)." in capsys.readouterr().out


def test_a_class_without_a_good_file_is_named(capsys):
    print_check(check_with([0], 200, [0] + [1] * 199), 1.0)
    text = capsys.readouterr().out
    assert "Training leaves them out" in text
    assert "Training stops, because no image is left of 'cat'." in text
