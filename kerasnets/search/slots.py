"""`Slots`: trials side by side on one machine, each asked of the oracle, run in a process, and told back."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kerasnets.errors import InputError
from kerasnets.runs.run import Run
from kerasnets.search.config import SearchConfig
from kerasnets.search.folder import Clock, SearchFolder
from kerasnets.search.live_table import Display, RunningTrial
from kerasnets.search.objective import WORST, score
from kerasnets.search.rungs import Rung, active_values, rung
from kerasnets.search.settings import trial_config
from kerasnets.search.trial import COMPLETED, DIVERGED, FAILED, TrialRecord
from kerasnets.studies.ledger import Ledger
from kerasnets.training.config import TrainConfig
from kerasnets.training.run_process import DIVERGED as ENDED_DIVERGED
from kerasnets.training.run_process import FINISHED, IN_USE, MISTAKE, NO_ROOM, STOPPED
from kerasnets.training.until import Until
from pipelines.cores import usable_cores

if TYPE_CHECKING:
    from kerasnets.search.space import Space
    from kerasnets.search.trial_process import TrialProcess, TrialServer

# A trial that crashes is tried once more.
_ATTEMPTS = 2
_IDLE_SECONDS = 1.0
_IN_USE_SECONDS = 5.0
_HEARTBEAT_SECONDS = 5.0
# A trial that was asked to stop may have to compile, or to evaluate, before it listens.
_SECONDS_TO_STOP = 120.0
_POLL_SECONDS = 0.05
_SHOW_SECONDS = 0.5


class Oracle(Protocol):
    """What chooses the trials: the oracle of this process, or a client of a chief's."""

    def create_trial(self, tuner_id: str) -> Any:
        """Returns the next trial, or the one that this tuner is running."""

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Any:
        """Is told the score."""

    def end_trial(self, trial: Any) -> None:
        """Is told that a trial has ended."""

    def get_trial(self, trial_id: str) -> Any:
        """Returns a trial by its number."""


def threads_of_each(workers: int) -> int:
    """Processor threads of each of so many trials; 0 lets one alone choose for itself."""
    return 0 if workers <= 1 else max(1, usable_cores() // workers)


@dataclass(eq=False, kw_only=True)
class _Slot:
    """A place for one trial at a time."""

    name: str
    trial: Any = None
    rung: Rung | None = None
    config: TrainConfig | None = None
    process: "TrialProcess | None" = None
    not_before: float = 0.0
    spoke: float = 0.0
    over: bool = False


class Slots:
    """Runs trials until the oracle has no more, the time is over, or something says stop.

    Args:
        config: The search.
        folder: Where its files are.
        space: What may vary.
        oracle: Chooses the trials.
        server: Starts their processes.
        names: Of the slots; the oracle knows by them who runs what.
        display: Told what happens.
        clock: Age of the search.
        threads: Processor threads of each trial.
        remote: Whether the oracle is a chief's, to be told now and then that this worker is alive.
        ledger: Where attempts are noted.

    Attributes:
        trouble: Why nothing can go on, such as a full disk.
    """

    def __init__(
        self,
        config: SearchConfig,
        folder: SearchFolder,
        *,
        space: "Space",
        hyperparameters: Any,
        oracle: Oracle,
        server: "TrialServer",
        names: list[str],
        display: Display,
        clock: Clock,
        threads: int,
        ledger: Ledger,
        remote: bool = False,
    ):
        self.config, self.folder, self.space, self.oracle, self.server = config, folder, space, oracle, server
        self.hyperparameters = hyperparameters
        self.display, self.clock, self.threads, self.ledger, self.remote = display, clock, threads, ledger, remote
        self.slots = [_Slot(name=name) for name in names]
        self.trouble = ""
        self.ended = 0
        self._shown = float("-inf")

    def run(
        self,
        stopped: Callable[[], bool],
        ended: Callable[[TrialRecord], None],
        others: Callable[[], bool] = lambda: False,
    ) -> None:
        """Runs trials.

        Args:
            stopped: Asked all the time whether to stop; running trials then write a checkpoint.
            ended: Told each trial's record.
            others: Asked all the time whether others still work on the search, so that their end must be waited for.
        """
        self._told_of = ended
        try:
            while not self.trouble and not stopped():
                for slot in self.slots:
                    self._advance(slot)
                if all(slot.over for slot in self.slots) and not others():
                    break
                self.clock.tick()
                self._show()
                time.sleep(_POLL_SECONDS)
        finally:
            self.stop()

    def stop(self) -> None:
        """Lets the running trials write a checkpoint and end; they are gone on with by the next call."""
        running = [slot for slot in self.slots if slot.process is not None]
        for slot in running:
            slot.process.stop()
        patience = time.monotonic() + _SECONDS_TO_STOP
        for slot in running:
            while slot.process.exit_code() is None and time.monotonic() < patience:
                time.sleep(_POLL_SECONDS)
            if slot.process.exit_code() is None:
                slot.process.kill()
            elif slot.process.exit_code() in (FINISHED, ENDED_DIVERGED):
                self._end(slot)  # it was just done
                continue
            self.ledger.append("stopped", cell=slot.trial.trial_id, worker=slot.name)
            slot.process = None

    def _advance(self, slot: _Slot) -> None:
        if slot.over or time.monotonic() < slot.not_before:
            return
        if slot.process is None:
            self._ask(slot)
        elif slot.process.exit_code() is not None:
            self._end(slot)
        elif self.remote and time.monotonic() - slot.spoke > _HEARTBEAT_SECONDS:
            self._say_alive(slot)

    def _ask(self, slot: _Slot) -> None:
        trial = self.oracle.create_trial(slot.name)
        slot.spoke = time.monotonic()
        if trial.status == "STOPPED":
            slot.over = True
        elif trial.status == "IDLE":
            slot.not_before = time.monotonic() + _IDLE_SECONDS
        else:
            self._take(slot, trial)

    def _take(self, slot: _Slot, trial: Any) -> None:
        slot.trial, slot.rung = trial, rung(trial, self.oracle)
        record = self.folder.record(trial.trial_id)
        if record is not None:  # killed between the record and the oracle's word for it
            self._tell_oracle(slot, record)
            return
        try:
            values = active_values(trial)
            slot.config = trial_config(self.config, self._settings(values), self.threads)
        except InputError as error:
            self._record(slot, FAILED, reason=str(error))
            return
        self._begin(slot)

    def _settings(self, values: dict[str, Any]) -> dict[str, Any]:
        hp = self.hyperparameters.copy()
        hp.values = dict(values)
        return self.space.settings(hp)

    def _begin(self, slot: _Slot) -> None:
        trial = slot.trial.trial_id
        attempt = self.ledger.attempts(trial) + 1
        budget = slot.rung.budget * self.config.unit_size
        until = Until(seconds=budget) if self.config.unit == "seconds" else Until(epochs=round(budget))
        slot.process = self.server.start(
            slot.config,
            self.folder.run(slot.rung.first_trial_id),
            until=until,
            threads=self.threads,
            output=self.folder.output(trial, attempt),
        )
        self.ledger.append("started", cell=trial, worker=slot.name, attempt=attempt, run=slot.rung.first_trial_id)

    def _say_alive(self, slot: _Slot) -> None:
        trial = self.oracle.create_trial(slot.name)
        slot.spoke = time.monotonic()
        if trial.trial_id == slot.trial.trial_id:
            return
        self.display.message(f"Trial {slot.trial.trial_id} was given to another worker, or the search has ended")
        slot.process.kill()
        slot.process = None
        if trial.status == "RUNNING":
            self._take(slot, trial)

    def _end(self, slot: _Slot) -> None:
        code, process = slot.process.exit_code(), slot.process
        if code == FINISHED:
            self._record(slot, COMPLETED)
        elif code == ENDED_DIVERGED:
            self._record(slot, DIVERGED, reason=self._cause(slot))
        elif code == NO_ROOM:
            self.trouble = f"{process.reason()}. Nothing is lost: mend that, and give the same command again."
            self.ledger.append("stopped", cell=slot.trial.trial_id, worker=slot.name)
            slot.process = None
        elif code == IN_USE or code in STOPPED:
            self.ledger.append("stopped", cell=slot.trial.trial_id, worker=slot.name, exit_code=code)
            slot.process, slot.not_before = None, time.monotonic() + _IN_USE_SECONDS
        else:
            self._crashed(slot, code, process.reason())

    def _crashed(self, slot: _Slot, code: int, reason: str) -> None:
        trial = slot.trial.trial_id
        self.ledger.append("failed", cell=trial, worker=slot.name, exit_code=code, reason=reason)
        # A mistake in the settings is made again by the same settings.
        if code != MISTAKE and len(self.ledger.failures(trial)) < _ATTEMPTS:
            self.display.message(f"Trial {trial} failed, it is tried again: {reason}")
            slot.process = None
            self._begin(slot)
            return
        self._record(slot, FAILED, reason=reason)

    def _cause(self, slot: _Slot) -> str:
        file = self.folder.run(slot.rung.first_trial_id) / "diagnosis.json"
        try:
            return str(json.loads(file.read_text(encoding="utf-8"))["cause"])
        except (OSError, ValueError, KeyError):
            return "a loss or gradient was not finite"

    def _record(self, slot: _Slot, status: str, reason: str = "") -> None:
        """Writes the record of a trial that has ended, and tells the oracle."""
        path = self.folder.run(slot.rung.first_trial_id)
        facts = _facts(path) if status != FAILED else {}
        value = None
        if status == COMPLETED:
            value = score(self.config.objective, facts["val_accuracy"], facts["flops"])
        elif status == DIVERGED:
            value = WORST
        record = TrialRecord(
            trial=slot.trial.trial_id,
            run=str(path.relative_to(self.folder.path)),
            values=active_values(slot.trial),
            status=status,
            score=value,
            unit=self.config.unit,
            budget=slot.rung.budget * self.config.unit_size,
            initial_budget=slot.rung.initial_budget * self.config.unit_size,
            bracket=slot.rung.bracket,
            round=slot.rung.round,
            seconds=round(slot.process.seconds, 3) if slot.process else 0.0,
            search_seconds=round(self.clock.seconds, 3),
            worker=slot.name,
            reason=reason,
            **facts,
        )
        self.folder.write_record(record)
        slot.process = None
        self._tell_oracle(slot, record)

    def _tell_oracle(self, slot: _Slot, record: TrialRecord) -> None:
        if record.score is None:
            slot.trial.status = "FAILED"
        else:
            self.oracle.update_trial(record.trial, {"score": record.score})
            slot.trial.status = "COMPLETED"
        self.oracle.end_trial(slot.trial)
        self.ledger.append("done", cell=record.trial, worker=slot.name, status=record.status, score=record.score)
        slot.trial, slot.rung = None, None
        self.ended += 1
        self._told_of(record)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._shown < _SHOW_SECONDS:
            return
        self._shown = now
        self.display.show(
            [
                RunningTrial(trial=slot.trial.trial_id, budget=slot.rung.budget * self.config.unit_size,
                             seconds=slot.process.seconds, values=active_values(slot.trial))
                for slot in self.slots
                if slot.process is not None
            ],
            self.clock.seconds,
        )  # fmt: skip


def _facts(path: Path) -> dict[str, Any]:
    """What a run's own folder says of it when it has ended or paused."""
    summary = Run(path).summary
    pause = summary.get("pause") or {}
    return {
        "epochs": pause.get("epochs", summary["epochs"]),
        "val_accuracy": pause.get("val_accuracy"),
        "val_loss": pause.get("val_loss"),
        "train_loss": pause.get("train_loss"),
        "weights": summary["trainable_weights"],
        "flops": summary["flops_per_image"],
        "train_seconds": summary["seconds"]["train"],
        "images_per_second": summary["images_per_second"],
        "peak_memory_bytes": summary["peak_memory_bytes"],
    }
