"""The page of a run and of runs side by side: its parts, its numbers, what it refuses."""

import json

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.reporting import run_page
from kerasnets.reporting.run_facts import read_run
from kerasnets.reporting.run_page import compare, page_of_one, page_of_several, write_run_report

ALL_RIGHT = np.repeat(np.int32([0, 1, 2]), 4)


def titles(page):
    return [section.title for section in page.sections]


def test_one_run_has_everything(tmp_path, write_run):
    path = write_run(tmp_path / "run")
    page = page_of_one(read_run(path, 0))
    assert page.title == "digits · lazynet · seed 3"
    assert page.lead == "Test accuracy 66.67%, 95% interval 39.1% to 86.2%, n = 12, epoch 3 (last epoch)."
    assert titles(page) == [
        "Curves", "Confusion matrix", "Classes", "Most confident mistakes", "Settings", "Costs",
        "Software and hardware",
    ]  # fmt: skip
    text = write_run_report([path], tmp_path / "report.html").path.read_text()
    assert "<script" not in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "data:image/png;base64,iVBOR" in text


def test_an_unfinished_run_has_what_there_is(tmp_path, write_run):
    page = page_of_one(read_run(write_run(tmp_path / "run", status="running"), 0))
    assert page.lead == "Not evaluated on the test split (run running)."
    assert titles(page) == ["Curves", "Settings", "Costs", "Software and hardware"]


def test_a_run_that_diverged_says_why_first(tmp_path, write_run):
    path = write_run(tmp_path / "run", status="diverged")
    diagnosis = {
        "epoch": 2, "step_in_epoch": 7, "first": {"place": "layer output", "name": "dense"},
        "cause": "Too high a rate.", "try": ["a lower rate"],
    }  # fmt: skip
    (path / "diagnosis.json").write_text(json.dumps(diagnosis))
    section = page_of_one(read_run(path, 0)).sections[0]
    where, cause, remedies = section.blocks
    assert where.text == ("In epoch 2, step 7, something was not finite any more: first the layer output dense.")
    assert (cause.text, remedies.items) == ("Too high a rate.", ["Try a lower rate."])


def test_pairs_are_tested_on_the_same_images_and_corrected_together(tmp_path, write_run):
    paths = [write_run(tmp_path / "a"), write_run(tmp_path / "b", predicted=ALL_RIGHT), write_run(tmp_path / "c")]
    report = write_run_report(paths, tmp_path / "out.html")
    assert [(pair.first.letter, pair.second.letter) for pair in report.pairs] == [("A", "B"), ("A", "C"), ("B", "C")]
    first = report.pairs[0]
    # B alone is right on 4 images: 2 / 2^4, times three pairs.
    assert (first.test.only_first, first.test.only_second, first.test.p) == (0, 4, 0.125)
    assert [pair.p_holm for pair in report.pairs] == [0.375, 1.0, 0.375]
    numbers = report.to_json()
    assert [run["correct"] for run in numbers["runs"]] == [8, 12, 8]
    assert numbers["pairs"][0] | {"interval": None} == {
        "first": "A", "second": "B", "why_not": None, "n": 12, "only_first": 0, "only_second": 4,
        "difference": -4 / 12, "interval": None, "p": 0.125, "p_holm": 0.375,
    }  # fmt: skip
    json.dumps(numbers)


def test_runs_that_cannot_be_compared_say_why(tmp_path, write_run):
    paths = [
        write_run(tmp_path / "a"),
        write_run(tmp_path / "b", status="running"),
        write_run(tmp_path / "c", classes=("cat", "dog", "emu")),
        write_run(tmp_path / "d", labels=ALL_RIGHT[::-1].copy()),
    ]
    runs = [read_run(path, place) for place, path in enumerate(paths)]
    assert [pair.why_not for pair in compare(runs)][:3] == [
        "B was not evaluated on a test split.",
        "Their classes are not the same.",
        "Their test images are not the same: the labels differ.",
    ]
    assert all(pair.test is None and pair.p_holm is None for pair in compare(runs))
    bullets = page_of_several(runs, compare(runs)).sections[1].blocks[0]
    assert bullets.items[0] == "A and B are not compared. B was not evaluated on a test split."


def test_a_difference_that_is_seen_names_the_better_run(tmp_path, write_run):
    labels = np.repeat(np.int32([0, 1, 2]), 40)
    worse = np.where(np.arange(120) % 4 == 0, (labels + 1) % 3, labels).astype(np.int32)
    paths = [
        write_run(tmp_path / "a", labels=labels, predicted=worse),
        write_run(tmp_path / "b", labels=labels, predicted=labels),
    ]
    page = write_run_report(paths, tmp_path / "out.html").path.read_text()
    assert '<span class="badge good">B IS BETTER</span>' in page
    same = write_run_report([paths[0], write_run(tmp_path / "c", labels=labels, predicted=worse)], tmp_path / "x.html")
    assert "NO DIFFERENCE SEEN" in same.path.read_text()


def test_numbers_that_do_not_compare_like_with_like_are_marked(tmp_path, write_run):
    path = write_run(tmp_path / "b")
    summary = json.loads((path / "summary.json").read_text())
    summary["test"] |= {"selection": "best validation accuracy", "tta": "flip"}
    (path / "summary.json").write_text(json.dumps(summary))
    text = write_run_report([write_run(tmp_path / "a"), path], tmp_path / "out.html").path.read_text()
    assert "The networks were not chosen by one rule: last epoch, best validation accuracy." in text
    assert "Test-time augmentation: none, flip." in text


def test_pictures_of_many_runs_are_left_out(tmp_path, write_run, monkeypatch):
    paths = [write_run(tmp_path / name) for name in "ab"]
    assert "data:image/png" in write_run_report(paths, tmp_path / "few.html").path.read_text()
    monkeypatch.setattr(run_page, "_MOST_PICTURES", 1)
    many = write_run_report(paths, tmp_path / "many.html").path.read_text()
    assert "data:image/png" not in many and "Left out with more than 1 runs" in many


def test_what_is_refused(tmp_path, write_run):
    path = write_run(tmp_path / "run")
    with pytest.raises(InputError, match="Each run must be named once. Received: .*run and .*run, which are the same"):
        write_run_report([path, path / "." / ".." / "run"], tmp_path / "out.html")
    with pytest.raises(InputError, match="At least one run folder must be given. Received: none."):
        write_run_report([], tmp_path / "out.html")
    with pytest.raises(InputError, match="config.yaml must be free or an older report"):
        write_run_report([path], path / "config.yaml")
    assert not (tmp_path / "out.html").exists()
