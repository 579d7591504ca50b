"""Keras optimisers, one for the weights and, where a recipe wants it, one for biases and normalisation weights."""

import keras
import tensorflow as tf

from kerasnets.training.config import TrainConfig


class GroupedOptimizer:
    """Updates two groups of weights, each with its own rate and decay.

    The second group holds the variables of rank 0 and 1 (biases, and the scale and offset of normalisation); it is
    empty unless the config gives it a rate or decay of its own. ``main`` is the optimiser that callbacks see.

    Decay is added to the gradient (decay times weight, as the published reports' framework does), but for adamw, where
    it is decoupled (Loshchilov and Hutter 2019).
    """

    def __init__(self, config: TrainConfig, variables: list):
        decay = config.weight_decay
        bias_decay = decay if config.bias_weight_decay is None else config.bias_weight_decay
        split = config.bias_learning_rate_scale != 1.0 or bias_decay != decay
        self._small = [split and len(variable.shape) <= 1 for variable in variables]
        self.main = _make(config, decay)
        self._groups = [(self.main, False, 1.0, decay)]
        if any(self._small):
            other = _make(config, bias_decay)
            self._groups.append((other, True, config.bias_learning_rate_scale, bias_decay))
        self._coupled = config.optimizer != "adamw"
        self._all = variables
        for optimizer, small, _, _ in self._groups:
            optimizer.build(self._pick(variables, small))

    @property
    def variables(self) -> list:
        """Everything that has to be saved to go on exactly: slots, step counters and rates, in a fixed order."""
        return [variable for optimizer, *_ in self._groups for variable in optimizer.variables]

    def assign_rate(self, rate: tf.Tensor) -> None:
        """Sets the rate of the next step, in every group."""
        for optimizer, _, scale, _ in self._groups:
            optimizer.learning_rate.assign(rate * scale)

    def decayed(self, gradients: list) -> list:
        """Returns the gradients with the coupled weight decay added."""
        if not self._coupled:
            return gradients
        decays = [next(decay for _, group, _, decay in self._groups if group == small) for small in self._small]
        return [
            gradient + decay * tf.convert_to_tensor(variable) if decay else gradient
            for gradient, variable, decay in zip(gradients, self._all, decays, strict=True)
        ]

    def apply(self, gradients: list) -> None:
        """Updates the weights, in every replica, by the gradients of all of them, which Keras sums here."""
        for optimizer, small, _, _ in self._groups:
            optimizer.apply(self._pick(gradients, small), self._pick(self._all, small))

    def _pick(self, items: list, small: bool) -> list:
        return [item for item, is_small in zip(items, self._small, strict=True) if is_small == small]


def _make(config: TrainConfig, decay: float) -> keras.optimizers.Optimizer:
    if config.optimizer == "sgd":
        return keras.optimizers.SGD(config.learning_rate, momentum=config.momentum, nesterov=config.nesterov)
    if config.optimizer == "adam":
        return keras.optimizers.Adam(config.learning_rate, beta_1=config.momentum)
    if config.optimizer == "adamw":
        return keras.optimizers.AdamW(config.learning_rate, weight_decay=decay, beta_1=config.momentum)
    return keras.optimizers.RMSprop(config.learning_rate, momentum=config.momentum)
