"""`TrialServer` and `TrialProcess`: how a search starts the processes of its trials, asks after them and ends them."""

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.studies.stalled import StallWatch
from kerasnets.training.config import TrainConfig
from kerasnets.training.run_process import CRASHED, FULL, NO_ROOM, STOPPED, why_ended
from kerasnets.training.until import Until

# What the process of a trial ends with of which nothing is known but that it was asked to write a checkpoint.
_LOST = STOPPED[1]
_COMMAND = [sys.executable, "-m", "kerasnets.search.trial_server"]
_STARTS = 3
# A trial that uses no processor time for so long hangs.
_PATIENCE_SECONDS = 300.0
# The server waits for its trials, and they for their checkpoints.
_SECONDS_TO_CLOSE = 330.0
_SAME = ("class_names", "image_shape", "class_counts", "mean", "std")


class TrialServer:
    """Starts trials as processes that share the data and the time that importing TensorFlow takes.

    A trial that is killed, by whom or what ever, takes nothing else with it. If the server itself dies, its trials
    write a checkpoint and end, and the next `start` makes a new one. If this process dies, all of them do so and end.
    May be used from several threads.

    Args:
        config: A trial's configuration, of which the data set, how it is read and divided, and its normalisation count.
        nice: How much all of them give way to other processes.

    Attributes:
        data: What ``data.json`` of a trial says: class names, image shape, counts, mean, standard deviation and more.

    Raises:
        InputError: The data set is missing, damaged, or cannot be divided so.
    """

    def __init__(self, config: TrainConfig, *, nice: int = 10):
        self._config, self._nice = config, nice
        self._lock = threading.RLock()
        self._former: list[_Connection] = []
        self._server = _Connection(config, nice)
        self.data: dict[str, Any] = self._server.data

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(height, width, channels)."""
        return tuple(self.data["image_shape"])

    @property
    def num_classes(self) -> int:
        """How many classes the data has."""
        return len(self.data["class_names"])

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._server.process.pid

    def start(
        self, config: TrainConfig, path: str | Path, *, until: Until, threads: int, output: str | Path
    ) -> "TrialProcess":
        """Starts a trial, or goes on with one that was begun in that folder.

        Args:
            config: The whole run; one that was begun goes on with its own.
            path: Its run folder.
            until: Where it is to pause.
            threads: Processor threads; one that was begun keeps its own.
            output: File that what it prints is added to.

        Raises:
            InputError: The server had died, and the data is another now or cannot be read any more; or it dies again
                and again.
            OSError: The folder of the output cannot be made.
        """
        output = Path(output).absolute()
        output.parent.mkdir(parents=True, exist_ok=True)
        begin = output.stat().st_size if output.exists() else 0
        request = {
            "config": config.replace(threads=threads).to_dict(),
            "path": str(Path(path).absolute()),
            "until": asdict(until),
            "output": str(output),
        }
        with self._lock:
            for _ in range(_STARTS):
                number = self._living().request(request)
                if number is not None:
                    return TrialProcess(self._server, self._lock, number, output, begin)
            raise InputError(
                f"The process that starts trials must stay. Received: {_STARTS} that ended, the last "
                f"{self._server.why_dead()}. Is there memory enough?"
            )

    def close(self) -> None:
        """Lets running trials write a checkpoint, and ends the server."""
        with self._lock:
            for server in (*self._former, self._server):
                server.close()

    def __enter__(self) -> "TrialServer":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def _living(self) -> "_Connection":
        if self._server.is_dead():
            self._former.append(self._server)  # its trials may still be writing their checkpoints
            self._server = _Connection(self._config, self._nice)
            for key in _SAME:
                if self._server.data[key] != self.data[key]:
                    raise InputError(
                        "A search goes on with the images that it began with. Received: another "
                        f"{key.replace('_', ' ')}, from {self._server.data['origin']}. Put the images back."
                    )
        return self._server


class TrialProcess:
    """A running trial; made by `TrialServer.start`.

    Attributes:
        pid: Its process id; None if no process could be made.
    """

    def __init__(self, server: "_Connection", lock: threading.RLock, number: int, output: Path, begin: int):
        self._server, self._lock, self._number = server, lock, number
        self._output, self._begin = output, begin
        self._started, self._ended = time.monotonic(), None
        self.pid: int | None = server.pids.get(number)
        self._watch = StallWatch(self.pid, _PATIENCE_SECONDS) if self.pid else None
        self._hung = False

    @property
    def seconds(self) -> float:
        """How long it has been running, or ran."""
        return (self._ended or time.monotonic()) - self._started

    def exit_code(self) -> int | None:
        """None while it runs, then how it ended.

        0 finished or paused; 1 diverged; 2 a mistake in its settings; 70 it crashed; 74 no room on the disk; 75 another
        process works in its folder; 143 it was asked to stop, or the server died; -N signal N killed it. One that uses
        no processor time for five minutes hangs, and is killed here.
        """
        code = self._look()
        if code is None and self._watch.stalled():
            self._hung = True
            self.kill()
            code = self._look()
        return code

    def stop(self) -> None:
        """Asks it to write a checkpoint and end."""
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it at once; it can be resumed from its last checkpoint."""
        self._signal(signal.SIGKILL)
        while self._look() is None:
            time.sleep(0.01)

    def reason(self) -> str:
        """Why it failed, in one line: the signal that killed it, or the last words of its output."""
        code = self.exit_code()
        if code is None:
            return "still running"
        if self._hung:
            return f"hung: it used no processor time for {_PATIENCE_SECONDS:g} s, and was ended"
        with self._lock:
            told = self._server.reason(self._number)
        return told or why_ended(code, self._output, self._begin)

    def _look(self) -> int | None:
        with self._lock:
            code = self._server.exit_code(self._number)
        if code is not None and self._ended is None:
            self._ended = time.monotonic()
        return code

    def _signal(self, number: int) -> None:
        if self._look() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


class _Connection:
    """One server process: what it was asked for and what it has told.

    The server's end of the socket is open in its trials too. So it is closed, seen from here, when none is left.
    """

    def __init__(self, config: TrainConfig, nice: int):
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the connection
        self._socket, theirs = socket.socketpair()
        self._rest, self._last = b"", 0
        self.pids: dict[int, int] = {}
        self._codes: dict[int, int] = {}
        self._reasons: dict[int, str] = {}
        self._greeting: dict[str, Any] | None = None
        self._all_gone = False
        self._why_dead = ""
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        environment.pop("FORCE_COLOR", None)  # would put a terminal's codes into files
        with theirs:
            self.process = subprocess.Popen(
                [*_COMMAND, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env=environment,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # gives way as one, and Ctrl-C on the terminal is for the search alone
            )
        try:
            self.data = self._greet({"config": config.to_dict(), "nice": nice, "command": sys.argv})
        except BaseException:
            self.process.kill()  # and not waited for: it may have helpers that read images
            self._end()
            raise

    def request(self, request: dict[str, Any]) -> int | None:
        """Has a trial started; returns its number, or None if the server dies over it."""
        self._last += 1
        number = self._last
        self._send(request | {"trial": number})
        while True:
            dead = self.is_dead()
            self._listen(0.0 if dead else 0.1)
            if number in self.pids or number in self._codes:
                return number
            if dead:
                return None

    def exit_code(self, number: int) -> int | None:
        """The exit code of a trial, None while it runs."""
        self._listen(0.0)
        if number not in self._codes and self._all_gone:
            self._codes[number] = _LOST
            self._reasons[number] = f"the process that starts trials has ended: {self.why_dead()}"
        return self._codes.get(number)

    def reason(self, number: int) -> str:
        """Why a trial has ended, if the server knows better than the output."""
        return self._reasons.get(number, "")

    def is_dead(self) -> bool:
        """Whether the server has ended; trials of it may still be writing their checkpoints."""
        return self.process.poll() is not None

    def why_dead(self) -> str:
        """Why the server has ended, in one line."""
        code = self.process.wait()
        if not self._why_dead:
            self._log.seek(0)
            lines = [line.strip() for line in self._log.read().decode(errors="replace").splitlines() if line.strip()]
            killed = f"killed by signal {-code} ({signal.strsignal(-code)})" if code < 0 else ""
            self._why_dead = killed or (lines[-1][:300] if lines and code else f"exit code {code}")
        return self._why_dead

    def close(self) -> None:
        """Ends the server and waits for its trials."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        patience = time.monotonic() + _SECONDS_TO_CLOSE
        while not self._all_gone and time.monotonic() < patience:
            self._listen(0.1)
        if not self._all_gone:
            self.process.kill()
        self._end()

    def _end(self) -> None:
        self.why_dead()
        self._all_gone = True
        self._socket.close()
        self._log.close()

    def _greet(self, hello: dict[str, Any]) -> dict[str, Any]:
        self._send(hello)
        while self._greeting is None and not self._all_gone:
            self._listen(0.1)
        if self._greeting is None:
            raise InputError(
                f"The process that reads the data must stay. Received: {self.why_dead()}. Is there memory enough?"
            )
        if "mistake" in self._greeting:
            raise InputError(self._greeting["mistake"])
        return self._greeting["data"]

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # dead, which is noticed when its answer does not come
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def _listen(self, seconds: float) -> None:
        """Takes up all that has come, waiting so long for the first of it."""
        while not self._all_gone and select.select([self._socket], [], [], seconds)[0]:
            try:
                more = self._socket.recv(1 << 16)
            except ConnectionResetError:
                more = b""
            self._all_gone = not more
            *lines, self._rest = (self._rest + more).split(b"\n")
            for line in lines:
                self._take(json.loads(line))
            seconds = 0.0

    def _take(self, message: dict[str, Any]) -> None:
        if "started" in message:
            self.pids[message["started"]] = message["pid"]
        elif "ended" in message:
            self._codes[message["ended"]] = message["code"]
        elif "failed" in message:
            self._codes[message["failed"]] = NO_ROOM if message["errno"] in FULL else CRASHED
            self._reasons[message["failed"]] = message["reason"]
        else:
            self._greeting = message
