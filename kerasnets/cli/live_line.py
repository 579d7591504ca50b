"""A line on standard error that says how far a long piece of work has come; shown on a terminal only."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class LiveLine:
    """A context in which the line is there.

    Args:
        what: Is done, for example ``"Reading files"``.
        total: How much there is to do, if known.
        of_bytes: Whether that is bytes.
    """

    def __init__(self, what: str, total: int | None = None, *, of_bytes: bool = False):
        count = DownloadColumn() if of_bytes else MofNCompleteColumn()
        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            count,
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> LiveLine:
        self._progress.start()
        return self

    def __exit__(self, *problem) -> None:
        self._progress.stop()

    def advance(self, more: int) -> None:
        """Says how much more is done."""
        self._progress.advance(self._task, more)

    def update(self, done: int, total: int | None, what: str | None = None) -> None:
        """Says how much is done, of how much, and of what if that has changed."""
        self._progress.update(self._task, completed=done, total=total, **({"description": what} if what else {}))

    def message(self, text: str) -> None:
        """Prints a line that stays, on a terminal or not."""
        self._progress.console.print(text, markup=False, highlight=False, soft_wrap=True)
