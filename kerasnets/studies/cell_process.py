"""A cell in a process of its own: what that process does, and `CellProcess`, the runner's handle on it.

``python -m kerasnets.studies.cell_process FOLDER`` reads one JSON object on stdin, with the whole configuration
(``config``), how much to give way to other processes (``nice``) and the id of the process that must stay alive
(``parent``), and trains or goes on in exactly that folder.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kerasnets.training.config import TrainConfig, config_from_dict
from kerasnets.training.run_process import (
    DIVERGED,
    FINISHED,
    IN_USE,
    MISTAKE,
    NO_ROOM,
    STOPPED,
    explain,
    in_use,
    run_alone,
    stand_back,
    train_or_resume,
    why_ended,
)
from pipelines.sources import load_source

__all__ = [
    "DIVERGED",
    "FINISHED",
    "IN_USE",
    "MISTAKE",
    "NO_ROOM",
    "STOPPED",
    "CellProcess",
    "explain",
    "in_use",
    "main",
]


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the cell.

    Returns:
        0 finished, 1 diverged, 2 mistake of the user (one line on stderr), 74 no room on the disk, 75 another process
        works in the folder, 143 stopped by SIGTERM, with a checkpoint.
    """
    (path,) = map(Path, sys.argv[1:] if argv is None else argv)
    description = json.load(sys.stdin)
    if not stand_back(description["nice"], description["parent"]):
        return 128 + signal.SIGTERM
    return run_alone(path, lambda: _train_or_resume(path, config_from_dict(description["config"])))


def _train_or_resume(path: Path, config: TrainConfig) -> int:
    return train_or_resume(path, config, lambda: load_source(config.dataset, config.data_dir, config.reading()))


class CellProcess:
    """A running cell, as the runner sees it.

    Args:
        command: Words to start it with.
        description: Given to it as JSON on stdin.
        output: File that stdout and stderr are added to.

    Raises:
        OSError: The process cannot be started, or the file not be written.
    """

    def __init__(self, command: Sequence[str], description: dict[str, Any], output: Path):
        self.output = output
        output.parent.mkdir(parents=True, exist_ok=True)
        environment = os.environ | {"PYTHONUNBUFFERED": "1"}
        environment.pop("FORCE_COLOR", None)  # would put a terminal's codes into the file
        with open(output, "ab") as file:
            self._begin = file.tell()
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=file,
                stderr=subprocess.STDOUT,
                env=environment,
                # Gives way as a session, and Ctrl-C on the terminal is for the runner alone, from the first moment on.
                start_new_session=True,
            )
        self.pid = self._process.pid
        self._started = time.monotonic()
        # A broken pipe: it has ended already, and says why in its output.
        with contextlib.suppress(BrokenPipeError), self._process.stdin as pipe:
            pipe.write(json.dumps(description).encode())

    @property
    def seconds(self) -> float:
        """How long it has been running."""
        return time.monotonic() - self._started

    def exit_code(self) -> int | None:
        """Its exit code, -N if signal N killed it, None while it runs."""
        return self._process.poll()

    def stop(self) -> None:
        """Asks it to write a checkpoint and end."""
        self._process.terminate()

    def kill(self) -> None:
        """Ends it at once; it can be resumed from its last checkpoint."""
        self._process.kill()
        self._process.wait()

    def reason(self) -> str:
        """Why it failed, in one line: the signal that killed it, or the last words of its output."""
        return why_ended(self.exit_code(), self.output, self._begin)


if __name__ == "__main__":
    sys.exit(main())
