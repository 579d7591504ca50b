"""`BayesianOracle`: random trials first, then those that a Gaussian process expects most of."""

import random
import warnings
from typing import Any

import numpy as np
from keras_tuner.engine.trial import Trial, TrialStatus
from keras_tuner.oracles import BayesianOptimizationOracle
from sklearn.gaussian_process import GaussianProcessRegressor

from kerasnets.search.rungs import active_values
from kerasnets.search.samples import draw_values
from kerasnets.search.search_oracle import SearchOracle

_RANDOM_CANDIDATES = 1000
# Around each of the best trials so many, with this share of their values changed.
_BEST, _NEAR_CANDIDATES, _SHARE = 5, 200, 0.2
# After so many of its candidates were refused, the process knows too little of what is accepted.
_MOST_REFUSED = 20


class BayesianOracle(SearchOracle, BayesianOptimizationOracle):
    """keras-tuner's Gaussian process and its upper confidence bound, maximised over choices that there are.

    Departures from keras-tuner's: the bound is compared at random choices and at neighbours of the best trials, where
    theirs follows numerical gradients from 50 points, which takes seconds for 8 hyperparameters and minutes for 40, and
    may end between two choices; what was tried or refused is not proposed again; a proposal depends on nothing but the
    seed and the trials, so that it is the same after the state was read back; and a third of a short search is random,
    where theirs is three trials for each hyperparameter.
    """

    kind = "bayesian"

    def __init__(self, **options: Any):
        super().__init__(**options)
        most = max(5, (self.max_trials or 60) // 3)
        self.num_initial_points = min(most, max(3 * len(self._nonfixed_space()), 3))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Fills in the values of the next trial.

        Args:
            trial_id: Its number.
        """
        completed = [trial for trial in self.trials.values() if trial.status == TrialStatus.COMPLETED]
        values = None
        if len(completed) >= self.num_initial_points and not self.samples.exhausted:
            values = self._proposed(completed, trial_id)
        values = values or self.samples.draw()
        return {"status": TrialStatus.STOPPED if values is None else TrialStatus.RUNNING, "values": values}

    def _proposed(self, completed: list[Trial], trial_id: str) -> dict[str, Any] | None:
        generator = random.Random(f"{self.samples.seed} candidates {trial_id}")
        candidates = [draw_values(self.samples.space, generator) for _ in range(_RANDOM_CANDIDATES)]
        for best in sorted(completed, key=lambda trial: -trial.score)[:_BEST]:
            values = active_values(best)
            candidates += [
                draw_values(self.samples.space, generator, near=values, share=_SHARE) for _ in range(_NEAR_CANDIDATES)
            ]
        candidates = [values for values in candidates if not self.samples.is_known(values)]
        if not candidates:
            return None
        bounds = self._bounds(completed, candidates)
        for i in np.argsort(-bounds, kind="stable")[:_MOST_REFUSED]:
            if self.samples.take(candidates[i]):
                return candidates[i]
        return None

    def _bounds(self, completed: list[Trial], candidates: list[dict[str, Any]]) -> np.ndarray:
        """Upper confidence bounds of the scores of candidates: (candidates,) float64."""
        x = np.array([self._vector(active_values(trial)) for trial in completed])
        y = np.array([trial.score for trial in completed])
        running = [trial for trial in self.trials.values() if trial.status == TrialStatus.RUNNING]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the process complains of its own fit
            process = self.gpr.fit(x, y)
            if running:  # as if they had ended badly, so that their neighbours are not proposed too
                x_running = np.array([self._vector(active_values(trial)) for trial in running])
                mean, deviation = process.predict(x_running, return_std=True)
                process = GaussianProcessRegressor(process.kernel_, alpha=self.alpha, optimizer=None, normalize_y=True)
                process.fit(np.concatenate([x, x_running]), np.concatenate([y, mean - deviation]))
            mean, deviation = process.predict(np.array([self._vector(v) for v in candidates]), return_std=True)
        return mean + self.beta * deviation

    def _vector(self, values: dict[str, Any]) -> list[float]:
        """Values as numbers from 0 to 1; an inactive hyperparameter has its default."""
        vector = []
        for hp in self._nonfixed_space():
            active = hp.name in values and all(condition.is_active(values) for condition in hp.conditions)
            vector.append(hp.value_to_prob(values[hp.name] if active else hp.default))
        return vector
