"""The drawings of a search: what is drawn of which records, and none where there is nothing to see."""

import dataclasses
import xml.etree.ElementTree as ElementTree

import pytest

from kerasnets.search.importance import Importance, importance
from kerasnets.search.report_figures import (
    budget_in_words,
    choices_figure,
    cost_figures,
    importance_figure,
    time_figure,
)
from kerasnets.search.results import ranking


def words(figure):
    return [element.text for element in ElementTree.fromstring(figure.svg).iter("{http://www.w3.org/2000/svg}text")]


def test_scores_over_time_by_budget_with_what_was_lost(records_of):
    records = records_of(30)
    seen = words(time_figure(records, "val_accuracy", "epochs"))
    assert {"hours of search", "validation accuracy", "best so far", "1 epoch", "3 epochs", "9 epochs"} <= set(seen)
    assert "diverged or failed" in seen
    assert "diverged or failed" not in words(time_figure(ranking(records), "val_accuracy", "epochs"))
    assert "score, accuracy per FLOP" in words(time_figure(records, "accuracy_per_flop", "epochs"))


@pytest.mark.parametrize(("seconds", "word"), [(100.0, "seconds"), (300.0, "minutes"), (20_000.0, "hours")])
def test_the_unit_of_time_fits_the_search(records_of, seconds, word):
    (record,) = records_of(1)
    record = dataclasses.replace(record, search_seconds=seconds)
    assert f"{word} of search" in words(time_figure([record], "val_accuracy", "epochs"))


def test_a_search_that_only_lost_trials_is_drawn_too(records_of):
    (record,) = records_of(1)
    lost = dataclasses.replace(record, status="failed", score=None)
    assert "diverged or failed" in words(time_figure([lost], "val_accuracy", "epochs"))
    running = dataclasses.replace(record, status="running", score=None)
    assert time_figure([running], "val_accuracy", "epochs") is None
    assert time_figure([], "val_accuracy", "epochs") is None


def test_many_budgets_are_one_group(records_of):
    records = [dataclasses.replace(record, budget=9 + place) for place, record in enumerate(records_of(8))]
    assert "trial" in words(time_figure(records, "val_accuracy", "epochs"))


@pytest.mark.parametrize(("budget", "text"), [(1, "1 epoch"), (9.0, "9 epochs"), (2.25, "2.25 epochs")])
def test_a_budget_in_words(budget, text):
    assert budget_in_words(budget, "epochs") == text


def test_choices_are_those_that_differ_and_the_most_important_first(records_of):
    records = records_of(60)
    found = importance(records)
    figure = choices_figure(records, "val_accuracy", found)
    seen = words(figure)
    names = [word for word in seen if word in found.shares]
    assert names == list(found.shares)[:10]
    assert "space" not in seen and "validation accuracy" in seen
    assert figure.svg.count("stroke: #d9822b") == 5
    assert f"in colour the best 5 of {len(ranking(records))} runs" in figure.caption
    assert "in colour the best run." in choices_figure(records[:4], "val_accuracy", None).caption


def test_one_run_has_nothing_to_be_compared_with(records_of):
    assert choices_figure(records_of(1), "val_accuracy", None) is None
    first, *_ = records_of(1)
    same = [first, dataclasses.replace(first, trial="0001", run="trials/0001")]
    assert choices_figure(same, "val_accuracy", None) is None


def test_importance_shows_the_largest_shares():
    shares = {f"choice{number}": 1 / (number + 2) for number in range(20)}
    figure = importance_figure(Importance(n=33, explained=0.5, shares=shares))
    assert "50.00 %" in words(figure) and "choice14" in words(figure) and "choice15" not in words(figure)
    nothing = Importance(n=10, explained=0.0, shares={"a": 0.0, "b": 0.0})
    assert "a" in words(importance_figure(nothing)) and "b" not in words(importance_figure(nothing))
    assert "From 33 runs" in figure.caption and "5 of less importance are not shown" in figure.caption


def test_accuracy_against_seconds_and_flops_with_the_front_and_the_winner(records_of):
    seconds, flops = cost_figures(records_of(30))
    for figure, axis in ((seconds, "seconds of training"), (flops, "million FLOPs an image")):
        assert {axis, "validation accuracy", "Pareto front", "winner", "trial", "best for the cost"} <= set(
            words(figure)
        )


def test_without_importance_the_choices_of_most_runs_come_first(records_of):
    records = records_of(9)
    names = [word for word in words(choices_figure(records, "val_accuracy", None)) if word in records[0].values]
    assert "momentum" in records[0].values and "momentum" not in names and "optimizer" in names


def test_small_networks_are_counted_in_thousands(records_of):
    small = [dataclasses.replace(record, flops=1280) for record in records_of(3)]
    assert "thousand FLOPs an image" in words(cost_figures(small)[1])


def test_what_was_not_measured_is_not_drawn(records_of):
    records = [dataclasses.replace(record, flops=None) for record in records_of(12)]
    assert [figure.name for figure in cost_figures(records)] == ["accuracy-and-seconds"]
    assert cost_figures([dataclasses.replace(record, val_accuracy=None) for record in records]) == []
    (alone,) = cost_figures([dataclasses.replace(records[0], train_seconds=3.0)])
    assert "best for the cost" not in words(alone)
