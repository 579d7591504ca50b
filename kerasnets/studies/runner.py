"""`run_study`: runs what is missing of a study, one process for each cell, so that nothing is lost or mixed up."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.runs.folder import check_output
from kerasnets.studies.cell_process import IN_USE, NO_ROOM, STOPPED, CellProcess, explain, in_use
from kerasnets.studies.cells import Cell, cell_path
from kerasnets.studies.ledger import Ledger
from kerasnets.studies.live_table import Display, EpochLog, RunningCell, Silent, StudyProgress, seconds_left
from kerasnets.studies.results import CellResult, read_cell
from kerasnets.studies.stalled import StallWatch
from kerasnets.studies.stop_signals import StopSignals
from kerasnets.training.progress import format_seconds
from pipelines.cores import usable_cores
from pipelines.locks import locked

# What a call may ask for: lowest, highest, remedy.
LIMITS = {"jobs": (1, 1024, ""), "threads": (0, 4096, "0 shares out the cores."), "nice": (0, 19, "19 gives way most.")}
# So many failed attempts one after the other, of two cells at least, say that it is not the cells.
_FAILURES_IN_A_ROW = 5
# No cell is started that could do nothing but be stopped: before this many seconds, or a tenth of a short time.
_SECONDS_TO_BEGIN = 60.0
# A cell that was asked to stop may have to compile, or to evaluate the test images, before it listens.
_SECONDS_TO_STOP = 300.0
# A cell that another process works on, or has stopped, is looked at again after this, and then after twice as long.
_SECONDS_TO_PUT_OFF = 5.0
_POLL_SECONDS = 0.05
_SHOW_SECONDS = 0.5
_HANGS = "hung: it used no processor time for a quarter of an hour, and was ended"
_MEND = ". Nothing is lost: mend that, and run the study again."

Command = Callable[[Cell, Path], list[str]]


@dataclass(frozen=True, kw_only=True)
class RunnerSummary:
    """What a call of `run_study` has come to.

    Attributes:
        done: Cells that are done, before or now; those that diverged are.
        failed: Cells that were given up.
        left: Cells that another call will go on with.
        stopped_because: Why some are left, in one line.
        exit_code: 0 if nothing went wrong, also when the time was used up; 1 if cells failed or the study was stopped
            for it; 128 and the signal's number after a signal (130 for Ctrl-C, 143 for SIGTERM).
    """

    done: int
    failed: int
    left: int
    stopped_because: str = ""
    exit_code: int = 0


def run_cell_command(cell: Cell, path: Path) -> list[str]:
    """The command that trains a cell in its folder."""
    return [sys.executable, "-m", "kerasnets.studies.cell_process", str(path)]


def run_study(
    study_folder: str | Path,
    output: str | Path,
    cells: Sequence[Cell],
    *,
    jobs: int = 1,
    threads: int = 0,
    nice: int = 10,
    max_seconds: float | None = None,
    retry_failed: bool = False,
    display: Display | None = None,
    command: Command = run_cell_command,
) -> RunnerSummary:
    """Runs the cells that are not done, in their order, and those that were begun from where they are.

    What is done is read from the cells' own folders. A cell whose process fails is tried again after two others, and
    given up as `Ledger.given_up` says; the study goes on. One that hangs is ended, and has failed. Five failed attempts
    in a row stop it, unless something has succeeded and only cells that had failed before are left, and do not count
    against their cells; a full disk, a signal and the end of the time stop it too. All of these let the running cells
    write a checkpoint; a second signal kills them. A cell that somebody else stops (Ctrl-C, SIGTERM) has not failed: it
    is gone on with later. Whatever happens to a cell, to this process or to the machine, another call does what is
    missing.

    Args:
        study_folder: For the ledger, the lock and ``output/<key>-<attempt>.txt``, what each process printed.
        output: Folder of all studies, which holds the cells.
        cells: What to run, in this order.
        jobs: Cells side by side.
        threads: Processor threads of each new cell; 0 shares out the cores, of which a cell alone uses one if its steps
            are small. A cell that was begun keeps its own, and so ends with the same bits.
        nice: How much the cells give way to other processes, from 0 to 19.
        max_seconds: Time after which running cells are stopped and none is started.
        retry_failed: Try those again that were given up.
        display: Told what happens; silent by default.
        command: Makes the words that start a cell's process from the cell and its folder.

    Raises:
        InputError: A number is out of range, another process runs this study, or a folder cannot be written.
        OSError: The ledger cannot be read or begun.
    """
    study_folder, output = Path(study_folder), Path(output).absolute()
    _check_numbers(jobs, threads, nice, max_seconds)
    check_output(study_folder)
    check_output(output)
    study_folder.mkdir(parents=True, exist_ok=True)

    def complain():
        raise InputError(f"A study is run by one process at a time. Received: {study_folder}, which another one runs.")

    with locked(study_folder / ".lock", waiting=complain):
        runner = _Runner(study_folder, output, jobs=jobs, display=display or Silent(), command=command)
        # A cell alone chooses for itself: all cores, or one where its steps are too small to share out.
        runner.threads = threads or (0 if jobs == 1 else max(1, usable_cores() // jobs))
        runner.nice = nice
        runner.take_up(cells, retry_failed)
        return runner.run(max_seconds)


@dataclass(eq=False, kw_only=True)
class _Job:
    """A cell and where it is on its way."""

    cell: Cell
    key: str
    path: Path
    failures: int = 0
    not_before: float = 0.0
    wait: float = 0.0
    attempt: int = 0
    process: CellProcess | None = None
    log: EpochLog | None = None
    watch: StallWatch | None = None
    hangs: bool = False


class _Runner:
    """One call of `run_study`, in the lock."""

    def __init__(self, study_folder: Path, output: Path, *, jobs: int, display: Display, command: Command):
        self.study_folder, self.output = study_folder, output
        self.jobs, self.display, self.command = jobs, display, command
        self.threads, self.nice = 1, 0
        self.ledger = Ledger(study_folder / "ledger.jsonl")
        self.waiting: list[_Job] = []
        self.running: list[_Job] = []
        self.done = 0
        self.given_up: dict[str, tuple[Cell, str]] = {}
        self.took: dict[str, list[float]] = {}  # seconds of the cells that are done, by setting
        self.failed_in_a_row: list[str] = []
        self.succeeded = False
        self.last_reason = ""
        self.trouble = ""  # what went wrong with the disk
        self.stopping = False
        self.deadline = self.last_start = float("inf")
        self.shown = float("-inf")

    def take_up(self, cells: Sequence[Cell], retry_failed: bool) -> None:
        """Sorts the cells into those that are done, given up and to be run."""
        jobs = {cell.key: cell for cell in cells}
        given_up = self.ledger.given_up(jobs)
        if retry_failed:
            for key in given_up:
                self.ledger.append("retry", **_named(jobs[key], key))
            given_up = {}
        for key, cell in jobs.items():
            result = read_cell(self.output, cell, failed=given_up.get(key, ""))
            if result.done:
                self._count(result, key)
            elif result.status == "failed":  # given up, or its folder holds something else
                self.given_up[key] = (cell, result.reason)
                if key not in given_up:
                    self.display.failed(cell, result.reason, given_up=True)
            else:
                failures = len(self.ledger.failures(key))
                self.waiting.append(_Job(cell=cell, key=key, path=cell_path(self.output, cell), failures=failures))
        if self.done or self.given_up:
            failed = f", {len(self.given_up)} were given up (--retry-failed)" if self.given_up else ""
            self.display.message(f"{self.done} of {len(jobs)} runs are done already{failed}")

    def run(self, max_seconds: float | None) -> RunnerSummary:
        """Runs what waits, until it is done or something says stop."""
        if max_seconds is not None:
            self.deadline = time.monotonic() + max_seconds
            self.last_start = self.deadline - min(_SECONDS_TO_BEGIN, 0.1 * max_seconds)
        with StopSignals() as self.signals:
            because, code = "", 1
            try:
                self.ledger.append(
                    "begun", pid=os.getpid(), jobs=self.jobs, threads=self.threads, cells=len(self.waiting)
                )
                because, code = self._work(max_seconds)
            except OSError as error:
                because = explain(error) + _MEND
            finally:
                self._stop_running()
                self._tell(self.display.close)
        if self.signals.received:
            first = signal.Signals(self.signals.received[0])
            because, code = f"stopped by {first.name}", 128 + first
        left = len(self.waiting)
        because = because if left else ""
        with contextlib.suppress(OSError):
            self.ledger.append("ended", done=self.done, failed=len(self.given_up), left=left, reason=because or None)
        code = code or int(bool(self.given_up))
        return RunnerSummary(
            done=self.done, failed=len(self.given_up), left=left, stopped_because=because, exit_code=code
        )

    def _work(self, max_seconds: float | None) -> tuple[str, int]:
        """Starts and ends cells; returns why it stopped, if not because all is done, and the exit code for that."""
        while True:
            self._end_those_that_ended()
            if self.signals.received:
                return "", 0
            if self.trouble:
                return self.trouble + _MEND, 1
            if self._is_broken():
                self._forgive_those_that_failed()
                return (
                    f"{len(self.failed_in_a_row)} attempts in a row failed, of {len(set(self.failed_in_a_row))} cells; "
                    f"the last: {self.last_reason}. Is the machine all right? Running the study again goes on.",
                    1,
                )
            now = time.monotonic()
            if now >= self.deadline or (now >= self.last_start and not self.running and self.waiting):
                return f"the time of {format_seconds(max_seconds)} was used up", 0
            self._start_those_that_may()
            if not self.running and not self.waiting:
                return "", 0
            self._show()
            time.sleep(_POLL_SECONDS)

    def _is_broken(self) -> bool:
        if len(self.failed_in_a_row) < _FAILURES_IN_A_ROW or len(set(self.failed_in_a_row)) < 2:
            return False
        return not self.succeeded or not all(job.failures for job in self.waiting)

    def _forgive_those_that_failed(self) -> None:
        """It was not the cells: the next call tries them as if they had not failed, also those that were given up."""
        for key in set(self.failed_in_a_row) & set(self.given_up):
            cell, _ = self.given_up.pop(key)
            self.waiting.append(_Job(cell=cell, key=key, path=cell_path(self.output, cell)))
        for job in self.waiting + self.running:
            if job.key in self.failed_in_a_row:
                self.ledger.append("retry", **_named(job.cell, job.key))

    def _start_those_that_may(self) -> None:
        while len(self.running) < self.jobs and time.monotonic() < self.last_start:
            now = time.monotonic()
            job = next((job for job in self.waiting if job.not_before <= now), None)
            if job is None:
                return
            if in_use(job.path):
                self._put_off(job, "another process works on it")
                continue
            result = read_cell(self.output, job.cell)  # another study may have run it since
            if result.done:
                self.waiting.remove(job)
                self._count(result, job.key)
                self._tell(self.display.done, result, None)
                continue
            self._start(job)

    def _put_off(self, job: _Job, why: str) -> None:
        if not job.wait:
            self._tell(self.display.message, f"{job.cell}  {why}, it is looked at again later")
        job.wait = min(12 * _SECONDS_TO_PUT_OFF, 2 * job.wait or _SECONDS_TO_PUT_OFF)
        job.not_before = time.monotonic() + job.wait

    def _start(self, job: _Job) -> None:
        job.attempt = self.ledger.attempts(job.key) + 1
        config = job.cell.config.replace(threads=self.threads).to_dict()
        job.process = CellProcess(
            self.command(job.cell, job.path),
            {"config": config, "nice": self.nice, "parent": os.getpid()},
            self.study_folder / "output" / f"{job.key}-{job.attempt}.txt",
        )
        job.log = EpochLog(job.path / "log.jsonl")
        job.watch, job.hangs = StallWatch(job.process.pid), False
        self.waiting.remove(job)
        self.running.append(job)
        self._note("started", job)

    def _end_those_that_ended(self) -> None:
        for job in list(self.running):
            if job.watch.stalled():
                job.hangs = True
                job.process.kill()
            if job.process.exit_code() is not None:
                self.running.remove(job)
                self._end(job)

    def _end(self, job: _Job) -> None:
        code = job.process.exit_code()
        try:
            result, reason = read_cell(self.output, job.cell), _HANGS if job.hangs else job.process.reason()
        except InputError as error:
            result, reason = None, str(error)
        facts = {"exit_code": code, "seconds": round(job.process.seconds, 3)}
        if result is not None and result.done:
            self.succeeded, self.failed_in_a_row = True, []
            self._note("done", job, status=result.status, **facts)
            self._count(result, job.key)
            self._tell(self.display.done, result, self.took[job.cell.setting][-1])
        # A stop of the machine, or of a service, ends the cells with the runner, and may end them before it.
        elif self.stopping or self.signals.received or code in (NO_ROOM, IN_USE, *STOPPED):
            self.waiting.insert(0, job)
            self._note("in use" if code == IN_USE else "stopped", job, **facts)
            if code == NO_ROOM:
                self.trouble = reason
            elif not (self.stopping or self.signals.received):
                self._put_off(job, "another process works on it" if code == IN_USE else reason)
        else:
            self._fail(job, reason, facts)

    def _fail(self, job: _Job, reason: str, facts: dict[str, Any]) -> None:
        self._note("failed", job, reason=reason, **facts)
        job.failures += 1
        self.failed_in_a_row.append(job.key)
        self.last_reason = reason
        given_up = bool(self.ledger.given_up([job.key]))
        if given_up:
            self.given_up[job.key] = (job.cell, reason)
        else:
            # Not at once, so that what was wrong may pass; and between others, so that cells which can never work do
            # not fill the row of failures that stops the study.
            self.waiting.insert(2, job)
        self._tell(self.display.failed, job.cell, reason, given_up=given_up)

    def _count(self, result: CellResult, key: str) -> None:
        self.done += 1
        seconds = self.ledger.seconds(key)
        if seconds is None:
            seconds = float(result.summary["seconds"]["total"])
        self.took.setdefault(result.cell.setting, []).append(seconds)

    def _note(self, event: str, job: _Job, **values: Any) -> None:
        """Tells the ledger; where that cannot be written the study stops, but what it does now is done to the end."""
        try:
            self.ledger.append(event, **_named(job.cell, job.key), attempt=job.attempt, pid=job.process.pid, **values)
        except OSError as error:
            self.trouble = explain(error)

    def _tell(self, tell: Callable[..., None], *words: Any, **more: Any) -> None:
        """Tells the display; of a stop also where that can show nothing any more, such as on a closed terminal."""
        try:
            tell(*words, **more)
        except OSError:
            if not self.stopping:
                raise

    def _stop_running(self) -> None:
        """Lets every running cell write its checkpoint; kills those that take too long, or all on a second signal."""
        self.stopping = True
        for job in self.running:
            job.process.stop()
        patience = time.monotonic() + _SECONDS_TO_STOP
        if self.running:
            self._tell(self.display.message, f"Stopping {len(self.running)} running: waiting for the checkpoint")
        while self.running:
            if len(self.signals.received) > 1 or time.monotonic() > patience:
                for job in self.running:
                    job.process.kill()
            self._end_those_that_ended()
            time.sleep(_POLL_SECONDS)

    def _show(self) -> None:
        now = time.monotonic()
        if now - self.shown < _SHOW_SECONDS:
            return
        self.shown = now
        running = []
        for job in self.running:
            job.log.look()
            running.append(
                RunningCell(
                    cell=job.cell,
                    seconds=job.process.seconds,
                    epoch=job.log.epoch,
                    epoch_seconds=job.log.epoch_seconds,
                )
            )
        progress = StudyProgress(
            study=self.study_folder.name,
            done=self.done,
            running=running,
            waiting=len(self.waiting),
            failed=list(self.given_up.values()),
            seconds_left=seconds_left([job.cell for job in self.waiting], running, self.took, self.jobs),
        )
        self.display.show(progress)


def _named(cell: Cell, key: str) -> dict[str, Any]:
    return {"cell": key, "setting": cell.setting, "seed": cell.seed}


def _check_numbers(jobs: int, threads: int, nice: int, max_seconds: float | None) -> None:
    for name, value in {"jobs": jobs, "threads": threads, "nice": nice}.items():
        low, high, remedy = LIMITS[name]
        if type(value) is not int or not low <= value <= high:
            raise InputError(
                f"{name} must be a whole number from {low} to {high}. Received: {value!r}. {remedy}".rstrip()
            )
    if max_seconds is not None and not max_seconds > 0:
        raise InputError(f"max_seconds must be above 0. Received: {max_seconds!r}.")
