"""Tables and result lines as they appear on the terminal."""

from types import SimpleNamespace

import pandas as pd
import pytest

from kerasnets.cli.tables import print_evaluation, print_run, print_table

FRAME = pd.DataFrame(
    {"class_name": ["cat [1]", None], "support": [1200, 7], "accuracy": [0.25, float("nan")], "long": ["x" * 90, "y"]}
)


def test_a_table_has_one_line_a_row_however_long(capsys):
    print_table(FRAME)
    lines = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0].split() == ["class", "name", "support", "accuracy", "long"]
    assert lines[2].split() == ["cat", "[1]", "1,200", "0.2500", "x" * 90]
    assert lines[3].split() == ["7", "y"]
    assert len(lines) == 4
    assert lines[2].index("1,200") + len("1,200") == lines[3].index("7") + 1  # numbers stand to the right


TEST = {"accuracy": 0.5, "correct": 5, "n": 10, "interval": [0.2366, 0.7634], "loss": 1.25, "selection": "last epoch"}
LINE = "accuracy 50.00% (5 of 10, 95 % interval 23.66% to 76.34%), loss 1.2500; weights: last epoch."


@pytest.mark.parametrize(
    ("status", "test", "lines"),
    [
        (
            "finished",
            TEST,
            [f"Test {LINE}", "Run folder: r", "Next: kerasnets-evaluate r digits, or kerasnets-export r"],
        ),
        (
            "interrupted",
            TEST | {"tta": "flip", "accuracy_without_tta": 0.4},
            [f"Test {LINE}", "Averaged over flip; 40.00% on the images alone.", "Run folder: r"],
        ),
        ("diverged", None, ["The run diverged: r/diagnosis.json says where and what to try.", "Run folder: r"]),
    ],
)
def test_a_run_in_a_few_lines(capsys, status, test, lines):
    print_run(SimpleNamespace(path="r", summary={"status": status, "test": test, "dataset": "digits"}))
    assert capsys.readouterr().out.splitlines() == lines


@pytest.mark.parametrize(("tta", "more"), [("none", []), ("flip", ["Averaged over flip; 75.00% on the images alone."])])
def test_an_evaluation_ends_with_its_number_and_where_it_is_from(capsys, tta, more):
    numbers = SimpleNamespace(
        **TEST, per_class=FRAME, dataset="digits", split="test", tta=tta, accuracy_without_tta=0.75
    )
    print_evaluation(numbers)
    assert capsys.readouterr().out.splitlines()[4:] == [f"digits test: {LINE}", *more]


def test_a_choice_that_nobody_wrote_down_is_said(capsys):
    numbers = SimpleNamespace(**(TEST | {"selection": None}), per_class=FRAME, dataset="d", split="test", tta="none")
    print_evaluation(numbers)
    assert "weights: unknown choice." in capsys.readouterr().out
