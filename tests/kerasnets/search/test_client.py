import contextlib
import socket
import subprocess
import threading
import time

import keras_tuner
import pytest

from kerasnets.errors import InputError
from kerasnets.search.chief import Chief
from kerasnets.search.client import ChiefClient, ChiefGone, read_identity
from kerasnets.search.oracle import make_oracle


def make(folder):
    hp = keras_tuner.HyperParameters()
    hp.Float("rate", 1e-3, 1.0, sampling="log")
    oracle = make_oracle("random", hyperparameters=hp, max_budget=9, folder=folder)
    oracle.reload()
    return oracle


@pytest.fixture
def connect():
    """Makes clients of a chief, which are closed afterwards."""
    with contextlib.ExitStack() as stack:

        def connect(chief, **options):
            client = ChiefClient(str(chief.address), chief.oracle.identity, **options)
            return stack.enter_context(contextlib.closing(client))

        yield connect


def test_a_client_waits_for_a_chief_that_comes_back(tmp_path, connect):
    chief = Chief(make(tmp_path), ":0")
    chief.start()
    waited = []
    client = connect(chief, waiting=waited.append)
    trial = client.create_trial("w1-0")
    client.update_trial(trial.trial_id, {"score": 0.25})
    chief.stop()
    again = Chief(make(tmp_path), str(chief.address))
    timer = threading.Timer(1.0, again.start)
    timer.start()
    began = time.monotonic()
    trial.status = "COMPLETED"
    client.end_trial(trial)
    assert 0.5 < time.monotonic() - began < 8
    assert again.oracle.get_trial(trial.trial_id).score == 0.25
    assert len(waited) >= 2
    assert waited == sorted(waited)
    timer.join()
    again.stop()


def test_a_client_loses_its_patience_with_a_chief_that_does_not_come_back(tmp_path, connect):
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief, patience_seconds=1)
        client.create_trial("w1-0")
    began = time.monotonic()
    with pytest.raises(
        ChiefGone, match=rf"no answer from 127\.0\.0\.1:{chief.port} for \d s .*start the chief"
    ) as caught:
        client.create_trial("w1-0")
    assert time.monotonic() - began < 4
    assert "\n" not in str(caught.value)


def test_a_chief_that_hangs_is_called_again_and_then_given_up():
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        client = ChiefClient(f":{deaf.getsockname()[1]}", "any", patience_seconds=1, call_seconds=0.3)
        began = time.monotonic()
        with pytest.raises(ChiefGone, match="no answer from"):
            client.get_trial("0000")
        assert time.monotonic() - began < 4
        client.close()


def test_what_is_raised_while_waiting_ends_the_waiting():
    def stop(seconds):
        raise KeyboardInterrupt

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    client = ChiefClient(f":{port}", "any", waiting=stop)
    with pytest.raises(KeyboardInterrupt):
        client.create_trial("w1-0")
    client.close()


def test_a_worker_knows_the_search_by_its_folder(tmp_path):
    with pytest.raises(InputError, match="Received: .*, which holds none. Give --output"):
        read_identity(tmp_path)
    with Chief(make(tmp_path), ":0") as chief:
        assert read_identity(tmp_path) == chief.oracle.identity == make(tmp_path).identity
    (tmp_path / "oracle.json").write_text("[]")
    with pytest.raises(InputError, match="a damaged file. Ask its chief"):
        read_identity(tmp_path)


def test_a_worker_needs_a_port():
    with pytest.raises(InputError, match="A worker needs the port of its chief. Received: ':0'"):
        ChiefClient(":0", "any")


def test_other_programs_can_be_started_while_a_client_is_open(tmp_path, connect, capfd):
    with Chief(make(tmp_path), ":0") as chief:
        client = connect(chief)
        trial = client.create_trial("w1-0")
        for _ in range(3):
            subprocess.run(["true"], check=True, process_group=0)
            assert client.create_trial("w1-0").trial_id == trial.trial_id
    assert capfd.readouterr() == ("", "")
