"""kerasnets-study on a small study of the digits: what it says before, while and after, and its mistakes."""

import csv
import json

import pytest

from kerasnets.cli.study import VERBS, main

STUDY = """\
name: small
question: Is a rate of 1 better than one of 0.001?
dataset: digits
base: {arch: lazynet, epochs: 2, batch_size: 64}
grid: {learning_rate: [1.0, 0.001]}
seeds: 1
rows: [{setting: learning_rate 1.0, published: 0.9, rounding: 0.005}]
claims:
  - text: One is better than a thousandth.
    comparisons: [{higher: learning_rate 1.0, than: learning_rate 0.001}]
assumes: [The digits are as good as any.]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a study's file, run once."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "small.yaml").write_text(STUDY)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["run", "small.yaml", "--jobs", "2", "--nice", "0"]) == 0
    return folder


@pytest.fixture
def here(folder, monkeypatch):
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    (tmp_path / "small.yaml").write_text(STUDY)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def result_of(capsys, *words, code=0):
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def complaint(capsys, *words):
    assert main(list(words)) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_without_a_verb_the_verbs_are_listed(capsys, words):
    assert main(words) == 0
    text = capsys.readouterr().out
    assert [verb for verb in VERBS if f"\n  {verb} " not in text] == []


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_has_help(capsys, verb):
    with pytest.raises(SystemExit, match="0"):
        main([verb, "--help"])
    assert f"usage: kerasnets-study {verb}" in capsys.readouterr().out


def test_the_included_studies_are_listed(capsys):
    names = [study["study"] for study in result_of(capsys, "list")["studies"]]
    # The ids of the five published reports.
    assert sorted(names) == ["cifarnet", "coolnet-cpu", "from-scratch", "lenet-bn", "tiny-leaky"]
    assert main(["list"]) == 0
    assert "from-scratch" in capsys.readouterr().out


def test_a_study_is_shown_before_anything_runs(capsys, elsewhere):
    assert main(["show", "small.yaml", "--no-estimate"]) == 0
    text = capsys.readouterr().out
    assert "2 cells with 1 seed; 0 done." in text
    assert "learning_rate 0.001" in text and "0 of 1" in text
    assert "Held against 1 published numbers and 1 claims." in text
    assert "  - The digits are as good as any." in text
    assert not (elsewhere / "studies").exists()


def test_a_published_study_is_shown_without_its_data(capsys, elsewhere):
    assert main(["show", "from-scratch", "--no-estimate"]) == 0
    text = capsys.readouterr().out
    # The report's own words about the cost of its CIFAR-10 run.
    assert "Published cost: two hours" in text and "0 of 3" in text


@pytest.mark.slow
def test_its_time_is_estimated(capsys, elsewhere):
    shown = result_of(capsys, "show", "small.yaml", "--seeds", "2")
    seconds = [cell["estimated_seconds"] for cell in shown["cells"]]
    assert len(seconds) == 4 and len(set(seconds)) == 1
    assert shown["seconds_all"] == pytest.approx(sum(seconds)) and shown["seconds_left"] == shown["seconds_all"]
    assert list(elsewhere.iterdir()) == [elsewhere / "small.yaml"]


def test_what_would_be_run(capsys, elsewhere):
    assert main(["run", "small.yaml", "--dry-run", "--seeds", "2"]) == 0
    text = capsys.readouterr().out
    assert text.count("missing") == 4 and "4 of 4 runs would be begun or gone on with." in text
    assert not (elsewhere / "studies").exists()


def test_a_run_leaves_a_folder_for_each_cell_and_a_report(here):
    cells = [path for path in (here / "studies" / "cells").iterdir() if path.is_dir()]
    assert len(cells) == 2
    for cell in cells:
        assert json.loads((cell / "summary.json").read_text())["status"] == "finished"
    names = {path.name for path in (here / "studies" / "small").iterdir()}
    assert {"report.html", "report.md", "cells.csv", "ledger.jsonl"} <= names


def test_the_status(capsys, here):
    cells = result_of(capsys, "status", "small.yaml")["cells"]
    assert [(cell["setting"], cell["status"], cell["epochs"]) for cell in cells] == [
        ("learning_rate 1.0", "finished", "2 of 2"),
        ("learning_rate 0.001", "finished", "2 of 2"),
    ]
    for cell in cells:
        with open(here / cell["folder"] / "results.csv", encoding="utf-8") as file:
            assert float(list(csv.DictReader(file))[-1]["test_accuracy"]) == cell["test_accuracy"]
    assert main(["status", "small.yaml", "--seeds", "2"]) == 0
    assert "2 finished, 2 missing" in capsys.readouterr().out


def test_run_again_runs_nothing(capsys, here):
    before = (here / "studies" / "small" / "ledger.jsonl").read_text().count('"started"')
    result = result_of(capsys, "run", "small.yaml")
    assert (result["done"], result["failed"], result["left"]) == (2, 0, 0)
    assert (here / "studies" / "small" / "ledger.jsonl").read_text().count('"started"') == before == 2


def test_the_report_gives_the_verdicts(capsys, here):
    result = result_of(capsys, "report", "small.yaml")
    assert [claim["claim"] for claim in result["claims"]] == ["One is better than a thousandth."]
    # One run is too few for a row; for the claim, 360 test images have been seen by both.
    assert [row["verdict"] for row in result["rows"]] == ["TOO FEW RUNS"]
    assert result["claims"][0]["verdict"] == "HOLDS"
    assert main(["report", "small.yaml"]) == 0
    text = capsys.readouterr().out
    assert "HOLDS" in text and "Report: studies/small/report.html" in text


@pytest.mark.slow
def test_runs_in_another_precision_have_a_report_of_their_own(capsys, here):
    words = ["small.yaml", "--precision", "bfloat16"]
    result = result_of(capsys, "run", *words, "--only", "learning_rate 1.0", "--nice", "0")
    assert (result["done"], result["report"]) == (1, "studies/small-bfloat16/report.html")
    page = (here / "studies" / "small-bfloat16" / "report.md").read_text()
    assert "Study small-bfloat16" in page and "computed in bfloat16" in page
    assert "kerasnets-study run small.yaml --data-dir DIR --precision bfloat16" in page
    (done,) = (cell for cell in result_of(capsys, "status", *words)["cells"] if cell["status"] == "finished")
    config = (here / done["folder"] / "config.yaml").read_text()
    assert "precision: bfloat16\n" in config


@pytest.mark.slow
def test_scaled_runs_have_a_report_of_their_own(capsys, here):
    before = (here / "studies" / "small" / "report.html").read_bytes()
    result = result_of(capsys, "run", "small.yaml", "--scale", "0.5", "--only", "learning_rate 1.0", "--nice", "0")
    assert (result["done"], result["report"]) == (1, "studies/small-scale-0.5/report.html")
    assert [row["verdict"] for row in result["rows"]] == ["PROTOCOL DIFFERS"]
    assert "scaled" in (here / "studies" / "small-scale-0.5" / "report.html").read_text()
    assert (here / "studies" / "small" / "report.html").read_bytes() == before
    # sqrt(0.5) of the 1,437 digits and of two epochs
    (cell,) = (path for path in here.glob("studies/cells/*/summary.json") if '"limit_train": 1016' in path.read_text())
    assert json.loads(cell.read_text())["epochs"] == 1


def test_time_that_is_over_before_anything_is_done_is_no_mistake(capsys, elsewhere):
    assert main(["run", "small.yaml", "--max-time", "1s", "--nice", "0"]) == 0
    printed = capsys.readouterr()
    assert "kerasnets-study: the time of 1.0 s was used up" in printed.err
    assert "2 runs are left. Go on with: kerasnets-study run small.yaml --max-time 1s" in printed.err
    assert not (elsewhere / "studies" / "small" / "report.html").exists()


def test_runs_that_were_given_up_are_counted_and_not_tried_again(capsys, elsewhere):
    from kerasnets.studies.cells import make_cells
    from kerasnets.studies.ledger import Ledger
    from kerasnets.studies.yaml_file import load_study

    (elsewhere / "studies" / "small").mkdir(parents=True)
    ledger = Ledger(elsewhere / "studies" / "small" / "ledger.jsonl")
    for cell in make_cells(load_study("small.yaml")):
        for _ in range(3):
            ledger.append("failed", cell=cell.key, reason="out of paper", exit_code=1)
    assert [cell["reason"] for cell in result_of(capsys, "status", "small.yaml")["cells"]] == ["out of paper"] * 2
    assert result_of(capsys, "run", "small.yaml", "--dry-run")["cells"] == []
    assert len(result_of(capsys, "run", "small.yaml", "--dry-run", "--retry-failed")["cells"]) == 2
    assert main(["run", "small.yaml"]) == 1
    assert "2 runs were given up; --retry-failed tries them again." in capsys.readouterr().err


def test_only_one_setting(capsys, elsewhere):
    assert main(["run", "small.yaml", "--dry-run", "--only", "learning_rate 1.0"]) == 0
    assert "1 of 1 runs" in capsys.readouterr().out
    assert "Did you mean 'learning_rate 1.0'" in complaint(capsys, "run", "small.yaml", "--only", "learning_rate 1")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["run", "lenet"], "Unknown study 'lenet'.*"),
        (["show", "none.yaml"], "Received: none.yaml, which is no file"),
        (["run", "small.yaml", "--scale", "2"], "scale must be above 0 and at most 1. Received: 2.0"),
        (["run", "small.yaml", "--precision", "auto"], "--precision must be float32 or bfloat16. Received: 'auto'"),
        (["run", "small.yaml", "--seeds", "0"], "seeds must be a whole number from 1"),
        (["run", "small.yaml", "--jobs", "0"], "--jobs must be a whole number from 1"),
        (["run", "small.yaml", "--threads", "-1"], "--threads must be a whole number from 0"),
        (["run", "small.yaml", "--nice", "20"], "--nice must be a whole number from 0 to 19. Received: 20"),
        (["run", "small.yaml", "--max-time", "soon"], "A time must look like 90s"),
        (["run", "small.yaml", "--max-time", "0s"], "--max-time must be above zero"),
        (["run", "small.yaml", "--sedes", "2"], "Unknown flag --sedes. Did you mean --seeds?"),
        (["run"], "name must be given"),
        (["report", "small.yaml"], "A report needs a run that is done. Received: none of study 'small'"),
        (["show", "small.yaml", "--threads", "2"], "Unknown flag --threads"),
        (["show", "small.yaml", "--jobs", "0"], "--jobs must be a whole number from 1"),
    ],
)
def test_mistakes(capsys, elsewhere, words, message):
    assert message.removesuffix(".*") in complaint(capsys, *words)
    assert not (elsewhere / "studies").exists()


def test_a_data_set_that_is_not_there_is_said_before_anything_runs(capsys, elsewhere):
    (elsewhere / "small.yaml").write_text(STUDY.replace("dataset: digits", "dataset: folder:nowhere"))
    assert "nowhere" in complaint(capsys, "run", "small.yaml")
    assert not (elsewhere / "studies").exists()


def test_packed_runs_are_reported_elsewhere_and_not_run_again(here, tmp_path, monkeypatch, capsys):
    file = str(tmp_path / "small.zip")
    assert result_of(capsys, "pack", "small.yaml", file) == {"file": file, "packed": 2, "cells": 2}
    verdicts = result_of(capsys, "report", "small.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(STUDY)
    assert main(["unpack", file]) == 0
    assert "2 runs were added to studies, 0 were there already." in capsys.readouterr().out
    assert result_of(capsys, "report", "small.yaml") == verdicts
    assert result_of(capsys, "run", "small.yaml", "--dry-run")["cells"] == []
    assert result_of(capsys, "unpack", file)["added"] == []


def test_what_cannot_be_packed_or_unpacked_is_one_line(elsewhere, capsys):
    assert "Received: none of this study. Run it first." in complaint(capsys, "pack", "small.yaml", "runs.zip")
    assert "runs.zip, which is no file." in complaint(capsys, "unpack", "runs.zip")
    assert not (elsewhere / "runs.zip").exists()
