"""How much each choice of a search explains of its scores: permutation importance of a random forest."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kerasnets.search.results import ranking
from kerasnets.search.trial import TrialRecord

LEAST = 10  # runs; of fewer nothing is said
BUDGET = "training budget"
_FOLDS, _TREES, _SHUFFLES = 5, 100, 20


@dataclass(frozen=True, kw_only=True)
class Importance:
    """What the choices explain of the scores.

    Attributes:
        n: Runs that it was measured on.
        explained: Share of the scores' variance that the forest predicts of runs that it has not seen; near 0 or below,
            the shares say nothing.
        shares: Share of the variance that each choice accounts for, alone or together with others, largest first.
            Because what two choices do together counts for both, they may add up to more than 1. `BUDGET` is how long
            a run was trained, where that differs.
    """

    n: int
    explained: float
    shares: dict[str, float]


def importance(records: Sequence[TrialRecord]) -> Importance | None:
    """Measures how much of the score's variance each choice accounts for.

    A random forest learns the scores of four fifths of the runs and predicts those of the last fifth, in turns. The
    share of a choice is how much worse it predicts, as a mean squared error, when each run is given that choice of any
    other run, divided by twice the variance (the total effect of Sobol).

    Args:
        records: Of a search; each run counts once, with its latest budget.

    Returns:
        None for fewer than `LEAST` completed runs, and where all scores or all choices are the same.

    Source:
        Breiman 2001, "Random Forests"; Saltelli et al. 2010, "Variance based sensitivity analysis of model output".
    """
    runs = sorted(ranking(records), key=lambda record: record.trial)
    scores = np.array([record.score for record in runs], np.float64)
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


def _columns(runs: Sequence[TrialRecord]) -> dict[str, np.ndarray]:
    """Each choice that differs, as numbers; NaN where it was not in use, which a tree takes for a value of its own."""
    names = dict.fromkeys(name for run in runs for name in run.values)
    columns = {name: _numbers([run.values.get(name) for run in runs]) for name in names}
    columns[BUDGET] = np.array([run.budget for run in runs], np.float64)
    return {name: column for name, column in columns.items() if len(np.unique(column)) > 1}


def _numbers(values: Sequence[Any]) -> np.ndarray:
    known = [value for value in values if value is not None]
    if all(isinstance(value, int | float) for value in known):
        return np.array([np.nan if value is None else value for value in values], np.float64)
    places = {text: place for place, text in enumerate(sorted({str(value) for value in known}))}
    return np.array([np.nan if value is None else places[str(value)] for value in values], np.float64)


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
