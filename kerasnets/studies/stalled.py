"""`StallWatch`: tells a process that hangs, by the processor time that it does not use."""

import contextlib
import os
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 10.0
_GAP_SECONDS = 60.0
# Less processor time than this is none: threads that wait wake up now and then.
_LEAST_SECONDS = 0.5


def processor_seconds(group: int) -> float | None:
    """Processor time that the living processes of a process group have used so far.

    Returns:
        Seconds; None where the system does not tell (only Linux does), or while one of them is stopped, as by Ctrl-Z.
    """
    seconds, found = 0.0, False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        # Of a process that ends just now there is nothing to be read.
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, _, its_group, *more = stat.read_text().rpartition(")")[2].split()
            if int(its_group) != group:
                continue
            if state in "Tt":
                return None
            found = True
            seconds += (int(more[8]) + int(more[9])) / _TICKS
    return seconds if found else None


class StallWatch:
    """Watches a process and those that it has started.

    A training process computes, or its helpers decode images: one that uses no processor time for long waits for what
    does not come, such as a lock that a library never gives back.

    Args:
        group: Their process group.
        patience_seconds: How long they may be idle.
    """

    def __init__(self, group: int, patience_seconds: float = 900.0):
        self.group, self.patience_seconds = group, patience_seconds
        self._looked = self._moved = time.monotonic()
        self._used = 0.0

    def stalled(self) -> bool:
        """Whether they have used next to no processor time for as long as the patience lasts."""
        now = time.monotonic()
        since = now - self._looked
        if since < min(_LOOK_SECONDS, self.patience_seconds / 2):
            return False
        self._looked = now
        if since > _GAP_SECONDS:  # who watches was stopped itself, and the others perhaps with it
            self._moved = now
        used = processor_seconds(self.group)
        # Less than before: one of them has ended.
        if used is None or used < self._used or used - self._used >= _LEAST_SECONDS:
            self._used, self._moved = used or 0.0, now
            return False
        return now - self._moved > self.patience_seconds
