import io

import pytest
from rich.console import Console

from kerasnets.search.live_table import LiveTable, RunningTrial, describe, short_values
from kerasnets.search.trial import TrialRecord


def record(trial: str, accuracy: float = 0.5, **values) -> TrialRecord:
    facts = {"run": f"trials/{trial}", "status": "completed", "score": accuracy, "val_accuracy": accuracy, "budget": 3}
    return TrialRecord(
        **({"trial": trial, "seconds": 12.0, "values": {"rate": 0.012345, "norm": "[batch]"}} | facts | values)
    )


@pytest.fixture
def told():
    def build(terminal: bool) -> tuple[LiveTable, io.StringIO]:
        text = io.StringIO()
        console = Console(file=text, force_terminal=terminal, width=110, highlight=False, soft_wrap=True)
        return LiveTable(console), text

    return build


def test_a_trial_is_a_line_that_says_what_came_of_it():
    best = record("0001", 0.6)
    assert describe(best, [best]) == (
        "trial 0001  60.00 % of validation after 3 epochs, 12 s  best so far  rate=0.0123 norm=[batch]"
    )
    assert "best so far" not in describe(record("0002", 0.5), [best])
    failed = record("0003", status="failed", score=None, reason="killed by signal 9")
    assert describe(failed, [best]) == "trial 0003  failed: killed by signal 9"
    assert "after 90 s," in describe(record("0004", unit="seconds", budget=90.0), [best])


def test_piped_there_is_one_line_a_trial_and_no_table(told):
    table, text = told(False)
    table.begin("mine", "epochs", 4, None)
    table.ended(record("0001", 0.6))
    table.show([RunningTrial(trial="0002", budget=3, seconds=1.0)], 20.0)
    table.close()
    assert text.getvalue().count("\n") == 1


def test_on_a_terminal_the_best_and_the_running_trials_are_shown(told):
    table, text = told(True)
    table.begin("mine", "epochs", 4, 100.0)
    table.earlier([record("0001", 0.6), record("0002", 0.7)])
    table.show([RunningTrial(trial="0003", budget=9, seconds=1.0, values={"width": 8})], 20.0)
    table.close()
    shown = text.getvalue()
    assert "mine: 2 of 4 trials, 20 s so far, 80 s left" in shown
    assert shown.index("0003") < shown.index("70.00 %") < shown.index("60.00 %")
    assert "to 9 epochs" in shown
    assert "norm=[batch]" in shown  # not taken for rich's markup


def test_a_promoted_run_is_shown_once_with_its_latest_score(told):
    table, text = told(True)
    table.earlier([record("0001", 0.6), record("0005", 0.55, run="trials/0001", budget=9)])
    table.show([], 1.0)
    table.close()
    assert "55.00 %" in text.getvalue()
    assert "60.00 %" not in text.getvalue()


def test_choices_are_shortened():
    assert short_values({"a": 0.000123456, "b": True, "c": "text"}) == "a=0.000123 b=True c=text"
