"""What all oracles have in common: one file, whole steps, owners, trials ended once."""

import errno
import json
import os
import subprocess
import sys
import textwrap
import threading

import keras_tuner
import pytest

from kerasnets.errors import InputError
from kerasnets.search.oracle import active_values, make_oracle, rung

TUNERS = ("random", "bayesian", "hyperband")


def make(folder, tuner="random", max_trials=12, seed=0, **options):
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["wide"]):
        hp.Int("width", 8, 64)
    hp.Float("rate", 1e-3, 1.0, sampling="log")
    options = {"max_budget": 9, "hyperparameters": hp} | options
    return make_oracle(tuner, max_trials=max_trials, seed=seed, folder=folder, **options)


def score(values):
    return 1 - abs(values["rate"] - 0.1) - 0.001 * values.get("width", 40)


def end(oracle, trial, value=None):
    oracle.update_trial(trial.trial_id, {"score": score(active_values(trial)) if value is None else value})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def run(oracle, trials=1000):
    """Runs trials one after the other; returns what each of them was."""
    done = []
    while len(done) < trials and (trial := oracle.create_trial("here")).status == "RUNNING":
        done.append((trial.trial_id, active_values(trial), rung(trial, oracle)))
        end(oracle, trial)
    return done


def full_disk(*arguments):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_search_that_is_read_back_at_every_step_is_the_same_search(tmp_path, tuner):
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    expected = run(make(tmp_path / "whole", tuner))
    assert len(expected) == 12
    done = []
    while True:
        oracle = make(tmp_path / "parts", tuner)
        assert oracle.reload() is bool(done)
        trial = oracle.create_trial("here")
        if trial.status != "RUNNING":
            break
        oracle = make(tmp_path / "parts", tuner)
        oracle.reload()
        again = oracle.create_trial("here")
        assert (again.trial_id, active_values(again)) == (trial.trial_id, active_values(trial))
        done.append((trial.trial_id, active_values(again), rung(again, oracle)))
        end(oracle, again)
    assert done == expected
    assert trial.status == "STOPPED"


@pytest.mark.parametrize("tuner", TUNERS)
def test_same_seed_same_trials_and_another_seed_others(tmp_path, tuner):
    def trials(seed):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        return [values for _, values, _ in run(make(folder, tuner, seed=seed), 9)]

    assert trials(0) == trials(0)
    assert trials(0) != trials(1)


@pytest.mark.parametrize("tuner", TUNERS)
@pytest.mark.parametrize("fails", ["replace", "fsync", "link"])
def test_a_step_that_cannot_be_written_has_not_happened_and_can_be_made_again(tmp_path, monkeypatch, tuner, fails):
    (tmp_path / "whole").mkdir()
    (tmp_path / "full").mkdir()
    expected = run(make(tmp_path / "whole", tuner))
    oracle, done, failures = make(tmp_path / "full", tuner), [], 0

    def with_trouble(step):
        nonlocal failures
        text = oracle._file.path.read_text() if oracle._file.path.exists() else None
        before = oracle._text()
        with monkeypatch.context() as patch:
            patch.setattr(os, fails, full_disk)
            if fails == "link":  # the spare alone is missing
                return step()
            with pytest.raises(OSError, match="No space left"):
                step()
        failures += 1
        assert (oracle._file.path.read_text() if oracle._file.path.exists() else None) == text
        assert oracle._text() == before
        result = step()
        assert oracle._file.path.read_text() == oracle._text() != before
        return result

    while (trial := with_trouble(lambda: oracle.create_trial("here"))).status == "RUNNING":
        done.append((trial.trial_id, active_values(trial), rung(trial, oracle)))
        with_trouble(lambda trial=trial: end(oracle, trial))
        if len(done) == 12:
            break
    assert done == expected
    assert failures == (0 if fails == "link" else 24)


KILLED_AT_EVERY_WRITE = """
import json, os, signal, sys, warnings
warnings.simplefilter("error")
from pathlib import Path
folder, tuner, test_file = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
import importlib.util
spec = importlib.util.spec_from_file_location("steps", test_file)
steps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steps)

def search(die_at):
    left = die_at
    def counted(function):
        def call(*arguments):
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            result = function(*arguments)
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        return call
    for name in ("link", "replace", "fsync", "open"):
        setattr(os, name, counted(getattr(os, name)))
    oracle = steps.make(folder, tuner)
    oracle.reload()
    while (trial := oracle.create_trial("here")).status == "RUNNING":
        record = folder / f"{trial.trial_id}.record"
        values = [trial.trial_id, steps.active_values(trial), vars(steps.rung(trial, oracle))]
        if record.exists():  # told again, after a kill between the record and the oracle's word for it
            assert json.loads(record.read_text()) == json.loads(json.dumps(values)), (values, record.read_text())
        record.write_text(json.dumps(values))
        steps.end(oracle, trial)

kills = 0
for attempt in range(500):
    child = os.fork()
    if child == 0:
        search(attempt % 16 + 1)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    if status == 0:
        break
    assert os.WTERMSIG(status) == signal.SIGKILL, status
    kills += 1
print("kills", kills)
"""


@pytest.mark.parametrize("tuner", ["random", pytest.param("hyperband", marks=pytest.mark.slow)])
def test_kill_9_at_every_write_loses_nothing(tmp_path, tuner):
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    expected = run(make(tmp_path / "whole", tuner))
    command = [sys.executable, "-c", textwrap.dedent(KILLED_AT_EVERY_WRITE), tmp_path / "killed", tuner, __file__]
    told = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert told.returncode == 0, told.stderr[-2000:]
    assert int(told.stdout.split()[-1]) >= 32  # each point of a write, twice
    records = [json.loads(path.read_text()) for path in sorted((tmp_path / "killed").glob("*.record"))]
    assert records == json.loads(json.dumps([[i, values, vars(where)] for i, values, where in expected]))
    oracle = make(tmp_path / "killed", tuner)
    oracle.reload()
    assert [trial.score for trial in oracle.trials.values()] == [score(values) for _, values, _ in expected]


def test_running_trials_keep_their_owners_when_the_state_is_read_back(tmp_path):
    oracle = make(tmp_path)
    trials = {name: oracle.create_trial(name).trial_id for name in ("a", "b", "c")}
    oracle = make(tmp_path)
    assert oracle.reload()
    assert oracle.owners() == trials
    assert {name: oracle.create_trial(name).trial_id for name in ("c", "a", "b")} == trials


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_trial_of_a_dead_owner_goes_to_whoever_asks_next(tmp_path, tuner):
    oracle = make(tmp_path, tuner)
    run(oracle, 6)
    first, second = oracle.create_trial("a"), oracle.create_trial("b")
    assert oracle.orphan("a") == first.trial_id
    assert oracle.orphan("a") is None
    oracle = make(tmp_path, tuner)
    oracle.reload()
    assert oracle.create_trial("b").trial_id == second.trial_id
    taken = oracle.create_trial("c")
    assert (taken.trial_id, active_values(taken)) == (first.trial_id, active_values(first))
    assert oracle.create_trial("a").trial_id not in (first.trial_id, second.trial_id)


def test_a_trial_is_ended_once_and_one_that_was_taken_away_is_left_alone(tmp_path):
    oracle = make(tmp_path)
    trial = oracle.create_trial("a")
    end(oracle, trial, 0.5)
    end(oracle, trial, 0.9)
    assert oracle.get_trial(trial.trial_id).score == 0.5
    assert oracle.end_order == [trial.trial_id]
    late = oracle.create_trial("a")
    oracle.orphan("a")
    end(oracle, late, 0.1)
    assert oracle.get_trial(late.trial_id).status == "RUNNING"
    taken = oracle.create_trial("b")
    assert taken.trial_id == late.trial_id
    end(oracle, taken, 0.7)
    assert oracle.get_trial(late.trial_id).score == 0.7


def test_callers_may_change_the_trials_that_they_are_given(tmp_path):
    oracle = make(tmp_path)
    trial = oracle.create_trial("a")
    trial.status = "COMPLETED"
    trial.hyperparameters.values.clear()
    again = oracle.create_trial("a")
    assert again.status == "RUNNING"
    assert active_values(again)["rate"]


def test_any_number_of_failures_leaves_the_search_going(tmp_path):
    oracle = make(tmp_path)
    for _ in range(12):
        trial = oracle.create_trial("a")
        trial.status, trial.message = "FAILED", "no memory"
        oracle.end_trial(trial)
    assert oracle.create_trial("a").status == "STOPPED"
    assert {trial.status for trial in oracle.trials.values()} == {"FAILED"}
    assert oracle.get_trial("0003").message == "no memory"


def test_an_invalid_trial_is_tried_once_more(tmp_path):
    oracle = make(tmp_path)
    trial = oracle.create_trial("a")
    for status in ("INVALID", "FAILED"):
        again = oracle.create_trial("a")
        assert (again.trial_id, active_values(again)) == (trial.trial_id, active_values(trial))
        again.status = "INVALID"
        oracle.end_trial(again)
        assert oracle.get_trial(trial.trial_id).status == status
    assert oracle.create_trial("a").trial_id != trial.trial_id


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None])
def test_a_completed_trial_needs_a_finite_score(tmp_path, value):
    oracle = make(tmp_path)
    trial = oracle.create_trial("a")
    trial.status, trial.score = "COMPLETED", value
    with pytest.raises(ValueError, match=f"must be a finite number. Received: {value}"):
        oracle.end_trial(trial)
    again = oracle.create_trial("a")
    assert again.trial_id == trial.trial_id
    end(oracle, again, 0.5)
    assert oracle.get_trial(trial.trial_id).score == 0.5


def test_a_trial_cannot_end_as_running(tmp_path):
    oracle = make(tmp_path)
    with pytest.raises(ValueError, match="COMPLETED, INVALID or FAILED. Received: RUNNING"):
        oracle.end_trial(oracle.create_trial("a"))


def test_a_trial_of_another_search_is_told(tmp_path):
    oracle = make(tmp_path)
    for call in (oracle.get_trial, lambda i: oracle.update_trial(i, {"score": 1.0})):
        with pytest.raises(InputError, match="A trial of this search was expected. Received: '0007'"):
            call("0007")


def test_who_finds_no_trial_waits_for_those_that_run_since_one_may_be_handed_on(tmp_path):
    oracle = make(tmp_path, max_trials=1)
    trial = oracle.create_trial("a")
    waiting = oracle.create_trial("b")
    assert (waiting.status, waiting.trial_id) == ("IDLE", "")
    oracle.orphan("a")
    taken = oracle.create_trial("b")
    assert taken.trial_id == trial.trial_id
    end(oracle, taken)
    assert oracle.create_trial("b").status == oracle.create_trial("a").status == "STOPPED"


def test_whether_it_is_over_can_be_asked_without_changing_anything(tmp_path):
    (tmp_path / "asked").mkdir()
    (tmp_path / "whole").mkdir()
    oracle = make(tmp_path / "asked", max_trials=3)
    assert not oracle.is_over()
    assert list((tmp_path / "asked").iterdir()) == []
    done = []
    for _ in range(3):
        assert not oracle.is_over()
        done += run(oracle, 1)
    assert oracle.is_over()
    assert done == run(make(tmp_path / "whole", max_trials=3))


def test_it_is_not_over_while_a_trial_runs_or_waits_for_an_owner(tmp_path):
    oracle = make(tmp_path, max_trials=1)
    oracle.create_trial("a")
    assert not oracle.is_over()
    oracle.orphan("a")
    assert not oracle.is_over()
    run(oracle)
    assert oracle.is_over() and oracle.over


def test_more_trials_can_be_asked_for_later(tmp_path):
    assert len(run(make(tmp_path, max_trials=3))) == 3
    oracle = make(tmp_path, max_trials=5)
    oracle.reload()
    assert [trial_id for trial_id, _, _ in run(oracle)] == ["0003", "0004"]


def test_numbers_of_trials_are_those_of_their_folders(tmp_path):
    assert [trial_id for trial_id, _, _ in run(make(tmp_path, max_trials=2))] == ["0000", "0001"]


def test_a_trial_without_rungs_has_the_whole_budget(tmp_path):
    (_, values, where), *_ = run(make(tmp_path), 1)
    assert (where.budget, where.initial_budget, where.first_trial_id) == (9, 0, "0000")
    assert (where.bracket, where.round) == (None, None)
    assert set(values) - {"width"} == {"kind", "rate"}


def test_what_the_caller_keeps_with_the_state_is_read_back(tmp_path):
    oracle = make(tmp_path)
    oracle.extra["seconds"] = 12.5
    oracle.save()
    identity = oracle.identity
    oracle = make(tmp_path)
    assert oracle.identity != identity
    oracle.reload()
    assert (oracle.extra, oracle.identity) == ({"seconds": 12.5}, identity)


def test_rejected_samples_are_counted_over_all_calls(tmp_path):
    def accept(values):
        return "too wide" if values.get("width", 0) > 20 else None

    first = run(make(tmp_path, accept=accept), 6)
    oracle = make(tmp_path, accept=accept)
    oracle.reload()
    rejected = oracle.rejected["too wide"]
    assert rejected > 0
    assert all(values.get("width", 0) <= 20 for _, values, _ in first + run(oracle))
    assert oracle.rejected["too wide"] > rejected


def test_without_an_accepted_sample_the_search_ends_with_the_reason_and_nothing_is_written(tmp_path):
    oracle = make(tmp_path, accept=lambda values: "too large")
    with pytest.raises(InputError, match=r"1,000 samples in a row were not \(1,000 times: too large\)"):
        oracle.create_trial("a")
    assert oracle.owners() == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"seed": 1}, "another seed 1 instead of 0"),
        ({"tuner": "bayesian"}, "another tuner bayesian instead of random"),
        ({"max_budget": 27}, "another max_budget 27 instead of 9"),
        ({"hyperparameters": keras_tuner.HyperParameters()}, r"another space\."),
    ],
)
def test_another_search_is_refused(tmp_path, change, what):
    run(make(tmp_path), 1)
    with pytest.raises(InputError, match=f"must be of the same search. Received: {what}.*another --name"):
        make(tmp_path, **change).reload()


@pytest.mark.parametrize(
    "damage",
    [
        lambda state: state.pop("trials"),
        lambda state: state["oracle"].pop("end_order"),
        lambda state: state["trials"][0].pop("values"),
        lambda state: state["trials"].clear(),
        lambda state: state.update(samples=3),
        lambda state: state.update(settings=None),
        lambda state: state.update(extra=None),
    ],
)
def test_a_state_with_something_missing_is_told_in_one_line(tmp_path, damage):
    oracle = make(tmp_path)
    oracle.create_trial("a")
    state = json.loads((tmp_path / "oracle.json").read_text())
    damage(state)
    (tmp_path / "oracle.json").write_text(json.dumps(state))
    with pytest.raises(InputError, match=r"oracle\.json must hold the state of a search\. Received") as caught:
        make(tmp_path).reload()
    assert "\n" not in str(caught.value)


def test_the_spare_file_is_one_step_behind_and_goes_on_as_the_search_did(tmp_path):
    oracle = make(tmp_path)
    run(oracle, 3)
    trial = oracle.create_trial("here")
    (tmp_path / "oracle.json.before").rename(tmp_path / "oracle.json")
    oracle = make(tmp_path)
    oracle.reload()
    again = oracle.create_trial("here")
    assert (again.trial_id, active_values(again)) == (trial.trial_id, active_values(trial))


def test_threads_get_a_trial_each_and_nothing_is_lost(tmp_path):
    oracle = make(tmp_path, max_trials=40)
    seen, trouble = [], []

    def work(name):
        try:
            while (trial := oracle.create_trial(name)).status != "STOPPED":
                if trial.status == "RUNNING":
                    seen.append(trial.trial_id)
                    end(oracle, trial)
        except BaseException as error:
            trouble.append(error)

    threads = [threading.Thread(target=work, args=(f"t{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trouble == []
    assert sorted(seen) == [f"{i:04d}" for i in range(40)]
    assert {trial.status for trial in oracle.trials.values()} == {"COMPLETED"}


def test_a_slow_sample_keeps_nobody_from_saying_that_he_is_alive(tmp_path):
    looking, done = threading.Event(), threading.Event()

    def accept(values):
        if oracle.trials:
            looking.set()
            assert done.wait(10)
        return None

    oracle = make(tmp_path, accept=accept)
    mine = oracle.create_trial("a")
    thread = threading.Thread(target=oracle.create_trial, args=("b",))
    thread.start()
    assert looking.wait(10)
    assert oracle.create_trial("a").trial_id == mine.trial_id
    assert oracle.owners() == {"a": mine.trial_id}
    done.set()
    thread.join()
    assert set(oracle.owners()) == {"a", "b"}
