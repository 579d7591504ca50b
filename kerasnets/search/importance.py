"""How much each choice of a search explains of its scores: permutation importance of a random forest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasnets.search.trial import COMPLETED, TrialRecord

LEAST = 10  # runs; of fewer nothing is said
_FOLDS, _TREES, _SHUFFLES = 5, 100, 20


@dataclass(frozen=True, kw_only=True)
class Importance:
    """What the choices explain of the scores.

    Attributes:
        n: Runs that it was measured on.
        explained: Share of the scores' variance that the forest predicts of runs that it has not seen; near 0 or below,
            the shares say nothing.
        shares: Share of the variance that each choice accounts for, alone or together with others, largest first.
            Because what two choices do together counts for both, they may add up to more than 1.
    """

    n: int
    explained: float
    shares: dict[str, float]


def importance(records: Sequence[TrialRecord]) -> Importance | None:
    """Measures how much of the score's variance each choice accounts for.

    A random forest learns the scores of four fifths of the runs and predicts those of the last fifth, in turns. The
    share of a choice is how much worse it predicts, as a mean squared error, when each run is given that choice of any
    other run, divided by twice the variance (the total effect of Sobol).

    Each run counts once, with the score of its first budget less the mean score of all runs that began with the same:
    later budgets are given to the good ones only, and more training would hide what the choices do.

    Args:
        records: Of a search.

    Returns:
        None for fewer than `LEAST` runs that were completed, and where all scores or all choices are the same.

    Source:
        Breiman 2001, "Random Forests"; Saltelli et al. 2010, "Variance based sensitivity analysis of model output".
    """
    runs = sorted(_first_of_each_run(records), key=lambda record: record.trial)
    scores = _beside_their_like(runs)
    columns = _columns(runs)
    if len(runs) < LEAST or not columns or scores.var() == 0:
        return None
    values = np.stack(list(columns.values()), axis=1)
    errors, worse = _errors(values, scores)
    shares = np.maximum(0.0, (worse - errors) / (2 * scores.var()))
    order = np.argsort(-shares, kind="stable")
    names = list(columns)
    return Importance(
        n=len(runs),
        explained=float(1 - errors / scores.var()),
        shares={names[place]: float(shares[place]) for place in order},
    )


def _first_of_each_run(records: Sequence[TrialRecord]) -> list[TrialRecord]:
    return [record for record in records if record.status == COMPLETED and record.initial_budget == 0]


def _beside_their_like(runs: Sequence[TrialRecord]) -> np.ndarray:
    """(runs,) scores less the mean of those with the same budget."""
    scores = np.array([record.score for record in runs], np.float64)
    budgets = np.array([record.budget for record in runs], np.float64)
    for budget in set(budgets.tolist()):
        scores[budgets == budget] -= scores[budgets == budget].mean()
    # So that scores that are all the same do not differ by rounding.
    return scores.round(12)


def _columns(runs: Sequence[TrialRecord]) -> dict[str, np.ndarray]:
    """Each choice that differs, as numbers.

    Where a choice was not in use, that of any other run stands in its place: with a mark instead, the forest would take
    the momentum of sgd for the choice of sgd.
    """
    random = np.random.default_rng(0)
    columns = {}
    for name in dict.fromkeys(name for run in runs for name in run.values):
        known = [run.values[name] for run in runs if run.values.get(name) is not None]
        if len(set(map(str, known))) > 1:
            numbers = iter(_numbers(known).tolist())
            drawn = random.choice(_numbers(known), len(runs))
            used = [run.values.get(name) is not None for run in runs]
            columns[name] = np.array([next(numbers) if own else other for own, other in zip(used, drawn, strict=True)])
    return columns


def _numbers(values: Sequence[Any]) -> np.ndarray:
    if all(isinstance(value, int | float) for value in values):
        return np.array(values, np.float64)
    places = {text: place for place, text in enumerate(sorted(set(map(str, values))))}
    return np.array([places[str(value)] for value in values], np.float64)


def _errors(values: np.ndarray, scores: np.ndarray) -> tuple[float, np.ndarray]:
    """Mean squared error of what is predicted of unseen runs, and the same with each column shuffled."""
    from sklearn.ensemble import RandomForestRegressor

    random = np.random.default_rng(0)
    folds = np.array_split(random.permutation(len(scores)), _FOLDS)
    error, worse = 0.0, np.zeros(values.shape[1])
    for fold in folds:
        rest = np.setdiff1d(np.arange(len(scores)), fold)
        forest = RandomForestRegressor(_TREES, random_state=0).fit(values[rest], scores[rest])
        error += float(((forest.predict(values[fold]) - scores[fold]) ** 2).sum())
        for column in range(values.shape[1]):
            # All shuffles at once: a call of the forest costs more than its rows. Drawn from all runs, since the few
            # of a fold may have one value only.
            shuffled = np.tile(values[fold], (_SHUFFLES, 1))
            shuffled[:, column] = random.choice(values[:, column], len(shuffled))
            squares = (forest.predict(shuffled) - np.tile(scores[fold], _SHUFFLES)) ** 2
            worse[column] += float(squares.sum()) / _SHUFFLES
    return error / len(scores), worse / len(scores)
