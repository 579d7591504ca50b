"""The Keras callbacks of the training loop, and how a callback's own state is kept over a resume."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

_BATCH_HOOKS = ("on_train_batch_begin", "on_train_batch_end", "on_batch_begin", "on_batch_end")


def rate_scheduler(rate_of_epoch: Callable[[int], float]) -> keras.callbacks.LearningRateScheduler:
    """Returns Keras's scheduler: it sets the optimiser's rate at the start of each epoch (counted from 0)."""
    return keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate_of_epoch(epoch))


class BestCheckpoint(keras.callbacks.ModelCheckpoint):
    """Keeps the weights of the best epoch, chosen on validation.

    It is Keras's `ModelCheckpoint` with three differences: a value that is not finite is passed over and not taken for
    the best, equal accuracies are told apart by the loss (accuracy saturates), and the weights are handed to the run's
    own checkpoint file, which is written atomically, in place of a file that is overwritten.

    Args:
        capture: Returns copies of the weights that an evaluation uses.
    """

    def __init__(self, capture: Callable[[], dict[str, np.ndarray]]):
        super().__init__("best.keras", monitor="val_accuracy", mode="max", save_best_only=True)
        self._capture = capture
        self.best = -math.inf
        self.best_loss = math.inf
        self.best_epoch = 0
        self._arrays: dict[str, np.ndarray] | None = None

    @property
    def arrays(self) -> dict[str, np.ndarray] | None:
        """Copies of the best weights, or None when this process has not seen them."""
        return self._arrays

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Takes the weights if this epoch's validation accuracy is the best so far."""
        accuracy, loss = (logs or {}).get("val_accuracy"), (logs or {}).get("val_loss")
        if accuracy is None or not (math.isfinite(accuracy) and math.isfinite(loss)):
            return
        if (accuracy, -loss) > (self.best, -self.best_loss):
            self.best, self.best_loss, self.best_epoch = accuracy, loss, epoch + 1
            self._arrays = self._capture()


def wants_every_batch(callbacks: Sequence[keras.callbacks.Callback]) -> bool:
    """Tells whether a callback has batch hooks of its own, so that steps have to be called one at a time.

    Keras's callbacks that only watch batches do not count; its `LambdaCallback` does when it was given such a hook.
    """
    own = [
        type(callback) for callback in callbacks if not type(callback).__module__.startswith(("keras.", "kerasnets."))
    ]
    return any(hook in vars(callback) for callback in callbacks for hook in _BATCH_HOOKS) or any(
        getattr(kind, hook) is not getattr(keras.callbacks.Callback, hook) for kind in own for hook in _BATCH_HOOKS
    )


def callback_states(callbacks: Sequence[keras.callbacks.Callback]) -> list[dict[str, Any]]:
    """Returns each callback's public attributes that are plain values (best, wait, ...), to be saved with the run.

    `min_delta` is left out: Keras's callbacks turn its sign when they are first used, so that it would be turned twice.
    """
    kept = (bool, int, float, str, type(None), np.floating, np.integer)
    return [
        {"type": type(callback).__name__}
        | {
            name: value.item() if isinstance(value, np.generic) else value
            for name, value in vars(callback).items()
            if not name.startswith("_") and name != "min_delta" and isinstance(value, kept)
        }
        for callback in callbacks
    ]


def restore_callbacks(callbacks: Sequence[keras.callbacks.Callback], states: list[dict[str, Any]]) -> None:
    """Sets what `callback_states` kept, on callbacks of the same types in the same order; others are left alone."""
    for callback, state in zip(callbacks, states, strict=False):
        if state["type"] == type(callback).__name__:
            for name, value in state.items():
                if name != "type":
                    setattr(callback, name, value)
