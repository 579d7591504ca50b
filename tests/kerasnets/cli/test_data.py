"""kerasnets-data on real digits and on folders of files, good and bad, and its mistakes."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kerasnets.cli.data import VERBS, main
from pipelines.sources import KIND_SOURCES, load_source, source_names

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def pets(tmp_path):
    """Two classes with names that are hard to write, 5 training and 2 test images each, PNG of 20x30."""
    rng = np.random.default_rng(0)
    for name in ("$x_{1$", "<b>日 本"):
        for split, count in {"train": 5, "test": 2}.items():
            folder = tmp_path / "pets" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "pets"


@pytest.fixture
def bad_pets(pets):
    """The same with an empty training file, a broken test file, and a training image that is a test image too."""
    (pets / "train" / "$x_{1$" / "1.png").write_bytes(b"")
    broken = pets / "test" / "<b>日 本" / "0.png"
    broken.write_bytes(broken.read_bytes()[:200])
    (pets / "train" / "$x_{1$" / "2.png").write_bytes((pets / "test" / "<b>日 本" / "1.png").read_bytes())
    return pets


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_verb_the_verbs_are_listed(capsys, words):
    assert main(words) == 0
    text = capsys.readouterr().out
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(capsys, verb):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    assert f"usage: kerasnets-data {verb}" in capsys.readouterr().out


def test_list_names_every_data_set_and_where_it_is(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    for name in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
        (folder / f"{name}-ubyte").touch()
    assert main(["list", "--data-dir", str(tmp_path)]) == 0
    text = capsys.readouterr().out
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line}
    assert rows["mnist"] == ["mnist", "10", "60,000", "10,000", "28x28x1", "12", "MB", "yes"]
    assert rows["digits"][-3:] == ["8x8x1", "none", "yes"]
    assert rows["tiny_imagenet"][-1] == "no"
    assert f"  found: {folder}\n" in text
    assert {"folder:PATH", "csv:FILE", "npz:FILE", "tfds:NAME"} <= set(rows)

    assert main(["list", "--data-dir", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["dataset"] for row in result["datasets"]] == list(source_names())
    found = {row["dataset"]: row["place"] for row in result["datasets"] if row["place"]}
    assert found == {"mnist": str(folder), "digits": "scikit-learn"}
    assert all(row["licence"] and row["page"].startswith("http") for row in result["datasets"])
    assert [row["name"].split(":")[0] for row in result["kinds"]] == list(KIND_SOURCES)


@pytest.fixture
def fetched(monkeypatch):
    """Puts a download of two steps in the place of the real one; what it was asked for."""
    asked = []

    def fetch_data_set(name, data_dir, progress):
        asked.append((name, data_dir))
        if data_dir != "there already":
            progress("train.gz", 1_000_000, 11_594_722)
            progress("test.gz", 11_594_722, None)
        return Path("data") / name

    monkeypatch.setattr("pipelines.catalog.fetch_data_set", fetch_data_set)
    return asked


def test_fetch_says_where_it_puts_what(capsys, fetched):
    assert main(["fetch", "mnist", "--data-dir", "data"]) == 0
    assert capsys.readouterr() == ("mnist is in data/mnist\n", "Fetching mnist, 11.6 MB.\n")
    assert main(["fetch", "mnist", "--data-dir", "there already", "--json"]) == 0
    captured = capsys.readouterr()
    assert (json.loads(captured.out), captured.err) == ({"dataset": "mnist", "place": "data/mnist"}, "")
    assert main(["fetch", "mnist"]) == 0
    assert fetched == [("mnist", "data"), ("mnist", "there already"), ("mnist", None)]


@pytest.mark.parametrize("name", ["digits", "folder:x", "csv:x.csv", "npz:x.npz", "tfds:x"])
def test_what_needs_no_download_is_not_fetched(capsys, fetched, name):
    assert main(["fetch", name]) == 0
    assert capsys.readouterr().out.startswith(f"There is nothing to fetch for {name}: ")
    assert main(["fetch", name, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"dataset": name, "place": None}
    assert fetched == []


def test_show_says_what_is_in_the_digits_and_draws_them(capsys, tmp_path):
    assert main(["show", "digits"]) == 0
    text = capsys.readouterr().out
    assert "digits: 10 classes, images 8x8x1, from scikit-learn" in text
    assert [line.split() for line in text.splitlines() if line.startswith("train ")] == [
        ["train", "1,437", "139", "146", "143.7"]
    ]
    images = load_source("digits").splits["train"].images / 255
    assert f"mean {images.mean():.4f}; standard deviation {images.std():.4f}" in text
    assert "No image repeats another" in text
    assert text.endswith("Sheet: digits-contact-sheet.png\n")
    with Image.open(tmp_path / "digits-contact-sheet.png") as sheet:
        assert sheet.size == (190 + 8 * 100 + 8, 44 + 10 * 100 + 4)


def test_show_in_json_has_every_class_and_nothing_else_is_on_stdout(capsys):
    assert main(["show", "digits", "--image-size", "4", "--channels", "3", "--output", "new/sheets", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["image_shape"], result["images"]) == ([4, 4, 3], {"train": 1437, "test": 360})
    assert sum(row["images"]["test"] for row in result["classes"]) == 360
    assert result["sheets"] == ["new/sheets/digits-contact-sheet.png"]
    assert Path(result["sheets"][0]).is_file()


def test_show_leaves_bad_files_out_and_says_so(capsys, bad_pets):
    assert main(["show", f"folder:{bad_pets}", "--image-size", "16"]) == 0
    text = capsys.readouterr().out
    assert "2 bad files were left out; kerasnets-data check lists them." in text
    assert "1 of test are in train. The first of them:\n  test 2 (<b>日 本) = train 1 ($x_{1$)\n" in text
    assert [line.split()[-2:] for line in text.splitlines() if line.startswith("$x_{1$")] == [["4", "2"]]
    assert Path("folder-pets-contact-sheet.png").is_file()


def test_show_augmented_draws_a_second_sheet(capsys, tmp_path):
    words = ["show", "digits", "--augmented", "--json", "--seed", "18446744073709551615"]
    assert main(words) == 0
    sheets = json.loads(capsys.readouterr().out)["sheets"]
    assert sheets == ["digits-contact-sheet.png", "digits-augmented.png"]
    with Image.open(sheets[1]) as sheet:
        assert sheet.height > 44 + 10 * 100


def test_check_lists_exactly_the_bad_files(capsys, bad_pets):
    assert main(["check", f"folder:{bad_pets}", "--output", "lists"]) == 1
    text = capsys.readouterr().out
    assert "folder-pets: 14 files of" in text
    assert "Bad files: 2 (14.29%)" in text
    assert "Training stops over them (--max-bad 0.01)." in text
    assert text.endswith("List: lists/bad_files.csv\n")
    rows = list(csv.DictReader(Path("lists/bad_files.csv").read_text(encoding="utf-8").splitlines()))
    assert [(row["file"], row["split"], row["class"], row["kind"]) for row in rows] == [
        (str(bad_pets / "train/$x_{1$/1.png"), "train", "$x_{1$", "empty"),
        (str(bad_pets / "test/<b>日 本/0.png"), "test", "<b>日 本", "damaged"),
    ]
    assert main(["check", f"folder:{bad_pets}", "--output", "lists", "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert (result["bad_by_kind"], result["bad_by_class"]) == ({"empty": 1, "damaged": 1}, {"$x_{1$": 1, "<b>日 本": 1})
    assert [row["file"] for row in result["bad_files"]] == [row["file"] for row in rows]
    assert result["duplicates"]["across"] == [{"splits": ["train", "test"], "images": 1}]
    assert result["bad_files_csv"] == "lists/bad_files.csv"


def test_check_of_good_files_writes_nothing(capsys, pets, tmp_path):
    before = sorted(tmp_path.iterdir())
    assert main(["check", f"folder:{pets}", "--output", "lists"]) == 0
    assert "No bad files.\nNo image repeats another pixel for pixel.\n" in capsys.readouterr().out
    assert main(["check", f"folder:{pets}", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["bad"], result["bad_files_csv"], result["images"]) == (0, None, {"train": 10, "test": 4})
    assert sorted(tmp_path.iterdir()) == before


def test_check_says_that_a_list_is_an_older_one(capsys, bad_pets):
    assert main(["check", f"folder:{bad_pets}"]) == 1
    for name in ("train/$x_{1$/1.png", "test/<b>日 本/0.png"):
        (bad_pets / name).unlink()
    assert main(["check", f"folder:{bad_pets}"]) == 0
    assert capsys.readouterr().out.endswith("bad_files.csv is the list of an earlier check.\n")


def test_check_of_arrays_says_that_loading_has_verified_them(capsys, tmp_path):
    assert main(["check", "digits"]) == 0
    text = capsys.readouterr().out
    assert "digits: 1,797 images in arrays from scikit-learn, loaded and verified: nothing is bad." in text
    assert main(["check", "digits", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["bad"], result["images"], result["duplicates"]["pairs"]) == (0, {"train": 1437, "test": 360}, [])
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_name_is_no_text_is_listed_with_escapes(capsys, pets):
    name = os.fsencode(pets / "train" / "$x_{1$") + b"/\xff\x1b[31m.png"
    os.close(os.open(name, os.O_CREAT))
    assert main(["check", f"folder:{pets}"]) == 1
    assert "\\udcff\\x1b[31m.png: empty, it holds 0 bytes" in capsys.readouterr().out
    assert "\\udcff" in Path("bad_files.csv").read_text(encoding="utf-8")


MISTAKES = {
    "chek digits": "The first word must be a verb. Received: 'chek'. Known: check, fetch, list, show. "
    "Did you mean 'check'?",
    "fetch mnits": "Received: 'mnits'. Did you mean 'mnist'?",
    "fetch mnist --data-dir /dev/null/x": "/dev/null/x",
    "list --data-dir nowhere": "The data folder must be an existing folder. Received: nowhere.",
    "list mnist": "Nothing more was expected. Received: 'mnist'.",
    "show": "name must be given. Received: none. See kerasnets-data show --help.",
    "show digit": "Unknown data set 'digit'.",
    "show folder:nowhere": "Received: nowhere, which does not exist.",
    "show digits --channels 2": "channels must be 1 (grey) or 3 (colour). Received: 2.",
    "show digits --resize strech": "--resize must be one of squash, crop, pad. Received: strech.",
    "show digits --iamge-size 8": "Unknown flag --iamge-size. Did you mean --image-size?",
    "show digits more": "Nothing more was expected. Received: 'more'.",
    "show digits --output /dev/null/x": "output must be a folder that can be written. Received: /dev/null/x",
    "show digits --output taken": "digits-contact-sheet.png must be free or an older sheet, to be written over.",
    "check PETS --output /dev/null": "output must be a folder that can be written. Received: /dev/null",
    "check PETS --output taken": "taken/bad_files.csv must be free or a list of bad files, to be written over.",
    "check mnist --data-dir nowhere": "The data folder must be an existing folder. Received: nowhere.",
    "check folder:": "folder: must be followed by a path.",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_answered_in_one_line(capsys, bad_pets, words):
    Path("taken").mkdir()
    for name in ("bad_files.csv", "digits-contact-sheet.png"):
        Path("taken", name).write_text("file,size\n")
    assert main(words.replace("PETS", f"folder:{bad_pets}").split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kerasnets-data: error: ")
    assert MISTAKES[words] in captured.err
    assert captured.err.count("\n") == 1
    assert {path.read_text() for path in Path("taken").iterdir()} == {"file,size\n"}


def test_only_augmented_imports_tensorflow(pets):
    program = (
        "import sys; from kerasnets.cli.data import main\n"
        f"assert main(['check', 'folder:{pets}']) == 0 and main(['show', 'folder:{pets}']) == 0\n"
        "assert main(['--help']) == 0 and main(['list']) == 0 and main(['fetch', 'digits']) == 0\n"
        "print('tensorflow' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\nFalse\n")
