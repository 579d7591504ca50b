"""`OracleFile`: the state of an oracle on the disk, whole or not there, with the state before it as a spare."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.runs.files import write_text_atomic

_FORMAT = 1


class OracleFile:
    """One JSON file that is only ever replaced.

    Args:
        path: The file. What it held before the last write stays beside it, as ``oracle.json.before``.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.before = self.path.with_name(self.path.name + ".before")

    def write(self, text: str) -> None:
        """Replaces the state.

        Args:
            text: What `pack` has made.

        Raises:
            OSError: It cannot be written, such as on a full disk; the old state stays.
        """
        aside = self.path.with_name(f".{self.before.name}.{os.getpid()}.partial")
        # Only a spare: some file systems know no second name for a file.
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)
            os.link(self.path, aside)
            os.replace(aside, self.before)
        write_text_atomic(self.path, text)

    def read(self) -> dict[str, Any] | None:
        """Returns the state, or None if none was written yet.

        Raises:
            InputError: The file is damaged, or a later release has written it.
            OSError: It cannot be read.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            if self.before.exists():  # without it the search would begin again, over the runs that it has
                raise self.damaged("no file") from None
            return None
        try:
            state = json.loads(content)
        except ValueError as error:
            raise self.damaged(str(error)) from None
        if not isinstance(state, dict) or "format" not in state:
            raise self.damaged("no state of a search")
        if state["format"] != _FORMAT:
            raise InputError(
                f"{self.path} must be of format {_FORMAT}. Received: {state['format']}. Go on with the release of "
                "kerasnets that has written it."
            )
        return state

    def damaged(self, received: str) -> InputError:
        """Returns the error that says what to do about a file that does not hold a state."""
        remedy = "Give the search another --name."
        if self.before.exists():
            remedy = f"Rename {self.before.name} beside it, its state one step before, to {self.path.name}."
        return InputError(f"{self.path} must hold the state of a search. Received: {received}. {remedy}")


def pack(state: dict[str, Any]) -> str:
    """Returns a state as the text of its file."""
    # On one line: Python writes indented JSON three times as slowly, and this is written at every step.
    return json.dumps({"format": _FORMAT, **state}, allow_nan=False) + "\n"
