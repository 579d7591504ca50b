"""`Ledger`: what has happened to the cells of a study, one line of JSON an event, only ever added to."""

import datetime
import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kerasnets.runs.files import finite_or_null

# So many failed attempts, and a cell is given up.
ATTEMPTS = 3
# Exit code of a mistake, which the same cell will make again: the same words twice are enough.
_MISTAKE = 2


class Ledger:
    """The events of a study, in ``ledger.jsonl``.

    Results are never read from here, only from the cells' own folders: the ledger says what was tried, and what failed
    and why. Each event is one write, flushed to the disk. A line that a kill has cut short, or that a disk has damaged,
    is passed over when read.

    Events of the runner are ``begun`` and ``ended``; those of a cell are ``started``, ``done``, ``failed``,
    ``stopped`` (asked to, and it can go on), ``in use`` (another process works on it) and ``retry`` (its failures
    before are forgotten, and it is no longer given up).

    Args:
        path: The file, which need not exist.

    Attributes:
        events: All of them, oldest first, each with ``time`` (UTC) and ``event``.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.events: list[dict[str, Any]] = []
        self._of: dict[str, list[dict[str, Any]]] = {}
        for event in _read(self.path):
            self._keep(event)

    def _keep(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self._of.setdefault(str(event.get("cell")), []).append(event)

    def append(self, event: str, **values: Any) -> None:
        """Adds an event.

        Raises:
            OSError: It cannot be written, or not whole; ``events`` has it all the same.
        """
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        entry = finite_or_null({"time": now, "event": event, **values})
        self._keep(entry)
        line = json.dumps(entry, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                line = b"\n" + line  # after half a line the next one starts afresh
            if os.write(descriptor, line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            os.fsync(descriptor)
        except OSError as error:
            error.filename = str(self.path)  # a full disk is reported without saying where
            raise
        finally:
            os.close(descriptor)

    def of(self, key: str) -> list[dict[str, Any]]:
        """The events of a cell, oldest first."""
        return list(self._of.get(key, ()))

    def attempts(self, key: str) -> int:
        """How often a cell was started."""
        return sum(event["event"] == "started" for event in self.of(key))

    def failures(self, key: str) -> list[dict[str, Any]]:
        """The failed attempts of a cell since it was last done, or allowed again."""
        failed: list[dict[str, Any]] = []
        for event in self.of(key):
            if event["event"] in ("done", "retry"):
                failed = []
            elif event["event"] == "failed":
                failed.append(event)
        return failed

    def given_up(self, keys: Iterable[str] | None = None) -> dict[str, str]:
        """The cells that are not tried again, with the reason of each.

        A cell is given up after three failed attempts, and after two that end in the same mistake of its configuration
        or data.

        Args:
            keys: Look only at these cells.
        """
        failures = {key: self.failures(key) for key in (self._of if keys is None else keys)}
        return {key: str(failed[-1].get("reason", "")) for key, failed in failures.items() if _is_hopeless(failed)}

    def seconds(self, key: str) -> float | None:
        """How long a cell took until it was done, over all attempts that added to it; None if it was not done here."""
        spent, done = 0.0, False
        for event in self.of(key):
            if event["event"] in ("done", "stopped") and isinstance(event.get("seconds"), int | float):
                spent, done = spent + event["seconds"], event["event"] == "done"
        return spent if done else None


def _is_hopeless(failed: list[dict[str, Any]]) -> bool:
    if len(failed) >= ATTEMPTS:
        return True
    same = [(event.get("exit_code"), event.get("reason")) for event in failed[-2:]]
    return len(same) == 2 and same[0] == same[1] and same[0][0] == _MISTAKE


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    events = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:  # half a line, or bytes that are no text
            continue
        if isinstance(event, dict) and isinstance(event.get("event"), str):
            events.append(event)
    return events
