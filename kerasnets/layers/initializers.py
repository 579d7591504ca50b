"""Initial weights that Keras lacks."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable(package="kerasnets")
class PartialIdentity(keras.initializers.Initializer):
    """Convolution kernels that hand the first input channels through, the other filters drawn uniformly.

    Filter i is 1 at the middle of channel i and 0 elsewhere, for i below the smaller of the two channel numbers; the
    filters beyond are uniform in +-1 / sqrt(fan_in).

    Args:
        seed: Of the drawn filters; None takes one from Python's generator, as Keras's initialisers do.

    Source: Jordan 2024, https://arxiv.org/abs/2404.00498, section 3.2 ("dirac" initialisation).
    """

    def __init__(self, seed: int | None = None):
        self.seed = keras.initializers.RandomUniform(seed=seed).seed

    def __call__(self, shape, dtype=None):
        """Returns a kernel of shape (height, width, channels in, channels out)."""
        height, width, channels_in, channels_out = shape
        limit = (height * width * channels_in) ** -0.5
        drawn = keras.initializers.RandomUniform(-limit, limit, seed=self.seed)(shape, dtype)
        handed = min(channels_in, channels_out)
        middle = tf.one_hot(height // 2 * width + width // 2, height * width, dtype=drawn.dtype)
        identity = middle[:, None, None] * tf.eye(channels_in, channels_out, dtype=drawn.dtype)
        identity = tf.reshape(identity, shape)
        return tf.where(tf.range(channels_out) < handed, identity, drawn)

    def get_config(self):
        """Returns the arguments of the constructor."""
        return {"seed": self.seed}
