"""Signals become a flag, the second one acts as before, and the handlers are put back."""

import os
import signal
import threading

import pytest

from kerasnets.training.interrupt import Interrupted, SignalFlag


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_noted_and_the_second_acts(number):
    acted = []
    before = signal.signal(number, lambda *arguments: acted.append(number))
    try:
        with SignalFlag() as flag:
            assert flag.received is None
            os.kill(os.getpid(), number)
            assert flag.received == number and acted == []
            os.kill(os.getpid(), number)
            assert acted == [number]
        os.kill(os.getpid(), number)
        assert acted == [number, number]
    finally:
        signal.signal(number, before)


def test_handlers_are_put_back():
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with pytest.raises(ZeroDivisionError), SignalFlag():
        assert signal.getsignal(signal.SIGINT) != before[0]
        raise ZeroDivisionError
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_outside_the_main_thread():
    seen = []

    def work():
        with SignalFlag() as flag:
            seen.append(flag.received)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [None]


def test_what_interrupted_says(tmp_path):
    stop = Interrupted(signal.SIGTERM, tmp_path)
    assert (stop.signal_number, stop.run_path) == (15, tmp_path)
    assert str(stop) == f"stopped by SIGTERM; the run {tmp_path} can be resumed"
