"""Trials as messages between a chief and its workers: exact, without the space, and with the reason of a failure."""

from typing import Any

from keras_tuner.engine.trial import Trial

from kerasnets.search.tuner_trial import new_trial

# keras-tuner sends a score with 32 bits and no message at all; values are sent as they are.
_SCORE, _MESSAGE = "message/score", "message/text"

# What a call says of who makes it.
VERSION, IDENTITY = "kerasnets-version", "kerasnets-search"


def to_message(trial: Trial) -> Any:
    """Returns a trial as keras-tuner's protocol buffer."""
    sent = new_trial(trial.trial_id, dict(trial.hyperparameters.values), trial.status)
    if trial.score is not None:
        sent.hyperparameters.values[_SCORE] = float(trial.score)
    if trial.message:
        sent.hyperparameters.values[_MESSAGE] = str(trial.message)
    return sent.to_proto()


def from_message(message: Any) -> Trial:
    """Returns the trial that `to_message` was given."""
    trial = Trial.from_proto(message)
    values = trial.hyperparameters.values
    message, score = values.pop(_MESSAGE, None), values.pop(_SCORE, None)
    received = new_trial(trial.trial_id, values, trial.status)
    received.message, received.score = message, score
    return received
