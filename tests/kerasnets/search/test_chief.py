"""The chief, and its clients in other processes and in this one."""

import errno
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import keras_tuner
import pytest

from kerasnets.errors import InputError
from kerasnets.search.chief import Chief
from kerasnets.search.client import ChiefClient
from kerasnets.search.oracle import active_values, make_oracle, rung


def make(folder, tuner="random", **options):
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["wide"]):
        hp.Int("width", 8, 64)
    hp.Float("rate", 1e-3, 1.0, sampling="log")
    oracle = make_oracle(tuner, hyperparameters=hp, max_budget=9, folder=folder, **options)
    oracle.reload()
    return oracle


@pytest.fixture
def connect():
    """Makes clients of a chief, which are closed afterwards."""
    clients = []

    def connect(chief, identity=None, **options):
        identity = chief.oracle.identity if identity is None else identity
        clients.append(ChiefClient(str(chief.address), identity, **{"patience_seconds": 60} | options))
        return clients[-1]

    yield connect
    for client in clients:
        client.close()


def end(oracle, trial, score=0.5):
    oracle.update_trial(trial.trial_id, {"score": score})
    trial.status = "COMPLETED"
    oracle.end_trial(trial)


def test_a_client_sees_what_the_oracle_says(tmp_path, connect, capfd):
    with Chief(make(tmp_path, "hyperband"), ":0") as chief:
        client = connect(chief)
        while (trial := client.create_trial("w1-0")).status == "RUNNING":
            own = chief.oracle.get_trial(trial.trial_id)
            assert trial.hyperparameters.values == own.hyperparameters.values
            assert rung(trial, client) == rung(own, chief.oracle)
            end(client, trial, active_values(trial)["rate"])
            assert chief.oracle.get_trial(trial.trial_id).score == active_values(trial)["rate"]
        assert trial.status == "STOPPED"
        assert len(chief.oracle.trials) == 23
    assert capfd.readouterr() == ("", "")


def test_asking_again_gives_the_same_trial_and_ending_twice_ends_once(tmp_path, connect):
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief)
        trial = client.create_trial("w1-0")
        assert client.create_trial("w1-0").trial_id == trial.trial_id
        assert client.create_trial("w1-1").trial_id != trial.trial_id
        end(client, trial, 0.1)
        end(client, trial, 0.9)
        assert chief.oracle.get_trial(trial.trial_id).score == 0.1


def test_a_failure_arrives_with_its_reason(tmp_path, connect):
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief)
        trial = client.create_trial("w1-0")
        trial.status, trial.message = "FAILED", "out of memory"
        client.end_trial(trial)
        assert client.get_trial(trial.trial_id).message == "out of memory"


def test_who_falls_silent_loses_the_trial_to_another(tmp_path, connect):
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief)
        lost, kept = client.create_trial("w1-0"), client.create_trial("w2-0")
        local = chief.oracle.create_trial("here-0")
        time.sleep(0.6)
        client.create_trial("w2-0")
        assert chief.hand_on(30) == {}
        assert chief.hand_on(0.5) == {"w1-0": lost.trial_id}
        assert chief.hand_on(0.5) == {}
        assert chief.oracle.owners() == {"w2-0": kept.trial_id, "here-0": local.trial_id}
        taken = client.create_trial("w3-0")
        assert (taken.trial_id, active_values(taken)) == (lost.trial_id, active_values(lost))
        # It wakes up: another trial says that its own was handed on, and its late word changes nothing.
        assert client.create_trial("w1-0").trial_id not in (lost.trial_id, kept.trial_id)
        end(client, taken, 0.7)
        end(client, lost, 0.1)
        assert chief.oracle.get_trial(lost.trial_id).score == 0.7


def test_a_chief_that_is_started_again_waits_for_the_owners_that_it_knows(tmp_path, connect):
    with Chief(make(tmp_path), ":0") as chief:
        trial = connect(chief).create_trial("w1-0")
    with Chief(make(tmp_path), f":{chief.port}") as chief:
        assert chief.hand_on(0.3) == {}
        time.sleep(0.4)
        assert chief.hand_on(0.3) == {"w1-0": trial.trial_id}


def test_the_chief_stays_until_every_living_worker_knows_that_it_is_over(tmp_path, connect, monkeypatch):
    with Chief(make(tmp_path, max_trials=2), ":0") as chief:
        client = connect(chief)
        trials = [client.create_trial(name) for name in ("w1-0", "w2-0")]
        assert client.create_trial("w3-0").status == "IDLE"
        end(client, trials[0])
        end(client, trials[1])
        assert not chief.finished
        assert client.create_trial("w1-0").status == "STOPPED"
        assert client.create_trial("w2-0").status == "STOPPED"
        assert not chief.finished  # the third still waits for an answer
        monkeypatch.setattr("kerasnets.search.chief._SILENT_SECONDS", 0.1)
        time.sleep(0.2)
        assert chief.finished  # it has died
    with Chief(make(tmp_path, max_trials=2), ":0") as chief:
        assert chief.finished
    with Chief(make(tmp_path, max_trials=3), ":0") as chief:
        assert not chief.finished


def test_it_is_finished_too_where_a_tuner_of_this_process_was_told(tmp_path):
    with Chief(make(tmp_path, max_trials=1), ":0") as chief:
        end(chief.oracle, chief.oracle.create_trial("here-0"))
        assert not chief.finished
        assert chief.oracle.create_trial("here-0").status == "STOPPED"
        assert chief.finished


def test_where_the_time_is_over_workers_are_told_to_stop_and_their_trials_stay_theirs(tmp_path, connect):
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief)
        trial = client.create_trial("w1-0")
        chief.end()
        assert not chief.finished
        assert client.create_trial("w1-0").status == client.create_trial("w2-0").status == "STOPPED"
        assert chief.finished
    with Chief(make(tmp_path), ":0") as chief:
        assert connect(chief).create_trial("w1-0").trial_id == trial.trial_id


def test_a_worker_of_another_search_or_release_is_refused(tmp_path, connect, monkeypatch):
    with Chief(make(tmp_path), ":0") as chief:
        with pytest.raises(InputError, match="Received: a folder of another search. Give --output and --name as the"):
            connect(chief, identity="another").create_trial("w1-0")
        client = connect(chief)
        monkeypatch.setattr("kerasnets.__version__", "99.0")
        with pytest.raises(InputError, match=r"same release of kerasnets. Received: \S+ from the worker, 99.0 of the"):
            client.create_trial("w1-0")
        assert chief.oracle.owners() == {}


def test_mistakes_arrive_in_words(tmp_path, connect):
    allowed = [True]
    with Chief(make(tmp_path, accept=lambda values: None if allowed else "too large"), ":0") as chief:
        allowed.clear()
        client = connect(chief, call_seconds=60)
        with pytest.raises(InputError, match=r"Samples that can be trained are needed.*1,000 times: too large"):
            client.create_trial("w1-0")
        assert "too large" in chief.error
        with pytest.raises(InputError, match="A trial of this search was expected. Received: '0007'"):
            client.get_trial("0007")
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief)
        trial = client.create_trial("w1-0")
        trial.status, trial.score = "COMPLETED", float("nan")
        with pytest.raises(InputError, match="must be a finite number. Received: nan"):
            client.end_trial(trial)


def test_a_full_disk_at_the_chief_is_waited_for(tmp_path, connect, monkeypatch):
    with Chief(make(tmp_path), ":0") as chief:
        replace, failures = os.replace, []

        def full_at_first(*names):
            if len(failures) < 2:
                failures.append(names)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return replace(*names)

        client = connect(chief)
        monkeypatch.setattr(os, "link", full_at_first)  # so that the state's own replace is what is counted
        monkeypatch.setattr("kerasnets.runs.files.os.replace", full_at_first)
        trial = client.create_trial("w1-0")
        assert chief.oracle.owners() == {"w1-0": trial.trial_id}
        assert len(failures) == 2


def test_a_long_search_for_a_sample_keeps_others_alive_and_is_waited_for(tmp_path, connect):
    found = threading.Event()

    def accept(values):
        return None if not oracle.trials else (found.wait(20), None)[1]

    oracle = make(tmp_path, accept=accept)
    with Chief(oracle, ":0") as chief:
        other = connect(chief).create_trial("w1-0")
        # Longer than its call and its patience: it is told that the chief is at work.
        client = connect(chief, call_seconds=0.2, patience_seconds=1)
        got = []
        thread = threading.Thread(target=lambda: got.append(client.create_trial("w2-0")))
        thread.start()
        for _ in range(5):
            time.sleep(0.5)
            assert connect(chief).create_trial("w1-0").trial_id == other.trial_id
        assert chief.hand_on(2) == {}
        found.set()
        thread.join(10)
        assert [trial.status for trial in got] == ["RUNNING"]
        assert len(oracle.trials) == 2


def test_an_address_in_use_is_told_in_one_line(tmp_path, capfd):
    with Chief(make(tmp_path), ":0") as chief:
        second = Chief(make(tmp_path), str(chief.address))
        with pytest.raises(
            InputError, match=rf"free. Received: 127.0.0.1:{chief.port} \(another process listens there\)"
        ):
            second.start()
        second.stop()
    for address in ("192.0.2.1:8000", "no.such.host.invalid:8000"):
        with pytest.raises(
            InputError, match=f"A chief needs an address of this machine that is free. Received: {address}"
        ):
            Chief(make(tmp_path), address).start()
    assert capfd.readouterr() == ("", "")


def test_of_two_chiefs_at_the_same_moment_one_is_told(tmp_path, monkeypatch):
    with Chief(make(tmp_path), ":0") as chief:
        second = Chief(make(tmp_path), str(chief.address))
        monkeypatch.setattr(second, "_check_is_free", lambda: None)  # it looked just before the first one listened
        with pytest.raises(InputError, match=rf"A chief needs an address .*Received: 127.0.0.1:{chief.port} \("):
            second.start()


@pytest.mark.parametrize(("address", "warned"), [(":0", False), ("[::1]:0", False), ("0.0.0.0:0", True)])
def test_an_open_address_is_warned_of(tmp_path, connect, address, warned):
    chief = Chief(make(tmp_path), address)
    assert ("no authentication and no encryption" in chief.warning) is warned
    try:
        chief.start()
    except InputError:
        pytest.skip(f"this machine has no {address}")
    with chief_client(chief) as client:
        assert client.create_trial("w1-0").status == "RUNNING"
    chief.stop()


def chief_client(chief):
    """A client on this machine, whatever address the chief listens on."""
    import contextlib

    host = "[::1]" if ":" in chief.address.host else "127.0.0.1"
    return contextlib.closing(ChiefClient(f"{host}:{chief.port}", chief.oracle.identity, patience_seconds=60))


WORKER = """
import sys, time
from kerasnets.search.client import ChiefClient, read_identity
name, address, folder = sys.argv[1:]
client = ChiefClient(address, read_identity(folder), patience_seconds=60)
while (trial := client.create_trial(name)).status != "STOPPED":
    if trial.status == "IDLE":
        time.sleep(0.1)
        continue
    print(trial.trial_id, flush=True)
    for _ in range(5):
        time.sleep(0.05)
        if client.create_trial(name).trial_id != trial.trial_id:
            break
    client.update_trial(trial.trial_id, {"score": trial.hyperparameters.values["rate"]})
    trial.status = "COMPLETED"
    client.end_trial(trial)
"""

CHIEF = """
import importlib.util, sys, time
spec = importlib.util.spec_from_file_location("steps", sys.argv[3])
steps = importlib.util.module_from_spec(spec)
spec.loader.exec_module(steps)
chief = steps.Chief(steps.make(sys.argv[1], max_trials=25), sys.argv[2])
chief.start()
print(chief.address, flush=True)
while True:
    time.sleep(0.1)
    chief.hand_on(1.0)
"""


@pytest.mark.slow
def test_three_workers_of_which_one_is_killed_and_a_chief_that_is_killed(tmp_path):
    def start(program, *arguments):
        command = [sys.executable, "-c", textwrap.dedent(program), *map(str, arguments)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    first = start(CHIEF, tmp_path, ":0", __file__)
    address = first.stdout.readline().strip()
    workers = [start(WORKER, f"w{i}", address, tmp_path) for i in range(3)]
    try:
        lost = workers[0].stdout.readline().strip()  # it has just begun its first trial
        workers[0].send_signal(signal.SIGKILL)
        workers[1].stdout.readline()
        first.kill()
        first.wait()
        second = start(CHIEF, tmp_path, address, __file__)
        assert second.stdout.readline().strip() == address
        began = time.monotonic()
        for worker in workers[1:]:
            assert worker.wait(60) == 0
        assert time.monotonic() - began < 60
        second.kill()
        second.wait()
    finally:
        for process in (*workers, first):
            process.kill()
            process.wait()
            process.stdout.close()
        second.stdout.close()
    oracle = make(tmp_path, max_trials=25)
    assert [trial.score for trial in oracle.trials.values()] == [
        active_values(trial)["rate"] for trial in oracle.trials.values()
    ]
    assert len(oracle.trials) == 25
    assert lost in oracle.end_order
