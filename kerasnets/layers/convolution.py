"""A convolution whose gradients are computed in the way that is fastest for its shape."""

import functools

import keras
import tensorflow as tf

from kerasnets.layers.interleaved import choose_images, convolve_interleaved
from kerasnets.layers.processor import has_amx
from kerasnets.layers.weight_gradient import choose_algorithm


@keras.saving.register_keras_serializable(package="kerasnets")
class Convolution(keras.layers.Conv2D):
    """`keras.layers.Conv2D` with faster training on a CPU.

    Arguments, weights and their paths are those of the Keras layer, results and gradients too, to rounding. See
    `weight_gradient` for what is done with the kernel's gradient. Where the CPU has AMX, the gradient of bfloat16
    inputs is computed as a convolution too, with the kernel turned round and its channels swapped: reported from one
    such machine, convolutions reach 2,300 to 3,350 GFLOP/s and the library's operation 750 to 1,830; on another (Intel
    Xeon, 11 shapes) they were equally fast, 0.97 to 1.02 times. On small maps these gradients, and in training the
    convolutions, are computed as `interleaved` says; in inference not, because one image would cost what 16 do.

    Everything for which nothing faster is known goes through the Keras layer: strides, dilation, groups, padding
    "valid", even kernels, channels first, maps of unknown size, other formats than float32 and bfloat16, and GPUs.
    """

    def __init__(self, *args, name: str | None = None, **kwargs):
        if name is None:  # named, and counted, as the Keras layer, so that the weights have the same paths
            number = keras.backend.get_uid("conv2d")
            name = f"conv2d_{number - 1}" if number > 1 else "conv2d"
        super().__init__(*args, name=name, **kwargs)
        self._in_training = False

    def call(self, inputs, training=None):
        """Returns the activation of the convolution of `inputs` `(batch, height, width, channels)`, with its bias."""
        self._in_training = training is True
        return super().call(inputs)

    def convolution_op(self, inputs, kernel):
        """Returns the convolution of `inputs` `(batch, height, width, channels)` with `kernel`, without bias."""
        if not self._can_choose(inputs):
            return super().convolution_op(inputs, kernel)
        convolve = _convolve_in_training if self._in_training else _convolve
        return convolve(tf.convert_to_tensor(inputs), tf.convert_to_tensor(kernel))

    def _can_choose(self, inputs) -> bool:
        return (
            self.strides == (1, 1)
            and self.padding == "same"
            and self.dilation_rate == (1, 1)
            and self.groups == 1
            and self.data_format == "channels_last"
            and all(side % 2 for side in self.kernel_size)
            and len(inputs.shape) == 4
            and None not in inputs.shape[1:]
            and inputs.dtype in (tf.float32, tf.bfloat16)
            and not _has_gpu()
        )


@tf.custom_gradient
def _convolve(inputs, kernel):
    return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME"), _gradients(inputs, kernel)


@tf.custom_gradient
def _convolve_in_training(inputs, kernel):
    return _fast_convolution(inputs, kernel), _gradients(inputs, kernel)


def _gradients(inputs, kernel):
    """Returns the function that takes the gradient of the outputs to those of `inputs` and `kernel`."""
    height, width, channels_in = inputs.shape[1:]
    *kernel_size, _, channels_out = kernel.shape
    weight_gradient = choose_algorithm(height, width, channels_in, channels_out, kernel_size, inputs.dtype.name)

    def gradients(gradient):
        return _input_gradient(inputs, kernel, gradient), weight_gradient(inputs, gradient, kernel.shape.as_list())

    return gradients


def _input_gradient(inputs, kernel, gradient):
    if has_amx() and inputs.dtype == tf.bfloat16:
        # The gradient that arrives may have lost its shape on the way.
        gradient = tf.ensure_shape(gradient, [None, *inputs.shape[1:3], kernel.shape[3]])
        return _fast_convolution(gradient, tf.transpose(tf.reverse(kernel, axis=[0, 1]), [0, 1, 3, 2]))
    return tf.raw_ops.Conv2DBackpropInput(
        input_sizes=tf.shape(inputs), filter=kernel, out_backprop=gradient, strides=[1, 1, 1, 1], padding="SAME"
    )


def _fast_convolution(inputs, kernel):
    images = choose_images(*inputs.shape[1:], kernel.shape[3], kernel.shape[:2]) if inputs.dtype == tf.bfloat16 else 1
    if images == 1:
        return tf.nn.conv2d(inputs, kernel, strides=1, padding="SAME")
    return convolve_interleaved(inputs, kernel, images)


@functools.cache
def _has_gpu() -> bool:
    return bool(tf.config.list_physical_devices("GPU"))
