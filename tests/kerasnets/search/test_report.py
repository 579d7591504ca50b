"""The page of a search: whole at any stage, whatever is missing or odd, with every number said to be what it is."""

import dataclasses
import json
import re
from html import unescape

import pytest

from kerasnets.errors import InputError
from kerasnets.search.report import write_search_report
from kerasnets.search.results import ranking

SCRIPT = "<script>alert(1)</script>"


def text_of(page):
    """What a reader sees, in one line."""
    html = re.sub(r"<style.*?</style>", "", page.read_text(), flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", html)).split())


def titles(page):
    return re.findall("<h2>(.*?)</h2>", page.read_text())


def test_a_whole_search(tmp_path, records_of, write_search, summary):
    records = records_of(60)
    folder = write_search(tmp_path / "night", records, summary)
    page = write_search_report(folder)
    assert page == folder / "search.html"
    best, text = ranking(records)[0], text_of(page)
    assert (
        f"Search night Trial {best.trial} is the best of {len(ranking(records))} networks tried. Trained again" in text
    )
    assert "77.14 % of the test images right (95 % interval 76.49 to 77.79 %), 3 seeds." in text
    for part in ("OPTIMISTIC", "FINISHED", "58 COMPLETED", "2 DIVERGED", "14 more than 2,000,000 weights", "59.0 min"):
        assert part in text
    assert summary["command"] in text and f"kerasnets-train --config {folder}/best.yaml" in text
    assert f"--arch search:{folder}" in text and f"kerasnets-report {folder}/{best.run}" in text
    assert "tuner hyperband" in text and "keras-tuner 1.4.8" in text and "space null" not in text
    assert page.read_text().count("<svg") == 5
    assert titles(page) == [
        "Score over time", "What the best have in common", "Accuracy and cost", "The best trials",
        "What diverged or failed", "Rejected before training", "Settings", "To repeat it",
    ]  # fmt: skip


def test_an_empty_folder_has_a_page(tmp_path):
    (tmp_path / "new").mkdir()
    text = text_of(write_search_report(tmp_path / "new"))
    assert text.startswith("Search new") and "No trial is completed yet." in text


def test_one_trial(tmp_path, records_of, write_search):
    folder = write_search(tmp_path / "one", records_of(1), {"status": "running"}, best=False)
    page = write_search_report(folder)
    assert "Trial 0000 is the best of 1 network tried, with" in text_of(page)
    assert "It has not been tested yet." in text_of(page) and "RUNNING" in text_of(page)
    assert "no number here is its own" in text_of(page) and "Too few runs" in text_of(page)
    assert "--config" not in text_of(page)
    assert page.read_text().count("<svg") == 3


def test_only_lost_trials(tmp_path, records_of, write_search):
    lost = dataclasses.replace(records_of(1)[0], status="diverged", score=0.0, reason="too fast")
    text = text_of(write_search_report(write_search(tmp_path / "s", [lost])))
    assert "No trial is completed: there is no winner." in text and "1 DIVERGED" in text and "too fast" in text


def test_names_stay_text(tmp_path, records_of, write_search, summary):
    records = [
        dataclasses.replace(record, values={SCRIPT: SCRIPT if place % 2 else "b"}, reason=SCRIPT, worker=SCRIPT)
        for place, record in enumerate(records_of(24))
    ]
    summary |= {key: SCRIPT for key in ("search", "command", "hardware", "status")}
    summary |= {"rejected": {SCRIPT: 3}, "reference": [{"name": SCRIPT, "accuracies": [0.5, 0.6]}]}
    folder = write_search(tmp_path / "s", records, summary)
    (folder / "search.yaml").write_text(f"name: {SCRIPT}\n{SCRIPT}: 1\n")
    (folder / "best.yaml").write_text(f"# {SCRIPT}\n")
    page = write_search_report(folder)
    assert "<script" not in page.read_text()
    assert text_of(page).count(SCRIPT) > 12


@pytest.mark.parametrize("value", [None, [], {}, "text", 3, [1], {"accuracies": []}, {"accuracies": ["x"]}])
def test_parts_may_be_missing_or_odd(tmp_path, records_of, write_search, value):
    parts = ("final", "reference", "rejected", "versions", "winner", "seconds", "objective", "search", "command")
    folder = write_search(tmp_path / "s", records_of(1), dict.fromkeys(parts, value))
    assert "Settings" in titles(write_search_report(folder))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"seed": 1}'])
def test_a_damaged_summary_is_none(tmp_path, records_of, write_search, text):
    folder = write_search(tmp_path / "s", records_of(1))
    (folder / "summary.json").write_text(text)
    (folder / "search.yaml").write_text("{" if text else "- 1")
    assert "Trial 000" in text_of(write_search_report(folder))


def test_damaged_records_are_told_and_left_out(tmp_path, records_of, write_search):
    folder, told = write_search(tmp_path / "s", records_of(2)), []
    (folder / "results" / "0009.json").write_text("{")
    write_search_report(folder, told.append)
    assert len(told) == 1 and "0009.json" in told[0]


def test_the_test_of_an_older_winner_is_not_the_winners(tmp_path, records_of, write_search, summary):
    records = records_of(12)
    best, other = ranking(records)[:2]
    for winner, tested in ((best, True), (other, False)):
        folder = write_search(tmp_path / winner.trial, records, summary | {"winner": winner.to_dict()})
        assert ("77.14 %" in text_of(write_search_report(folder))) == tested


def test_a_forest_that_learned_nothing_is_not_trusted(tmp_path, records_of, write_search):
    records = [dataclasses.replace(record, score=hash_share(record.trial)) for record in records_of(40)]
    text = text_of(write_search_report(write_search(tmp_path / "s", records)))
    assert "hardly more than chance" in text


def hash_share(text):
    """A number in [0, 1) that has nothing to do with any choice."""
    return int(text) * 7919 % 1000 / 1000


def test_paths_with_spaces_are_quoted(tmp_path, records_of, write_search):
    folder = write_search(tmp_path / "my search", records_of(2))
    assert f"--arch 'search:{folder}'" in text_of(write_search_report(folder))


def test_an_older_page_is_replaced_and_nothing_else(tmp_path, records_of, write_search):
    folder = write_search(tmp_path / "s", records_of(1))
    write_search_report(folder)
    write_search_report(folder)
    (folder / "search.html").write_text("mine")
    with pytest.raises(InputError, match="search.html must be free or an older report"):
        write_search_report(folder)
    assert json.loads((folder / "results" / "0000.json").read_text())["trial"] == "0000"
