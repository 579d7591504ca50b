"""The importance of choices: that of a made-up score whose parts are known, and nothing where nothing can be said."""

import numpy as np
import pytest

from kerasnets.search.importance import importance
from kerasnets.search.trial import TrialRecord


def runs(n, score, seed=0, budget=lambda number: 9):
    """Completed runs of which ``score`` makes a number out of the values."""
    random = np.random.default_rng(seed)
    records = []
    for number in range(n):
        values = {
            "rate": float(random.uniform()),
            "width": int(random.choice([32, 64, 128])),
            "optimizer": str(random.choice(["adamw", "muon", "sgd"])),
            "flip": bool(random.integers(2)),
            "same": "always",
        }
        if values["optimizer"] == "sgd":
            values["momentum"] = float(random.uniform())
        name = f"{number:04d}"
        numbers = {"score": score(values), "budget": budget(number)}
        records.append(TrialRecord(trial=name, run=f"trials/{name}", status="completed", values=values, **numbers))
    return records


def test_shares_are_those_of_the_variance():
    # Var of rate is 1/12, and of a coin 1/4: 4 * rate has 4/3, 1 * flip 1/4.
    found = importance(runs(200, lambda values: 4 * values["rate"] + values["flip"]))
    assert found.n == 200 and found.explained > 0.9
    assert list(found.shares)[:2] == ["rate", "flip"]
    assert found.shares["rate"] == pytest.approx(16 / 19, abs=0.15)
    assert found.shares["flip"] == pytest.approx(3 / 19, abs=0.08)
    assert max(share for name, share in found.shares.items() if name not in ("rate", "flip")) < 0.02
    assert "same" not in found.shares


def test_texts_and_what_is_not_always_in_use():
    good = {"adamw": 0.5, "muon": 1.0}
    found = importance(runs(150, lambda values: good.get(values["optimizer"], 0.3 * values.get("momentum", 0))))
    assert list(found.shares)[0] == "optimizer"
    assert found.explained > 0.8


def test_more_training_does_not_hide_what_the_choices_do():
    records = runs(100, lambda values: 0.1 * values["rate"], budget=lambda number: 9 if number % 2 else 1)
    longer = [TrialRecord(**(record.to_dict() | {"score": record.score + record.budget})) for record in records]
    # Those that went on are left out: they are the good ones, and better for having gone on.
    went_on = {"trial": "0999", "budget": 27, "initial_budget": 9, "score": 99.0}
    again = TrialRecord(**(records[0].to_dict() | went_on))
    found = importance([*longer, again])
    assert found.n == 100
    assert list(found.shares)[0] == "rate"
    assert found.shares["rate"] == pytest.approx(1, abs=0.15)


def test_chance_is_said_to_explain_nothing():
    random = np.random.default_rng(1)
    assert importance(runs(60, lambda values: float(random.normal()))).explained < 0.1


def test_the_same_records_have_the_same_shares_in_any_order():
    records = runs(20, lambda values: values["rate"])
    assert importance(records) == importance(records[::-1])


def test_nothing_is_said_of_few_runs_or_of_equal_ones():
    assert importance(runs(9, lambda values: values["rate"])) is None
    assert importance(runs(10, lambda values: values["rate"])).n == 10
    assert importance(runs(20, lambda values: 0.5)) is None
    assert importance([]) is None
    same = [TrialRecord(**(record.to_dict() | {"values": {"same": 1}})) for record in runs(12, lambda v: v["rate"])]
    assert importance(same) is None


def test_a_run_that_went_on_counts_once():
    records = runs(9, lambda values: values["rate"])
    again = TrialRecord(**(records[0].to_dict() | {"trial": "0009", "budget": 27, "initial_budget": 9}))
    assert importance([*records, again]) is None
