"""When and how a run's state is written to its checkpoint files, and how it is taken up again."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import keras

from kerasnets.errors import InputError
from kerasnets.runs.checkpoint import checkpoint_files, load_newest, save_checkpoint
from kerasnets.training.callbacks import BestCheckpoint, callback_states, restore_callbacks
from kerasnets.training.config import config_hash
from kerasnets.training.loop_state import LoopState, Parts
from kerasnets.training.state import capture, restore

# A checkpoint at the end of an epoch is written when it costs at most this share of the time since the last one.
_SHARE = 0.02
_KEPT = 2


class Checkpointer:
    """Writes ``checkpoints/step-NNNNNNNNN.ckpt`` and ``best-NNNNN.ckpt`` of one run.

    The best weights are copied in memory when they occur and reach the disk just before the state that names them, so
    the two never disagree; what a crash loses of either is computed again, exactly.

    Args:
        parts: What the run works with.
        state: Where it is.
        best: Knows the best weights.
        callbacks: All callbacks, whose plain attributes are kept.

    Attributes:
        taken_up: What `take_up` found of the callbacks' attributes.
    """

    def __init__(
        self, parts: Parts, state: LoopState, best: BestCheckpoint, callbacks: Sequence[keras.callbacks.Callback]
    ):
        self.parts, self.state, self.best, self.callbacks = parts, state, best, callbacks
        self.folder = parts.folder.checkpoints
        self.taken_up: list[dict[str, Any]] = []
        self.written_at: tuple[int, int] | None = None
        self.best_written = 0
        self.last_time = time.perf_counter()
        self.cost = 0.0

    def take_up(self) -> bool:
        """Restores the newest whole checkpoint into model, optimiser, averages, callbacks and state.

        Returns:
            False when the folder holds none, so that the run begins at the start.

        Raises:
            InputError: Every checkpoint is damaged, or they belong to another configuration.
        """
        if not checkpoint_files(self.folder):
            return False
        parts, state = self.parts, self.state
        path, arrays, meta, damaged = load_newest(self.folder)
        for message in damaged:
            parts.progress.message(f"{message} Going on from {path.name}.")
            parts.folder.log("damaged checkpoint", message=message)
        if meta["config_hash"] != config_hash(parts.config):
            raise InputError(
                f"{path.name} must belong to {parts.folder.path / 'config.yaml'}. Received: settings that were changed "
                f"since (hash {config_hash(parts.config)}, was {meta['config_hash']}). Undo that, or start a new run."
            )
        restore(arrays, model=parts.model.weights, optimizer=parts.optimizer.variables, ema=parts.averages)
        seconds = state.seconds
        vars(state).update(meta["state"])
        state.seconds = {name: state.seconds.get(name, 0.0) + value for name, value in seconds.items()}
        self.taken_up = meta["callbacks"]
        restore_callbacks(self.callbacks, self.taken_up)
        self.best_written = self.best.best_epoch
        for late in self.folder.glob("best-*.ckpt"):
            if late.name > _best_name(self.best.best_epoch):
                late.unlink()  # written by a process that was killed before the state that would have named it
        parts.progress.message(f"Going on from epoch {state.epoch + 1}, step {state.step + 1} ({path.name})")
        return True

    def write_if_due(self, end_of_epoch: bool = False) -> None:
        """Writes after ``checkpoint_seconds``, and at the end of an epoch wherever that costs next to nothing."""
        waited = time.perf_counter() - self.last_time
        if waited > self.parts.config.checkpoint_seconds or (end_of_epoch and self.cost < _SHARE * waited):
            self.write()

    def write(self) -> None:
        """Writes the best weights if they are new, then the state; keeps the last two states and what they name."""
        parts, state = self.parts, self.state
        if self.written_at == (state.epoch, state.step):
            return
        start = time.perf_counter()
        identity = parts.meta | {"config_hash": config_hash(parts.config)}
        if self.best.arrays is not None and self.best.best_epoch != self.best_written:
            name = _best_name(self.best.best_epoch)
            save_checkpoint(self.folder / name, self.best.arrays, identity | {"epoch": self.best.best_epoch})
            state.best = {"file": name, "epoch": self.best.best_epoch}
            self.best_written = self.best.best_epoch
        arrays = capture(model=parts.model.weights, optimizer=parts.optimizer.variables, ema=parts.averages)
        meta = identity | {"epoch": state.epoch, "state": asdict(state), "callbacks": callback_states(self.callbacks)}
        done = state.epoch * parts.steps_per_epoch + state.step
        save_checkpoint(self.folder / f"step-{done:09d}.ckpt", arrays, meta)
        self._remove_old()
        self.written_at = (state.epoch, state.step)
        self.last_time = time.perf_counter()
        self.cost = self.last_time - start
        state.seconds["checkpoint"] += self.cost

    def _remove_old(self) -> None:
        # The older of the two kept states may name an older best file, so two of those stay as well.
        for files in (checkpoint_files(self.folder), sorted(self.folder.glob("best-*.ckpt"), reverse=True)):
            for old in files[_KEPT:]:
                old.unlink()


def _best_name(epoch: int) -> str:
    return f"best-{epoch:05d}.ckpt"
