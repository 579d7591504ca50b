"""The gradient of a convolution's kernel in three exact ways, and which of them is fastest for a shape.

All three compute, for a convolution of stride 1 with padding "same" and odd kernel sides,

    sum over images n, rows i, columns j of  inputs[n, i + y - ky // 2, j + x - kx // 2, c] * gradient[n, i, j, f]

for every place (y, x) of the kernel, input channel c and filter f, where inputs beyond the border are zero. They differ
in the order in which they add, hence in the last bits.
"""

from collections.abc import Callable, Sequence

import tensorflow as tf

from kerasnets.layers.processor import has_amx

# How wide the mosaic is made. Measured: 32 is slower, 64 to 256 are alike.
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

    oneDNN goes along the rows and wastes time at the ends of short ones. Between neighbours lie zero columns, as many
    as half the kernel's width, which are what padding puts there.

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
    # Rows come first, so that leaving some out copies nothing.
    inputs, gradient = tf.transpose(inputs, [1, 0, 2, 3]), tf.transpose(gradient, [1, 0, 2, 3])
    height, _, width, _ = inputs.shape
    products = {}
    for x in range(kernel_width):
        columns, gradient_columns = _overlap(width, x - kernel_width // 2)
        seen, received = inputs[:, :, columns], gradient[:, :, gradient_columns]
        for y in range(kernel_height):
            rows, gradient_rows = _overlap(height, y - kernel_height // 2)
            left = tf.reshape(seen[rows], [-1, channels_in])
            right = tf.reshape(received[gradient_rows], [-1, channels_out])
            products[y, x] = tf.matmul(left, right, transpose_a=True)
    return tf.reshape(tf.stack([products[place] for place in sorted(products)]), kernel_shape)


def _overlap(side: int, shift: int) -> tuple[slice, slice]:
    """Places of the inputs that are seen at `shift`, and of the outputs that see them; both empty if it is too far."""
    shift = max(-side, min(shift, side))
    return slice(max(0, shift), side + min(0, shift)), slice(max(0, -shift), side + min(0, -shift))


def choose_algorithm(
    height: int, width: int, channels_in: int, channels_out: int, kernel_size: Sequence[int], dtype: str
) -> Callable[[tf.Tensor, tf.Tensor, Sequence[int]], tf.Tensor]:
    """Returns `library`, `mosaic` or `matrix_products`, whichever was measured fastest for such a shape.

    It is a table and no measurement at start, because a run that is resumed must add in the same order as before.

    Milliseconds for 512 images in bfloat16 on two cores of a Zen 4 (AVX512-BF16, no AMX), 3x3 kernels:

        map    channels    library   mosaic   matrix products
        3x3    256 -> 256       36       16                10
        7x7    256 -> 256      103       85                73
        8x8    256 -> 256      119      109                96
        11x11   64 -> 256       62       56                71
        15x15   64 -> 256      105      104               135
        16x16  128 -> 256      217      220               255

    They are processor time of the busier thread, which other work on the machine disturbs less than the clock on the
    wall; `scripts/bench_layers.py` measures them again. With fewer than 32 channels nothing is gained. In float32 the
    mosaic never wins; for 128 images on one core the products take 9.0 in place of 14.9 on 3x3 maps, 17.0 in place of
    23.5 on 4x4 and 28.5 in place of 33.3 on 5x5, 256 -> 256, and lose their lead on 7x7.

    With AMX, in bfloat16, 512 images on two cores of an Intel Xeon, the best of forty by the clock; copies included:

        map    channels    library   mosaic   matrix products
        4x4    256 -> 256     43.3     14.0              10.4
        5x5    256 -> 256     95.6     30.0              25.6
        7x7    256 -> 256     60.6     38.0              32.8
        8x8    256 -> 256     68.4     50.9              41.3
        9x9     64 -> 256     20.9     19.9              25.8
        9x9     64 ->  64     12.0      9.5              14.1
        11x11   64 -> 256     24.0     28.8              40.0
        11x11   64 ->  64      9.9      9.6              19.5
        13x13  128 -> 128     34.5     37.1              49.2
        15x15   64 -> 256     38.4     48.8              72.9
        16x16  128 -> 256     83.8     99.5             135.8

    The best, because on that machine, which is shared, everything takes two to three times as long while other guests
    are busy, and there the mosaic is up to a quarter faster than the library from 11x11 to 15x15.

    Kernels other than 3x3 have not been measured.

    Args:
        height: Of the map.
        width: Of the map.
        channels_in: Of the inputs.
        channels_out: Of the outputs.
        kernel_size: (height, width).
        dtype: ``"float32"`` or ``"bfloat16"``.
    """
    side, channels = max(height, width), min(channels_in, channels_out)
    if tuple(kernel_size) != (3, 3):
        return library
    if dtype == "float32":
        return matrix_products if side <= 5 and channels >= 64 else library
    if side <= 8 and channels >= 32:
        return matrix_products
    return mosaic if side <= (10 if has_amx() else 11) and channels >= 64 else library
