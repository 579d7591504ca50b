"""Where a study keeps its files, and which runs a report is about."""

from pathlib import Path

import pytest

from kerasnets.studies.cells import cell_path, make_cells
from kerasnets.studies.ledger import Ledger
from kerasnets.studies.study import Setting, Study
from kerasnets.studies.study_folder import read_cells, repeat_command, seeds_to_report, study_folder

STUDY = Study(
    name="small", question="?", dataset="digits", base={"arch": "lazynet"}, settings=(Setting(name="a"),), seeds=2
)


def test_scaled_runs_have_a_folder_of_their_own():
    assert study_folder("studies", STUDY) == Path("studies/small")
    assert study_folder("studies", STUDY, 0.1) == Path("studies/small-scale-0.1")


def test_cells_that_were_given_up_say_why(tmp_path):
    first, second = make_cells(STUDY)
    study_folder(tmp_path, STUDY).mkdir()
    ledger = Ledger(study_folder(tmp_path, STUDY) / "ledger.jsonl")
    for _ in range(3):
        ledger.append("failed", cell=first.key, reason="out of paper", exit_code=1)
    results = read_cells(tmp_path, STUDY, [first, second])
    assert [(result.status, result.reason) for result in results] == [("failed", "out of paper"), ("missing", "")]


@pytest.mark.parametrize(("there", "asked", "expected"), [(0, None, 2), (3, None, 3), (3, 1, 3), (1, 1, 1), (0, 5, 5)])
def test_a_report_is_about_all_seeds_that_were_run(tmp_path, there, asked, expected):
    for cell in make_cells(STUDY, seeds=there) if there else ():
        cell_path(tmp_path, cell).mkdir(parents=True)
        (cell_path(tmp_path, cell) / "summary.json").touch()
    assert seeds_to_report(tmp_path, STUDY, seeds=asked) == expected


def test_the_command_that_repeats_it():
    def command(name="small", output="studies", scale=1.0, seeds=2):
        return repeat_command(name, STUDY, output=output, scale=scale, seeds=seeds)

    assert command() == "kerasnets-study run small --data-dir DIR"
    assert command("my study.yaml", "out", 0.1, 5) == (
        "kerasnets-study run 'my study.yaml' --data-dir DIR --scale 0.1 --seeds 5 --output out"
    )
    assert repeat_command("small", STUDY, output="studies", scale=1.0, seeds=2, precision="bfloat16") == (
        "kerasnets-study run small --data-dir DIR --precision bfloat16"
    )
