"""Why a loss or gradient was not finite: which layer came first, what led up to it, and what to try."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasnets.training.loop_state import Diverged
from kerasnets.training.losses import Loss

# A gradient norm that grew by this factor over the recorded steps is called growing.
_GROWTH = 10.0
_SUSPICIOUS_RATE = {"sgd": 0.5, "muon": 0.5, "rmsprop": 0.01, "adam": 0.01, "adamw": 0.01}


def diagnose(model: keras.Model, batch: tuple, loss: Loss, problem: Diverged, optimizer: str) -> dict[str, Any]:
    """Repeats the step that failed, layer by layer.

    Args:
        model: With the weights from before the step.
        batch: The step's (images, labels, weights), of all replicas together.
        loss: (labels, outputs) -> (batch,).
        problem: What the loop reported.
        optimizer: Its name, to judge the rate by.

    Returns:
        Plain JSON values: ``step``, ``first`` (what was not finite first: input, a layer's output, the loss or a
        gradient), ``learning_rate``, ``gradient_norms`` before, ``cause``, ``try``.
    """
    images, labels, _ = batch
    first = first_not_finite(model, images, labels, loss)
    cause, remedy = likely_cause(first, problem.rate, problem.recent, optimizer)
    return {
        "epoch": problem.epoch + 1,
        "step": problem.step + 1,
        "step_in_epoch": problem.step_in_epoch + 1,
        "first": first,
        "learning_rate": problem.rate,
        "recent_steps": problem.recent,
        "cause": cause,
        "try": remedy,
    }


def first_not_finite(model: keras.Model, images: tf.Tensor, labels: tf.Tensor, loss: Loss) -> dict[str, Any]:
    """Finds the first place, in the order of computation, whose numbers are not finite.

    Returns:
        ``{"place": "input" | "weight" | "layer output" | "loss" | "gradient" | "nowhere", "name": ..., "not_finite":
        count, "largest_input": largest finite absolute value just before}``.
    """
    if _bad(images):
        return {"place": "input", "name": "images", "not_finite": _bad(images), "largest_input": _largest(images)}
    for weight in model.trainable_variables:
        if _bad(weight.numpy()):
            return {"place": "weight", "name": weight.path, "not_finite": _bad(weight.numpy()), "largest_input": None}
    layers = [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]
    probe = keras.Model(model.input, [layer.output for layer in layers])
    probe.input_spec = model.input_spec  # a run with smaller images first has widened it
    with tf.GradientTape() as tape:
        outputs = probe(images, training=True)
        outputs = outputs if isinstance(outputs, list) else [outputs]
        losses = loss(labels, tf.cast(outputs[-1], tf.float32))
        total = tf.reduce_mean(losses)
    before = _largest(images)
    for layer, output in zip(layers, outputs, strict=True):
        if _bad(output):
            return {"place": "layer output", "name": layer.name, "not_finite": _bad(output), "largest_input": before}
        before = _largest(output)
    if _bad(losses):
        return {"place": "loss", "name": "loss", "not_finite": _bad(losses), "largest_input": before}
    gradients = tape.gradient(total, model.trainable_variables)
    # Gradients are computed from the last layer backwards.
    for variable, gradient in reversed(list(zip(model.trainable_variables, gradients, strict=True))):
        if gradient is not None and _bad(gradient):
            return {"place": "gradient", "name": variable.path, "not_finite": _bad(gradient), "largest_input": before}
    return {"place": "nowhere", "name": None, "not_finite": 0, "largest_input": before}


def likely_cause(
    first: dict[str, Any], rate: float, recent: list[dict[str, float]], optimizer: str
) -> tuple[str, list[str]]:
    """Judges what is known.

    Returns:
        The likely cause in one sentence, and what to try, most promising first.
    """
    lower = f"a lower rate: --learning-rate {rate / 10:g}"
    if first["place"] == "input":
        return "The images themselves hold numbers that are not finite.", [
            "the data: a normalisation_std of 0, or bad files"
        ]
    if first["place"] == "loss":
        return "The loss took the logarithm of zero or overflowed.", ["--loss cross_entropy on logits", lower]
    norms = [step["gradient_norm"] for step in recent if np.isfinite(step["gradient_norm"])]
    growing = len(norms) > 1 and norms[-1] > _GROWTH * max(min(norms), 1e-12)
    if growing or rate >= _SUSPICIOUS_RATE[optimizer] or len(recent) <= 3:
        grown = f", and the gradient norm grew from {min(norms):.3g} to {norms[-1]:.3g}" if growing else ""
        reason = f"The learning rate {rate:g} is too high: the weights ran away{grown}."
        return reason, [lower, "a warm-up: --warmup-epochs 1", "a network with batch normalisation"]
    return (
        "The numbers overflowed at a rate that is not high in itself.",
        [lower, "--precision float32", "a network with batch normalisation"],
    )


def describe(diagnosis: dict[str, Any]) -> str:
    """Writes a diagnosis as lines for the screen."""
    first = diagnosis["first"]
    place = {
        "layer output": f"the output of layer {first['name']}",
        "gradient": f"the gradient of {first['name']}",
        "nowhere": "the sum over the batch",
    }.get(first["place"], f"the {first['place']} {first['name']}")
    norms = ", ".join(f"{step['gradient_norm']:.3g}" for step in diagnosis["recent_steps"][-6:-1]) or "none"
    return (
        f"Training stopped in epoch {diagnosis['epoch']}, step {diagnosis['step_in_epoch']}: {place} was the first "
        f"that is not finite.\nLearning rate {diagnosis['learning_rate']:g}; gradient norms before: {norms}.\n"
        f"Likely cause: {diagnosis['cause']}\nTry: {'; '.join(diagnosis['try'])}."
    )


def _bad(values) -> int:
    return int(np.size(values) - np.isfinite(np.asarray(tf.cast(values, tf.float32))).sum())


def _largest(values) -> float:
    array = np.abs(np.asarray(tf.cast(values, tf.float32)))
    return float(array[np.isfinite(array)].max(initial=0.0))
