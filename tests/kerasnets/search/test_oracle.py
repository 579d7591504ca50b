import keras_tuner
import pytest

from kerasnets.errors import InputError
from kerasnets.search.oracle import make_oracle


def test_an_unknown_tuner_is_told_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match=r"'hyperbnd'\. Known: bayesian, hyperband, random\. Did you mean 'hyperband'"):
        make_oracle("hyperbnd", hyperparameters=keras_tuner.HyperParameters(), max_budget=3, folder=tmp_path)


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_nothing_is_printed_and_no_other_file_is_written(tmp_path, tuner, capfd):
    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["wide"]):
        hp.Int("width", 8, 64)
    oracle = make_oracle(tuner, hyperparameters=hp, max_trials=12, max_budget=9, folder=tmp_path)
    for status in ["COMPLETED", "FAILED", "INVALID"] * 4:
        trial = oracle.create_trial("a")
        trial.score, trial.status = 0.5, status
        oracle.end_trial(trial)
    oracle.reload()
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oracle.json", "oracle.json.before"]
