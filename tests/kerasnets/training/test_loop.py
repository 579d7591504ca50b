"""The epoch loop with made-up steps: rates, rows, callbacks, stopping, replanning, and going on after a stop."""

import json
import signal

import keras
import numpy as np
import pytest

from kerasnets.runs.checkpoint import load_checkpoint, load_newest
from kerasnets.training.interrupt import Interrupted
from kerasnets.training.loop_state import Diverged, Paused
from kerasnets.training.until import Until


class Telling(keras.callbacks.Callback):
    """Notes every hook with its logs."""

    def __init__(self):
        super().__init__()
        self.told = []

    def on_train_begin(self, logs=None):
        self.told.append(("begin", self.params))

    def on_epoch_begin(self, epoch, logs=None):
        self.told.append(("epoch begin", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.told.append(("epoch end", epoch, dict(logs)))

    def on_train_end(self, logs=None):
        self.told.append(("end",))


class BatchTelling(Telling):
    def on_train_batch_begin(self, batch, logs=None):
        self.told.append(("batch begin", batch))

    def on_train_batch_end(self, batch, logs=None):
        self.told.append(("batch end", batch, dict(logs)))


class AfterBatch(keras.callbacks.Callback):
    """Calls a function of (callback, step over the whole run) after every batch."""

    def __init__(self, function):
        super().__init__()
        self._function, self._step = function, 0

    def on_train_batch_end(self, batch, logs=None):
        self._function(self, self._step)
        self._step += 1


def after_epoch(function):
    return keras.callbacks.LambdaCallback(on_epoch_end=function)


def test_rows_are_exact_means_over_the_examples(fake_run):
    run = fake_run()
    run.losses = {0: 1.0, 1: 2.0, 2: 3.0, 3: 14.0}
    run.run()
    first, second = run.state.rows
    # ten examples: (3 * 1 + 3 * 2 + 3 * 3 + 14) / 10, and the penalty of 0.25
    assert first["train_loss"] == pytest.approx(3.2 + 0.25)
    assert first["train_accuracy"] == pytest.approx(6 / 10)
    assert first["gradient_norm"] == pytest.approx((10 + 11 + 12 + 13) / 4)
    assert (first["epoch"], first["penalty"], first["learning_rate"]) == (1, 0.25, 0.5)
    assert second["train_loss"] == pytest.approx(1.25) and second["gradient_norm"] == pytest.approx(15.5)
    lines = (run.parts.folder.path / "results.csv").read_text().splitlines()
    assert len(lines) == 3 and lines[0].startswith("epoch,learning_rate")
    log = [json.loads(line) for line in (run.parts.folder.path / "log.jsonl").read_text().splitlines()]
    assert [event["event"] for event in log] == ["epoch", "epoch"] and "seconds" in log[0]


def test_steps_are_called_in_chunks_that_end_with_the_epoch(fake_run):
    run = fake_run(epochs=3)
    run.seconds["step"] = 0.2  # half a second holds two
    run.run()
    # the first call compiles, the second is timed
    assert [(len(rates), first) for rates, first in run.calls] == [
        (1, 0),
        (1, 1),
        (2, 2),
        (2, 4),
        (2, 6),
        (2, 8),
        (2, 10),
    ]


def test_a_slow_step_is_called_alone(fake_run):
    run = fake_run()
    run.seconds["step"] = 3.0
    assert {len(rates) for rates, _ in run.run().calls} == {1}


def test_every_step_gets_its_rate(fake_run):
    run = fake_run(epochs=4, schedule="cosine").run()
    expected = [0.25 * (1 + np.cos(np.pi * step / 16)) for step in range(16)]
    np.testing.assert_allclose(run.rates, expected, rtol=1e-6)
    assert run.state.rows[1]["learning_rate"] == pytest.approx(expected[7])


def test_callbacks(fake_run):
    telling = Telling()
    run = fake_run(callbacks=[telling], validation=0.1, test_curve=1)
    run.answers = [(0.7, 0.5), (0.6, 0.75), (9.0, 0.1)]
    run.run()
    hooks = [entry[0] for entry in telling.told]
    assert hooks == ["begin", "epoch begin", "epoch end", "epoch begin", "epoch end", "end"]
    assert telling.told[0][1] == {"epochs": 2, "steps": 4, "verbose": 0}
    assert [entry[1] for entry in telling.told[1:-1]] == [0, 0, 1, 1]
    for _, _, logs in (telling.told[2], telling.told[4]):  # never what the test split says
        assert set(logs) == {"loss", "accuracy", "learning_rate", "val_loss", "val_accuracy"}
    assert telling.told[4][2] == pytest.approx(
        {"loss": 1.25, "accuracy": 0.6, "learning_rate": 0.5, "val_loss": 0.6, "val_accuracy": 0.75}
    )
    assert run.state.rows[1]["test_accuracy"] == 0.1
    assert run.evaluated == [(0, "val"), (1, "val"), (1, "test")]


def test_batch_hooks_see_every_batch(fake_run):
    telling = BatchTelling()
    run = fake_run(epochs=1, callbacks=[telling])
    run.losses = {0: 1.0, 1: 2.0}
    run.seconds["step"] = 0.01
    run.run()
    assert [first for _, first in run.calls] == [0, 1, 2, 3]
    batches = [entry for entry in telling.told if entry[0].startswith("batch")]
    assert [entry[1] for entry in batches] == [0, 0, 1, 1, 2, 2, 3, 3]
    # so far in the epoch, like Keras: (3 * 1 + 3 * 2) / 6 and the penalty
    assert batches[3][2] == pytest.approx({"loss": 1.75, "accuracy": 4 / 6})


def test_test_curve_is_evaluated_in_the_last_epochs_only(fake_run):
    run = fake_run(epochs=5, test_curve=2)
    run.answers = [(1.0, 0.1), (2.0, 0.2)]
    assert run.run().evaluated == [(3, "test"), (4, "test")]
    assert "test_loss" not in run.state.rows[2] and run.state.rows[3]["test_loss"] == 1.0


def test_rate_lowered_at_the_end_of_an_epoch_stays_lowered(fake_run):
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=0.0, mode="min")
    run = fake_run(epochs=4, callbacks=[plateau]).run()
    # the loss is the same in every epoch: lowered after the second and the third
    assert run.rates == pytest.approx([0.5] * 8 + [0.05] * 4 + [0.005] * 4)
    assert [row["learning_rate"] for row in run.state.rows] == pytest.approx([0.5, 0.5, 0.05, 0.005])


def test_rate_lowered_at_the_end_of_an_epoch_scales_the_schedule(fake_run):
    plateau = keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=0.0, mode="min")
    run = fake_run(epochs=4, schedule="cosine", callbacks=[plateau]).run()
    expected = [0.25 * (1 + np.cos(np.pi * step / 16)) for step in range(16)]
    scales = np.repeat([1, 1, 0.1, 0.01], 4)
    np.testing.assert_allclose(run.rates, expected * scales, rtol=1e-5)


def test_rate_set_after_a_batch_holds_for_the_rest_of_the_epoch(fake_run):
    def lower(callback, step):
        if step == 1:
            callback.model.optimizer.learning_rate = 0.125

    run = fake_run(callbacks=[AfterBatch(lower)]).run()
    assert run.rates == [0.5, 0.5, 0.125, 0.125] + [0.5] * 4


def test_users_own_scheduler_has_the_last_word(fake_run):
    scheduler = keras.callbacks.LearningRateScheduler(lambda epoch, rate: 1.0 + epoch)
    run = fake_run(schedule="step", callbacks=[scheduler]).run()
    assert run.rates == [1.0] * 4 + [2.0] * 4


@pytest.mark.parametrize("hook", ["batch", "epoch"])
def test_callback_stops_the_run(fake_run, hook):
    run = fake_run(epochs=9)

    def stop(now):
        run.parts.model.stop_training = now

    if hook == "batch":
        run.parts.callbacks = [AfterBatch(lambda callback, step: stop(step >= 5))]
    else:
        run.parts.callbacks = [after_epoch(lambda epoch, logs: stop(epoch == 1))]
    run.run()
    assert len(run.rates) == (6 if hook == "batch" else 8)
    assert len(run.state.rows) == 2
    assert run.state.stopped == "a callback stopped the run"
    # the checkpoint knows it too, so that a run that is killed now does not train on
    assert load_newest(run.parts.folder.checkpoints)[2]["state"]["stopped"] == "a callback stopped the run"


def test_early_stopping(fake_run):
    run = fake_run(epochs=9, validation=0.1, early_stopping=2)
    run.answers = [(1.0, 0.5), (0.9, 0.7), (0.9, 0.7), (1.0, 0.6), (0.1, 0.9)]
    run.run()
    assert len(run.state.rows) == 4
    assert run.state.stopped == "no better validation accuracy for 2 epochs"
    assert run.state.best == {"file": "best-00002.ckpt", "epoch": 2}


def test_early_stopping_when_nothing_is_ever_finite(fake_run):
    run = fake_run(epochs=9, validation=0.1, early_stopping=3)
    run.answers = [(float("nan"), 0.5)] * 9
    run.run()
    assert len(run.state.rows) == 3 and run.state.best is None


def test_max_time_plans_the_schedule_anew(fake_run):
    run = fake_run(epochs=1000, schedule="cosine", max_time="50s")
    run.seconds |= {"compile": 4.0, "evaluation": 0.0}
    run.run()
    # 4 s and the first step of 1 s are compilation: 45 more steps of 1 s
    assert 44 <= len(run.rates) <= 47
    assert run.state.stopped == "max_time 50s was used up"
    assert run.rates[0] == 0.5 and min(run.rates[:5]) > 0.48
    assert run.rates[-1] < 0.005
    assert len(run.state.rows) == len(run.rates) // 4 + (len(run.rates) % 4 > 0)


def test_max_time_counts_evaluations(fake_run):
    run = fake_run(epochs=1000, max_time="80s", validation=0.1)
    run.seconds["evaluation"] = 4.0
    run.answers = [(1.0, 0.5)] * 1000
    run.run()
    # an epoch costs eight seconds
    assert 9 <= len(run.state.rows) <= 11
    assert run.now <= 80 + 2 * 8


def test_max_time_counts_what_callbacks_take(fake_run):
    run = fake_run(epochs=1000, max_time="80s")
    run.parts.callbacks = [after_epoch(lambda epoch, logs: setattr(run, "now", run.now + 4.0))]
    run.run()
    assert 9 <= len(run.state.rows) <= 11 and run.now <= 80 + 2 * 8
    assert run.state.seconds["report"] == 4.0 * len(run.state.rows)
    assert sum(run.state.seconds.values()) == run.now


def test_max_time_that_suffices_changes_nothing(fake_run):
    run = fake_run(epochs=4, schedule="cosine", max_time="1h").run()
    assert len(run.rates) == 16 and run.state.stopped is None
    np.testing.assert_allclose(run.rates, [0.25 * (1 + np.cos(np.pi * step / 16)) for step in range(16)], rtol=1e-6)


def test_steps_are_made_anew_for_another_image_size(fake_run):
    run = fake_run(epochs=4, early_sizes=[[16, 0.5], [24, 0.75]])
    run.seconds["compile"] = 5.0
    run.run()
    assert run.made == [(0, 0), (2, 0), (3, 0)]
    # the first call of each size is what compiles: 5 s and a step of 0.25, 0.5625 and 1 s
    assert run.state.seconds["compile"] == 15.0 + 0.25 + 0.5625 + 1.0
    assert run.state.seconds["train"] == pytest.approx(7 * 0.25 + 3 * 0.5625 + 3 * 1.0)
    log = [json.loads(line) for line in (run.parts.folder.path / "log.jsonl").read_text().splitlines()]
    assert [event["image_size"] for event in log] == [16, 16, 24, 32]


def test_chunks_are_sized_anew_for_another_image_size(fake_run):
    run = fake_run(epochs=2, early_sizes=[[16, 0.5]])
    run.seconds["step"] = 0.5  # 0.125 s while the images are small
    assert [len(rates) for rates, _ in run.run().calls] == [1, 1, 2, 1, 1, 1, 1]


def test_time_to_go_knows_what_the_sizes_cost(fake_run):
    run, told = fake_run(epochs=4, early_sizes=[[16, 0.5]]), []
    run.parts.progress.steps = lambda *arguments: told.append((arguments[-1], run.now))
    run.run()
    assert run.now == 8 * 0.25 + 8 * 1.0
    assert [left for left, _ in told].count(None) == 2  # the first step of each size compiles
    assert all(left == pytest.approx(run.now - now) for left, now in told if left is not None)


def test_going_on_begins_at_the_size_of_the_epoch(fake_run):
    run = fake_run(epochs=4, early_sizes=[[16, 0.5]])
    run.before_step = lambda step: setattr(run.flag, "received", signal.SIGINT if step >= 9 else None)
    with pytest.raises(Interrupted):
        run.run()
    assert fake_run(run).run().made == [(2, 2)]


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_max_time_keeps_the_share_of_early_sizes(fake_run, share):
    run = fake_run(epochs=1000, schedule="linear", max_time="98s", early_sizes=[[16, share]])
    run.seconds["compile"] = 4.0
    run.run()
    # 8 s of compilation, a step of 0.25 s for every early one, a second for the others
    steps = 90 / (0.25 * share + 1 - share)
    assert len(run.rates) == pytest.approx(steps, abs=4)
    assert run.sides == [16, 32] and run.made == [(0, 0), (round(share * steps / 4), 0)]
    assert run.state.stopped == "max_time 98s was used up" and run.now <= 100
    # planned like this from the beginning, to an epoch or so: the rates lie on one line
    steps = np.arange(3, len(run.rates))
    np.testing.assert_allclose(run.rates[3:], 0.5 * (1 - steps / len(run.rates)), atol=0.02)


def test_going_on_keeps_the_sizes_as_planned(fake_run):
    run = fake_run(epochs=1000, max_time="98s", early_sizes=[[16, 0.5]])
    run.before_step = lambda step: setattr(run.flag, "received", signal.SIGINT if step >= 90 else None)
    with pytest.raises(Interrupted):
        run.run()
    assert run.sides == [16, 32] and run.made[1][0] < 22
    assert fake_run(run).run().sides == [32]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_diverged(fake_run, bad):
    run = fake_run(epochs=3)
    run.seconds["step"] = 0.01
    run.losses = {6: bad}
    with pytest.raises(Diverged, match="loss or gradient not finite in epoch 2, step 3") as problem:
        run.run()
    where = problem.value
    assert (where.epoch, where.step_in_epoch, where.step, where.rate) == (1, 2, 6, 0.5)
    assert [step["step"] for step in where.recent] == list(range(7))
    assert [step["gradient_norm"] for step in where.recent][:2] == [10.0, 11.0]
    assert run.weight == 6.0
    # every checkpoint is from before
    _, arrays, meta, _ = load_newest(run.parts.folder.checkpoints)
    assert np.isfinite(arrays["model/0000"]).all() and meta["state"]["epoch"] <= 1


def test_only_the_last_steps_are_remembered(fake_run):
    run = fake_run(epochs=30)
    run.losses = {100: float("nan")}
    with pytest.raises(Diverged) as problem:
        run.run()
    assert [step["step"] for step in problem.value.recent] == list(range(81, 101))


def test_interrupted(fake_run):
    run = fake_run(epochs=3)
    run.before_step = lambda step: setattr(run.flag, "received", signal.SIGTERM if step >= 5 else None)
    with pytest.raises(Interrupted, match="SIGTERM") as stop:
        run.run()
    assert stop.value.run_path == run.parts.folder.path
    path, arrays, meta, _ = load_newest(run.parts.folder.checkpoints)
    assert path.name == "step-000000006.ckpt" and arrays["model/0000"] == 6.0
    assert (meta["state"]["epoch"], meta["state"]["step"]) == (1, 2)


def test_interrupted_in_the_last_epochs_evaluation(fake_run):
    run = fake_run(epochs=1, callbacks=[after_epoch(lambda epoch, logs: setattr(run.flag, "received", 2))])
    with pytest.raises(Interrupted, match="SIGINT"):
        run.run()
    assert load_newest(run.parts.folder.checkpoints)[2]["state"]["epoch"] == 1


@pytest.mark.parametrize(
    ("until", "place"),
    [
        (Until(epochs=1), (1, 0)),
        (Until(epochs=2, seconds=100.0), (2, 0)),
        (Until(epochs=2, seconds=5.0), (1, 1)),
        (Until(seconds=6.5), (1, 3)),  # the call in which it passes is made to its end
        (Until(seconds=8.0), (2, 0)),  # and so is the epoch, if that was its last
    ],
)
def test_pauses_where_it_is_asked_to(fake_run, until, place):
    run = fake_run(epochs=3, validation=0.1)
    run.seconds["evaluation"] = 0.0
    run.parts.until, run.answers = until, [(1.0, 0.5)] * 3
    with pytest.raises(Paused):
        run.run()
    state = load_newest(run.parts.folder.checkpoints)[2]["state"]
    assert (state["epoch"], state["step"]) == place


@pytest.mark.parametrize("until", [Until(epochs=3), Until(epochs=9), Until(seconds=12.0), Until()])
def test_a_pause_at_the_end_is_the_end(fake_run, until):
    run = fake_run(epochs=3)
    run.parts.until = until
    run.run()
    assert len(run.rates) == 12


def test_a_run_that_stops_of_itself_does_not_pause_there(fake_run):
    run = fake_run(epochs=9, callbacks=[after_epoch(lambda epoch, logs: setattr(run.parts.model, "stop_training", 1))])
    run.parts.until = Until(epochs=1)
    run.run()
    assert run.state.stopped == "a callback stopped the run"


def test_no_pause_before_the_first_step_nor_twice_at_one_place(fake_run):
    run = fake_run()
    run.state.seconds["setup"] = 9.0
    run.parts.until = Until(seconds=1.0)
    with pytest.raises(Paused):
        run.run()
    assert len(run.rates) == 1
    later = fake_run(run)
    later.parts.until = Until(seconds=1.0)
    with pytest.raises(Paused):
        later.run()
    assert later.rates == []


def test_compiling_again_after_a_pause_is_not_counted(fake_run):
    run = fake_run()
    run.seconds["compile"] = 4.0
    run.parts.until = Until(epochs=1)
    with pytest.raises(Paused):
        run.run()
    later = fake_run(run)
    later.seconds["compile"], later.parts.paused_before = 4.0, True
    later.run()
    assert later.state.seconds["compile"] == run.state.seconds["compile"] == 5.0  # the first step is in it


def plateau():
    return keras.callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=2, min_delta=0.01, mode="min")


@pytest.mark.parametrize("stop", [3, 5, 9, 12, 14])
def test_stopped_and_gone_on_with_equals_never_stopped(fake_run, tmp_path, stop):
    settings = {"epochs": 5, "schedule": "step", "ema": 0.5, "validation": 0.1}
    answers = [(1.0, 0.5), (0.9, 0.7), (0.9, 0.6), (1.0, 0.6), (0.1, 0.65)]
    losses = {step: 1.0 + step % 3 for step in range(20)}

    whole = fake_run(callbacks=[plateau()], **settings)
    whole.losses, whole.answers = losses, list(answers)
    whole.run()
    whole.parts.folder.close()
    whole.parts.folder.path.rename(tmp_path / "whole")

    run = fake_run(callbacks=[plateau()], **settings)
    run.losses, run.answers = losses, list(answers)
    run.before_step = lambda step: setattr(run.flag, "received", signal.SIGINT if step >= stop else None)
    with pytest.raises(Interrupted):
        run.run()
    later = fake_run(run, callbacks=[plateau()])
    later.losses, later.answers = losses, run.answers
    later.run()
    assert run.rates + later.rates == whole.rates
    assert later.state.rows == whole.state.rows
    assert later.state.best == whole.state.best == {"file": "best-00002.ckpt", "epoch": 2}
    assert later.parts.callbacks[0].best == whole.parts.callbacks[0].best


def test_rate_set_after_a_batch_outlives_a_stop(fake_run):
    def lower(callback, step):
        callback.model.optimizer.learning_rate = 0.125 if step == 4 else callback.model.optimizer.learning_rate

    run = fake_run(epochs=3, callbacks=[AfterBatch(lower)])
    run.before_step = lambda step: setattr(run.flag, "received", signal.SIGINT if step >= 5 else None)
    with pytest.raises(Interrupted):
        run.run()
    assert run.rates == [0.5] * 5 + [0.125]
    assert fake_run(run).run().rates == [0.125] * 2 + [0.5] * 4


def test_killed_after_a_stop_inside_an_epoch(fake_run):
    class Killed(Exception):
        pass

    def kill(split):
        raise Killed

    def stop(callback, step):
        callback.model.stop_training = step == 5

    run = fake_run(epochs=9, callbacks=[AfterBatch(stop)], validation=0.1, checkpoint_seconds=0.0)
    run.answers = [(1.0, 0.5)]
    answer = run.parts.evaluate
    run.parts.evaluate = lambda split: kill(split) if len(run.rates) == 6 else answer(split)
    with pytest.raises(Killed):
        run.run()
    later = fake_run(run)
    later.answers = [(1.0, 0.6)]
    later.run()
    # the epoch that was cut short gets its row, and no further step is made
    assert later.calls == [] and [row["epoch"] for row in later.state.rows] == [1, 2]
    assert later.state.rows[1]["train_loss"] == pytest.approx(1.25)
    assert later.state.best["epoch"] == 2


def test_moving_averages_are_what_the_best_epoch_keeps(fake_run):
    run = fake_run(epochs=1, validation=0.1, ema=0.5)
    run.answers = [(1.0, 0.5)]
    run.before_step = lambda step: run.parts.averages[0].assign([[77.0 + step]])
    run.run()
    assert run.weight == 4.0
    arrays, meta = load_checkpoint(run.parts.folder.checkpoints / "best-00001.ckpt")
    assert arrays == {"model/0000": 80.0} and meta["epoch"] == 1


def test_first_epochs_begin_at_the_given_weights(fake_run):
    run = fake_run()
    run.parts.model.set_weights([np.full((1, 1), 7.0)])
    run.loop()  # killed before the first step
    later = fake_run(run)
    later.loop()
    assert later.weight == 7.0 and later.state.epoch == later.state.step == 0
