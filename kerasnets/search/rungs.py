"""`Rung`: how far a trial's run is to go, and in whose run folder, read from what the oracle has written into it."""

from dataclasses import dataclass
from typing import Any

# Before the names of the values that are not the user's.
PREFIX = "tuner/"


@dataclass(frozen=True, kw_only=True)
class Rung:
    """What a trial has been given.

    Attributes:
        budget: Where its run is to pause or end, counted from the run's beginning.
        initial_budget: Where the run has come to before; 0 for a new one.
        first_trial_id: The trial in whose run folder it goes on: its own, or the one that it was first promoted from.
        bracket: Of Hyperband; None otherwise.
        round: Of Hyperband, 0 for the first; None otherwise.
    """

    budget: int
    initial_budget: int
    first_trial_id: str
    bracket: int | None = None
    round: int | None = None


def active_values(trial: Any) -> dict[str, Any]:
    """Returns what was chosen for a trial, by name: neither inactive hyperparameters nor what the tuner notes itself.

    Args:
        trial: A ``keras_tuner`` trial of our oracle or of a chief's.
    """
    values = trial.hyperparameters.values
    return {name: value for name, value in values.items() if not name.startswith(PREFIX)}


def rung(trial: Any, oracle: Any) -> Rung:
    """Returns how far a trial is to go.

    Args:
        trial: A ``keras_tuner`` trial that is to run.
        oracle: Who has made it, or a client of who has: asked for the trials that it was promoted from.
    """
    values = first = trial.hyperparameters.values
    first_id = trial.trial_id
    while PREFIX + "trial_id" in first:
        first_id = first[PREFIX + "trial_id"]
        first = oracle.get_trial(first_id).hyperparameters.values
    return Rung(
        budget=values[PREFIX + "epochs"],
        initial_budget=values[PREFIX + "initial_epoch"],
        first_trial_id=first_id,
        bracket=values.get(PREFIX + "bracket"),
        round=values.get(PREFIX + "round"),
    )
