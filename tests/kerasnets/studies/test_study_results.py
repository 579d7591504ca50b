"""Which runs and notes a row and a claim are judged by."""

import pytest

from kerasnets.studies.cells import make_cells
from kerasnets.studies.results import read_cell
from kerasnets.studies.study import Claim, Diverges, Measure, Row, Setting, Study
from kerasnets.studies.study_results import study_results
from kerasnets.training.config import config_to_yaml

SETTINGS = (
    Setting(name="a"),
    Setting(name="b", config={"learning_rate": 0.5}, note="other images"),
    Setting(name="c", config={"learning_rate": 0.7}),
)


def study(dataset="folder:photos"):
    loss = Measure(quantity="test_loss")
    return Study(
        name="s",
        question="?",
        dataset=dataset,
        base={"arch": "lazynet", "epochs": 3},
        settings=SETTINGS,
        seeds=1,
        rows=tuple(Row(setting=name, measure=loss, published=1.5, rounding=0.05) for name in "ab"),
        claims=(Claim(text="c diverges.", comparisons=(Diverges(setting="c"),)),),
    )


STUDY = study()


def run(folder, write_run, study):
    made = make_cells(study)
    for cell in made[:2]:
        write_run(folder / "cells" / cell.key, config=config_to_yaml(cell.config))
    return [read_cell(folder, cell) for cell in made]


@pytest.fixture
def cells(tmp_path, write_run):
    return run(tmp_path, write_run, STUDY)


def test_runs_are_judged_by_setting(cells):
    results = study_results(STUDY, cells, command="again")
    assert [verdict.mean for verdict in results.row_verdicts] == [1.5, 1.5]
    assert [verdict.verdict for verdict in results.row_verdicts] == ["TOO FEW RUNS", "PROTOCOL DIFFERS"]
    assert "other images" in results.row_verdicts[1].why.lower()
    assert [verdict.verdict for verdict in results.claim_verdicts] == ["UNDECIDED"]
    assert {name: len(own) for name, own in results.by_setting.items()} == {"a": 1, "b": 1, "c": 1}
    assert [cell.cell.setting for cell in results.done] == ["a", "b"]


def test_settings_that_are_not_run_are_left_out(cells):
    assert list(study_results(STUDY, cells[:1]).by_setting) == ["a"]


def test_a_scaled_study_says_so_in_every_row_and_claim(cells):
    results = study_results(STUDY, cells, scale=0.1)
    assert [verdict.verdict for verdict in results.row_verdicts] == ["PROTOCOL DIFFERS"] * 2
    assert all("scaled to 0.1" in verdict.why.lower() for verdict in results.row_verdicts)
    (claim,) = results.claim_verdicts
    assert claim.words == "UNDECIDED, scaled"
    assert "scaled to 0.1" in claim.comparisons[0].why


def test_a_part_of_the_data_is_named_in_every_row(tmp_path, write_run):
    digits = study("digits")  # of which 27 training images are there, of 1,437
    first, second = study_results(digits, run(tmp_path, write_run, digits)).row_verdicts
    assert (first.verdict, second.verdict) == ("PROTOCOL DIFFERS", "PROTOCOL DIFFERS")
    assert "a part of the data: 27 of its 1,437 training images" in first.why
