"""Learning-rate schedules: pure functions of (step, total steps), so that any step's rate can be computed again."""

import math
from collections.abc import Callable

from kerasnets.training.config import TrainConfig

# Where triangular and one_cycle reach their peak when warmup_epochs is 0.
_PEAK = {"triangular": 0.23, "one_cycle": 0.3}
_START = {"triangular": 0.2, "one_cycle": 0.04}
# Many epochs of a steep decay would reach 0, and a rate of 0 can no longer be compared with another.
_LEAST = 1e-30

Schedule = Callable[[int, int], float]


def make_schedule(config: TrainConfig, steps_per_epoch: int) -> Schedule:
    """Returns ``rate(step, total_steps)``, the learning rate of a step counted from 0.

    With w warm-up steps and p = (step - w) / (total_steps - w) in [0, 1):

    * constant: learning_rate.
    * step: learning_rate * schedule_decay ** epoch, the factor not below 1e-30.
    * linear: from learning_rate straight down to final * learning_rate in p.
    * cosine: from learning_rate down to final * learning_rate along half a cosine in p.
    * triangular: from 0.2 of the rate straight up to the peak, straight down to final (the shape of cifar10-airbench).
    * one_cycle: from 0.04 of the rate up to the peak and down to final, both along half a cosine
      (Smith and Topin 2018, the two-phase form).

    Warm-up multiplies constant, step, linear and cosine by (step + 1) / (w + 1), so that no rate is ever 0.

    Args:
        config: Shape, highest rate and warm-up.
        steps_per_epoch: Steps of one pass over the training images.
    """
    warmup = config.warmup_epochs * steps_per_epoch
    peak, final = config.learning_rate, config.final_learning_rate_scale

    def rising(step: int) -> float:
        return min(1.0, (step + 1) / (warmup + 1)) if warmup else 1.0

    def progress(step: int, total: int) -> float:
        return min(1.0, max(0.0, (step - warmup) / max(1.0, total - warmup)))

    def constant(step: int, total: int) -> float:
        return peak * rising(step)

    def step_decay(step: int, total: int) -> float:
        return peak * rising(step) * max(_LEAST, config.schedule_decay ** (step // steps_per_epoch))

    def linear(step: int, total: int) -> float:
        return peak * rising(step) * _straight(1.0, final, progress(step, total))

    def cosine(step: int, total: int) -> float:
        return peak * rising(step) * _half_cosine(1.0, final, progress(step, total))

    def two_phases(step: int, total: int) -> float:
        top = warmup or _PEAK[config.schedule] * total
        between = _straight if config.schedule == "triangular" else _half_cosine
        if step < top:
            return peak * between(_START[config.schedule], 1.0, step / top)
        return peak * between(1.0, final, min(1.0, (step - top) / max(1.0, total - top)))

    shapes = {"constant": constant, "step": step_decay, "linear": linear, "cosine": cosine}
    return shapes.get(config.schedule, two_phases)


def _straight(start: float, end: float, share: float) -> float:
    return start + (end - start) * share


def _half_cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
