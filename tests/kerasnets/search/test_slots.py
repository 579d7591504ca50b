"""Trials in slots, with light stand-ins for the oracle and the processes."""

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from kerasnets.search import slots as slots_module
from kerasnets.search.config import SearchConfig
from kerasnets.search.folder import Clock, SearchFolder
from kerasnets.search.live_table import Silent
from kerasnets.search.slots import Slots
from kerasnets.studies.ledger import Ledger

FULL, HELD, MISTAKE = 74, 75, 2


class FakeOracle:
    """Gives trials 0000, 0001, ... with the values it was made with."""

    def __init__(self, *values: dict[str, Any], budget: int = 9):
        self.queue = [
            SimpleNamespace(
                trial_id=f"{number:04d}",
                status="RUNNING",
                hyperparameters=SimpleNamespace(values=one | {"tuner/epochs": budget, "tuner/initial_epoch": 0}),
            )
            for number, one in enumerate(values)
        ]
        self.trials = {trial.trial_id: trial for trial in self.queue}
        self.owned: dict[str, Any] = {}
        self.scores: dict[str, float] = {}
        self.ended: list[tuple[str, str]] = []

    def create_trial(self, tuner_id):
        if tuner_id not in self.owned and self.queue:
            self.owned[tuner_id] = self.queue.pop(0)
        return self.owned.get(tuner_id, SimpleNamespace(trial_id="", status="STOPPED"))

    def update_trial(self, trial_id, metrics, step=0):
        self.scores[trial_id] = metrics["score"]

    def end_trial(self, trial):
        self.ended.append((trial.trial_id, trial.status))
        self.owned = {name: one for name, one in self.owned.items() if one.trial_id != trial.trial_id}

    def get_trial(self, trial_id):
        return self.trials[trial_id]


class FakeProcess:
    """Ends with a code at once, or runs until it is stopped (code None)."""

    def __init__(self, code: int | None, reason: str):
        self.code, self.why, self.seconds, self.ends = code, reason, 1.5, []

    def exit_code(self):
        return self.code

    def stop(self):
        self.ends.append("stop")
        self.code = 143

    def kill(self):
        self.ends.append("kill")
        self.code = -9

    def reason(self):
        return self.why


class FakeServer:
    """Starts processes that end as the settings' learning rate says: a list of codes, one an attempt."""

    def __init__(self, codes: dict[float, list[int | None]]):
        self.codes, self.started, self.processes = codes, [], []

    def start(self, config, path, *, until, threads, output):
        self.started.append((config, path, until, threads, output))
        code = self.codes[config.learning_rate].pop(0)
        path.mkdir(parents=True, exist_ok=True)
        (path / "config.yaml").write_text("dataset: digits\n")
        summary = {
            "status": "paused",
            "epochs": 9,
            "trainable_weights": 650,
            "flops_per_image": 1280,
            "seconds": {"train": 2.5},
            "images_per_second": 400.0,
            "peak_memory_bytes": 10**9,
            "pause": {"epochs": 9.0, "val_accuracy": 0.75, "val_loss": 0.5, "train_loss": 0.4},
        }
        (path / "summary.json").write_text(json.dumps(summary))
        if code == 1:
            (path / "diagnosis.json").write_text(json.dumps({"cause": "the rate is too high"}))
        self.processes.append(FakeProcess(code, "killed by signal 9 (perhaps out of memory)"))
        return self.processes[-1]


class Hyperparameters:
    def __init__(self):
        self.values = {}

    def copy(self):
        return Hyperparameters()


SPACE = SimpleNamespace(settings=lambda hp: {"arch": "lazynet", "learning_rate": hp.values["rate"]})


class Told(Silent):
    def __init__(self):
        self.messages = []

    def message(self, text):
        self.messages.append(text)


@pytest.fixture
def make(tmp_path):
    def build(oracle, codes, *, names=("a",), remote=False, **settings):
        config = SearchConfig(**({"dataset": "digits", "output": str(tmp_path), "name": "one"} | settings))
        folder = SearchFolder(config.folder)
        folder.path.mkdir(exist_ok=True)
        return Slots(
            config,
            folder,
            space=SPACE,
            hyperparameters=Hyperparameters(),
            oracle=oracle,
            server=FakeServer(codes),
            names=list(names),
            display=Told(),
            clock=Clock(folder.path / "clock.json"),
            threads=1,
            ledger=Ledger(folder.path / "ledger.jsonl"),
            remote=remote,
        )

    return build


def run(slots: Slots, stopped: Callable[[], bool] = lambda: False) -> list:
    records = []
    slots.run(stopped, records.append)
    return records


def test_each_trial_is_run_told_and_recorded(make):
    oracle = FakeOracle({"rate": 0.1}, {"rate": 0.2})
    slots = make(oracle, {0.1: [0], 0.2: [0]})
    records = run(slots)
    assert [(record.trial, record.status, record.score) for record in records] == [
        ("0000", "completed", 0.75),
        ("0001", "completed", 0.75),
    ]
    assert oracle.ended == [("0000", "COMPLETED"), ("0001", "COMPLETED")]
    assert oracle.scores == {"0000": 0.75, "0001": 0.75}
    first = slots.folder.record("0000")
    assert first == records[0]
    assert (first.run, first.values, first.budget, first.flops, first.weights) == (
        "trials/0000", {"rate": 0.1}, 9, 1280, 650,
    )  # fmt: skip
    config, path, until, threads, output = slots.server.started[0]
    assert (config.epochs, until.epochs, until.seconds, threads) == (9, 9, None, 1)
    assert (path.name, output.name) == ("0000", "0000-1.txt")


def test_with_a_time_the_budget_is_seconds(make):
    oracle = FakeOracle({"rate": 0.1}, budget=3)
    slots = make(oracle, {0.1: [0]}, objective="accuracy_at_seconds", trial_time="54s")
    (record,) = run(slots)
    config, _, until, _, _ = slots.server.started[0]
    assert (config.max_time, until.seconds, until.epochs) == ("54s", 6.0, None)
    assert (record.unit, record.budget) == ("seconds", 6.0)


def test_a_crash_is_tried_once_more(make):
    slots = make(FakeOracle({"rate": 0.1}), {0.1: [-9, 0]})
    (record,) = run(slots)
    assert record.status == "completed"
    assert [one[4].name for one in slots.server.started] == ["0000-1.txt", "0000-2.txt"]
    assert slots.display.messages == [
        "Trial 0000 failed, it is tried again: killed by signal 9 (perhaps out of memory)"
    ]


def test_two_crashes_are_marked_and_the_search_goes_on(make):
    oracle = FakeOracle({"rate": 0.1}, {"rate": 0.2})
    failed, good = run(make(oracle, {0.1: [-9, -11], 0.2: [0]}))
    assert (failed.status, failed.score, failed.reason) == (
        "failed", None, "killed by signal 9 (perhaps out of memory)",
    )  # fmt: skip
    assert good.status == "completed"
    assert oracle.ended == [("0000", "FAILED"), ("0001", "COMPLETED")]
    assert "0000" not in oracle.scores


def test_a_mistake_is_not_made_twice(make):
    slots = make(FakeOracle({"rate": 0.1}), {0.1: [MISTAKE]})
    assert run(slots)[0].status == "failed"
    assert len(slots.server.started) == 1


def test_settings_out_of_range_fail_without_a_process(make):
    slots = make(FakeOracle({"rate": -1.0}), {})
    (record,) = run(slots)
    assert record.status == "failed"
    assert record.reason.startswith("learning_rate must be a number")


def test_a_trial_that_diverges_has_the_worst_score_and_its_cause(make):
    oracle = FakeOracle({"rate": 0.1})
    (record,) = run(make(oracle, {0.1: [1]}))
    assert (record.status, record.score, record.reason) == ("diverged", 0.0, "the rate is too high")
    assert oracle.ended == [("0000", "COMPLETED")]


def test_a_full_disk_stops_the_search_and_marks_nothing(make):
    oracle = FakeOracle({"rate": 0.1}, {"rate": 0.2})
    slots = make(oracle, {0.1: [FULL], 0.2: [0]})
    assert run(slots) == []
    assert slots.trouble.endswith("Nothing is lost: mend that, and give the same command again.")
    assert oracle.ended == []


def test_a_folder_that_another_process_holds_is_waited_for(make, monkeypatch):
    monkeypatch.setattr(slots_module, "_IN_USE_SECONDS", 0.01)
    slots = make(FakeOracle({"rate": 0.1}), {0.1: [HELD, HELD, HELD, 0]})
    assert run(slots)[0].status == "completed"


def test_asked_to_stop_the_trials_write_a_checkpoint_and_stay_the_oracles(make):
    oracle = FakeOracle({"rate": 0.1}, {"rate": 0.2})
    slots = make(oracle, {0.1: [None], 0.2: [None]}, names=("a", "b"))
    assert run(slots, lambda: len(slots.server.processes) == 2) == []
    assert [process.ends for process in slots.server.processes] == [["stop"], ["stop"]]
    assert oracle.ended == []
    assert [event["event"] for event in slots.ledger.of("0000")] == ["started", "stopped"]


def test_a_trial_that_was_killed_before_the_oracle_was_told_is_not_run_again(make):
    run(make(FakeOracle({"rate": 0.1}), {0.1: [0]}))
    oracle = FakeOracle({"rate": 0.1})
    again = make(oracle, {})
    assert run(again)[0].score == 0.75
    assert oracle.scores == {"0000": 0.75}
    assert again.server.started == []


def test_a_promoted_trial_goes_on_in_the_folder_of_its_first(make):
    oracle = FakeOracle({"rate": 0.1}, {"rate": 0.1, "tuner/trial_id": "0000"})
    slots = make(oracle, {0.1: [0, 0]})
    records = run(slots)
    assert [record.run for record in records] == ["trials/0000", "trials/0000"]


def test_a_worker_whose_trial_was_handed_on_kills_its_own(make, monkeypatch):
    monkeypatch.setattr(slots_module, "_HEARTBEAT_SECONDS", 0.0)
    oracle = FakeOracle({"rate": 0.1}, {"rate": 0.2})
    slots = make(oracle, {0.1: [None], 0.2: [0]}, remote=True)

    def hand_on():
        if slots.server.processes and "0001" not in [trial.trial_id for trial in oracle.owned.values()]:
            oracle.owned.clear()
        return False

    (record,) = run(slots, hand_on)
    assert record.trial == "0001"
    assert slots.server.processes[0].ends == ["kill"]


def test_others_are_waited_for(make):
    slots = make(FakeOracle(), {}, names=())
    end = time.monotonic() + 0.2
    slots.run(lambda: False, lambda record: None, lambda: time.monotonic() < end)
    assert time.monotonic() >= end
