"""Where a run is survives JSON, which is how a checkpoint keeps it."""

import json
from dataclasses import asdict

from kerasnets.training.loop_state import Diverged, LoopState


def test_state_survives_json():
    state = LoopState(total_steps=10, epoch=2, rows=[{"epoch": 1, "train_loss": 0.1 + 0.2}], rate_scale=0.1)
    assert LoopState(**json.loads(json.dumps(asdict(state)))) == state


def test_two_states_share_nothing():
    one, other = LoopState(total_steps=1), LoopState(total_steps=1)
    one.rows.append({})
    one.seconds["train"] = 5.0
    assert other.rows == [] and other.seconds["train"] == 0.0


def test_diverged_counts_from_one_for_people():
    problem = Diverged(epoch=1, step_in_epoch=2, step=6, rate=0.5, recent=[])
    assert str(problem) == "loss or gradient not finite in epoch 2, step 3"
    assert (problem.epoch, problem.step_in_epoch, problem.step) == (1, 2, 6)
