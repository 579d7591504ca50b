import numpy as np
import pytest
import tensorflow as tf

from kerasnets.layers import weight_gradient
from kerasnets.layers.weight_gradient import choose_algorithm, library, matrix_products, mosaic

ALGORITHMS = [library, mosaic, matrix_products]
# (batch, height, width, channels in, channels out, kernel height, kernel width). The mosaic lays 8 to 128 images side
# by side, so that no batch here is a multiple; the kernels of the last two reach beyond both ends of the map.
SHAPES = [
    (3, 5, 7, 2, 3, 3, 3),
    (1, 4, 4, 3, 2, 3, 3),
    (33, 2, 3, 2, 2, 3, 3),
    (3, 6, 4, 2, 3, 1, 1),
    (2, 7, 8, 2, 3, 5, 5),
    (5, 5, 6, 2, 3, 5, 3),
    (2, 1, 1, 3, 2, 3, 3),
    (3, 1, 2, 2, 2, 7, 7),
]


def arrays(shape):
    batch, height, width, channels_in, channels_out, _, _ = shape
    random = np.random.default_rng(0)
    return random.normal(size=(batch, height, width, channels_in)), random.normal(
        size=(batch, height, width, channels_out)
    )


def direct(inputs, gradient, kernel_height, kernel_width):
    """The sum of the module's docstring, place by place."""
    height, width = inputs.shape[1:3]
    half = kernel_height // 2, kernel_width // 2
    padded = np.pad(inputs, ((0, 0), (half[0], half[0]), (half[1], half[1]), (0, 0)))
    return np.array(
        [
            [
                np.einsum("nijc,nijf->cf", padded[:, y : y + height, x : x + width], gradient)
                for x in range(kernel_width)
            ]
            for y in range(kernel_height)
        ]
    )


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_against_direct_sums(algorithm, shape):
    inputs, gradient = arrays(shape)
    kernel_shape = [*shape[5:], *shape[3:5]]
    received = algorithm(tf.constant(inputs, tf.float32), tf.constant(gradient, tf.float32), kernel_shape)
    assert received.shape == kernel_shape
    np.testing.assert_allclose(received, direct(inputs, gradient, *shape[5:]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_bfloat16_is_rounded_once(algorithm):
    shape = (20, 7, 6, 16, 16, 3, 3)
    inputs, gradient = (tf.cast(values, tf.bfloat16) for values in arrays(shape))
    received = algorithm(inputs, gradient, [3, 3, 16, 16])
    assert received.dtype == tf.bfloat16
    expected = direct(np.asarray(inputs, float), np.asarray(gradient, float), 3, 3)
    # 8 bits of mantissa: half a unit in the last place, and float32 sums inside.
    np.testing.assert_allclose(np.asarray(received, float), expected, rtol=2**-8, atol=1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("batch", [0, 1, 19])
def test_a_batch_that_is_not_known(algorithm, batch):
    inputs, gradient = arrays((batch, 5, 4, 2, 3, 3, 3))
    any_batch = [tf.TensorSpec([None, 5, 4, 2]), tf.TensorSpec([None, 5, 4, 3])]
    compiled = tf.function(lambda *pair: algorithm(*pair, [3, 3, 2, 3]), input_signature=any_batch)
    received = compiled(tf.constant(inputs, tf.float32), tf.constant(gradient, tf.float32))
    np.testing.assert_allclose(received, direct(inputs, gradient, 3, 3), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "side, channels, dtype, kernel, amx, expected",
    [
        (3, 256, "bfloat16", 3, False, matrix_products),
        (8, 256, "bfloat16", 3, False, matrix_products),
        (8, 256, "bfloat16", 3, True, matrix_products),
        (8, 16, "bfloat16", 3, False, library),
        (11, 64, "bfloat16", 3, False, mosaic),
        (10, 64, "bfloat16", 3, True, mosaic),
        (12, 64, "bfloat16", 3, True, library),
        (16, 128, "bfloat16", 3, True, library),
        (15, 64, "bfloat16", 3, False, library),
        (11, 32, "bfloat16", 3, False, library),
        (16, 128, "bfloat16", 3, False, library),
        (5, 256, "float32", 3, False, matrix_products),
        (6, 256, "float32", 3, False, library),
        (3, 256, "bfloat16", 5, False, library),
        (3, 256, "bfloat16", 1, False, library),
    ],
)
def test_the_table(monkeypatch, side, channels, dtype, kernel, amx, expected):
    monkeypatch.setattr(weight_gradient, "has_amx", lambda: amx)
    assert choose_algorithm(side, side, channels, 256, (kernel, kernel), dtype) is expected
    assert choose_algorithm(side - 1, side, 256, channels, [kernel, kernel], dtype) is expected


def test_wide_maps_with_few_channels_are_left_to_the_library_with_amx(monkeypatch):
    monkeypatch.setattr(weight_gradient, "has_amx", lambda: True)
    assert choose_algorithm(15, 15, 64, 64, (3, 3), "bfloat16") is library
