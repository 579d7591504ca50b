import pytest

from kerasnets.search.messages import from_message, to_message
from kerasnets.search.rungs import active_values
from kerasnets.search.tuner_trial import new_trial, note_score


def test_a_trial_arrives_as_it_was_sent(capfd):
    values = {"rate": 0.1, "width": 2**40, "flip": True, "kind": "plain", "text": "Grüße", "tuner/epochs": 9}
    trial = new_trial("0007", dict(values), "COMPLETED")
    note_score(trial, 0.8123456789)
    trial.message = "no memory"
    received = from_message(type(to_message(trial)).FromString(to_message(trial).SerializeToString()))
    assert (received.trial_id, received.status, received.message) == ("0007", "COMPLETED", "no memory")
    assert received.hyperparameters.values == values
    assert {name: type(value) for name, value in active_values(received).items()} == {
        "rate": float, "width": int, "flip": bool, "kind": str, "text": str,
    }  # fmt: skip
    assert received.score == 0.8123456789
    assert trial.hyperparameters.values == values
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("status", ["RUNNING", "IDLE", "STOPPED", "FAILED", "INVALID"])
def test_a_trial_without_score_or_message_has_none_afterwards(status):
    received = from_message(to_message(new_trial("", {}, status)))
    assert (received.trial_id, received.status, received.score, received.message) == ("", status, None, None)
    assert received.hyperparameters.values == {}
