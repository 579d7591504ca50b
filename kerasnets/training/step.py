"""Many optimisation steps inside one compiled call, on one device or under a strategy."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from kerasnets.training.losses import Loss, main_labels
from kerasnets.training.optimizers import GroupedOptimizer

# A step's random layers draw at most this many times before they would meet the next step's numbers.
_DRAWS_PER_STEP = 64


class StepRecord(NamedTuple):
    """What a call reports, each (steps,) float32 with one entry a step that was begun.

    Attributes:
        loss_sum: Sum of the examples' losses.
        correct: Examples classified correctly, by the weights before the step; of a mixed label the class with the
            largest share counts.
        count: Examples.
        penalty: What the network's regularisers add to the mean loss of the step.
        gradient_norm: Norm of the whole gradient. Only the last entry may be not finite; that step was not applied.
    """

    loss_sum: np.ndarray
    correct: np.ndarray
    count: np.ndarray
    penalty: np.ndarray
    gradient_norm: np.ndarray


def seed_states(model) -> list:
    """Returns the state variables of the random layers (dropout and the like), which `model.weights` leaves out."""
    kept = {id(variable) for variable in model.weights}
    return [variable for variable in model.variables if id(variable) not in kept]


def reseed(states: list, seed: int, step: tf.Tensor, replica: tf.Tensor, replicas: int) -> None:
    """Makes what random layers draw a function of (seed, layer, step, replica), whatever happened before."""
    place = (step * replicas + replica) * _DRAWS_PER_STEP
    for number, state in enumerate(states):
        start = tf.stack([tf.constant((seed * 1009 + number) % 2**31, tf.int64), place % 2**31])
        state.assign(tf.cast(start, state.dtype))


def make_gradients(model, optimizer: GroupedOptimizer, loss: Loss, replicas: int, seed: int) -> Callable:
    """Returns the part of a step that runs in every replica: (batch, step) -> gradients and sums over all replicas."""
    states = seed_states(model)

    def gradients_of(batch, step):
        images, labels, weights = batch
        context = tf.distribute.get_replica_context()
        replica = tf.cast(context.replica_id_in_sync_group, tf.int64) if replicas > 1 else tf.constant(0, tf.int64)
        reseed(states, seed, step, replica, replicas)
        count = context.all_reduce(tf.distribute.ReduceOp.SUM, tf.reduce_sum(weights))
        with tf.GradientTape() as tape:
            outputs = tf.cast(model(images, training=True), tf.float32)
            loss_sum = tf.reduce_sum(loss(labels, outputs) * weights)
            penalty = tf.add_n(model.losses) if model.losses else tf.constant(0.0)
            objective = loss_sum / count + penalty / replicas
        right = tf.cast(tf.argmax(outputs, axis=-1, output_type=tf.int32) == main_labels(labels), tf.float32)
        local = (tape.gradient(objective, model.trainable_variables), loss_sum, tf.reduce_sum(right * weights))
        gradients, loss_sum, correct = context.all_reduce(tf.distribute.ReduceOp.SUM, local)
        sums = tf.stack([loss_sum, correct, count, penalty, tf.linalg.global_norm(gradients)])
        return optimizer.decayed(gradients), sums

    return gradients_of


def make_train_steps(
    model,
    optimizer: GroupedOptimizer,
    loss: Loss,
    strategy: tf.distribute.Strategy,
    iterator: Iterator,
    *,
    seed: int,
    averages: list,
    decay: float,
) -> Callable[[list[float], int], StepRecord]:
    """Compiles the training loop.

    The gradient is that of the sum of the examples' losses over the whole global batch, divided by its size: no average
    of averages, so a small last batch or an uneven split over replicas changes nothing. A step whose loss or gradient
    is not finite is not applied and ends the call.

    Args:
        model: Network from normalised images to logits or probabilities.
        optimizer: Built on the model's trainable variables.
        loss: (labels, outputs) -> (batch,).
        strategy: Where the replicas live.
        iterator: Gives (images, labels, weights) to each replica of each step, without end.
        seed: Of the random layers.
        averages: Variables that hold the moving average of `model.weights`, or an empty list.
        decay: Decay a step of the moving average.

    Returns:
        A function of (rates, first step) that runs as many steps as there are rates.
    """
    replicas = strategy.num_replicas_in_sync
    gradients_of = make_gradients(model, optimizer, loss, replicas, seed)

    def update(gradients):
        # Keras sums over the replicas once more, and every replica holds the whole sum already.
        optimizer.apply([gradient / replicas for gradient in gradients] if replicas > 1 else gradients)
        if averages:
            for average, variable in zip(averages, model.weights, strict=True):
                average.assign(average * decay + tf.cast(variable, average.dtype) * (1.0 - decay))

    # TensorFlow keeps every graph with a custom gradient in it (an optimiser's sum over replicas has one) until the
    # process ends. The iterator, which holds all the images, comes as an argument, so that the graph does not keep it.
    signature = [tf.TensorSpec([None], tf.float32), tf.TensorSpec([], tf.int64), tf.type_spec_from_value(iterator)]

    @tf.function(input_signature=signature)
    def train_steps(rates, first_step, batches):
        table = tf.TensorArray(tf.float32, size=0, dynamic_size=True, element_shape=[5])
        done = 0
        finite = True
        while done < tf.size(rates) and finite:
            step = first_step + tf.cast(done, tf.int64)
            gradients, sums = strategy.run(gradients_of, args=(next(batches), step))
            sums = strategy.experimental_local_results(sums)[0]
            finite = tf.reduce_all(tf.math.is_finite(sums))
            # The condition stands outside the replicas: inside one, the optimiser could not reach the others.
            if finite:
                with strategy.scope():
                    optimizer.assign_rate(rates[done])
                strategy.run(update, args=(gradients,))
            table = table.write(done, sums)
            done += 1
        return table.stack()

    def call(rates: list[float], first_step: int) -> StepRecord:
        table = train_steps(tf.constant(rates, tf.float32), tf.constant(first_step, tf.int64), iterator)
        return StepRecord(*table.numpy().T)

    return call
