"""kerasnets-predict on real digits, as table, CSV and JSON, and its mistakes."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from kerasnets.cli.predict import main
from pipelines.sources import load_source


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """The first two test digits as PNG files."""
    folder = tmp_path_factory.mktemp("images")
    paths = [folder / "one.png", folder / "two.png"]
    for path, pixels in zip(paths, load_source("digits").splits["test"].images, strict=False):
        Image.fromarray(pixels[:, :, 0]).save(path)
    return [str(path) for path in paths]


def test_json_has_the_classes_from_the_most_probable_on(capsys, tiny_run, images):
    assert main([str(tiny_run), *images, "--top", "4", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [entry["file"] for entry in result["predictions"]] == images
    for entry in result["predictions"]:
        probabilities = [row["probability"] for row in entry["classes"]]
        assert len(probabilities) == 4
        assert probabilities == sorted(probabilities, reverse=True)


def test_an_export_answers_as_its_run_does(capsys, tiny_run, tiny_export, images):
    answers = []
    for model in (tiny_run, tiny_export):
        assert main([str(model), *images, "--top=10", "--json"]) == 0
        predictions = json.loads(capsys.readouterr().out)["predictions"]
        answers.append({(p["file"], row["class"]): row["probability"] for p in predictions for row in p["classes"]})
    assert answers[0] == pytest.approx(answers[1], abs=1e-6)


def test_table_file_and_stdout_say_the_same(capsys, tiny_run, images, tmp_path):
    target = tmp_path / "predictions.csv"
    assert main([str(tiny_run), *images, "--csv", str(target)]) == 0
    table = capsys.readouterr().out
    assert main([str(tiny_run), *images, "--csv", "-"]) == 0
    text = target.read_text()
    assert capsys.readouterr().out == text
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["file"], row["rank"]) for row in rows] == [(path, rank) for path in images for rank in "123"]
    assert all(f"{float(row['probability']):.4f}" in table for row in rows)


def test_a_device_is_written_to_and_not_replaced(tiny_run, images):
    assert main([str(tiny_run), *images, "--csv", "/dev/null"]) == 0
    assert Path("/dev/null").is_char_device()


MISTAKES = {
    "RUN": "images must be given",
    "RUN nowhere.png": "Received: nowhere.png: it does not exist. Name files that hold images.",
    "RUN IMAGE --top many": "--top must be a whole number. Received: many. For example: --top 3.",
    "RUN IMAGE --top 0": "top must be at least 1. Received: 0.",
    "RUN IMAGE --csv - --json": "stdout takes one of --json and --csv -. Received: both.",
    "RUN IMAGE --csv /dev/null/x.csv": "/dev/null",
    "RUN IMAGE --csv /dev/full": "No space left on device. Free some space or name a folder on another disk.",
    "RUN IMAGE --csv /tmp": "Is a directory: /tmp. Name a file.",
    "RUN IMAGE --tpo 3": "Unknown flag --tpo. Did you mean --top?",
    "nowhere IMAGE": "A run folder or an exported network was expected. Received: nowhere, which is no folder.",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_answered_in_one_line(capsys, tiny_run, images, words):
    assert main(words.replace("RUN", str(tiny_run)).replace("IMAGE", images[0]).split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("kerasnets-predict: error: ")
    assert MISTAKES[words] in captured.err
    assert captured.err.count("\n") == 1
