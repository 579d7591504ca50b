"""Where the random numbers of the training stream come from: one seed pair for each (seed, use, epoch)."""

import tensorflow as tf

# Each use of a seed draws from a stream of its own, so that, say, flips never follow from crops.
ORDER_STREAM, CROP_STREAM, FLIP_STREAM, ALTERNATING_STREAM = range(4)
AFFINE_STREAM, POLICY_STREAM, COLOR_STREAM, CUTOUT_STREAM, ERASING_STREAM, MIX_STREAM, GAMMA_STREAM = range(4, 11)
_STREAMS = 8
# Streams from this one on share its first number and are told apart in the second, above all epochs: the pairs of the
# older streams, and with them the results of earlier runs, stay as they are however many streams are added.
_SHARED = 4


def stream_seed(seed: int, stream: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """The seed pair of one stream in one epoch, (2,) int64; different (seed, stream, epoch) give different pairs.

    Args:
        seed: Not negative, below 2**60.
        stream: One of the numbers above.
        epoch: From 0, below 2**32.
    """
    first = int(seed) * _STREAMS + min(stream, _SHARED)
    block = max(stream - _SHARED, 0) << 32
    return tf.stack([tf.constant(first, tf.int64), tf.cast(epoch, tf.int64) + block])


def draw_uniform(num_examples: int, count: int, stream: int, *, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """Numbers in [0, 1), (num_examples, count) float32; row i depends on (seed, stream, epoch, i) alone."""
    return tf.random.stateless_uniform((num_examples, count), stream_seed(seed, stream, epoch), alg="philox")
