"""`StopSignals`: the signals that ask a study to stop, counted, so that the second can mean more than the first."""

import signal
import threading
from typing import Any


class StopSignals:
    """Context manager that notes Ctrl-C, SIGTERM and SIGHUP (a closed terminal) and does nothing else about them.

    One that was ignored before, as ``nohup`` has it, stays ignored. Outside the main thread Python allows no handlers,
    and nothing is noted.

    Attributes:
        received: Numbers of the signals that came, in order.
    """

    def __init__(self):
        self.received: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "StopSignals":
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number, frame) -> None:
        self.received.append(number)
