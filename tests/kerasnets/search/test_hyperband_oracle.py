import keras_tuner
import pytest

from kerasnets.search.oracle import active_values, make_oracle, rung


def space(choices=None):
    hp = keras_tuner.HyperParameters()
    if choices is None:
        hp.Float("rate", 0.0, 1.0)
    else:
        hp.Choice("rate", [i / choices for i in range(choices)])
    return hp


def make(folder, *, choices=None, **options):
    return make_oracle("hyperband", hyperparameters=space(choices), max_budget=9, folder=folder, **options)


def end(oracle, trial, status="COMPLETED"):
    oracle.update_trial(trial.trial_id, {"score": active_values(trial)["rate"]})
    trial.status = status
    oracle.end_trial(trial)


def run(oracle, fails=lambda trial: False):
    """Runs trials one after the other; returns number, rate and rung of each."""
    done = []
    while (trial := oracle.create_trial("here")).status == "RUNNING":
        done.append((trial.trial_id, active_values(trial)["rate"], rung(trial, oracle)))
        end(oracle, trial, "FAILED" if fails(done[-1]) else "COMPLETED")
        assert len(done) < 500
    assert trial.status == "STOPPED"
    return done


def in_round(done, bracket, number):
    return [entry for entry in done if (entry[2].bracket, entry[2].round) == (bracket, number)]


def test_brackets_have_the_published_sizes_and_budgets(tmp_path):
    # Li et al. 2018, algorithm 1, with R = 9 and eta = 3; bracket 1 has a trial more per rung, as keras-tuner rounds.
    done = run(make(tmp_path))
    counted = {(b, i): len(in_round(done, b, i)) for b in (2, 1, 0) for i in range(b + 1)}
    assert counted == {(2, 0): 9, (2, 1): 3, (2, 2): 1, (1, 0): 5, (1, 1): 2, (0, 0): 3}
    assert sum(counted.values()) == len(done) == 23
    budgets = {(where.bracket, where.round): (where.budget, where.initial_budget) for _, _, where in done}
    assert budgets == {(2, 0): (1, 0), (2, 1): (3, 1), (2, 2): (9, 3), (1, 0): (3, 0), (1, 1): (9, 3), (0, 0): (9, 0)}


def test_the_best_are_promoted_with_their_values_into_the_folder_of_their_first_trial(tmp_path):
    done = run(make(tmp_path))
    for bracket, last in ((2, 2), (1, 1)):
        for number in range(1, last + 1):
            before = {where.first_trial_id: rate for _, rate, where in in_round(done, bracket, number - 1)}
            now = {where.first_trial_id: rate for _, rate, where in in_round(done, bracket, number)}
            assert now.items() <= before.items()
            assert max(now.values()) == max(before.values())
    first = {trial_id: rate for trial_id, rate, where in done if where.round == 0}
    assert all(where.first_trial_id in first and first[where.first_trial_id] == rate for _, rate, where in done)
    assert len(set(first.values())) == len(first)


def test_side_by_side_a_promoted_trial_has_the_number_of_its_own_bracket(tmp_path):
    oracle = make(tmp_path)
    running = [oracle.create_trial(f"t{i}") for i in range(12)]  # 9 of bracket 2, and bracket 1 has begun
    assert [rung(trial, oracle).bracket for trial in running] == [2] * 9 + [1] * 3
    for trial in running[:9]:
        end(oracle, trial)
    where = rung(oracle.create_trial("t0"), oracle)
    assert (where.bracket, where.round, where.budget, where.initial_budget) == (2, 1, 3, 1)


def test_sweeps_go_on_as_long_as_asked(tmp_path):
    for name in ("two", "endless"):
        (tmp_path / name).mkdir()
    assert len(run(make(tmp_path / "two", iterations=2))) == 46
    endless = make(tmp_path / "endless", iterations=None, max_trials=100)
    assert len(run(endless)) == 100
    again = make(tmp_path / "endless", iterations=None, max_trials=101)
    again.reload()
    assert len(run(again)) == 1


def test_a_last_bracket_waits_for_its_running_trials(tmp_path):
    oracle = make(tmp_path)
    for _ in range(20):
        end(oracle, oracle.create_trial("here"))
    running = [oracle.create_trial(f"t{i}") for i in range(3)]
    assert oracle.create_trial("here").status == "IDLE"
    for trial in running:
        end(oracle, trial)
    assert oracle.create_trial("here").status == "STOPPED"


@pytest.mark.parametrize("failed", [3, 7, 8, 9])
def test_failed_trials_are_neither_waited_for_nor_promoted(tmp_path, failed):
    done = run(make(tmp_path), fails=lambda entry: int(entry[0]) < failed)
    alive = 9 - failed
    assert len(in_round(done, 2, 1)) == min(3, alive)
    assert len(in_round(done, 2, 2)) == min(1, alive)
    assert len(in_round(done, 1, 0)) == 5
    assert all(int(where.first_trial_id) >= failed for _, _, where in done if where.round)


def test_a_promoted_trial_that_fails_stalls_nothing(tmp_path):
    done = run(make(tmp_path), fails=lambda entry: entry[2].round == 1)
    assert len(in_round(done, 2, 1)) == 3
    assert len(in_round(done, 2, 2)) == 0
    assert len(in_round(done, 0, 0)) == 3


def test_all_may_fail(tmp_path):
    assert len(run(make(tmp_path), fails=lambda entry: True)) == 9 + 5 + 3


def test_in_a_space_smaller_than_a_bracket_the_best_get_the_whole_budget(tmp_path):
    done = run(make(tmp_path, choices=6))
    assert [len(in_round(done, 2, i)) for i in range(3)] == [6, 2, 1]
    assert len(done) == 9
    assert (done[-1][1], done[-1][2].budget) == (5 / 6, 9)


def test_a_space_that_ends_in_a_later_bracket_fills_what_it_can(tmp_path):
    done = run(make(tmp_path, choices=11))
    assert len(in_round(done, 2, 0)) == 9
    assert [len(in_round(done, 1, i)) for i in range(2)] == [2, 1]
    assert in_round(done, 0, 0) == []


def test_no_more_trials_than_asked_for(tmp_path):
    assert len(run(make(tmp_path, max_trials=11))) == 11


def test_another_factor_is_another_search(tmp_path):
    make(tmp_path).save()
    with pytest.raises(ValueError, match="another factor 2 instead of 3"):
        make(tmp_path, factor=2).reload()
