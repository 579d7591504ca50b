"""The epoch loop: steps in chunks, callbacks, evaluation, results rows, checkpoints, and an orderly stop."""

import gc
import time
from collections import deque
from collections.abc import Callable

import keras
import numpy as np

from kerasnets.training.callbacks import BestCheckpoint, rate_scheduler, restore_callbacks, wants_every_batch
from kerasnets.training.checkpointing import Checkpointer
from kerasnets.training.config import parse_seconds
from kerasnets.training.image_sizes import ImageSizes
from kerasnets.training.interrupt import Interrupted, SignalFlag
from kerasnets.training.loop_state import Diverged, LoopState, Parts, Paused
from kerasnets.training.schedules import make_schedule
from kerasnets.training.state import capture
from kerasnets.training.step import StepRecord

# A call of several steps should last about this long: long enough that Python costs nothing, short enough for Ctrl-C.
_CALL_SECONDS = 0.5
# Steps and image sizes that depend on each other agree after this many rounds of planning at the latest.
_PLANS = 8


class TrainingLoop:
    """Trains from ``state`` to the end.

    Args:
        parts: What to work with.
        state: Where to begin; a fresh one for a new run.
        flag: Tells that the process was asked to stop.
    """

    def __init__(self, parts: Parts, state: LoopState, flag: SignalFlag):
        self.parts, self.state, self.flag = parts, state, flag
        self.config, self.steps_per_epoch = parts.config, parts.steps_per_epoch
        self.schedule = make_schedule(self.config, self.steps_per_epoch)
        self.best = BestCheckpoint(lambda: capture(model=parts.averages or parts.model.weights))
        begin = rate_scheduler(lambda epoch: state.rate_scale * self._scheduled(epoch * self.steps_per_epoch))
        self.own = [begin, self.best]
        self.all_callbacks = [*self.own, *parts.callbacks]
        self.callbacks = keras.callbacks.CallbackList(
            self.all_callbacks, model=parts.model, epochs=self.config.epochs, steps=self.steps_per_epoch, verbose=0
        )
        self.one_by_one = wants_every_batch(parts.callbacks)
        self.recent: deque[dict[str, float]] = deque(maxlen=20)
        self.step_seconds: float | None = None
        self.run_steps: Callable | None = None
        self.image_size: int | None = None
        self.compile_seconds = 0.0
        self.checkpointer = Checkpointer(parts, state, self.best, self.all_callbacks)
        if not self.checkpointer.take_up():
            self.checkpointer.write()  # killed before the next one, the run still starts from weights that were given
        if state.early_sizes is not None:
            parts.image_sizes = ImageSizes(state.early_sizes, parts.image_sizes.full)
        self.resuming = state.step > 0

    def run(self) -> None:
        """Runs every epoch that is left.

        Raises:
            Interrupted: A signal came; a checkpoint is written.
            Paused: It has come to `Parts.until`; a checkpoint is written.
            Diverged: A loss or gradient was not finite.
        """
        state = self.state
        self.parts.model.stop_training = False
        self.callbacks.on_train_begin()
        restore_callbacks(self.all_callbacks, self.checkpointer.taken_up)  # Keras's own forget it when training begins
        # A run that was killed after it stopped inside an epoch still has to end that epoch.
        while state.epoch < self.config.epochs and (self.resuming or not state.stopped):
            if not state.step:
                self._pause_if_due()
            self._epoch()
        self._leave_if_asked()
        self.callbacks.on_train_end()
        self.checkpointer.write()

    def _epoch(self) -> None:
        state = self.state
        self.callbacks.on_epoch_begin(state.epoch)
        rate = self.parts.optimizer.main.learning_rate
        made = state.step
        if self.resuming:
            rate.assign(state.base_rate)  # on_epoch_begin set the rate of an epoch's start
            self.resuming = False
        else:
            state.sums = {"loss": 0.0, "correct": 0.0, "count": 0.0, "penalty": 0.0, "gradient_norm": 0.0, "steps": 0}
        state.base_rate = float(rate.numpy())
        while state.step < self.steps_per_epoch and not state.stopped:
            self._call()
        if made == state.step:  # killed between the last step and the end of the epoch: the rate is that of that step
            rate.assign(state.base_rate * self._factor(made - 1))
        self._end_epoch()

    def _call(self) -> None:
        """Runs one chunk of steps and accounts for it."""
        self._leave_if_asked()
        state = self.state
        if state.step:
            self._pause_if_due()
        start = time.perf_counter()
        compiling = self._drop_steps_of_another_size()
        first = state.epoch * self.steps_per_epoch + state.step
        factors = [self._factor(state.step + k) for k in range(self._chunk())]
        rates = [state.base_rate * factor for factor in factors]
        if compiling:
            self.run_steps = self.parts.make_steps(state.epoch, state.step, self.image_size)
        self.callbacks.on_train_batch_begin(state.step)
        record = self.run_steps(rates, first)
        self._account(record, rates)
        now = float(self.parts.optimizer.main.learning_rate.numpy())
        self.callbacks.on_train_batch_end(state.step - 1, self._logs())
        self._notice_new_rate(now, factors[-1])
        self._notice_stop()
        self._spend(time.perf_counter() - start, record, compiling)
        self.parts.progress.steps(
            state, self.steps_per_epoch, self._logs(), len(rates), self.step_seconds, self._seconds_left()
        )
        self.checkpointer.write_if_due()

    def _drop_steps_of_another_size(self) -> bool:
        """Returns whether the steps have to be made, and compiled, before the next call."""
        size = self.parts.image_sizes.at(self.state.epoch)
        if self.image_size not in (None, size):
            self.run_steps = self.step_seconds = None
            gc.collect()  # a compiled function holds its images, and is part of a cycle
        self.image_size = size
        return self.run_steps is None

    def _leave_if_asked(self) -> None:
        if self.flag.received:
            self.checkpointer.write()
            raise Interrupted(self.flag.received, self.parts.folder.path)

    def _pause_if_due(self) -> None:
        until, state = self.parts.until, self.state
        # Never before the first step: there would be nothing to go on with.
        if until and self._done() and until.reached(state.epoch, sum(state.seconds.values())):
            self.checkpointer.write()
            raise Paused

    def _chunk(self) -> int:
        left = self.steps_per_epoch - self.state.step
        if self.config.max_time:
            left = min(left, max(1, self.state.total_steps - self._done()))
        if self.one_by_one or self.step_seconds is None:
            return 1
        return max(1, min(left, int(_CALL_SECONDS / max(self.step_seconds, 1e-6))))

    def _account(self, record: StepRecord, rates: list[float]) -> None:
        """Adds a record's steps one by one in float64, so that the sums do not depend on how steps fell into calls."""
        sums = self.state.sums
        for values in zip(*(column.astype(np.float64).tolist() for column in record), rates, strict=False):
            loss_sum, correct, count, penalty, norm, rate = values
            self.recent.append(
                {"step": self._done(), "learning_rate": rate, "loss": loss_sum / count, "gradient_norm": norm}
            )
            if not np.isfinite([loss_sum, penalty, norm]).all():
                raise Diverged(self.state.epoch, self.state.step, self._done(), rate, list(self.recent))
            sums["loss"] += loss_sum + penalty * count
            sums["correct"] += correct
            sums["count"] += count
            sums["gradient_norm"] += norm
            sums["penalty"] = penalty
            sums["steps"] += 1
            self.state.step += 1

    def _notice_new_rate(self, before: float, factor: float) -> None:
        after = float(self.parts.optimizer.main.learning_rate.numpy())
        if after != before:
            self.state.base_rate = after / factor

    def _notice_stop(self) -> None:
        if self.parts.model.stop_training:
            self.state.stopped = self.state.stopped or "a callback stopped the run"

    def _spend(self, seconds: float, record: StepRecord, compiling: bool) -> None:
        state = self.state
        if compiling:
            again, self.parts.paused_before = self.parts.paused_before, False
            state.seconds["compile"] += 0.0 if again else seconds
            self.compile_seconds = seconds
            return
        state.seconds["train"] += seconds
        state.timed_images += float(record.count.sum())
        share = seconds / len(record.count)
        self.step_seconds = share if self.step_seconds is None else 0.7 * self.step_seconds + 0.3 * share
        if self.config.max_time:
            self._plan()

    def _seconds_left(self) -> float | None:
        """Estimates the rest of the training, by the steps just made."""
        if self.step_seconds is None:
            return None
        sizes, done, total = self.parts.image_sizes, self._done(), self.state.total_steps
        at_full_size = self.step_seconds / sizes.cost(self.state.epoch)
        return at_full_size * (sizes.work(total, self.steps_per_epoch) - sizes.work(done, self.steps_per_epoch))

    def _plan(self) -> None:
        """Plans the schedule to end when the time does, by the steps, evaluations and reports so far."""
        state, sizes, done = self.state, self.parts.image_sizes, self._done()
        spent = sum(state.seconds.values())
        cost = sum(state.seconds[name] for name in ("train", "evaluation", "report"))
        step_seconds = max(cost / sizes.work(done, self.steps_per_epoch), self.step_seconds / sizes.cost(state.epoch))
        planned = self.config.epochs * self.steps_per_epoch
        # How many steps there are decides how many of them are small, and the other way round.
        for _ in range(_PLANS):
            more = sizes.steps_within(
                parse_seconds(self.config.max_time) - spent,
                done=done,
                steps_per_epoch=self.steps_per_epoch,
                step_seconds=step_seconds,
                compile_seconds=self.compile_seconds,
            )
            state.total_steps = min(planned, done + more)
            epochs = -(-state.total_steps // self.steps_per_epoch)
            before, sizes = sizes, sizes.replanned(self.config.early_sizes, epochs, begun=state.epoch + 1)
            if sizes == before:
                break
        self.parts.image_sizes, state.early_sizes = sizes, sizes.early
        if self._done() >= state.total_steps and state.total_steps < planned:
            state.stopped = f"max_time {self.config.max_time} was used up"

    def _end_epoch(self) -> None:
        state = self.state
        logs = self._logs()
        start = time.perf_counter()
        for split in self._splits_to_evaluate():
            logs[f"{split}_loss"], logs[f"{split}_accuracy"] = self.parts.evaluate(split)
        seconds = time.perf_counter() - start
        state.seconds["evaluation"] += seconds
        row = {
            "epoch": state.epoch + 1,
            "learning_rate": float(self.parts.optimizer.main.learning_rate.numpy()),
            "gradient_norm": state.sums["gradient_norm"] / max(1, state.sums["steps"]),
            "train_loss": logs["loss"],
            "train_accuracy": logs["accuracy"],
            "penalty": state.sums["penalty"],
        } | {key: value for key, value in logs.items() if key.startswith(("val_", "test_"))}
        # Callbacks choose and stop by what they see: never by the test split.
        seen = {key: value for key, value in logs.items() if not key.startswith("test_")}
        self.callbacks.on_epoch_end(state.epoch, seen | {"learning_rate": row["learning_rate"]})
        # The schedule sets the rate again when the next epoch begins: it is scaled by what a callback asked for here.
        after = float(self.parts.optimizer.main.learning_rate.numpy())
        state.rate_scale *= after / row["learning_rate"] if row["learning_rate"] else 1.0
        self._notice_stop()
        state.rows.append(row)
        state.epoch, state.step = state.epoch + 1, 0
        self._stop_early()
        self.parts.folder.write_results(state.rows)
        size = {"image_size": self.parts.image_sizes.at(row["epoch"] - 1)} if self.config.early_sizes else {}
        self.parts.folder.log("epoch", **row, **size, seconds=state.seconds, evaluation_seconds=seconds)
        self.parts.progress.epoch(row, state)
        state.seconds["report"] += time.perf_counter() - start - seconds
        self.checkpointer.write_if_due(end_of_epoch=True)

    def _splits_to_evaluate(self) -> list[str]:
        last = self.config.epochs - self.state.epoch <= self.config.test_curve
        return (["val"] if self.parts.validated else []) + (["test"] if last else [])

    def _stop_early(self) -> None:
        patience = self.config.early_stopping
        if patience and self.state.epoch - self.best.best_epoch >= patience:
            self.state.stopped = f"no better validation accuracy for {patience} epochs"

    def _logs(self) -> dict[str, float]:
        sums = self.state.sums
        count = max(1.0, sums["count"])
        return {"loss": sums["loss"] / count, "accuracy": sums["correct"] / count}

    def _done(self) -> int:
        return self.state.epoch * self.steps_per_epoch + self.state.step

    def _factor(self, step: int) -> float:
        """The rate of a step of this epoch, counted from 0, in terms of that of its first."""
        begin = self.state.epoch * self.steps_per_epoch
        return self._scheduled(begin + step) / self._scheduled(begin)

    def _scheduled(self, step: int) -> float:
        return self.schedule(step, self.state.total_steps)
