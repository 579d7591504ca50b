"""Where a run is, what it works with, and how it says that its numbers broke down."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import keras

from kerasnets.runs.folder import RunFolder
from kerasnets.training.config import TrainConfig
from kerasnets.training.image_sizes import ImageSizes
from kerasnets.training.optimizers import GroupedOptimizer
from kerasnets.training.step import StepRecord
from kerasnets.training.until import Until

_SECONDS = ("setup", "compile", "train", "evaluation", "checkpoint", "report")


class Diverged(Exception):
    """A step's loss or gradient was not finite; ``step`` counts from 0 over the whole run."""

    def __init__(self, epoch: int, step_in_epoch: int, step: int, rate: float, recent: list[dict[str, float]]):
        super().__init__(f"loss or gradient not finite in epoch {epoch + 1}, step {step_in_epoch + 1}")
        self.epoch, self.step_in_epoch, self.step, self.rate, self.recent = epoch, step_in_epoch, step, rate, recent


class Paused(Exception):
    """The run has come to where it was to pause, and its checkpoint is written."""


@dataclass
class LoopState:
    """Where a run is. Everything here goes into the checkpoint.

    Attributes:
        epoch: Epochs completed.
        step: Steps completed in the present epoch.
        total_steps: Steps that the schedule is planned for.
        base_rate: Rate that the epoch began with (a callback may have changed it).
        rate_scale: What the callbacks have multiplied the rate with at the ends of epochs; it scales the schedule.
        sums: Of the present epoch: loss, correct, count, penalty (of the last step), gradient_norm and steps.
        rows: One dictionary an epoch, the content of ``results.csv``.
        seconds: Spent so far, by what it was spent on.
        timed_images: Images trained on in ``seconds["train"]``, which leaves out each first, compiling step.
        early_sizes: The early image sizes as planned by now, see `ImageSizes.early`; None until a plan was changed.
        best: File of the best weights, with its epoch, or None.
        stopped: Why the run ended before its last epoch, or None.
    """

    total_steps: int
    epoch: int = 0
    step: int = 0
    base_rate: float = 0.0
    rate_scale: float = 1.0
    sums: dict[str, float] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_SECONDS, 0.0))
    timed_images: float = 0.0
    early_sizes: list[list[int]] | None = None
    best: dict[str, Any] | None = None
    stopped: str | None = None


@dataclass(kw_only=True)
class Parts:
    """What the loop works with, made by `kerasnets.training.train`.

    Attributes:
        make_steps: (epoch, step, image size) -> the function that runs steps from there on.
        validated: Whether there is a validation split.
        image_sizes: What they are; with max_time the loop plans them anew.
        until: Where to pause; None goes on to the end.
        paused_before: Whether the run goes on from a pause. What that makes necessary again, such as compiling, is not
            counted in its time.
    """

    config: TrainConfig
    folder: RunFolder
    model: keras.Model
    optimizer: GroupedOptimizer
    averages: list
    make_steps: Callable[[int, int, int], Callable[[list[float], int], StepRecord]]
    steps_per_epoch: int
    image_sizes: ImageSizes
    evaluate: Callable[[str], tuple[float, float]]
    validated: bool
    callbacks: list
    progress: Any
    meta: dict[str, Any]
    until: Until | None = None
    paused_before: bool = False
