"""The records of a search: read past damage, ranked with one place a run, put into a table that keeps their types."""

import json

import pandas as pd
import pytest

from kerasnets.search.results import (
    as_text,
    best_so_far,
    latest_of_each_run,
    pareto_front,
    ranking,
    read_records,
    trials_table,
    write_trials_csv,
)
from kerasnets.search.trial import TrialRecord


def record(trial="0000", *, run=None, score=0.5, status="completed", budget=3, **rest):
    return TrialRecord(trial=trial, run=run or f"trials/{trial}", score=score, status=status, budget=budget, **rest)


def write(folder, *records, **texts):
    (folder / "results").mkdir(parents=True, exist_ok=True)
    for each in records:
        (folder / "results" / f"{each.trial}.json").write_text(json.dumps(each.to_dict()))
    for name, text in texts.items():
        (folder / "results" / f"{name}.json").write_text(text)


def test_records_come_back_in_the_order_of_their_numbers(tmp_path):
    records = [record(trial, values={"width": 32, "flip": "none"}) for trial in ("2", "9", "10", "11")]
    write(tmp_path, *reversed(records))
    assert read_records(tmp_path) == records


def test_a_search_without_trials_has_no_records(tmp_path):
    assert read_records(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "Expecting value"),
        ('{"trial": "0', "Unterminated string"),
        ("[]", "A record must map names to values. Received: list."),
        ('{"trial": "0001"}', "A record of a trial was expected"),
        (json.dumps(record().to_dict() | {"values": 3}), "values must map names of choices to values. Received: 3."),
        (json.dumps(record().to_dict() | {"budget": None}), "budget must be a finite number. Received: None."),
        (json.dumps(record().to_dict() | {"flops": "many"}), "flops must be a finite number. Received: 'many'."),
        (
            json.dumps(record().to_dict() | {"val_loss": float("nan")}),
            "val_loss must be a finite number. Received: nan",
        ),
        (json.dumps(record(score=None).to_dict()), "score must be a finite number for a completed trial."),
    ],
)
def test_a_damaged_record_is_left_out_with_a_word(tmp_path, text, word):
    write(tmp_path, record("0000"), record("0002"), **{"0001": text})
    told = []
    assert [each.trial for each in read_records(tmp_path, told.append)] == ["0000", "0002"]
    assert len(told) == 1 and word in told[0] and "0001.json holds no record" in told[0]


def test_the_word_goes_to_stderr(tmp_path, capsys):
    write(tmp_path, bad="{")
    assert read_records(tmp_path) == []
    assert capsys.readouterr().err.count("\n") == 1


def test_one_row_a_trial_with_a_column_for_each_choice():
    failed = {"status": "failed", "score": None, "reason": "out of memory"}
    records = [
        record("0000", values={"width": 64, "optimizer": "sgd"}, weights=650, epochs=2.5),
        record("0001", values={"optimizer": "adamw", "decay": 0.1}, **failed),
    ]
    table = trials_table(records)
    first = ["trial", "run", "status", "score", "val_accuracy", "budget", "epochs", "seconds", "weights", "flops"]
    assert list(table.columns[:10]) == first
    assert list(table.columns[-3:]) == ["hp.width", "hp.optimizer", "hp.decay"]
    assert table["hp.width"].tolist() == [64, None]
    assert table["weights"].tolist() == [650, pd.NA]
    assert table["reason"].tolist() == ["", "out of memory"]
    assert list(trials_table([]).columns) == list(table.columns[:-3])


def test_the_table_as_a_file_keeps_whole_numbers_whole(tmp_path):
    records = [record("0000", values={"width": 64}), record("0001", values={"rate": 0.1, "name": 'a,"b"\n=c'})]
    path = write_trials_csv(tmp_path, records)
    assert path == tmp_path / "trials.csv"
    table = pd.read_csv(path, dtype=str)
    assert table["hp.width"].fillna("").tolist() == ["64", ""]
    assert table["trial"].tolist() == ["0000", "0001"]
    assert table["hp.name"].tolist()[1] == 'a,"b"\n=c'
    assert list(tmp_path.iterdir()) == [path]


def test_a_run_stands_once_in_the_ranking_with_its_latest_budget():
    records = [
        record("0000", score=0.5, budget=1),
        record("0001", score=0.6, budget=1),
        record("0002", run="trials/0001", score=0.55, budget=3, initial_budget=1),
    ]
    assert [each.trial for each in ranking(records)] == ["0002", "0000"]
    assert [each.trial for each in ranking(reversed(records))] == ["0002", "0000"]


def test_what_diverged_or_failed_when_it_went_on_is_not_ranked():
    records = [
        record("0000", score=0.9, budget=1),
        record("0001", run="trials/0000", status="diverged", score=0.0, budget=3),
        record("0002", score=0.8, budget=1),
        record("0003", run="trials/0002", status="failed", score=None, budget=3),
        record("0004", score=0.1, budget=1),
        record("0005", run="trials/0004", status="running", score=None, budget=3),
    ]
    assert [each.trial for each in ranking(records)] == ["0004"]
    assert [each.trial for each in latest_of_each_run(records)] == ["0001", "0003", "0004"]


def test_of_equal_scores_the_one_with_less_training_is_better():
    records = [record("0", train_seconds=9.0, seconds=1.0), record("1", train_seconds=5.0), record("2", seconds=7.0)]
    assert [each.trial for each in ranking(records)] == ["1", "2", "0"]
    assert [each.trial for each in ranking([record("9"), record("10")])] == ["9", "10"]


def test_best_so_far_rises_with_the_time_of_the_search():
    records = [
        record("0", score=0.5, search_seconds=30.0),
        record("1", score=0.4, search_seconds=10.0),
        record("2", score=0.45, search_seconds=40.0),
        record("3", score=0.7, search_seconds=50.0),
        record("4", score=0.9, status="diverged", search_seconds=20.0),
    ]
    assert best_so_far(records) == [(10.0, 0.4), (30.0, 0.5), (50.0, 0.7)]
    assert best_so_far([]) == []


@pytest.mark.parametrize(
    ("points", "front"),
    [
        ([], []),
        ([(1, 0.5)], [0]),
        ([(2, 0.7), (1, 0.5), (3, 0.6), (4, 0.9)], [1, 0, 3]),
        ([(1, 0.5), (1, 0.6), (1, 0.6)], [1]),  # equal cost: the better one; equal in both: the first
        ([(1, 0.6), (2, 0.6)], [0]),
    ],
)
def test_pareto_front(points, front):
    assert pareto_front(points) == front


@pytest.mark.parametrize(
    ("value", "text"), [(True, "yes"), (False, "no"), (0.0123456, "0.01235"), (3.0, "3"), (64, "64"), ("none", "none")]
)
def test_choices_as_text(value, text):
    assert as_text(value) == text
