"""Training losses an example: (labels, outputs) -> (batch,) float32, never averaged, so that sums stay exact."""

from collections.abc import Callable

import tensorflow as tf

from kerasnets.errors import InputError

Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def is_mixed(labels: tf.Tensor) -> bool:
    """Whether labels are shares of all classes, (batch, num_classes) float32, and not positions, (batch,) int32."""
    return len(labels.shape) == 2


def main_labels(labels: tf.Tensor) -> tf.Tensor:
    """The class with the largest share, (batch,) int32, the first of several; positions stay as they are."""
    return tf.argmax(labels, axis=-1, output_type=tf.int32) if is_mixed(labels) else labels


def make_loss(name: str, output_kind: str, num_classes: int, label_smoothing: float = 0.0) -> Loss:
    """Returns a loss of one example.

    Args:
        name: ``cross_entropy`` takes the network's output as logits, whatever it is; ``mse`` is the squared error of
            the probabilities, averaged over the classes; ``cross_entropy_on_probabilities`` feeds probabilities to a
            loss that takes logits, the mistake that report tiny-leaky made without knowing; ``cross_entropy_unstable``
            is -log(exp(z_y) / sum(exp(z))) as written, which is inf or NaN in float32 where a logit passes 88.7 or the
            right one lies some 90 below it, the mistake that report from-scratch warns of.
        output_kind: ``"logits"`` or ``"probabilities"``: what the network gives.
        num_classes: Width of the output.
        label_smoothing: Share of the target spread over all classes, in [0, 1).

    Returns:
        A function of labels, (batch,) int32 or (batch, num_classes) float32 of shares that sum to 1, and outputs
        (batch, num_classes) float32.

    Raises:
        InputError: The loss is unknown.
    """

    def probabilities(outputs):
        return outputs if output_kind == "probabilities" else tf.nn.softmax(outputs)

    def shares(labels):
        return labels if is_mixed(labels) else tf.one_hot(labels, num_classes)

    def cross_entropy(labels, outputs):
        if not label_smoothing and not is_mixed(labels):
            return tf.nn.sparse_softmax_cross_entropy_with_logits(labels, outputs)
        targets = shares(labels)
        if label_smoothing:
            targets = targets * (1.0 - label_smoothing) + label_smoothing / num_classes
        return tf.nn.softmax_cross_entropy_with_logits(targets, outputs)

    def mse(labels, outputs):
        return tf.reduce_mean(tf.square(probabilities(outputs) - shares(labels)), axis=-1)

    def cross_entropy_on_probabilities(labels, outputs):
        return cross_entropy(labels, probabilities(outputs))

    def cross_entropy_unstable(labels, outputs):
        exponentials = tf.exp(outputs)
        guesses = exponentials / tf.reduce_sum(exponentials, axis=-1, keepdims=True)
        if is_mixed(labels):
            return -tf.reduce_sum(labels * tf.math.log(guesses), axis=-1)
        return -tf.math.log(tf.gather(guesses, labels, batch_dims=1))

    losses = {
        "cross_entropy": cross_entropy,
        "mse": mse,
        "cross_entropy_on_probabilities": cross_entropy_on_probabilities,
        "cross_entropy_unstable": cross_entropy_unstable,
    }
    if name not in losses:
        raise InputError(f"loss must be one of {', '.join(losses)}. Received: {name!r}.")
    return losses[name]


def evaluated_loss(name: str, output_kind: str) -> str:
    """Names the loss that an evaluation has to compute to report the same quantity as training.

    Cross entropy over a network that already gives probabilities is, whatever it is called, the loss that squashes
    twice. An evaluation computes in its own stable way from log-probabilities what the unstable form means.
    """
    name = "cross_entropy" if name == "cross_entropy_unstable" else name
    return "cross_entropy_on_probabilities" if (name, output_kind) == ("cross_entropy", "probabilities") else name
