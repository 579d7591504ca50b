"""Keras optimisers, one for each group of weights that a recipe wants treated in its own way."""

from typing import NamedTuple

import keras
import tensorflow as tf

from kerasnets.training.config import TrainConfig
from kerasnets.training.muon import Muon


class _Group(NamedTuple):
    optimizer: keras.optimizers.Optimizer
    places: list[int]
    scale: float
    decay: float


class GroupedOptimizer:
    """Updates groups of weights, each with its own rate and decay.

    With muon there are three groups: the kernels of convolutions, by `Muon` and without decay; the variables of rank 0
    and 1 (biases, and the scale and offset of normalisation) and the rest (matrices of linear layers), by Nesterov
    momentum. With any other rule the variables of rank 0 and 1 are a group of their own where the config gives them a
    rate or decay of their own, and all else is one group.

    ``main`` is the optimiser that callbacks see. Its rate is that of the schedule, not a multiple, so it may be a Muon
    that has no kernel to update.

    Decay is added to the gradient (decay times weight, as the published reports' framework does), but for adamw, where
    it is decoupled (Loshchilov and Hutter 2019).
    """

    def __init__(self, config: TrainConfig, variables: list):
        groups = _muon_groups(config, variables) if config.optimizer == "muon" else _groups(config, variables)
        self._groups = [group for number, group in enumerate(groups) if group.places or number == 0]
        self.main = self._groups[0].optimizer
        self._coupled = config.optimizer != "adamw"
        self._all = variables
        for group in self._groups:
            group.optimizer.build([variables[place] for place in group.places])

    @property
    def variables(self) -> list:
        """Everything that has to be saved to go on exactly: slots, step counters and rates, in a fixed order."""
        return [variable for group in self._groups for variable in group.optimizer.variables]

    def assign_rate(self, rate: tf.Tensor) -> None:
        """Sets the rate of the next step, in every group."""
        for group in self._groups:
            group.optimizer.learning_rate.assign(rate * group.scale)

    def decayed(self, gradients: list) -> list:
        """Returns the gradients with the coupled weight decay added."""
        if not self._coupled:
            return gradients
        decays = {place: group.decay for group in self._groups for place in group.places}
        return [
            gradient + decays[place] * tf.convert_to_tensor(variable) if decays[place] else gradient
            for place, (gradient, variable) in enumerate(zip(gradients, self._all, strict=True))
        ]

    def apply(self, gradients: list) -> None:
        """Updates the weights, in every replica, by the gradients of all of them, which Keras sums here."""
        for optimizer, places, _, _ in self._groups:
            if places:
                optimizer.apply([gradients[place] for place in places], [self._all[place] for place in places])
            else:  # Keras would not count the step
                optimizer.iterations.assign_add(1)


def _groups(config: TrainConfig, variables: list) -> list[_Group]:
    decay, bias_decay = _decays(config)
    split = config.bias_learning_rate_scale != 1.0 or bias_decay != decay
    small = [place for place, variable in enumerate(variables) if split and len(variable.shape) <= 1]
    rest = [place for place in range(len(variables)) if place not in small]
    return [
        _Group(_make(config, decay), rest, 1.0, decay),
        _Group(_make(config, bias_decay), small, config.bias_learning_rate_scale, bias_decay),
    ]


def _muon_groups(config: TrainConfig, variables: list) -> list[_Group]:
    decay, bias_decay = _decays(config)
    ranks = [len(variable.shape) for variable in variables]
    kernels = [place for place, rank in enumerate(ranks) if rank == 4]
    small = [place for place, rank in enumerate(ranks) if rank <= 1]
    rest = [place for place, rank in enumerate(ranks) if rank > 1 and rank != 4]
    return [
        _Group(Muon(config.learning_rate, config.muon_momentum), kernels, 1.0, 0.0),
        _Group(_nesterov(config), small, config.bias_learning_rate_scale, bias_decay),
        _Group(_nesterov(config), rest, config.head_learning_rate_scale, decay),
    ]


def _decays(config: TrainConfig) -> tuple[float, float]:
    decay = config.weight_decay
    return decay, decay if config.bias_weight_decay is None else config.bias_weight_decay


def _nesterov(config: TrainConfig) -> keras.optimizers.Optimizer:
    return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum, nesterov=True)


def _make(config: TrainConfig, decay: float) -> keras.optimizers.Optimizer:
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum, nesterov=config.nesterov)
    if config.optimizer == "adam":
        return keras.optimizers.Adam(config.learning_rate, beta_1=config.momentum)
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(config.learning_rate, weight_decay=decay, beta_1=config.momentum)
    return keras.optimizers.RMSprop(config.learning_rate, momentum=config.momentum)
