import os
import signal
import subprocess
import sys
import time

import pytest

from kerasnets.studies import stalled
from kerasnets.studies.stalled import StallWatch, processor_seconds

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the processor time of others")

BUSY = "import time\nwhile True: pass"
IDLE = "import time\ntime.sleep(60)"
BUSY_CHILD = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BUSY!r}])"


@pytest.fixture
def start():
    processes = []

    def begin(program: str) -> subprocess.Popen:
        process = subprocess.Popen([sys.executable, "-c", program], process_group=0)
        processes.append(process)
        return process

    yield begin
    for process in processes:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_until(condition, seconds: float = 20.0) -> bool:
    end = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.05)
    return bool(found)


def test_an_idle_process_is_told_and_a_busy_one_is_not(start, monkeypatch):
    monkeypatch.setattr(stalled, "_LEAST_SECONDS", 0.1)
    idle, busy = start(IDLE), start(BUSY)
    assert wait_until(lambda: processor_seconds(idle.pid))  # it has started
    watches = [StallWatch(process.pid, patience_seconds=2.0) for process in (idle, busy)]
    assert wait_until(watches[0].stalled)
    assert not watches[1].stalled()


def test_helpers_count_too(start):
    parent = start(BUSY_CHILD)
    assert wait_until(lambda: (processor_seconds(parent.pid) or 0) > 1.0)


def test_a_stopped_process_does_not_hang(start):
    idle = start(IDLE)
    assert wait_until(lambda: processor_seconds(idle.pid) is not None)
    idle.send_signal(signal.SIGSTOP)
    assert wait_until(lambda: processor_seconds(idle.pid) is None)


def test_a_watch_that_was_stopped_itself_begins_anew(start, monkeypatch):
    idle = start(IDLE)
    assert wait_until(lambda: processor_seconds(idle.pid) is not None)
    watch = StallWatch(idle.pid, patience_seconds=900.0)
    now = time.monotonic() + 1e6
    monkeypatch.setattr(stalled.time, "monotonic", lambda: now)
    assert not watch.stalled()


def test_of_nobody_nothing_is_known():
    process = subprocess.Popen([sys.executable, "-c", ""], process_group=0)
    process.wait()
    assert processor_seconds(process.pid) is None
    assert not StallWatch(process.pid, patience_seconds=0.0).stalled()
