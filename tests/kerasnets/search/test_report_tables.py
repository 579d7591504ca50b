"""The tables of a search's page: numbers with what they are, differences with intervals, reasons."""

import dataclasses

import pytest

from kerasnets.reporting.page import Fold, Table, Text
from kerasnets.search.report_tables import (
    best_blocks,
    fact_table,
    interval_in_words,
    lost_blocks,
    rejected_blocks,
    result_table,
)
from kerasnets.search.results import ranking


def texts(block):
    return [[str(cell) for cell in row.cells] for row in block.rows]


@pytest.fixture
def winner(records_of):
    return dataclasses.replace(records_of(1)[0], val_accuracy=0.81, score=0.81)


def test_the_winner_is_tested_and_held_against_others(winner, summary):
    rows = texts(result_table(winner, summary["final"], summary["reference"]))
    assert rows[0] == ["winner", "81.00 %", "OPTIMISTIC", "", "1", "", "validation images", ""]
    # Student's t with 2 degrees of freedom gave the interval; the summary holds it.
    expected = ["winner, trained again", "77.14 %", "TESTED", "76.49 to 77.79 %", "3", "", "10,000 test images", ""]
    assert rows[1] == expected
    # Means 0.7714 and 0.70170, standard deviations 0.002606 and 0.003180: Welch's interval by hand.
    assert rows[2][:6] == ["cifarnet", "70.17 %", "WINNER IS BETTER", "", "3", "3.1 min"]
    assert rows[2][-1].startswith("+6.97 points (+6.3")
    assert rows[3][2] == "NO DIFFERENCE SEEN"


def test_networks_are_compared_without_test_time_augmentation(winner):
    final = {"accuracies": [0.80, 0.81, 0.82], "accuracies_alone": [0.70, 0.71, 0.72]}
    rows = texts(result_table(winner, final, [{"name": "other", "accuracies": [0.705, 0.71, 0.715]}]))
    assert rows[1][1] == "81.00 %"
    assert rows[2][2] == "NO DIFFERENCE SEEN" and rows[2][-1].startswith("+0.00 points")


def test_a_worse_winner_is_called_so(winner):
    final = {"accuracies": [0.6, 0.61, 0.605]}
    rows = texts(result_table(winner, final, [{"name": "other", "accuracies": [0.7, 0.71, 0.705]}]))
    assert rows[2][2] == "WINNER IS WORSE" and rows[2][-1].startswith("-10.00 points (-1")
    assert rows[2][6] == "test images"


@pytest.mark.parametrize(
    ("ours", "theirs", "word"), [([0.7], [0.6, 0.61], "ONE SEED"), ([0.7, 0.7], [0.6, 0.6], "NO SPREAD")]
)
def test_without_an_interval_nothing_is_claimed(winner, ours, theirs, word):
    rows = texts(result_table(winner, {"accuracies": ours}, [{"accuracies": theirs}]))
    assert rows[2][0] == "reference" and rows[2][2] == word
    assert "(" not in rows[2][7]


@pytest.mark.parametrize(
    ("ends", "text"),
    [([0.5, 0.625], "50.00 to 62.50 %"), ([0.59, 1.3], "59.00 to 100.00 %"), ([-0.1, 0.2], "0.00 to 20.00 %"),
     ([0.9, 0.9], ""), (None, "")],
)  # fmt: skip
def test_intervals_in_words(ends, text):
    assert interval_in_words(ends) == text


def test_short_times_are_no_zero(records_of):
    record = dataclasses.replace(records_of(1)[0], train_seconds=0.0056)
    assert "0.0056 s" in texts(best_blocks([record], "val_accuracy")[0])[0]


def test_before_the_test_there_is_the_optimistic_number_alone(winner, summary):
    assert len(result_table(winner, {}, []).rows) == 1
    rows = texts(result_table(winner, {}, summary["reference"]))
    assert [row[2:8:5] for row in rows[1:]] == [["", ""], ["", ""]]


def test_the_best_come_first_with_what_they_chose(records_of):
    records = records_of(60)
    runs = ranking(records)
    first, same, fold = best_blocks(records, "val_accuracy")
    assert texts(first)[0][:4] == ["1", runs[0].trial, runs[0].run, f"{100 * runs[0].val_accuracy:.2f} %"]
    assert len(first.rows) == 10 and f"optimizer {runs[0].values['optimizer']}" in first.rows[0].note
    assert "space" not in first.rows[0].note and same.text == "The same in all of them: space built-in."
    assert isinstance(fold, Fold) and fold.headline == f"The other {len(runs) - 10} runs"
    assert texts(fold.blocks[0])[0][0] == "11"


def test_a_score_that_is_no_accuracy_has_a_column(records_of):
    table = best_blocks(records_of(4), "accuracy_per_flop")[0]
    assert [column.name for column in table.columns][3:5] == ["score", "validation accuracy"]
    assert all(len(row.cells) == len(table.columns) for row in table.rows)


def test_one_run_has_no_choice_in_common_with_others(records_of):
    (table,) = best_blocks(records_of(1), "val_accuracy")
    assert "space built-in" in table.rows[0].note
    assert best_blocks([], "val_accuracy") == [Text("No trial is completed.")]


def test_what_was_not_measured_is_left_empty(records_of):
    names = ("val_accuracy", "train_seconds", "weights", "flops", "images_per_second")
    record = dataclasses.replace(records_of(1)[0], **dict.fromkeys(names))
    assert texts(best_blocks([record], "val_accuracy")[0])[0][3:] == ["", "1 epoch", "", "", "", ""]


def test_what_was_lost_has_its_reason(records_of):
    records = records_of(60)
    lost = [record for record in records if record.status != "completed"]
    (table,) = lost_blocks(records)
    assert texts(table)[0][:2] == [lost[0].status.upper(), lost[0].trial]
    assert table.rows[0].note.startswith(lost[0].reason)
    unknown = dataclasses.replace(lost[0], reason="")
    assert lost_blocks([unknown])[0].rows[0].note.startswith("No reason was written down.")
    many = [dataclasses.replace(lost[0], trial=f"{n:04d}", run=f"trials/{n:04d}") for n in range(12)]
    assert [type(block) for block in lost_blocks(many)] == [Table, Fold]
    assert lost_blocks([]) == [Text("No trial diverged or failed.")]


def test_rejected_samples_by_reason():
    assert texts(rejected_blocks({"b": 2, "a": 2, "c": 1500})[0]) == [["1,500", "c"], ["2", "a"], ["2", "b"]]
    assert rejected_blocks({}) == [Text("No sample was rejected.")]
    assert texts(rejected_blocks({"odd": "many"})[0]) == [["0", "odd"]]


def test_facts_without_a_value_are_left_out():
    assert texts(fact_table({"epochs": 9, "space": None, "flip": False}, "setting")) == [
        ["epochs", "9"],
        ["flip", "no"],
    ]
