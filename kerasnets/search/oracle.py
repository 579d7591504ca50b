"""`make_oracle`: what chooses the trials of a search, by random, Bayesian or Hyperband search of keras-tuner."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras_tuner
from keras_tuner.engine.trial import TrialStatus
from keras_tuner.oracles import RandomSearchOracle

from kerasnets.errors import InputError, closest
from kerasnets.search.bayesian_oracle import BayesianOracle
from kerasnets.search.hyperband_oracle import HyperbandOracle
from kerasnets.search.rungs import Rung, active_values, rung
from kerasnets.search.search_oracle import SearchOracle

__all__ = ["Rung", "SearchOracle", "active_values", "make_oracle", "rung"]


class RandomOracle(SearchOracle, RandomSearchOracle):
    """Random values."""

    kind = "random"

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Fills in the values of the next trial.

        Args:
            trial_id: Its number.
        """
        values = self.samples.draw()
        return {"status": TrialStatus.STOPPED if values is None else TrialStatus.RUNNING, "values": values}


_ORACLES: dict[str, type[SearchOracle]] = {
    oracle.kind: oracle for oracle in (RandomOracle, BayesianOracle, HyperbandOracle)
}


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
