"""keras-tuner's `Trial` with values but without the space, which is the same for all trials: made, copied, kept."""

from typing import Any

import keras_tuner
from keras_tuner.engine.trial import Trial


def new_trial(trial_id: str, values: dict[str, Any], status: str) -> Trial:
    """Returns a trial that holds values alone."""
    hyperparameters = keras_tuner.HyperParameters()
    hyperparameters.values = values
    return Trial(hyperparameters, trial_id=trial_id, status=status)


def note_score(trial: Trial, score: float) -> None:
    """Gives a trial its one score, also where keras-tuner's own code would look for it."""
    trial.score = score
    trial.metrics.register("score", "max")
    trial.metrics.update("score", score)


def copy_trial(trial: Trial) -> Trial:
    """Returns a trial that the caller may change."""
    return trial_from_state(trial_state(trial))


def trial_state(trial: Trial) -> dict[str, Any]:
    """Returns a trial as JSON types."""
    return {
        "trial_id": trial.trial_id,
        "values": dict(trial.hyperparameters.values),
        "status": trial.status,
        "score": trial.score,
        "message": trial.message,
    }


def trial_from_state(state: dict[str, Any]) -> Trial:
    """Returns the trial that `trial_state` has written down."""
    trial = new_trial(state["trial_id"], dict(state["values"]), state["status"])
    trial.message = state["message"]
    if state["score"] is not None:
        note_score(trial, state["score"])
    return trial
