"""Tables of images: columns, delimiters, encodings, and the line that is at fault."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines import DataError, load_source
from pipelines.reading import Reading
from pipelines.sources import csv_file
from pipelines.sources.csv_file import list_csv

SPLITS = "path,label,split\na.png,cat,train\nb.png,dog,train\n"


def read(folder, text, seed=0, encoding="utf-8"):
    (folder / "list.csv").write_bytes(text.encode(encoding))
    return list_csv(str(folder / "list.csv"), None, Reading(seed=seed))


def listed(folder, text, **options):
    files = read(folder, text, **options)
    return {
        key: [(str(path.relative_to(folder)), files.class_names[label]) for path, label in zip(*parts, strict=True)]
        for key, split in files.splits.items()
        for parts in [(split.paths, split.labels)]
    }


def refused(folder, text, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        read(folder, text, **options)
    assert "\n" not in str(caught.value)


def test_splits_keep_the_order_of_the_lines(tmp_path):
    files = read(tmp_path, SPLITS + "z/c.png,dog,test\n../d.png,cat,test\n")
    assert (files.name, files.class_names, files.origin) == ("csv-list", ("cat", "dog"), str(tmp_path / "list.csv"))
    assert files.splits["train"].paths == (tmp_path / "a.png", tmp_path / "b.png")
    assert files.splits["test"].paths == (tmp_path / "z/c.png", tmp_path / "../d.png")
    assert files.splits["test"].labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    "text",
    [
        "path,label,split\na b.png,cat,train\nb.png,dog,train\nc.png,cat,test\n",
        "split;label;path\ntrain;cat;a b.png\n\ntrain;dog;b.png\ntest;cat;c.png",
        "Path\tnumber\tLabel\tSPLIT\r\na b.png\t1\tcat\tTrain\r\nb.png\t\tdog\ttrain\r\nc.png\t3\tcat\ttest\r\n",
        'path, label, split\n"a b.png", "cat", train\nb.png, dog , train\nc.png, cat, test \n',
        "\ufeffpath,label,split\na b.png,cat,train\nb.png,dog,train\nc.png,cat,test\n",
    ],
)
def test_every_way_to_write_the_same_table(tmp_path, text):
    assert listed(tmp_path, text) == {
        "train": [("a b.png", "cat"), ("b.png", "dog")],
        "test": [("c.png", "cat")],
    }


def test_values_with_delimiters_and_quotes(tmp_path):
    text = 'path,label,split\n"a,b.png","x, ""y""",train\n--help.png,<script>,train\nc.png,<script>,test\n'
    files = read(tmp_path, text)
    assert files.class_names == ("<script>", 'x, "y"')
    assert files.splits["train"].paths == (tmp_path / "a,b.png", tmp_path / "--help.png")


@pytest.mark.parametrize("name", ["val", "valid", "Validation"])
def test_validation_is_the_test_split_unless_there_is_one(tmp_path, name):
    text = SPLITS + f"v.png,cat,{name}\n"
    assert listed(tmp_path, text)["test"] == [("v.png", "cat")]
    splits = listed(tmp_path, text + "t.png,dog,test\n")
    assert list(splits) == ["train", "test", "validation"] and splits["validation"] == [("v.png", "cat")]


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["2", "10", "0"], ("0", "2", "10")),
        (["2", "10", "x"], ("10", "2", "x")),
        (["02", "1", "10"], ("02", "1", "10")),
        (["-1", "0", "10"], ("-1", "0", "10")),
        (["cafe\u0301", "caf\u00e9", "b"], ("b", "caf\u00e9")),
        (["9" * 5000, "1"], ("1", "9" * 5000)),
    ],
)
def test_numbers_are_ordered_by_value_and_everything_else_by_name(tmp_path, labels, names):
    lines = [
        f"{split}{number}.png,{label},{split}" for split in ("train", "test") for number, label in enumerate(labels)
    ]
    assert read(tmp_path, "\n".join(["path,label,split", *lines])).class_names == names


def test_without_splits_it_is_divided_by_content(tmp_path):
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(b"%d" % (number // 2 + 10))  # two equal files, one after the other
    text = "path,label\n" + "".join(f"{number}.png,{'ab'[number // 2 % 2]}\n" for number in range(40))
    splits = listed(tmp_path, text)
    numbers = [int(Path(path).stem) for path, _ in splits["test"]]
    assert len(numbers) == 8 and len(splits["train"]) == 32
    assert {number // 2 for number in numbers} == {number // 2 for number in numbers[::2]}
    assert splits == listed(tmp_path, text) != listed(tmp_path, text, seed=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "first line of .* must name the columns path and label, .*Received: ''"),
        ("a.png,cat\n", "Received: 'a.png,cat'. Write it as path,label or path,label,split"),
        ("path,class\na.png,cat\n", "Received: 'path,class'"),
        ("path,label,label\n", "Received: 'path,label,label'"),
        ("path|label\n", r"Received: 'path\|label'"),
        ("x" * 200_000, "Received: 'x{80}'"),
        ("path,label\na.png\n", "hold the 2 values that the first line names. Received: 1 in line 2 of"),
        ("path,label\na.png,cat\n\nb.png,x,y\n", "Received: 3 in line 4 of .*Put quotes around"),
        ("path,label\n,cat\n", "hold the path of an image. Received: '' in line 2"),
        ("path,label\na\0.png,cat\n", r"hold the path of an image. Received: 'a\\x00.png' in line 2"),
        ("path,label\na.png, \n", "class name must be text .*Received: '' in line 2 of"),
        (
            SPLITS + "c.png,cat,tset\n",
            "must be one of train, val, .* Received: 'tset' in line 4 of .*leave the column out",
        ),
        (SPLITS + "c.png,cat,\n", "Received: '' in line 4"),
        (SPLITS, "'test' or 'val' beside 'train'. Received: train alone. .*leave the column split out"),
        ("path,label,split\na.png,cat,test\n", "must have a split 'train'. Received: test"),
        (SPLITS + "c.png,bird,test\n", "have images to train on. Received: 'bird' in line 4 of"),
        (SPLITS + "a.png,cat,test\n", "listed once. Received: .*a.png twice, in lines 2 and 4 of .*Remove one"),
        (SPLITS + "./x/../a.png,dog,test\n", "Received: .*a.png as 'cat' and as 'dog', in lines 2 and 4 of"),
        ("path,label\n", "at least two classes. Received: 0 in"),
        ("path,label\na.png,cat\nb.png,cat\n", "at least two classes. Received: 1 in"),
        ("path,label\na.png,cat\nb.png,cat\nc.png,dog\n", "at least two different images .* Received: 1 for 'dog' in"),
        ('path,label\n"' + "x" * 200_000 + '",cat\n', "CSV file. Received in line 2: field larger than field limit"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, text, message):
    for number, name in enumerate(("a", "b", "c")):
        (tmp_path / f"{name}.png").write_text(str(number))
    refused(tmp_path, text, message)


def test_other_encodings(tmp_path):
    refused(tmp_path, "path,label\na.png,café\n", "must be text in UTF-8. Received: .*Save it as", encoding="latin1")
    refused(tmp_path, "path,label\na.png,cat\n", "must be text in UTF-8", encoding="utf-16")


def test_a_missing_file_a_folder_and_a_locked_file(tmp_path, monkeypatch):
    for name, message in (("none.csv", "No such file or directory"), ("", "Is a directory"), ("nul\0", "null byte")):
        with pytest.raises(DataError, match=f"must be a CSV file. Received: .*{message}. Correct the path"):
            list_csv(str(tmp_path / name), None, Reading())

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(csv_file.Path, "open", denied)  # root may read everything
    with pytest.raises(DataError, match="Received: Permission denied"):
        list_csv(str(tmp_path / "list.csv"), None, Reading())


def test_images_are_read_from_beside_the_table_wherever_one_stands(tmp_path, monkeypatch):
    for name, value in (("a", 10), ("b", 20), ("c", 30)):
        Image.new("L", (5, 5), value).save(tmp_path / f"{name}.png")
    (tmp_path / "list.csv").write_text(SPLITS + f"{tmp_path / 'c.png'},dog,test\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    source = load_source(f"csv:{os.path.join('..', 'list.csv')}", None, Reading(image_size=5, channels=1))
    np.testing.assert_array_equal(source.splits["train"].images[:, 2, 2, 0], [10, 20])
    np.testing.assert_array_equal(source.splits["test"].images[:, 2, 2, 0], [30])
    assert source.name == "csv-list"
