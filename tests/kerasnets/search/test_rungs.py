from types import SimpleNamespace

from kerasnets.search.rungs import Rung, active_values, rung


def trial(trial_id, **values):
    named = {name.replace("__", "/"): value for name, value in values.items()}
    return SimpleNamespace(trial_id=trial_id, hyperparameters=SimpleNamespace(values=named))


def test_what_the_tuner_notes_is_not_among_the_values():
    values = {"rate": 0.1, "tuners": 3}
    assert active_values(trial("0000", tuner__epochs=1, tuner__trial_id="0001", **values)) == values


def test_a_trial_that_was_promoted_twice_goes_on_in_the_folder_of_its_first():
    trials = {
        "0001": trial("0001", tuner__epochs=1, tuner__initial_epoch=0, tuner__bracket=2, tuner__round=0),
        "0005": trial("0005", tuner__epochs=3, tuner__initial_epoch=1, tuner__trial_id="0001"),
        "0009": trial(
            "0009", tuner__epochs=9, tuner__initial_epoch=3, tuner__bracket=2, tuner__round=2, tuner__trial_id="0005"
        ),
    }
    oracle = SimpleNamespace(get_trial=trials.__getitem__)
    expected = Rung(budget=9, initial_budget=3, first_trial_id="0001", bracket=2, round=2)
    assert rung(trials["0009"], oracle) == expected
    assert rung(trials["0001"], oracle).first_trial_id == "0001"


def test_without_hyperband_there_is_neither_bracket_nor_round():
    alone = trial("0003", tuner__epochs=9, tuner__initial_epoch=0)
    assert rung(alone, None) == Rung(budget=9, initial_budget=0, first_trial_id="0003", bracket=None, round=None)
