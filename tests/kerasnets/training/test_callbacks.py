"""The built-in callbacks, which callbacks need every batch, and what of a callback outlives the process."""

import json
import math

import keras
import numpy as np
import pytest

from kerasnets.training.callbacks import (
    BestCheckpoint,
    callback_states,
    rate_scheduler,
    restore_callbacks,
    wants_every_batch,
)


def best_after(*epochs):
    """A `BestCheckpoint` that saw (accuracy, loss) of these epochs, and how often it took weights."""
    taken = []
    best = BestCheckpoint(lambda: taken.append(None) or {"model/0000": np.array(len(taken))})
    for number, (accuracy, loss) in enumerate(epochs):
        best.on_epoch_end(number, {"val_accuracy": accuracy, "val_loss": loss})
    return best, len(taken)


def test_best_is_the_highest_accuracy():
    best, taken = best_after((0.5, 1.0), (0.7, 2.0), (0.6, 0.1))
    assert (best.best_epoch, best.best, best.best_loss, taken) == (2, 0.7, 2.0, 2)
    assert best.arrays == {"model/0000": 2}


def test_equal_accuracies_are_told_apart_by_the_loss():
    assert best_after((1.0, 0.3), (1.0, 0.2), (1.0, 0.25))[0].best_epoch == 2
    assert best_after((1.0, 0.3), (1.0, 0.3))[0].best_epoch == 1


@pytest.mark.parametrize("bad", [(math.nan, 0.1), (0.9, math.nan), (0.9, math.inf)])
def test_what_is_not_finite_is_passed_over(bad):
    best, taken = best_after(bad, (0.2, 3.0), bad)
    assert (best.best_epoch, taken) == (2, 1)
    assert best_after(bad)[0].arrays is None


def test_no_validation():
    best = BestCheckpoint(dict)
    best.on_epoch_end(0, {"accuracy": 1.0})
    best.on_epoch_end(1, None)
    assert best.best_epoch == 0 and best.arrays is None


def test_rate_scheduler():
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd")
    scheduler = rate_scheduler(lambda epoch: 0.5**epoch)
    scheduler.set_model(model)
    scheduler.on_epoch_begin(3)
    assert float(model.optimizer.learning_rate.numpy()) == 0.125


class Watching(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        pass


class Batchwise(Watching):
    def on_train_batch_end(self, batch, logs=None):
        pass


class OldName(keras.callbacks.Callback):
    def on_batch_begin(self, batch, logs=None):
        pass


def test_who_wants_every_batch():
    keras_own = [keras.callbacks.TerminateOnNaN(), keras.callbacks.LambdaCallback(on_epoch_end=print)]
    assert not wants_every_batch([])
    assert not wants_every_batch([Watching(), BestCheckpoint(dict), *keras_own])
    assert wants_every_batch([Watching(), Batchwise()])
    assert wants_every_batch([OldName()])
    assert wants_every_batch([keras.callbacks.LambdaCallback(on_train_batch_end=print)])


class Counting(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.count, self.best, self.name, self.seen = 3, np.float32(0.5), "n", None
        self.many, self._hidden = [1, 2], 7


def test_states_are_plain_and_public():
    (state,) = callback_states([Counting()])
    assert state["type"] == "Counting"
    assert {key: state[key] for key in ("count", "best", "name", "seen")} == {
        "count": 3,
        "best": 0.5,
        "name": "n",
        "seen": None,
    }
    assert not {"many", "_hidden"} & set(state)
    assert json.loads(json.dumps(state)) == state


def test_best_is_kept_and_its_weights_are_not():
    states = json.loads(json.dumps(callback_states([best_after((0.5, 1.0))[0]])))
    fresh = BestCheckpoint(dict)
    restore_callbacks([fresh], states)
    assert (fresh.best, fresh.best_loss, fresh.best_epoch, fresh.arrays) == (0.5, 1.0, 1, None)


def test_restore_only_on_the_same_type():
    before = Counting()
    before.count = 99
    fresh, other = Counting(), Watching()
    restore_callbacks([fresh, other], callback_states([before, before]))
    assert fresh.count == 99 and not hasattr(other, "count")
    restore_callbacks([Counting()], [])


def test_plateau_goes_on_as_if_never_stopped():
    def plateau():
        callback = keras.callbacks.ReduceLROnPlateau("loss", patience=3, min_delta=0.1, mode="min")
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(1.0))
        callback.set_model(model)
        callback.on_train_begin()
        return callback

    whole, first, second = plateau(), plateau(), plateau()
    losses = [1.0, 0.95, 0.93, 0.92, 0.7, 0.65, 0.64]  # after the first all but 0.7 are better by less than 0.1
    for epoch, loss in enumerate(losses):
        whole.on_epoch_end(epoch, {"loss": loss})
        if epoch == 2:
            restore_callbacks([second], callback_states([first]))
        (first if epoch < 2 else second).on_epoch_end(epoch, {"loss": loss})
    assert (second.wait, second.best) == (whole.wait, whole.best) == (2, 0.7)
    assert float(second.model.optimizer.learning_rate.numpy()) == pytest.approx(0.1)
