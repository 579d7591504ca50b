"""The gradient of a convolution's kernel in three exact ways, and which of them is fastest for a shape.

All three compute, for a convolution of stride 1 with padding "same" and odd kernel sides,

    sum over images n, rows i, columns j of  inputs[n, i + y - ky // 2, j + x - kx // 2, c] * gradient[n, i, j, f]

for every place (y, x) of the kernel, input channel c and filter f, where inputs beyond the border are zero. They differ
in the order in which they add, hence in the last bits.
"""

import functools
import os
from collections.abc import Callable, Sequence

import tensorflow as tf

# How wide the mosaic is made. Measured: narrower maps are slower, wider ones no faster.
_MOSAIC_WIDTH = 128


def library(inputs: tf.Tensor, gradient: tf.Tensor, kernel_shape: Sequence[int]) -> tf.Tensor:
    """TensorFlow's own operation, which on a CPU is a kernel of oneDNN.

    Args:
        inputs: `(batch, height, width, channels in)`, what the convolution was applied to.
        gradient: `(batch, height, width, channels out)`, the gradient of its output.
        kernel_shape: (kernel height, kernel width, channels in, channels out).

    Returns:
        The gradient of the kernel, of shape `kernel_shape` and the type of `inputs`.
    """
    return tf.raw_ops.Conv2DBackpropFilter(
        input=inputs, filter_sizes=kernel_shape, out_backprop=gradient, strides=[1, 1, 1, 1], padding="SAME"
    )


def mosaic(inputs: tf.Tensor, gradient: tf.Tensor, kernel_shape: Sequence[int]) -> tf.Tensor:
    """The library's operation on wide maps, in which several images lie side by side.

    oneDNN goes along the rows and wastes much of its time at the ends of short ones: maps 7 wide run at little more
    than half the speed of the same numbers 64 wide. Between neighbours lie zero columns, as many as half the kernel's
    width, which are what padding puts there.

    Args:
        inputs: As for `library`; height, width and channels must be known, the batch need not.
        gradient: As for `library`.
        kernel_shape: As for `library`.

    Returns:
        As `library`.
    """
    gap = kernel_shape[1] // 2
    # A power of two, because most batches are a multiple of one; the rest is filled up with zero images.
    beside = 2 ** max(0, round(_MOSAIC_WIDTH / (inputs.shape[2] + gap)).bit_length() - 1)
    return library(_side_by_side(inputs, beside, gap), _side_by_side(gradient, beside, gap), kernel_shape)


def _side_by_side(maps: tf.Tensor, beside: int, gap: int) -> tf.Tensor:
    """(batch, height, width, channels) to (batch / beside, height, beside * (width + gap), channels)."""
    _, height, width, channels = maps.shape
    maps = tf.pad(maps, [[0, -tf.shape(maps)[0] % beside], [0, 0], [0, gap], [0, 0]])
    groups = tf.shape(maps)[0] // beside
    rows = tf.reshape(maps, [groups, beside, height, (width + gap) * channels])
    return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [groups, height, beside * (width + gap), channels])


def matrix_products(inputs: tf.Tensor, gradient: tf.Tensor, kernel_shape: Sequence[int]) -> tf.Tensor:
    """One matrix product for each place of the kernel, over the part of the map where its inputs are not padding.

    On small maps much is padding, which the library multiplies too: on 3x3 maps 32 of a 3x3 kernel's 81 products.

    Args:
        inputs: As for `library`; height and width must be known, the batch need not.
        gradient: As for `library`.
        kernel_shape: As for `library`.

    Returns:
        As `library`.
    """
    kernel_height, kernel_width, channels_in, channels_out = kernel_shape
    products = []
    for y in range(-(kernel_height // 2), kernel_height // 2 + 1):
        rows, gradient_rows = _overlap(inputs.shape[1], y)
        for x in range(-(kernel_width // 2), kernel_width // 2 + 1):
            columns, gradient_columns = _overlap(inputs.shape[2], x)
            seen = tf.reshape(inputs[:, rows, columns], [-1, channels_in])
            received = tf.reshape(gradient[:, gradient_rows, gradient_columns], [-1, channels_out])
            products.append(tf.matmul(seen, received, transpose_a=True))
    return tf.reshape(tf.stack(products), kernel_shape)


def _overlap(side: int, shift: int) -> tuple[slice, slice]:
    """Places of the inputs, and of the outputs that see them at `shift`; both empty where there are none."""
    length = max(0, side - abs(shift))
    start = max(0, shift) if length else 0
    gradient_start = max(0, -shift) if length else 0
    return slice(start, start + length), slice(gradient_start, gradient_start + length)


def choose_algorithm(
    height: int, width: int, channels_in: int, channels_out: int, kernel_size: Sequence[int], dtype: str
) -> Callable[[tf.Tensor, tf.Tensor, Sequence[int]], tf.Tensor]:
    """Returns `library`, `mosaic` or `matrix_products`, whichever was measured fastest for such a shape.

    It is a table and no measurement at start: a run that is resumed must add in the same order as before.
    """
    if dtype == "bfloat16" and min(channels_in, channels_out) >= 64 and tuple(kernel_size) == (3, 3):
        if max(height, width) <= 4:
            return matrix_products
        if max(height, width) <= 16:
            return mosaic
    return library


@functools.cache
def has_amx() -> bool:
    """Whether the processor multiplies matrices of bfloat16 in tiles (AMX), and oneDNN may use it."""
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", "DEFAULT").upper()
    if "AMX" not in limit and limit not in ("DEFAULT", "ALL"):
        return False
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return "amx_bf16" in next((line for line in file if line.startswith("flags")), "").split()
    except OSError:
        return False  # not Linux
