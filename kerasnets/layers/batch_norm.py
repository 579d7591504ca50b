"""Batch normalisation by TensorFlow's fused kernel or along rows: Keras's arithmetic in less than half the time."""

import keras
import tensorflow as tf

FUSED_DTYPES = ("float32", "bfloat16", "float16")
# oneDNN's kernel is slow, and for float32 coarse, unless the channels are a multiple of these.
_KERNEL_CHANNELS = {"float32": 4, "bfloat16": 16}


@keras.saving.register_keras_serializable(package="kerasnets")
class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` through the fused kernel where that applies.

    Arguments, weights and results are those of the Keras layer (results to rounding). Keras 3 computes moments and
    normalises in separate operations, in float32 even when the data are bfloat16. The fused kernel reads and writes the
    data in their own type and keeps the statistics in float32. It serves images `(batch, height, width, channels)`.

    Everything else goes through the Keras layer: other ranks and axes, masks, float64, renormalisation, and
    strategies of several replicas, where the statistics are summed over all replicas. (The kernel would normalise
    each replica's part by itself, and the moving statistics of the replicas would drift apart.) Whether there are
    several replicas is decided where the weights are created, in the strategy's scope; the argument `synchronized` is
    ignored.

    On a CPU the kernel falls back to a slow loop, which also loses digits of the variance, for float32 with channels
    that are no multiple of 4 and for bfloat16 with channels that are no multiple of 16. There `batch_normalize_rows`
    stands in for it in training: 2.8 to 5 times as fast in float32 (1.2 with a single channel), 3 to 18 times in
    bfloat16, forward and backward together, for maps of 4 to 128 images on one core of a Zen 4.

    Two traps of the kernel: it returns the variance with Bessel's correction n / (n - 1), which is undone because
    Keras averages the plain variance; and TensorFlow's wrapper of it raises epsilon to 1.001e-5, so the raw operation
    is used.

    Source: Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 1; moving variance as in Keras.
    """

    def build(self, input_shape):
        self.synchronized = tf.distribute.get_strategy().num_replicas_in_sync > 1
        super().build(input_shape)

    def call(self, inputs, training=None, mask=None):
        """Normalises `inputs`.

        Args:
            inputs: `(batch, height, width, channels)` for the fused kernel; any other rank as in Keras.
            training: True normalises by the batch's statistics and updates the moving ones, False by the moving ones.
            mask: As in Keras; a mask excludes the fused kernel.

        Returns:
            A tensor of the shape of `inputs`, in the layer's compute dtype.
        """
        if not self._can_fuse(inputs, mask):
            return super().call(inputs, training=training, mask=mask)
        inputs = tf.cast(inputs, self.compute_dtype)
        use_batch = bool(training) and self.trainable
        channels = inputs.shape[-1]
        scale = tf.convert_to_tensor(self.gamma) if self.scale else tf.ones([channels])
        offset = tf.convert_to_tensor(self.beta) if self.center else tf.zeros([channels])
        if use_batch and _is_slow_in_the_kernel(inputs):
            outputs, mean, variance = batch_normalize_rows(inputs, scale, offset, self.epsilon)
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance)
            return outputs
        outputs, mean, variance, *_ = tf.raw_ops.FusedBatchNormV3(
            x=inputs,
            scale=scale,
            offset=offset,
            mean=tf.zeros([0]) if use_batch else tf.convert_to_tensor(self.moving_mean),
            variance=tf.zeros([0]) if use_batch else tf.convert_to_tensor(self.moving_variance),
            epsilon=self.epsilon,
            is_training=use_batch,
        )
        if use_batch:
            count = tf.cast(tf.size(inputs) // channels, "float32")
            self._move(self.moving_mean, mean)
            self._move(self.moving_variance, variance * ((count - 1.0) / count))
        return outputs

    def _can_fuse(self, inputs, mask) -> bool:
        return (
            len(inputs.shape) == 4
            and self.axis in (-1, 3)
            and mask is None
            and not self.renorm
            and not self.synchronized
            and self.compute_dtype in FUSED_DTYPES
            and self.variable_dtype == "float32"
        )

    def _move(self, statistic, value) -> None:
        statistic.assign(statistic * self.momentum + value * (1.0 - self.momentum))


def _is_slow_in_the_kernel(inputs: tf.Tensor) -> bool:
    multiple = _KERNEL_CHANNELS.get(inputs.dtype.name, 1)
    return (
        inputs.shape[-1] % multiple > 0 and inputs.shape[2] is not None and not tf.config.list_physical_devices("GPU")
    )


def batch_normalize_rows(
    inputs: tf.Tensor, scale: tf.Tensor, offset: tf.Tensor, epsilon: float
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Normalises by the batch's statistics, in operations along whole rows of a map.

    A row of a map holds width x channels values. With scale and offset repeated for every place in it, each operation
    runs over long rows, whatever the number of channels. Computed in float32; the variance is the mean square of what
    the mean has been taken from, so a large mean costs it no digits.

    Args:
        inputs: `(batch, height, width, channels)`, float32 or bfloat16, width and channels known.
        scale: `(channels,)` float32.
        offset: `(channels,)` float32.
        epsilon: Added to the variance.

    Returns:
        The outputs, of shape and type of `inputs`, and the batch's mean and variance (without Bessel's correction),
        each `(channels,)` float32. As with the kernel, no gradient flows through the last two.
    """
    width, channels = inputs.shape[2:]

    def as_rows(maps):
        return tf.cast(tf.reshape(maps, [-1, width * channels]), tf.float32)

    def along_row(values):
        return tf.tile(values, [width])

    def sum_of(rows):
        return tf.reduce_sum(tf.reshape(tf.reduce_sum(rows, axis=0), [width, channels]), axis=0)

    @tf.custom_gradient
    def normalize(inputs, scale, offset):
        shape, rows = tf.shape(inputs), as_rows(inputs)
        count = tf.cast(tf.shape(rows)[0] * width, tf.float32)
        mean = sum_of(rows) / count
        centred = rows - along_row(mean)
        variance = sum_of(tf.square(centred)) / count
        inverse = tf.math.rsqrt(variance + epsilon)
        outputs = centred * along_row(inverse * scale) + along_row(offset)

        def gradients(gradient, *_):
            gradient = as_rows(gradient)
            to_offset = sum_of(gradient)
            to_scale = sum_of(gradient * centred) * inverse
            factor = inverse * scale
            to_rows = gradient * along_row(factor) - centred * along_row(factor * inverse * to_scale / count)
            to_rows -= along_row(factor * to_offset / count)
            return tf.cast(tf.reshape(to_rows, shape), inputs.dtype), to_scale, to_offset

        return (tf.cast(tf.reshape(outputs, shape), inputs.dtype), mean, variance), gradients

    return normalize(inputs, scale, offset)
