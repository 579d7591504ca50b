"""Ctrl-C and SIGTERM as a flag that training looks at between steps, so that it can save and leave in order."""

import signal
import threading
from pathlib import Path


class Interrupted(Exception):
    """Training was asked to stop, has written a checkpoint and can be resumed.

    Attributes:
        signal_number: The signal, 2 for Ctrl-C and 15 for SIGTERM.
        run_path: The run folder to resume.
    """

    def __init__(self, signal_number: int, run_path: Path):
        super().__init__(f"stopped by {signal.Signals(signal_number).name}; the run {run_path} can be resumed")
        self.signal_number = signal_number
        self.run_path = run_path


class SignalFlag:
    """Context manager: ``flag.received`` is the number of the first SIGINT or SIGTERM, else None.

    A second signal acts as it did before, so that a hanging program can still be stopped. Outside the main thread
    Python allows no handlers and the flag stays None.
    """

    def __init__(self):
        self.received: int | None = None
        self._before = {}

    def __enter__(self) -> "SignalFlag":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception) -> None:
        self._restore()

    def _note(self, number, frame) -> None:
        self.received = number
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}
