import json

from kerasnets.search.tuner_trial import copy_trial, new_trial, note_score, trial_from_state, trial_state


def test_a_trial_is_kept_as_json_and_comes_back():
    trial = new_trial("0002", {"rate": 0.1, "tuner/epochs": 9}, "COMPLETED")
    trial.message = "late"
    note_score(trial, 0.123456789)
    again = trial_from_state(json.loads(json.dumps(trial_state(trial))))
    assert trial_state(again) == trial_state(trial)
    assert again.metrics.get_best_value("score") == 0.123456789


def test_a_copy_shares_nothing_that_a_caller_changes():
    trial = new_trial("0002", {"rate": 0.1}, "RUNNING")
    copied = copy_trial(trial)
    copied.hyperparameters.values["rate"] = 0.2
    copied.status, copied.score = "COMPLETED", 1.0
    assert (trial.hyperparameters.values, trial.status, trial.score) == ({"rate": 0.1}, "RUNNING", None)
