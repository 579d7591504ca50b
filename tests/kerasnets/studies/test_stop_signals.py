"""The signals that ask a study to stop."""

import os
import signal
import threading

import pytest

from kerasnets.studies.stop_signals import StopSignals

ALL = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def test_signals_are_noted_in_order_and_handlers_come_back():
    before = [signal.getsignal(number) for number in ALL]
    with StopSignals() as signals:
        for number in (*ALL, signal.SIGINT):
            os.kill(os.getpid(), number)
    assert signals.received == [*ALL, signal.SIGINT]
    assert [signal.getsignal(number) for number in ALL] == before


@pytest.mark.parametrize("number", ALL)
def test_one_that_was_ignored_stays_ignored(number):
    before = signal.signal(number, signal.SIG_IGN)
    try:
        with StopSignals() as signals:
            os.kill(os.getpid(), number)
        assert signals.received == []
        assert signal.getsignal(number) is signal.SIG_IGN
    finally:
        signal.signal(number, before)


def test_outside_the_main_thread_nothing_changes():
    before = [signal.getsignal(number) for number in ALL]
    seen = []

    def enter():
        with StopSignals():
            seen.append([signal.getsignal(number) for number in ALL])

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [before]
