"""`SearchOracle`: how every oracle of ours keeps its trials, whatever chooses them."""

import contextlib
import json
import math
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial, TrialStatus

from kerasnets.errors import InputError
from kerasnets.search.oracle_file import OracleFile, pack
from kerasnets.search.rungs import PREFIX
from kerasnets.search.samples import Samples
from kerasnets.search.tuner_trial import copy_trial, new_trial, note_score, trial_from_state, trial_state

_RETRIES = 1
# Of keras-tuner's own state: what the arguments say, what it shows on the terminal, and how it draws.
_NOT_KEPT = (
    "hyperparameters", "display", "seed", "hyperband_iterations", "max_epochs", "min_epochs", "factor",
    "num_initial_points", "alpha", "beta", "seed_state", "tried_so_far", "id_to_hash",
)  # fmt: skip


class SearchOracle(keras_tuner.Oracle):
    """Keeps the trials of a search: what an oracle of keras-tuner does besides choosing values.

    It stands before one of keras-tuner's oracles, which chooses. Unlike theirs, its whole state lies in one file that
    is replaced at every step; a failed step leaves it as it was before; running trials keep their owner when it is read
    back; a trial that is ended twice is ended once; and no number of failures ends the search. It is thread-safe.

    Args:
        hyperparameters: Everything that may vary.
        max_trials: So many trials, promoted ones too; None for no limit.
        max_budget: What a whole trial is given.
        seed: Same seed, same trials.
        folder: Where ``oracle.json`` is kept.
        accept: Asked about the values of each sample; returns why it cannot be a trial, or None.
        **options: For keras-tuner's oracle.

    Attributes:
        ongoing_trials: Running trials by their owner.
        tuner_ids: Who has asked for a trial since this oracle was made.
        over: Whether the last who asked was told that there will be no more.
        samples: Where new trials are drawn from.
        settings: What must not change between two calls of a search.
        extra: What the caller keeps with the state, of JSON types.
        identity: Tells this search from every other one: drawn when it is begun, and kept.
    """

    kind = ""

    def __init__(
        self,
        *,
        hyperparameters: keras_tuner.HyperParameters,
        max_trials: int | None,
        max_budget: int,
        seed: int,
        folder: str | Path,
        accept: Callable[[dict[str, Any]], str | None],
        **options: Any,
    ):
        super().__init__(
            objective=keras_tuner.Objective("score", "max"),
            hyperparameters=hyperparameters.copy(),
            allow_new_entries=False,
            tune_new_entries=False,
            seed=1 + seed,  # theirs takes 0 for no seed
            **options,
        )
        self.max_trials, self.max_budget = max_trials, max_budget
        # Theirs draws value i with seed + i: the trials of seed 1 are those of seed 0, moved by one value.
        self.samples = Samples(self.hyperparameters.space, accept, seed)
        self.extra: dict[str, Any] = {}
        self.identity = uuid.uuid4().hex
        space = json.loads(json.dumps(self.hyperparameters.get_config()["space"]))
        self.settings = {"tuner": self.kind, "seed": seed, "max_budget": max_budget, "space": space}
        self.over = False
        self._told: dict[str, float] = {}
        self._lock = threading.RLock()
        self._file = OracleFile(Path(folder) / "oracle.json")
        self._saved: str | None = None

    @property
    def rejected(self) -> Counter[str]:
        """How many samples could not be trials, by reason."""
        return self.samples.rejected

    def create_trial(self, tuner_id: str) -> Trial:
        """Returns the trial that a tuner runs: the one that it has, one whose owner has died, or a new one.

        Args:
            tuner_id: Who asks. Asking again gives the same trial until that is ended.

        Returns:
            A copy with status ``RUNNING``; ``IDLE`` if there may be one later, since others are still running;
            ``STOPPED`` if there will be none. The last two have no id.

        Raises:
            InputError: No sample is accepted.
            OSError: The state cannot be written; nothing has changed, and the call can be made again.
        """
        self.tuner_ids.add(tuner_id)
        # Who only says that it is alive is answered at once, also while a sample for another one is looked for.
        if (mine := self.ongoing_trials.get(tuner_id)) is not None:
            return copy_trial(mine)
        with self._lock, self._whole_step():
            trial = self.ongoing_trials.get(tuner_id) or self._taken_over() or self._new_trial()
            if trial.status == TrialStatus.RUNNING:
                self.ongoing_trials[tuner_id] = trial
            self.over = trial.status == TrialStatus.STOPPED
            return copy_trial(trial)

    def _taken_over(self) -> Trial | None:
        if not self._retry_queue:
            return None
        trial = self.trials[self._retry_queue.pop(0)]
        trial.status = TrialStatus.RUNNING
        return trial

    def _new_trial(self) -> Trial:
        trial_id = f"{len(self.trials):04d}"
        proposed: dict[str, Any] = {"status": TrialStatus.STOPPED}
        if self.max_trials is None or len(self.trials) < self.max_trials:
            proposed = self.populate_space(trial_id)
        if proposed["status"] != TrialStatus.RUNNING:
            # The trial of one that is still running may have to be taken over.
            status = TrialStatus.IDLE if self.ongoing_trials else TrialStatus.STOPPED
            return new_trial("", {}, status)
        budget = {PREFIX + "epochs": self.max_budget, PREFIX + "initial_epoch": 0}
        trial = new_trial(trial_id, budget | proposed["values"], TrialStatus.RUNNING)
        self.trials[trial_id] = trial
        self.start_order.append(trial_id)
        return trial

    def update_trial(self, trial_id: str, metrics: dict[str, float], step: int = 0) -> Trial:
        """Notes the score of a running trial, which is written when it ends.

        Args:
            trial_id: Its number.
            metrics: With its ``score``.
            step: Unused: a trial has one score.

        Raises:
            InputError: There is no such trial.
        """
        with self._lock:
            trial = self._known(trial_id)
            if self._owner(trial_id) is not None:
                self._told[trial_id] = float(metrics["score"])
            return copy_trial(trial)

    def end_trial(self, trial: Trial) -> None:
        """Ends a trial; does nothing for one that is not running, such as one that another tuner has ended.

        Args:
            trial: With status ``COMPLETED`` and its score, or the one that `update_trial` was told; ``FAILED``; or
                ``INVALID`` for one that is to be tried again, once.

        Raises:
            InputError: There is no such trial.
            ValueError: The status is another one, or the score is no finite number.
            OSError: The state cannot be written; nothing has changed, and the call can be made again.
        """
        with self._lock:
            own = self._known(trial.trial_id)
            owner = self._owner(own.trial_id)
            if owner is None:
                return
            if trial.status not in (TrialStatus.COMPLETED, TrialStatus.INVALID, TrialStatus.FAILED):
                raise ValueError(f"A trial ends as COMPLETED, INVALID or FAILED. Received: {trial.status}.")
            score = self._told.get(own.trial_id) if trial.score is None else trial.score
            if trial.status == TrialStatus.COMPLETED and (score is None or not math.isfinite(score)):
                raise ValueError(f"The score of a completed trial must be a finite number. Received: {score}.")
            with self._whole_step():
                del self.ongoing_trials[owner]
                own.status, own.message = trial.status, trial.message
                if own.status == TrialStatus.COMPLETED:
                    note_score(own, score)
                self._end_or_retry(own)
            self._told.pop(own.trial_id, None)

    def _end_or_retry(self, trial: Trial) -> None:
        self._run_times[trial.trial_id] += 1
        if trial.status == TrialStatus.INVALID and self._run_times[trial.trial_id] <= _RETRIES:
            self._retry_queue.append(trial.trial_id)
            return
        if trial.status == TrialStatus.INVALID:
            trial.status = TrialStatus.FAILED
        self.end_order.append(trial.trial_id)

    def orphan(self, tuner_id: str) -> str | None:
        """Gives the trial of an owner that has died to whoever asks next.

        Returns:
            The trial's id; None if the owner has none.

        Raises:
            OSError: The state cannot be written; nothing has changed.
        """
        with self._lock:
            if tuner_id not in self.ongoing_trials:
                return None
            with self._whole_step():
                trial_id = self.ongoing_trials.pop(tuner_id).trial_id
                self._retry_queue.append(trial_id)
            return trial_id

    def owners(self) -> dict[str, str]:
        """Returns the running trials' ids by their owners."""
        # Without the lock, which may be held for long while a sample is looked for.
        return {tuner_id: trial.trial_id for tuner_id, trial in dict(self.ongoing_trials).items()}

    def is_over(self) -> bool:
        """Whether nothing runs and no more trials will be made; nothing is changed by asking.

        Raises:
            InputError: No sample is accepted.
        """
        with self._lock:
            if self.ongoing_trials or self._retry_queue:
                return False
            before = self._saved or self._text()
            try:
                return self._new_trial().status == TrialStatus.STOPPED
            finally:
                self._set(json.loads(before))

    def get_trial(self, trial_id: str) -> Trial:
        """Returns a copy of a trial.

        Raises:
            InputError: There is no such trial.
        """
        with self._lock:
            return copy_trial(self._known(trial_id))

    def _known(self, trial_id: str) -> Trial:
        if trial_id not in self.trials:
            raise InputError(f"A trial of this search was expected. Received: {trial_id!r}, which it does not have.")
        return self.trials[trial_id]

    def _owner(self, trial_id: str) -> str | None:
        owners = (tuner_id for tuner_id, trial in self.ongoing_trials.items() if trial.trial_id == trial_id)
        return next(owners, None)

    def save(self) -> None:
        """Writes the state if it is not there yet.

        Raises:
            OSError: It cannot be written; the file stays as it was.
        """
        with self._lock:
            text = self._text()
            if text != self._saved or not self._file.path.exists():
                self._file.write(text)
                self._saved = text

    def reload(self) -> bool:
        """Goes on from the state on the disk, in which running trials keep their owners.

        Returns:
            False if there is none yet, and the search begins.

        Raises:
            InputError: The file is damaged, or it is another search's; one line says which and what to do.
            OSError: It cannot be read.
        """
        with self._lock:
            state = self._file.read()
            if state is None:
                return False
            try:
                self._check_settings(state["settings"])
                self._set(state)
                self.extra, self.identity = dict(state["extra"]), str(state["identity"])
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                if isinstance(error, InputError):
                    raise
                raise self._file.damaged(f"{type(error).__name__} {error}") from error
            self._saved = self._text()
            return True

    def _check_settings(self, before: dict[str, Any]) -> None:
        for key, now in self.settings.items():
            if before[key] != now:
                what = "" if key == "space" else f" {now} instead of {before[key]}"
                raise InputError(
                    f"{self._file.path} must be of the same search. Received: another {key}{what}. Give the search "
                    "another --name."
                )

    @contextlib.contextmanager
    def _whole_step(self) -> Iterator[None]:
        """Writes what is done inside, or undoes it."""
        before = self._saved or self._text()
        try:
            yield
            self.save()
        except BaseException:
            self._set(json.loads(before))
            raise

    def _text(self) -> str:
        state = {
            "identity": self.identity,
            "settings": self.settings,
            "oracle": {name: value for name, value in self.get_state().items() if name not in _NOT_KEPT},
            "trials": [trial_state(trial) for trial in self.trials.values()],
            "samples": self.samples.get_state(),
            "extra": self.extra,
        }
        return pack(state)

    def _set(self, state: dict[str, Any]) -> None:
        self.trials = {kept["trial_id"]: trial_from_state(kept) for kept in state["trials"]}
        current = self.get_state()
        self.set_state({name: current[name] if name in _NOT_KEPT else state["oracle"][name] for name in current})
        self.samples.set_state(state["samples"])
