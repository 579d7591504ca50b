"""Costs, failures and software of a study, in words."""

import json

import pytest

from kerasnets.reporting.page import Table, Text
from kerasnets.studies.report_costs import (
    DIFFERENT_HARDWARE,
    assumption_blocks,
    cost_blocks,
    environment_blocks,
    failure_blocks,
    reason,
    setting_table,
    time_in_words,
)

SCRIPT = "<script>alert(1)</script>"


def cells(block):
    return [list(map(str, row.cells)) for row in block.rows]


@pytest.mark.parametrize(
    ("seconds", "expected"), [(85.21, "85.2 s"), (119.9, "119.9 s"), (739, "12.3 min"), (7560, "2.1 h")]
)
def test_times(seconds, expected):
    assert time_in_words(seconds) == expected


def test_costs_stand_beside_the_published_one(small_results):
    published, ours, warning, table = cost_blocks(small_results)
    assert published.text == "Published: two hours."
    # Four runs of 65 or 66 seconds in all, and one that diverged: 65 + 66 + 65 + 66 + 65.
    assert (
        ours.text.startswith("Ours: 5.5 min for the 5 runs that are done") and "machine 0 and on machine 1" in ours.text
    )
    assert warning.text == DIFFERENT_HARDWARE
    assert cells(table)[0] == [
        "plain", "2", "3", "500", "60.5 s", "60.0 s to 61.0 s", "65.5 s", "1,234", "1.00 GiB", "float32",
        "machine 0 and machine 1",
    ]  # fmt: skip
    assert cells(table)[2][1:3] == ["1", "1"]


def test_what_failed_comes_with_its_reason(small_results):
    (table,) = failure_blocks(small_results)
    assert [row[:3] for row in cells(table)] == [["FAILED", "wild", "1"], ["DIVERGED", "wild", "0"]]
    assert table.rows[0].note == f"killed by {SCRIPT}"
    assert "counted as a network that guesses" in table.rows[1].note


def test_a_run_that_diverged_gives_its_diagnosis(small_results):
    wild = next(cell for cell in small_results.cells if cell.status == "diverged")
    file = wild.path / "diagnosis.json"
    file.write_text(json.dumps({"epoch": 2, "step_in_epoch": 7, "cause": "Too high."}))
    try:
        assert reason(wild) == "epoch 2, step 7: Too high. Counted as a network that guesses."
    finally:
        file.unlink()


def test_nothing_failed(small_results):
    class Whole:
        cells = [cell for cell in small_results.cells if cell.status == "finished"]

    assert failure_blocks(Whole) == [Text("Nothing failed, diverged or is missing.")]


def test_software_is_counted_where_it_differs(small_results):
    table, warning = environment_blocks(small_results.cells)
    assert isinstance(table, Table)
    assert cells(table) == [
        ["seeds", "0, 1", ""],
        ["python", "3.11.7", "5"],
        ["processor", "machine 0", "3"],
        ["processor", "machine 1", "2"],
        ["keras", "3.15.1", "5"],
    ]
    assert warning.text == "Not the same for all runs: processor."


def test_what_was_run(small_results):
    table = setting_table(small_results)
    assert cells(table)[2] == ["wild", "learning_rate 9.0, loss mse", "lazynet", "3", cells(table)[0][4], "1 of 2"]
    assert cells(table)[0][1] == "nothing"
    assert table.rows[1].note == "Not as published: tested on other images."


def test_assumptions(small_results):
    assert assumption_blocks(small_results)[0].items == (f"That {SCRIPT} is a name.",)
