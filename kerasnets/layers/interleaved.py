"""A convolution on small maps, computed on rows in which the columns of several images alternate.

AMX multiplies tiles of 16 rows, and oneDNN fills a tile with neighbouring columns of one row of one map. A map that is
4 columns wide fills a quarter of it, one of 17 leaves the second tile nearly empty. Here a row has the first columns of
all images of a group, then their second columns, and so on:

    row of 3 images a, b, c with 2 columns:   a0 b0 c0 a1 b1 c1

The neighbour of a column in the same image lies as many places away as the group has images, so the kernel is dilated
along the rows. Padding comes out right by itself: beyond the ends of such a row lies what is beyond the ends of each
image. Every sum has the same terms as before.
"""

from collections.abc import Sequence

import tensorflow as tf

from kerasnets.layers.processor import has_amx


def convolve_interleaved(inputs: tf.Tensor, kernel: tf.Tensor, images: int) -> tf.Tensor:
    """Returns the convolution of stride 1 with padding "same", computed on the alternating columns of several images.

    Args:
        inputs: `(batch, height, width, channels in)`; all but the batch must be known. A batch that is no multiple of
            `images` is filled up with zeros, which costs what whole images do.
        kernel: `(kernel height, kernel width, channels in, channels out)`, with odd sides.
        images: How many images share their rows.

    Returns:
        `(batch, height, width, channels out)`, as of `tf.nn.conv2d`.
    """
    _, height, width, channels_in = inputs.shape
    channels_out = kernel.shape[3]
    batch = tf.shape(inputs)[0]
    filled = tf.pad(inputs, [[0, -batch % images], [0, 0], [0, 0], [0, 0]])
    groups = tf.reshape(filled, [-1, images, height * width, channels_in])
    rows = tf.reshape(tf.transpose(groups, [0, 2, 1, 3]), [-1, height, width * images, channels_in])
    outputs = tf.nn.conv2d(rows, kernel, strides=1, padding="SAME", dilations=[1, images])
    groups = tf.reshape(outputs, [-1, height * width, images, channels_out])
    return tf.reshape(tf.transpose(groups, [0, 2, 1, 3]), [-1, height, width, channels_out])[:batch]


def choose_images(height: int, width: int, channels_in: int, channels_out: int, kernel_size: Sequence[int]) -> int:
    """Returns how many images should share their rows in bfloat16; 1 means that the library's way is faster.

    A table and no measurement at start, for the reason that `choose_algorithm` of the kernel's gradient gives.

    Milliseconds for 512 images in bfloat16 on two cores of an Intel Xeon with AMX, 3x3 kernels, the best of forty,
    copies included:

        map    channels    library   16 images   32 images
        2x2    256 -> 256     12.8         2.6         2.4
        3x3    256 -> 256     12.2         3.8         3.2
        4x4    256 -> 256      6.2         4.1         4.4
        5x5    256 -> 256     10.1         6.8         7.2
        5x5     64 ->  64      2.3         1.7         1.7
        6x6    256 -> 256     10.7         9.7        10.5
        7x7    256 -> 256     15.7        17.9        17.6
        7x7    128 -> 128     11.2        11.0        10.3
        8x8    256 -> 256     17.0        17.5        20.5
        8x8    128 -> 256      8.6         9.4        11.6

    Without AMX a map's width matters less, and nothing was measured.

    Args:
        height: Of the map.
        width: Of the map.
        channels_in: Of the inputs.
        channels_out: Of the outputs.
        kernel_size: (height, width).
    """
    side = max(height, width)
    if not has_amx() or tuple(kernel_size) != (3, 3) or side > 6 or min(channels_in, channels_out) < 64:
        return 1
    return 32 if side == 3 else 16
