"""A training loop without TensorFlow's part in it: steps and evaluations are made up, everything else is real."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest

from kerasnets.runs.folder import RunFolder
from kerasnets.training.config import TrainConfig, config_to_yaml
from kerasnets.training.image_sizes import ImageSizes
from kerasnets.training.interrupt import SignalFlag
from kerasnets.training.loop import TrainingLoop
from kerasnets.training.loop_state import LoopState, Parts
from kerasnets.training.optimizers import GroupedOptimizer
from kerasnets.training.progress import Silent
from kerasnets.training.state import make_averages
from kerasnets.training.step import StepRecord


class FakeRun:
    """One run of four steps an epoch (batches of 3, 3, 3 and 1 examples).

    In step k, counted from 0 over the whole run, the weight becomes k + 1, the loss of each example is
    `losses.get(k, 1)`, and `before_step` is called. Evaluations answer what is next in `answers`.

    Attributes:
        made: (epoch, step) of every time that the steps were made.
        sides: The image size that they were made for.
        calls: (rates, first step) of every call of steps.
        evaluated: (epochs completed, split) of every evaluation.
        seconds: What a step at full size, a first call and an evaluation take on the clock that the loop sees.
    """

    sizes = (3, 3, 3, 1)

    def __init__(self, folder: RunFolder, config: TrainConfig, callbacks):
        self.made, self.sides, self.calls, self.evaluated, self.losses, self.answers = [], [], [], [], {}, []
        self.before_step = lambda step: None
        self.now, self.seconds = 0.0, {"step": 1.0, "compile": 0.0, "evaluation": 0.0}
        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
        optimizer = GroupedOptimizer(config, model.trainable_variables)
        model.compile(optimizer=optimizer.main)
        model.set_weights([np.zeros((1, 1))])
        self.parts = Parts(
            config=config,
            folder=folder,
            model=model,
            optimizer=optimizer,
            averages=make_averages(model, config.ema),
            make_steps=self.make_steps,
            steps_per_epoch=len(self.sizes),
            image_sizes=ImageSizes.planned(config.early_sizes, config.epochs, 32),
            evaluate=self.evaluate,
            validated=config.validation > 0,
            callbacks=list(callbacks),
            progress=Silent(),
            meta={"sizes": {"weights": 1}, "data": {"bad_files": 0}},
        )
        self.flag = SignalFlag()
        self.state = LoopState(total_steps=config.epochs * len(self.sizes))
        self.state.seconds["setup"] = 0.0

    def loop(self) -> TrainingLoop:
        """Makes the loop, which takes up what the folder holds."""
        return TrainingLoop(self.parts, self.state, self.flag)

    def run(self) -> "FakeRun":
        """Makes the loop and runs it to the end."""
        self.loop().run()
        return self

    @property
    def rates(self) -> list[float]:
        """The rate of every step so far."""
        return [rate for rates, _ in self.calls for rate in rates]

    @property
    def weight(self) -> float:
        return float(self.parts.model.get_weights()[0][0, 0])

    def make_steps(self, epoch, step, size):
        self.made.append((epoch, step))
        self.sides.append(size)
        self.now += self.seconds["compile"]
        return self.steps

    def steps(self, rates, first):
        self.calls.append((rates, first))
        rows = []
        for step, rate in enumerate(rates, start=first):
            self.before_step(step)
            self.now += self.seconds["step"] * self.parts.image_sizes.cost(step // len(self.sizes))
            size, loss = self.sizes[step % 4], self.losses.get(step, 1.0)
            rows.append((loss * size, size - 1, size, 0.25, 10.0 + step))
            if not np.isfinite(loss):
                break
            self.parts.optimizer.assign_rate(np.float32(rate))
            self.parts.model.set_weights([np.full((1, 1), step + 1.0)])
        return StepRecord(*np.array(rows, np.float32).T)

    def evaluate(self, split):
        self.now += self.seconds["evaluation"]
        self.evaluated.append((self.state.epoch, split))
        return self.answers.pop(0)


@pytest.fixture
def fake_run(tmp_path, monkeypatch):
    """Makes a `FakeRun` in a fresh folder, or, given a `FakeRun`, another process's view of its folder."""
    opened = []
    monkeypatch.setattr("os.fsync", lambda descriptor: None)  # hundreds of small files, none of them worth the wait

    def make(before: FakeRun | None = None, callbacks=(), **settings) -> FakeRun:
        if before:
            before.parts.folder.close()
            folder, config = RunFolder.open(before.parts.folder.path), before.parts.config.replace(**settings)
        else:
            settings = {"epochs": 2, "batch_size": 3, "learning_rate": 0.5, "checkpoint_seconds": 1e6} | settings
            config = TrainConfig(dataset="digits", arch="lazynet", **settings)
            folder = RunFolder.create(tmp_path, "run", config_to_yaml(config))
        opened.append(folder)
        run = FakeRun(folder, config, callbacks)
        for module in ("loop", "checkpointing"):
            clock = SimpleNamespace(perf_counter=lambda: run.now)
            monkeypatch.setattr(f"kerasnets.training.{module}.time", clock)
        return run

    yield make
    for folder in opened:
        folder.close()
