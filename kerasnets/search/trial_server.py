"""The server of trials: a process that has TensorFlow imported and the data read, and forks a process for each trial.

Importing and reading cost more than a short trial, and forked processes share what they have read.
``python -m kerasnets.search.trial_server FD`` talks over a socket, one JSON object a line; `TrialServer` is its other
side. TensorFlow is imported here but never used: its threads would not survive a fork.
"""

import contextlib
import dataclasses
import gc
import json
import multiprocessing
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.training.config import TrainConfig, config_from_dict
from kerasnets.training.run_process import (
    CRASHED,
    MISTAKE,
    STOPPED,
    complain,
    explain,
    give_way,
    run_alone,
    stand_back,
    train_or_resume,
)
from kerasnets.training.until import Until
from pipelines.dataset_names import split_kind
from pipelines.errors import DataError
from pipelines.source import ImageSource
from pipelines.sources import load_source
from pipelines.splits import limit_train

# Trials that were asked to stop may have to compile, or to evaluate, before they listen.
_SECONDS_TO_STOP = 300.0
_POLL_SECONDS = 0.05


def main(argv: Sequence[str] | None = None) -> int:
    """Serves until the other side closes the socket, or ends.

    Returns:
        0; 2 if the data cannot be read, which the other side is told.
    """
    (descriptor,) = sys.argv[1:] if argv is None else argv
    with socket.socket(fileno=int(descriptor)) as connection:
        lines = _Lines(connection)
        hello = lines.wait(None)
        if not hello:
            return 0
        hello = json.loads(hello)
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
        give_way(hello["nice"])
        # The search answers Ctrl-C and a closed window, and says what is to be done.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
        sys.argv = hello["command"]  # as what the runs say of themselves
        try:
            source, data = read(config_from_dict(hello["config"]))
        except (InputError, DataError, OSError) as error:
            text = explain(error) if isinstance(error, OSError) else str(error)
            _send(connection, {"mistake": text})
            return MISTAKE
        import kerasnets.training.train  # noqa: F401 - so that no trial needs to

        gc.collect()
        gc.freeze()  # or the collector of each trial would touch, and so copy, all there is
        _send(connection, {"data": data})
        _Server(connection, lines, source).run()
    return 0


def read(config: TrainConfig) -> tuple[ImageSource, dict[str, Any]]:
    """Reads what trials see of a data set: no test split, and no more training images than they are to use.

    Returns:
        The images, and what ``data.json`` of a trial's run will say of them.
    """
    if split_kind(config.dataset)[0] == "tfds":  # read by TensorFlow, which is not to be started in this process
        with multiprocessing.get_context("fork").Pool(1) as pool:
            source = pool.apply(_load, (config,))
    else:
        source = _load(config)
    splits = {name: dataclasses.replace(split) for name, split in source.splits.items() if name != "test"}
    source = dataclasses.replace(source, splits=splits)
    if config.limit_train is not None:
        source = limit_train(source, config.limit_train)
    from kerasnets.training.setup import describe_data

    return source, describe_data(config, source)


def _load(config: TrainConfig) -> ImageSource:
    return load_source(config.dataset, config.data_dir, config.reading())


def _send(connection: socket.socket, message: dict[str, Any]) -> None:
    with contextlib.suppress(BrokenPipeError):  # the other side has ended, which is noticed when it is listened to
        connection.sendall(json.dumps(message).encode() + b"\n")


class _Lines:
    """The lines that come over a socket."""

    def __init__(self, connection: socket.socket):
        self._connection, self._rest = connection, b""

    def wait(self, seconds: float | None) -> bytes | None:
        """The next line, b"" if the other side has closed, None if none comes within the time."""
        while b"\n" not in self._rest:
            if not select.select([self._connection], [], [], seconds)[0]:
                return None
            more = self._connection.recv(1 << 16)
            if not more:
                return b""
            self._rest += more
        line, _, self._rest = self._rest.partition(b"\n")
        return line


class _Server:
    """Starts trials, and tells when they end.

    Args:
        connection: To the search.
        lines: What comes from there.
        source: What all trials train on.
    """

    def __init__(self, connection: socket.socket, lines: _Lines, source: ImageSource):
        self.connection, self.lines, self.source = connection, lines, source
        self.running: dict[int, int] = {}  # number of the trial by process id
        self.asked_to_stop = False

    def run(self) -> None:
        """Serves until it is to stop, and then until the last trial has written its checkpoint."""
        signal.signal(signal.SIGTERM, self._note)
        while not self.asked_to_stop:
            self._tell_ended()
            line = self.lines.wait(_POLL_SECONDS if self.running else 1.0)
            if line:
                self._start(json.loads(line))
            elif line is not None:
                break
        self._signal(signal.SIGTERM)
        patience = time.monotonic() + _SECONDS_TO_STOP
        while self.running:
            self._tell_ended()
            if time.monotonic() > patience:
                self._signal(signal.SIGKILL)
            time.sleep(_POLL_SECONDS)

    def _note(self, number, frame) -> None:
        self.asked_to_stop = True

    def _signal(self, number: int) -> None:
        for process in self.running:
            os.kill(process, number)

    def _tell_ended(self) -> None:
        while self.running:
            process, status = os.waitpid(-1, os.WNOHANG)
            if not process:
                return
            _send(self.connection, {"ended": self.running.pop(process), "code": os.waitstatus_to_exitcode(status)})

    def _start(self, request: dict[str, Any]) -> None:
        try:
            with open(request["output"], "ab") as output:
                process = self._fork(request, output.fileno())
        except OSError as error:  # no room, or no process to be had
            _send(self.connection, {"failed": request["trial"], "reason": explain(error), "errno": error.errno})
            return
        self.running[process] = request["trial"]
        _send(self.connection, {"started": request["trial"], "pid": process})

    def _fork(self, request: dict[str, Any], output: int) -> int:
        server = os.getpid()
        # A signal that comes while there are two of us must not be answered by the trial as if it were the server.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        process = os.fork()
        if process:
            with contextlib.suppress(OSError):  # it has done so itself, or has ended
                os.setpgid(process, process)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            return process
        code = CRASHED
        try:
            os.setpgid(0, 0)  # so that it can be told what it and its helpers use
            os.dup2(output, 1)
            os.dup2(output, 2)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
            code = self._try(request, server)
        except BaseException as error:
            traceback.print_exc()
            first = next(iter(str(error).splitlines()), "")
            complain(f"{type(error).__name__}: {first}".removesuffix(": "), CRASHED)
        finally:
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(code)  # nothing of the server's is to be tidied up here

    def _try(self, request: dict[str, Any], server: int) -> int:
        if not stand_back(0, server):
            return STOPPED[1]
        path, config, until = Path(request["path"]), config_from_dict(request["config"]), Until(**request["until"])
        return run_alone(path, lambda: train_or_resume(path, config, lambda: self.source, until=until))


if __name__ == "__main__":
    sys.exit(main())
