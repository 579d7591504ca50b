"""kerasnets-evaluate on a real run and on its export, and its mistakes."""

import json
import math
import shutil
from pathlib import Path

import pytest
from PIL import Image

from kerasnets.cli.evaluate import main
from kerasnets.export.card import read_card
from kerasnets.export.saved_model import export
from kerasnets.training.config import TrainConfig
from kerasnets.training.train import train


def result_of(capsys, *words):
    assert main([*map(str, words), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_run_is_given_its_own_numbers_again(capsys, tiny_run, tiny_summary):
    result = result_of(capsys, tiny_run, "digits")
    assert {key: result[key] for key in ("accuracy", "loss", "correct", "n", "interval", "selection")} == {
        key: tiny_summary["test"][key] for key in ("accuracy", "loss", "correct", "n", "interval", "selection")
    }
    assert sum(row["correct"] for row in result["per_class"]) == result["correct"]
    assert result["model"] == str(tiny_run)


def test_an_export_has_exactly_the_accuracy_of_its_run(capsys, tiny_export, tiny_summary):
    result = result_of(capsys, tiny_export, "digits")
    assert result["accuracy"] == tiny_summary["test"]["accuracy"]
    assert math.isclose(result["loss"], tiny_summary["test"]["loss"], rel_tol=1e-6)


def test_validation_images_are_those_that_the_run_held_out(capsys, tiny_run, tiny_summary):
    result = result_of(capsys, tiny_run, "digits", "--split", "validation")
    assert result["n"] == 40  # a fifth of 200
    assert result["accuracy"] == pytest.approx(tiny_summary["best"]["val_accuracy"], abs=1e-12)
    assert result_of(capsys, tiny_run, "digits", "--split=train")["n"] == 160


def test_copies_of_each_image_change_the_probabilities_and_are_named(capsys, tiny_run):
    plain, flipped = result_of(capsys, tiny_run, "digits"), result_of(capsys, tiny_run, "digits", "--tta", "flip")
    assert (plain["tta"], flipped["tta"]) == ("none", "flip")
    assert plain["loss"] != flipped["loss"]


def test_the_table_and_the_line_say_the_same(capsys, tiny_run, tiny_summary):
    assert main([str(tiny_run), "digits"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[:1].isdigit()] == list("0123456789")
    test = tiny_summary["test"]
    assert f"digits test: accuracy {test['accuracy']:.2%} ({test['correct']} of 360, 95 % interval" in lines[-1]
    assert lines[-1].endswith("weights: best validation accuracy.")


@pytest.fixture(scope="module")
def folder_run(tmp_path_factory):
    """A run on a folder without a test split, of which one file in eleven is bad, and its summary."""
    root = tmp_path_factory.mktemp("shades")
    for number in range(22):
        path = root / "photos" / ("dark", "light")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 7), 10 * number % 100 + 120 * (number % 2)).save(path)
    (root / "photos" / "dark" / "4.png").write_bytes(b"")
    (root / "photos" / "light" / "5.png").write_bytes(b"")
    settings = {"max_bad": 0.5, "image_size": 12, "resize": "crop", "channels": 1, "seed": 5, "validation": 0.2}
    config = TrainConfig(
        dataset=f"folder:{root / 'photos'}", arch="lazynet", epochs=2, output=str(root / "runs"), **settings
    )
    run = train(config)
    return run.path, config.dataset, run.summary


def test_a_run_on_a_folder_is_evaluated_on_its_own_split_and_size(capsys, folder_run, tmp_path):
    run, dataset, summary = folder_run
    assert summary["bad_files"] == 2 and (run / "bad_files.csv").is_file()
    assert run.parent.name == "folder-photos"
    result = result_of(capsys, run, dataset)
    assert (result["n"], result["accuracy"]) == (summary["test"]["n"], summary["test"]["accuracy"])
    assert result["loss"] == pytest.approx(summary["test"]["loss"], rel=1e-12)
    held_out = result_of(capsys, run, dataset, "--split", "validation")
    assert held_out["accuracy"] == pytest.approx(summary["best"]["val_accuracy"], abs=1e-12)
    exported = export(run, tmp_path / "exported")
    assert read_card(exported)["parity"]["images_from"] == "test split"
    assert result_of(capsys, exported, dataset)["accuracy"] == summary["test"]["accuracy"]


def test_a_run_begun_with_a_relative_path_has_its_own_validation_images(capsys, folder_run, tmp_path, monkeypatch):
    run, dataset, summary = folder_run
    copy = shutil.copytree(run, tmp_path / "run")
    photos = Path(dataset.removeprefix("folder:"))
    settings = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(settings.replace(f"dataset: {dataset}", f"dataset: folder:{photos.name}"))
    monkeypatch.chdir(photos.parent)
    result = result_of(capsys, copy, dataset, "--split", "validation")
    assert result["accuracy"] == pytest.approx(summary["best"]["val_accuracy"], abs=1e-12)


MISTAKES = {
    "RUN": "dataset must be given. Received: none.",
    "RUN digit": "Did you mean 'digits'?",
    "RUN digits --split tests": "--split must be one of test, validation, train. Received: tests.",
    "RUN digits --tta mirror": "--tta must be one of none, flip, flip+shift, adaptive. Received: mirror.",
    "RUN digits --spilt test": "Unknown flag --spilt. Did you mean --split?",
    "RUN mnist --data-dir nowhere": "The data folder must be an existing folder. Received: nowhere.",
    "nowhere digits": "A run folder or an exported network was expected. Received: nowhere, which is no folder.",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_answered_in_one_line(capsys, tiny_run, words):
    assert main(words.replace("RUN", str(tiny_run)).split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kerasnets-evaluate: error: ")
    assert MISTAKES[words] in captured.err
    assert captured.err.count("\n") == 1
