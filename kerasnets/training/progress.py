"""What is shown while a run goes on: one live line on a terminal, one line an epoch when piped."""

import sys
import time
from typing import Any, Protocol


class Progress(Protocol):
    """What training tells; a class with these methods can be passed as ``progress``."""

    def message(self, text: str) -> None:
        """Shows one line that stays."""

    def steps(
        self,
        state: Any,
        steps_per_epoch: int,
        logs: dict[str, float],
        steps: int,
        seconds: float | None,
        left: float | None,
    ) -> None:
        """Is told of ``steps`` more steps, of ``seconds`` each, and the seconds to go (both None while compiling)."""

    def epoch(self, row: dict[str, Any], state: Any) -> None:
        """Is told of a completed epoch."""

    def close(self) -> None:
        """Ends the live line."""


class Silent:
    """Shows nothing."""

    def message(self, text: str) -> None:
        """Shows nothing."""

    def steps(self, state, steps_per_epoch, logs, steps, seconds, left) -> None:
        """Shows nothing."""

    def epoch(self, row, state) -> None:
        """Shows nothing."""

    def close(self) -> None:
        """Shows nothing."""


class Display:
    """Shows a run on standard error.

    Args:
        epochs: Epochs of the run.
        batch_size: Images in a step.
    """

    def __init__(self, epochs: int, batch_size: int):
        from rich.console import Console

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self.epochs, self.batch_size = epochs, batch_size
        self.live = None
        self.estimated = False
        self.epoch_started = time.perf_counter()

    def message(self, text: str) -> None:
        """Prints one line above the live one."""
        self.console.print(text, markup=False)

    def steps(self, state, steps_per_epoch, logs, steps, seconds, left) -> None:
        """Renews the live line; says once, after the first timed steps, how long the run will take."""
        if seconds is None:
            return
        if not self.estimated:
            self.estimated = True
            rate = self.batch_size / seconds
            self.message(f"about {format_seconds(left)} of training to go, {rate:,.0f} images/s in the first steps")
        if not self.console.is_terminal:
            return
        self._line(
            f"epoch {state.epoch + 1}/{self.epochs}  step {state.step}/{steps_per_epoch}  "
            f"loss {logs['loss']:.4f}  accuracy {100 * logs['accuracy']:.2f} %  "
            f"{self.batch_size / seconds:,.0f} images/s  {format_seconds(left)} left"
        )

    def epoch(self, row, state) -> None:
        """Prints the epoch's results as a line that stays."""
        seconds, self.epoch_started = time.perf_counter() - self.epoch_started, time.perf_counter()
        parts = [f"epoch {row['epoch']}/{self.epochs}", f"rate {row['learning_rate']:.3g}"]
        for split in ("train", "val", "test"):
            if f"{split}_loss" in row:
                parts.append(f"{split} loss {row[f'{split}_loss']:.4f} accuracy {100 * row[f'{split}_accuracy']:.2f} %")
        self._stop_line()
        self.message("  ".join([*parts, format_seconds(seconds)]))

    def close(self) -> None:
        """Ends the live line."""
        self._stop_line()

    def _line(self, text: str) -> None:
        from rich.live import Live
        from rich.text import Text

        if self.live is None:
            self.live = Live(console=self.console, transient=True, auto_refresh=False)
            self.live.start()
        self.live.update(Text(text, no_wrap=True, overflow="ellipsis"), refresh=True)

    def _stop_line(self) -> None:
        if self.live is not None:
            self.live.stop()
            self.live = None
        sys.stderr.flush()


def format_seconds(seconds: float) -> str:
    """Writes a duration for people: ``45 s``, ``12 min``, ``1 h 05 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"
