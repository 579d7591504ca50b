"""`make_oracle`: what chooses the trials of a search, by random, Bayesian or Hyperband search of keras-tuner."""

import math
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle, HyperbandOracle, RandomSearchOracle

from kerasnets.errors import InputError, closest
from kerasnets.search.rungs import PREFIX, Rung, active_values, rung
from kerasnets.search.search_oracle import SearchOracle

__all__ = ["Rung", "SearchOracle", "active_values", "make_oracle", "rung"]


def make_oracle(
    tuner: str,
    *,
    hyperparameters: keras_tuner.HyperParameters,
    max_trials: int | None = None,
    max_budget: int,
    factor: int = 3,
    iterations: int | None = 1,
    seed: int = 0,
    folder: str | Path,
    accept: Callable[[dict[str, Any]], str | None] = lambda values: None,
) -> SearchOracle:
    """Returns an oracle without trials; its `SearchOracle.reload` goes on with those of the folder.

    Args:
        tuner: ``random``, ``bayesian`` or ``hyperband``.
        hyperparameters: Everything that may vary, with the conditions under which it does.
        max_trials: So many trials, promoted ones too; None for no limit.
        max_budget: What a whole trial is given, in whole epochs or other units.
        factor: Of Hyperband: one in so many trials is promoted, and given so many times the budget.
        iterations: Of Hyperband: sweeps over all its brackets; None for no limit.
        seed: Same seed, same trials; from 0.
        folder: Where ``oracle.json`` is kept.
        accept: Asked about each sample's values; returns why it cannot be a trial, or None. Such samples are counted in
            ``rejected`` and drawn again.

    Raises:
        InputError: There is no such tuner.
    """
    if tuner not in _ORACLES:
        raise InputError(f"tuner must be known. Received: {tuner!r}. {closest(tuner, _ORACLES)}")
    options: dict[str, Any] = {}
    if tuner == "hyperband":
        options = {"factor": factor, "hyperband_iterations": iterations, "max_epochs": max_budget}
    return _ORACLES[tuner](
        hyperparameters=hyperparameters,
        max_trials=max_trials,
        max_budget=max_budget,
        seed=seed,
        folder=folder,
        accept=accept,
        **options,
    )


class _Random(SearchOracle, RandomSearchOracle):
    """Random values."""

    kind = "random"


class _Bayesian(SearchOracle, BayesianOptimizationOracle):
    """Random values first, then those that a Gaussian process expects most of.

    Departures from keras-tuner's: a proposal depends on nothing but the seed and the trials, so that it is the same
    after the state was read back; one that was tried already or is not accepted is replaced by random values; a trial
    that waits for another owner counts as running; and a third of a short search is random, not all of it.
    """

    kind = "bayesian"

    def __init__(self, **options: Any):
        super().__init__(**options)
        # Theirs are three for each hyperparameter, which is more than many a search has trials.
        most = max(5, (self.max_trials or 60) // 3)
        self.num_initial_points = min(most, max(3 * len(self._nonfixed_space()), 3))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Fills in the values of the next trial."""
        completed = sum(trial.status == TrialStatus.COMPLETED for trial in self.trials.values())
        if completed < self.num_initial_points or self._exhausted or not self._nonfixed_space():
            return self._random_populate_space()
        self._random_state = np.random.RandomState([self.seed, int(trial_id)])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the process complains of its own fit
            proposed = super().populate_space(trial_id)["values"]
        values = {name: _plain(value) for name, value in proposed.items()}
        return (
            {"status": TrialStatus.RUNNING, "values": values} if self._is_new(values) else self._random_populate_space()
        )

    def _vectorize_trials(self) -> tuple[np.ndarray, np.ndarray]:
        completed = [trial for trial in self.trials.values() if trial.status == TrialStatus.COMPLETED]
        running = [trial for trial in self.trials.values() if trial.status == TrialStatus.RUNNING]
        x = np.array([self._vector(trial) for trial in completed])
        y = np.array([-trial.score for trial in completed])
        if not running:
            return x, y
        x_running = np.array([self._vector(trial) for trial in running])
        mean, deviation = self.gpr.fit(x, y).predict(x_running, return_std=True)
        return np.concatenate([x, x_running]), np.concatenate([y, mean + deviation])

    def _vector(self, trial: Trial) -> list[float]:
        hps = trial.hyperparameters
        active = [hps.is_active(hp) and hp.name in hps.values for hp in self._nonfixed_space()]
        values = [
            hps.values[hp.name] if on else hp.default for hp, on in zip(self._nonfixed_space(), active, strict=True)
        ]
        return [hp.value_to_prob(value) for hp, value in zip(self._nonfixed_space(), values, strict=True)]


class _Hyperband(SearchOracle, HyperbandOracle):
    """Many trials with a small budget, of which the best are promoted.

    Departures from keras-tuner's: a failed trial is not waited for and not promoted; a promoted one has the number of
    its own bracket, not of the newest; and where the space holds fewer samples than a bracket, the best of those that
    there are get promoted all the same.
    """

    kind = "hyperband"

    def __init__(self, **options: Any):
        super().__init__(**options)
        self._settings["factor"] = self.factor
        self._saved = self._text()

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Fills in the values of the next trial."""
        while True:
            self._brackets = [bracket for bracket in self._brackets if not self._is_complete(bracket)]
            for bracket in self._brackets:
                values = self._first_rung(bracket, trial_id) or self._promoted(bracket, trial_id)
                if values:
                    return {"status": TrialStatus.RUNNING, "values": values}
            if self._exhausted or (
                self._current_bracket == 0 and self._current_iteration + 1 >= self.hyperband_iterations
            ):
                return {"status": TrialStatus.STOPPED}
            self._increment_bracket_num()
            self._start_new_bracket()

    def _first_rung(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        number, first = bracket["bracket_num"], bracket["rounds"][0]
        if len(first) >= self._get_size(number, 0):
            return None
        values = self._random_values()
        if values is None:
            return None
        first.append({"past_id": None, "id": trial_id})
        return values | self._notes(number, 0)

    def _promoted(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        number, rounds = bracket["bracket_num"], bracket["rounds"]
        sizes, alive = self._sizes(bracket)
        for i in range(1, len(rounds)):
            selected = {entry["past_id"] for entry in rounds[i]}
            past = [self.trials[entry["id"]] for entry in rounds[i - 1] if entry["id"] not in selected]
            candidates = [trial for trial in past if trial.status == TrialStatus.COMPLETED]
            # Whoever is best of so many is among the promoted, however the others end.
            if len(candidates) > alive[i - 1] - sizes[i]:
                best = max(candidates, key=lambda trial: trial.score)
                rounds[i].append({"past_id": best.trial_id, "id": trial_id})
                return active_values(best) | self._notes(number, i) | {PREFIX + "trial_id": best.trial_id}
        return None

    def _notes(self, number: int, i: int) -> dict[str, Any]:
        initial = self._get_epochs(number, i - 1) if i else 0
        notes = {"epochs": self._get_epochs(number, i), "initial_epoch": initial, "bracket": number, "round": i}
        return {PREFIX + name: value for name, value in notes.items()}

    def _sizes(self, bracket: dict[str, Any]) -> tuple[list[int], list[int]]:
        """How many trials each round of a bracket is to have, and how many of them have not failed."""
        number, rounds = bracket["bracket_num"], bracket["rounds"]
        full = [self._get_size(number, i) for i in range(len(rounds))]
        if self._exhausted and len(rounds[0]) < full[0]:
            full = [math.ceil(len(rounds[0]) / self.factor**i) for i in range(len(rounds))]
        sizes, alive = [], []
        for i, entries in enumerate(rounds):
            failed = sum(self.trials[entry["id"]].status == TrialStatus.FAILED for entry in entries)
            sizes.append(min(full[i], alive[-1]) if i else full[0])
            alive.append(sizes[-1] - failed)
        return sizes, alive

    def _is_complete(self, bracket: dict[str, Any]) -> bool:
        sizes, _ = self._sizes(bracket)
        return all(len(entries) >= size for entries, size in zip(bracket["rounds"], sizes, strict=True))


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


_ORACLES: dict[str, type[SearchOracle]] = {"random": _Random, "bayesian": _Bayesian, "hyperband": _Hyperband}
