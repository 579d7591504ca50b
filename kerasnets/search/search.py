"""`run_search`: from a configuration to a winner that is trained again and tested."""

import contextlib
import os
import signal
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasnets.errors import InputError
from kerasnets.runs.files import write_json_atomic
from kerasnets.search.best import write_best
from kerasnets.search.config import SearchConfig
from kerasnets.search.early_server import EarlyServer
from kerasnets.search.final import final_config, final_seconds, reserve, rival_config
from kerasnets.search.final_training import train_finally
from kerasnets.search.folder import Clock, SearchFolder, settled
from kerasnets.search.live_table import Display, Silent
from kerasnets.search.oracle import SearchOracle, make_oracle
from kerasnets.search.report import write_search_report
from kerasnets.search.results import ranking, read_records, write_trials_csv
from kerasnets.search.sample import RejectedSample, SampleFacts, check_sample, training_flops
from kerasnets.search.samples import default_values
from kerasnets.search.settings import space_of, trial_config
from kerasnets.search.slots import Slots, threads_of_each
from kerasnets.search.space import Space, hyperparameters
from kerasnets.search.trial import TrialRecord
from kerasnets.search.trial_process import TrialServer
from kerasnets.studies.ledger import Ledger
from kerasnets.studies.stop_signals import StopSignals
from kerasnets.training.config import TrainConfig, parse_seconds
from kerasnets.training.environment import processor_name
from kerasnets.training.progress import format_seconds
from pipelines.sources import find_source

if TYPE_CHECKING:
    from kerasnets.search.chief import Chief

# The page is drawn anew not more often than this while the search goes on.
_PAGE_SECONDS = 60.0
# A worker that has not spoken for so long has its trial handed on.
_SILENT_SECONDS = 30.0
_SECONDS_TO_DISMISS = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, kw_only=True)
class SearchSummary:
    """What a call has come to.

    Attributes:
        status: ``finished``; ``stopped`` by a signal or by trouble, which the same command goes on from; or ``empty``,
            when no trial has a score.
        because: Why it ended, in one line.
        exit_code: 0; 1 after trouble or without a winner; 128 and the signal's number after a signal.
        trials: Trials that have ended, over all calls.
        best: The record of the winner; None without one.
        final: What its runs on all training images give, see `test_result`; None while there are none.
        reference: The same of each network that it is held against, with its ``name``.
        report: The page.
    """

    status: str
    because: str = ""
    exit_code: int = 0
    trials: int = 0
    best: TrialRecord | None = None
    final: dict[str, Any] | None = field(default=None)
    reference: list[dict[str, Any]] = field(default_factory=list)
    report: Path | None = None


def run_search(
    config: SearchConfig,
    *,
    chief_address: str | None = None,
    display: Display | None = None,
    command: str = "",
    server: EarlyServer | None = None,
) -> SearchSummary:
    """Searches, or goes on with a search, then trains the winner on all training images and tests it once.

    Whatever happens to a trial, to this process or to the machine, another call goes on where it was: choices and
    scores lie in one file of the oracle that is replaced as a whole, and runs go on from their checkpoints.

    Args:
        config: What to search.
        chief_address: ``HOST:PORT`` on which workers of other machines may ask for trials.
        display: Told what happens; silent by default.
        command: The command line that gives the same search, for its page.
        server: One that was started for this search; it is closed at the end.

    Raises:
        InputError: A setting is wrong, the folder holds another search, or another process leads it.
        DataError: The data set is missing or damaged.
        OSError: The folder cannot be written.
    """
    display = display or Silent()
    server = server or EarlyServer(config)
    folder = SearchFolder(config.folder)
    with server.ended_after(), folder.alone():
        folder.claim(config, space_of(config).describe())
        space = space_of(config, folder)
        with StopSignals() as signals:
            served = server.wait()
            folder.check_data(served.data)
            search = _Search(settled(config, folder), folder, space, served, display, signals, command)
            with _chief(search, chief_address) as chief:
                return search.run(chief)


@contextlib.contextmanager
def _chief(search: "_Search", address: str | None):
    if address is None:
        yield None
        return
    from kerasnets.search.chief import Chief

    chief = Chief(search.oracle, address)
    chief.start()
    try:
        if chief.warning:
            search.display.message(chief.warning)
        search.display.message(f"Workers: the same command with --worker {chief.address} in place of --chief.")
        yield chief
    finally:
        chief.stop()


def _train_images(config: SearchConfig, server: TrialServer) -> int:
    """Training images without the limit of the trials."""
    if config.limit_train is not None:
        return len(find_source(config.dataset, config.data_dir, config.reading()).splits["train"])
    return sum(count for split, count in server.data["split_sizes"].items() if split != "test")


class _Search:
    """One call of `run_search`, in the lock."""

    def __init__(
        self,
        config: SearchConfig,
        folder: SearchFolder,
        space: Space,
        server: TrialServer,
        display: Display,
        signals: StopSignals,
        command: str,
    ):
        self.config, self.folder, self.space, self.server = config, folder, space, server
        self.display, self.signals, self.command = display, signals, command
        self.clock = Clock(folder.path / "clock.json")
        self.max_seconds = None if config.max_time is None else parse_seconds(config.max_time)
        self.hyperparameters = hyperparameters(space, server.image_shape, server.num_classes)
        self.train_images = _train_images(config, server)
        self._check_space()
        self.oracle = self._make_oracle()
        self.records = {record.trial: record for record in read_records(folder.path, display.message)}
        self.best = self._find_best()
        self.drawn = time.monotonic()
        self.final: dict[str, Any] | None = None
        self.reference: list[dict[str, Any]] = []

    def _check_space(self) -> None:
        """What a space or a rival must not be is told before anything runs."""
        config = trial_config(self.config, self.space.settings(self.hyperparameters.copy()))
        for name in self.config.rivals:
            try:
                self._check(rival_config(self.config, name, config, "1s"), None, None)
            except RejectedSample as reason:
                raise InputError(str(reason)) from None

    def _make_oracle(self) -> SearchOracle:
        oracle = make_oracle(
            self.config.tuner,
            hyperparameters=self.hyperparameters.copy(),
            max_trials=self.config.max_trials,
            max_budget=self.config.budget_units,
            factor=self.config.factor,
            # With a number of trials or a time, sweep follows sweep until that ends it.
            iterations=1 if self.config.trials is None and self.config.max_time is None else None,
            seed=self.config.seed,
            folder=self.folder.path,
            accept=self._reject,
        )
        oracle.reload()
        return oracle

    def _config_of(self, values: dict[str, Any]) -> TrainConfig:
        hp = self.hyperparameters.copy()
        hp.values = dict(values)
        return trial_config(self.config, self.space.settings(hp))

    def _reject(self, values: dict[str, Any]) -> str | None:
        """Why a choice is not tried, None if it is."""
        try:
            config = self._config_of(values)
            facts = self._check(config, self.config.max_weights, self.config.max_flops)
        except (RejectedSample, InputError) as reason:
            return str(reason)
        most = self.config.most_cost
        if most is not None and training_flops(config, facts) > most * self._usual_cost():
            return f"training costs more than {'' if most == 1 else f'{most:g} times '}that with the defaults"
        return None

    def _check(self, config: TrainConfig, max_weights: int | None, max_flops: int | None) -> SampleFacts:
        shape, classes = self.server.image_shape, self.server.num_classes
        return check_sample(config, shape, classes, max_weights=max_weights, max_flops=max_flops)

    @cache  # noqa: B019 - one search a process
    def _usual_cost(self) -> float:
        """What training on one image costs with the defaults of the space; endless if these cannot be trained."""
        try:
            config = self._config_of(default_values(self.hyperparameters.space))
            return training_flops(config, self._check(config, None, None))
        except (RejectedSample, InputError):
            return float("inf")

    def run(self, chief: "Chief | None") -> SearchSummary:
        """Searches until there are no more trials or no more time, then trains the winner."""
        slots = self._slots()
        others = (lambda: False) if chief is None else (lambda: self._look_at_workers(chief))
        self.display.begin(self.folder.path.name, self.config.unit, self.config.max_trials, self.max_seconds)
        if self.records:
            self.display.earlier(list(self.records.values()))
            self.display.message(
                f"Going on with {self.folder.path}: {len(self.records)} trials in "
                f"{format_seconds(self.clock.seconds)} so far"
            )
        Ledger(self.folder.ledger).append("begun", pid=os.getpid(), workers=self.config.workers)
        try:
            slots.run(self._must_stop, self._ended, others)
            if chief is not None and not self.signals.received:
                self._dismiss(chief)
            if not slots.trouble and not self.signals.received:
                self._train_winner()
        finally:
            self.display.close()
            self.clock.tick(now=True)
        return self._close(slots.trouble)

    def _slots(self) -> Slots:
        names = [f"local-{number}" for number in range(self.config.workers)]
        for owner in self.oracle.owners():
            if owner.startswith("local-") and owner not in names:
                self.oracle.orphan(owner)  # fewer workers than before
        return Slots(
            self.config,
            self.folder,
            space=self.space,
            hyperparameters=self.hyperparameters,
            oracle=self.oracle,
            server=self.server,
            names=names,
            display=self.display,
            clock=self.clock,
            threads=threads_of_each(self.config.workers),
            ledger=Ledger(self.folder.ledger),
        )

    def _look_at_workers(self, chief: "Chief") -> bool:
        """Hands the trials of the silent on, takes the records of the others; returns whether any works."""
        chief.hand_on(_SILENT_SECONDS)
        for file in sorted(self.folder.results.glob("*.json")):
            record = None if file.stem in self.records else self.folder.record(file.stem)
            if record is not None:
                self._ended(record)
        return not chief.finished

    def _dismiss(self, chief: "Chief") -> None:
        """Tells the workers that there is no more to do, and waits until all know that are alive."""
        chief.end()
        patience = time.monotonic() + _SECONDS_TO_DISMISS
        while self._look_at_workers(chief) and not self.signals.received and time.monotonic() < patience:
            self.clock.tick()
            time.sleep(_POLL_SECONDS)

    def _must_stop(self) -> bool:
        if self.signals.received:
            return True
        return self.max_seconds is not None and self.clock.seconds >= self.max_seconds - self._reserved()

    def _reserved(self) -> float:
        return reserve(self.config, self.max_seconds, self._final_seconds())

    def _final_seconds(self) -> float:
        return final_seconds(self.config, self.best, self.train_images, max(1, self.config.workers))

    def _find_best(self) -> TrialRecord | None:
        """The winner so far."""
        return next(iter(ranking(self.records.values())), None)

    def _ended(self, record: TrialRecord) -> None:
        before = self.best
        self.records[record.trial] = record
        self.best = self._find_best()
        self.display.ended(record)
        self._write(page=time.monotonic() - self.drawn > _PAGE_SECONDS, best=self.best != before)

    def _write(self, *, page: bool, best: bool) -> None:
        write_trials_csv(self.folder.path, list(self.records.values()))
        if best and self.best is not None:
            config = final_config(self.config, self._config_of(self.best.values))
            write_best(self.folder.path, config, self.best.to_dict())
        if page:
            self.drawn = time.monotonic()
            write_json_atomic(self.folder.path / "summary.json", self._facts("running"))
            write_search_report(self.folder.path)

    def _train_winner(self) -> None:
        best = self.best
        if best is None or not self.config.final_seeds:
            return
        left = None if self.max_seconds is None else max(0.0, self.max_seconds - self.clock.seconds)
        self.display.message(
            f"The winner is trial {best.trial}. It is trained again on all training images, with "
            f"{self.config.final_seeds} new {'seed' if self.config.final_seeds == 1 else 'seeds'}, and then tested"
        )
        self.display.close()
        self.server.close()  # its copy of the images is not needed any more
        outcome = train_finally(
            self.config, self._config_of(best.values), self.folder.final, left, self._final_seconds(), self.display
        )
        self.final, self.reference = outcome.final, outcome.reference
        self.signals.received += outcome.signals

    def _close(self, trouble: str) -> SearchSummary:
        received = self.signals.received
        status = "stopped" if received or trouble else "finished" if self.best else "empty"
        self._write(page=False, best=True)
        write_json_atomic(self.folder.path / "summary.json", self._facts(status))
        report = write_search_report(self.folder.path)
        because, code = trouble, int(bool(trouble) or self.best is None)
        if received:
            because, code = f"stopped by {signal.Signals(received[0]).name}", 128 + received[0]
        Ledger(self.folder.ledger).append("ended", trials=len(self.records), reason=because or None)
        return SearchSummary(
            status=status,
            because=because,
            exit_code=code,
            trials=len(self.records),
            best=self.best,
            final=self.final,
            reference=self.reference,
            report=report,
        )

    def _facts(self, status: str) -> dict[str, Any]:
        """What the page of the search says beside its trials."""
        from importlib.metadata import version

        return {
            "search": self.folder.path.name,
            "status": status,
            "dataset": self.config.dataset,
            "objective": self.config.objective,
            "tuner": self.config.tuner,
            "unit": self.config.unit,
            "seed": self.config.seed,
            "settings": self.config.identity(),
            "command": self.command,
            "seconds": round(self.clock.seconds, 3),
            "trials": len(self.records),
            "winner": self.best.to_dict() if self.best else None,
            "final": self.final,
            "reference": self.reference,
            "rejected": dict(self.oracle.rejected),
            "hardware": processor_name(),
            "versions": {name: version(name) for name in ("kerasnets", "tensorflow", "keras", "keras-tuner")},
        }
