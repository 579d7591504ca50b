"""`RunFolder`: the writing side of a run folder, with its lock, results table and event log."""

import csv
import datetime
import fcntl
import io
import json
import os
import shutil
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.runs.files import finite_or_null, sweep_partial_files, write_text_atomic

RESULT_COLUMNS = (
    "epoch",
    "learning_rate",
    "gradient_norm",
    "train_loss",
    "train_accuracy",
    "penalty",
    "val_loss",
    "val_accuracy",
    "test_loss",
    "test_accuracy",
)


class RunFolder:
    """A run folder that this process alone may write to.

    Use `create` for a fresh run and `open` to go on with one; close it, or use it as a context manager.

    Attributes:
        path: The folder.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = open(path / ".lock", "a", encoding="utf-8")  # noqa: SIM115 - held until close
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise InputError(
                f"Another process is training in {path}. Received: a second request for the same folder. "
                "Wait for it or stop it; a fresh run gets a folder of its own."
            ) from None
        (path / "checkpoints").mkdir(exist_ok=True)
        for folder in (path, path / "checkpoints"):
            sweep_partial_files(folder)

    @classmethod
    def create(cls, parent: str | Path, name: str, config_text: str) -> "RunFolder":
        """Makes ``parent/name`` and writes ``config.yaml`` into it.

        A folder that exists is never written to: the same name again gets ``-2``, ``-3`` and so on.

        Raises:
            OSError: The folder cannot be made or written; none is left behind.
        """
        parent = Path(parent)
        parent.mkdir(parents=True, exist_ok=True)
        number = 1
        while True:
            path = parent / (name if number == 1 else f"{name}-{number}")
            try:
                path.mkdir()
                break
            except FileExistsError:
                number += 1
        try:
            return cls._begin(path, config_text)
        except BaseException:
            shutil.rmtree(path, ignore_errors=True)  # a full disk leaves no folder that is no run
            raise

    @classmethod
    def create_at(cls, path: str | Path, config_text: str) -> "RunFolder":
        """Makes exactly this folder and writes ``config.yaml`` into it.

        An empty folder, or one that a killed process has left without its configuration, is taken up.

        Raises:
            InputError: It holds a run or other files already, or another process is making it.
            OSError: The folder cannot be made or written.
        """
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        others = [file.name for file in path.iterdir() if file.name not in (".lock", "checkpoints", "config.yaml")]
        if [name for name in others if not name.endswith(".partial")]:
            raise InputError(f"A new run needs an empty folder. Received: {path} with {sorted(others)[0]!r} in it.")
        return cls._begin(path, config_text)

    @classmethod
    def _begin(cls, path: Path, config_text: str) -> "RunFolder":
        folder = cls(path)
        # Only the holder of the lock may look: another process may just have written it.
        if (path / "config.yaml").exists():
            folder.close()
            raise InputError(
                f"A new run needs a folder of its own. Received: {path}, which holds a run. Resume that run."
            )
        try:
            write_text_atomic(path / "config.yaml", config_text)
        except BaseException:
            folder.close()
            raise
        return folder

    @classmethod
    def open(cls, path: str | Path) -> "RunFolder":
        """Locks an existing run folder.

        Raises:
            InputError: It is no run folder, or another process holds it.
        """
        check_run_path(Path(path))
        return cls(Path(path))

    def __enter__(self) -> "RunFolder":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Gives the lock back."""
        self._lock.close()

    @property
    def checkpoints(self) -> Path:
        """The folder of checkpoint files."""
        return self.path / "checkpoints"

    def write_results(self, rows: list[dict[str, Any]]) -> None:
        """Replaces ``results.csv``: one header, a row an epoch, empty cells for what was not measured."""
        text = io.StringIO()
        writer = csv.DictWriter(text, RESULT_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_text_atomic(self.path / "results.csv", text.getvalue())

    def log(self, event: str, **values: Any) -> None:
        """Appends one line to ``log.jsonl``: time (UTC), event and values."""
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="milliseconds")
        line = json.dumps(finite_or_null({"time": now, "event": event, **values}), ensure_ascii=False)
        with open(self.path / "log.jsonl", "a", encoding="utf-8") as file:
            # A writer that was killed may have left half a line: the next one starts on a line of its own.
            if file.tell() and not _ends_with_newline(self.path / "log.jsonl"):
                line = "\n" + line
            file.write(line + "\n")


def _ends_with_newline(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def check_output(folder: str | Path) -> None:
    """Raises an `InputError` unless runs can be written below the folder, which need not exist yet."""
    existing = Path(folder).absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(
            f"output must be a folder that can be written. Received: {folder} ({existing} "
            f"{'is read-only' if existing.is_dir() else 'is a file'}). Use --output with another folder."
        )


def check_model_path(path: Path) -> None:
    """Raises an `InputError` unless the folder holds a run or an exported network."""
    if not any((path / name).is_file() for name in ("config.yaml", "saved_model.pb", "card.json")):
        what = "has neither config.yaml nor saved_model.pb" if path.is_dir() else "is no folder"
        raise InputError(
            f"A run folder or an exported network was expected. Received: {path}, which {what}. Run folders look like "
            "runs/cifar10/cifarnet-s0-1a2b3c4d, exported ones like saved_models/cifar10-cifarnet-s0."
        )


def check_run_path(path: Path) -> None:
    """Raises an `InputError` unless the folder holds a run (a ``config.yaml``)."""
    if not path.is_dir():
        raise InputError(f"A run folder was expected. Received: {path}, which is no folder.")
    if not (path / "config.yaml").is_file():
        raise InputError(
            f"A run folder was expected. Received: {path}, which has no config.yaml. "
            "Run folders look like runs/cifar10/cifarnet-s0-1a2b3c4d."
        )
