"""`SearchFolder`: the folder of one search, which refuses to be another one's."""

import contextlib
import dataclasses
import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.runs.files import sweep_partial_files, write_json_atomic, write_text_atomic
from kerasnets.runs.folder import check_output
from kerasnets.search.config import SearchConfig
from kerasnets.search.trial import TrialRecord
from pipelines.locks import locked

# A kill loses this much of the search's age at the most.
_CLOCK_SECONDS = 5.0
_DATA = ("class_names", "image_shape", "class_counts", "mean", "std")


class SearchFolder:
    """The files of a search, by name.

    Args:
        path: The folder.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def results(self) -> Path:
        """Folder of the records."""
        return self.path / "results"

    @property
    def ledger(self) -> Path:
        """Events of the search."""
        return self.path / "ledger.jsonl"

    @property
    def final(self) -> Path:
        """Folder of the winner's runs on all training images."""
        return self.path / "final"

    def space(self, config: SearchConfig) -> Path:
        """Copy of the user's own space."""
        return self.path / f"space{Path(config.space).suffix}"

    def run(self, first_trial: str) -> Path:
        """Run folder of a choice, named after its first trial."""
        return self.path / "trials" / first_trial

    def output(self, trial: str, attempt: int) -> Path:
        """What a trial's process printed."""
        return self.path / "output" / f"{trial}-{attempt}.txt"

    def record(self, trial: str) -> TrialRecord | None:
        """The record of a trial that has ended; None if it has not, or if its file was damaged."""
        with contextlib.suppress(OSError, ValueError):
            return TrialRecord.from_dict(json.loads((self.results / f"{trial}.json").read_text(encoding="utf-8")))
        return None

    def write_record(self, record: TrialRecord) -> None:
        """Writes the record of a trial that has ended."""
        self.results.mkdir(exist_ok=True)
        write_json_atomic(self.results / f"{record.trial}.json", record.to_dict())

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Makes the folder if need be and holds it: one process leads a search.

        Raises:
            InputError: Another process leads it, or the folder cannot be written.
        """
        check_output(self.path)
        self.path.mkdir(parents=True, exist_ok=True)

        def complain():
            raise InputError(
                f"A search is led by one process at a time. Received: {self.path}, which another one leads. Wait for "
                "it, or name this one otherwise with --name."
            )

        with locked(self.path / ".lock", waiting=complain):
            sweep_partial_files(self.path)
            yield

    def claim(self, config: SearchConfig, space: dict[str, Any]) -> None:
        """Writes what the search is, or checks that it is the one that was begun here.

        Args:
            config: The search.
            space: What describes its space.

        Raises:
            InputError: The folder holds another search; the first difference is named.
        """
        identity = {"search": config.identity(), "space": space}
        before = self.identity()
        if before is not None:
            self._compare(before, json.loads(json.dumps(identity)))
        else:
            if config.space is not None:
                shutil.copyfile(config.space, self.space(config))
            write_json_atomic(self.path / "identity.json", identity)
        write_text_atomic(self.path / "search.yaml", config.to_yaml())

    def identity(self) -> dict[str, Any] | None:
        """What was begun here; None in a fresh folder.

        Raises:
            InputError: The file is damaged.
        """
        file = self.path / "identity.json"
        try:
            return json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except ValueError:
            raise InputError(
                f"{file} must be JSON. Received: a damaged file. Give the search another --name."
            ) from None

    def check(self, config: SearchConfig, space: dict[str, Any]) -> None:
        """Checks, for a worker, that the search was begun here and is the one that it was asked to work on.

        Raises:
            InputError: It was not begun, or is another one.
        """
        before = self.identity()
        if before is None:
            raise InputError(
                f"A worker needs the folder of a search that its chief has begun. Received: {self.path}, which holds "
                "none. Give --output and --name as the chief has them, in a folder that both see."
            )
        self._compare(before, json.loads(json.dumps({"search": config.identity(), "space": space})))

    def _compare(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        for part, name in (("search", ""), ("space", "space: ")):
            old, new = before[part], now[part]
            for key in dict.fromkeys([*old, *new]):
                if old.get(key) != new.get(key):
                    raise InputError(
                        f"{self.path} holds a search with another {name}{key}. Received: {_short(new.get(key))} "
                        f"instead of {_short(old.get(key))}. Results of two searches are never mixed: give this one "
                        "another --name."
                    )

    def check_data(self, data: dict[str, Any]) -> None:
        """Keeps what the trials see of the data, or compares it with what they saw before.

        Raises:
            InputError: These are other images.
        """
        file = self.path / "data.json"
        now = json.loads(json.dumps({key: data[key] for key in _DATA}))
        try:
            before = json.loads(file.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            write_json_atomic(file, now)
            return
        for key in _DATA:
            if before.get(key) != now[key]:
                raise InputError(
                    f"A search goes on with the images that it began with. Received: another {key.replace('_', ' ')} "
                    f"than in {file}. Put the images back, or give the search another --name."
                )


def settled(config: SearchConfig, folder: SearchFolder) -> SearchConfig:
    """The search with its number format settled, once for all trials, on whatever machine and in whatever call.

    ``auto`` is measured, and a close decision may fall otherwise the next time: scores of trials in two formats could
    not be compared, nor be the same again.

    Raises:
        OSError: The folder cannot be written.
    """
    file = folder.path / "precision.json"
    try:
        precision = str(json.loads(file.read_text(encoding="utf-8"))["precision"])
    except (OSError, ValueError, KeyError, TypeError):
        from kerasnets.training.precision import choose_precision

        precision, reason = choose_precision(config.precision)
        write_json_atomic(file, {"precision": precision, "reason": reason})
    return dataclasses.replace(config, precision=precision)


class Clock:
    """How old a search is, over all the calls that have worked on it.

    Args:
        path: File that keeps it.

    Attributes:
        before: Seconds of the calls before this one.
    """

    def __init__(self, path: Path):
        self.path = path
        self.before = 0.0
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self.before = float(json.loads(path.read_text(encoding="utf-8"))["seconds"])
        self._begun = self._written = time.monotonic()

    @property
    def seconds(self) -> float:
        """Age of the search."""
        return self.before + time.monotonic() - self._begun

    def tick(self, *, now: bool = False) -> None:
        """Writes the age down, every few seconds or at once."""
        if now or time.monotonic() - self._written >= _CLOCK_SECONDS:
            self._written = time.monotonic()
            write_json_atomic(self.path, {"seconds": round(self.seconds, 3)})


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 120 else text[:117] + "..."
