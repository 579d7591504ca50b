"""`Run`: the reading side of a run folder, into pandas and plain values."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from kerasnets.errors import InputError
from kerasnets.runs.folder import check_run_path


class Run:
    """A run folder, read when asked.

    Args:
        path: The folder.

    Raises:
        InputError: It is no run folder.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        check_run_path(self.path)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"

    @property
    def config(self) -> dict[str, Any]:
        """Every setting, as in ``config.yaml``."""
        try:
            return yaml.safe_load(self._text("config.yaml"))
        except yaml.YAMLError as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"{self.path / 'config.yaml'} must be YAML. Received: {reason}.") from None

    @property
    def environment(self) -> dict[str, Any]:
        """Versions, processor, threads and precision, as in ``env.json``."""
        return self._json("env.json")

    @property
    def data(self) -> dict[str, Any]:
        """Class names, image shape, normalisation and counts, as in ``data.json``."""
        return self._json("data.json")

    @property
    def summary(self) -> dict[str, Any]:
        """Status, last and best epoch, test result, times and sizes, as in ``summary.json``."""
        return self._json("summary.json")

    @property
    def status(self) -> str:
        """``finished``, ``diverged``, ``paused``, ``interrupted`` or ``running`` (also after a crash)."""
        return self.summary["status"]

    @property
    def results(self) -> pd.DataFrame:
        """One row an epoch; NaN where a split was not evaluated."""
        return pd.read_csv(self._file("results.csv"))

    @property
    def per_class(self) -> pd.DataFrame:
        """One row a class of the evaluated split."""
        return pd.read_csv(self._file("per_class.csv"), keep_default_na=False, na_values=[""])

    @property
    def confusion_matrix(self) -> pd.DataFrame:
        """Examples by true class (rows) and predicted class (columns)."""
        return pd.read_csv(self._file("confusion_matrix.csv"), index_col=0, keep_default_na=False)

    @property
    def log(self) -> pd.DataFrame:
        """One row an event; a line that a crash cut short is left out."""
        events = []
        for line in self._text("log.jsonl").splitlines():
            try:
                events.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return pd.DataFrame(events)

    def _file(self, name: str) -> Path:
        path = self.path / name
        if not path.is_file():
            raise InputError(f"{self.path} has no {name}. Received: a run with status {self._status_or_unknown()}.")
        return path

    def _status_or_unknown(self) -> str:
        try:
            return json.loads((self.path / "summary.json").read_text(encoding="utf-8"))["status"]
        except (OSError, ValueError, KeyError):
            return "unknown"

    def _text(self, name: str) -> str:
        return self._file(name).read_text(encoding="utf-8")

    def _json(self, name: str) -> dict[str, Any]:
        try:
            return json.loads(self._text(name))
        except json.JSONDecodeError as error:
            raise InputError(f"{self.path / name} must be JSON. Received: {error}.") from None


def list_runs(root: str | Path = "runs") -> pd.DataFrame:
    """Returns one row a run below a folder, newest last: run, dataset, arch, seed, status, epochs, test accuracy.

    A run whose files cannot be read is listed with status ``damaged``.

    Raises:
        InputError: The folder does not exist.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"A folder of runs was expected. Received: {root}, which is no folder.")
    rows = []
    for path in sorted(root.glob("**/summary.json"), key=lambda file: file.stat().st_mtime):
        try:
            summary = Run(path.parent).summary
        except InputError:
            summary = {"status": "damaged"}
        row = {"run": str(path.parent)} | {
            key: summary.get(key) for key in ("dataset", "arch", "seed", "status", "epochs")
        }
        rows.append(row | {"test_accuracy": (summary.get("test") or {}).get("accuracy")})
    columns = ("run", "dataset", "arch", "seed", "status", "epochs", "test_accuracy")
    return pd.DataFrame(rows, columns=list(columns))
