import keras
import numpy as np
import pytest

from kerasnets.models.published_layers import (
    convolution,
    image_input,
    leaky_relu,
    linear,
    logits,
    max_pool,
    normalization,
    relu,
)


def apply(layer, inputs, *arguments, **options):
    inputs = np.asarray(inputs, "float32")
    symbol = keras.Input(inputs.shape[1:])
    return keras.Model(symbol, layer(symbol, *arguments, **options))(inputs).numpy()


@pytest.mark.parametrize(
    "side, window, expected",
    [(8, 2, (4, 4)), (7, 2, (3, 3)), (8, 4, (2, 2)), (4, 4, (1, 1)), (3, 4, (1, 1)), (1, 2, (1, 1)), (2, 4, (1, 1))],
)
def test_pooling_shrinks_to_the_map(side, window, expected):
    assert max_pool(keras.Input((side, side, 5)), window).shape == (None, *expected, 5)


def test_pooling_shrinks_height_and_width_by_themselves():
    assert max_pool(keras.Input((1, 9, 5)), 2).shape == (None, 1, 4, 5)


def test_pooling_takes_the_maximum():
    image = np.arange(9).reshape(1, 3, 3, 1)
    assert apply(max_pool, image, 4).ravel().tolist() == [8]
    assert apply(max_pool, image, 2).ravel().tolist() == [4]


@pytest.mark.parametrize("side, padding, expected", [(5, "valid", 1), (4, "valid", 4), (4, "same", 4)])
def test_a_convolution_pads_only_what_is_smaller_than_its_kernel(side, padding, expected):
    assert convolution(keras.Input((side, 9, 2)), 3, 5, padding=padding).shape[1] == expected


def test_kernels_and_biases_are_uniform_by_the_fan_in():
    keras.utils.set_random_seed(0)
    cases = [
        (convolution, keras.Input((8, 8, 4)), (64, 5), 5 * 5 * 4),
        (linear, keras.Input((100,)), (300,), 100),
        (logits, keras.Input((100,)), (300,), 100),
    ]
    for layer, symbol, arguments, fan_in in cases:
        kernel, bias = keras.Model(symbol, layer(symbol, *arguments)).get_weights()
        limit = fan_in**-0.5
        for values in (kernel, bias):
            assert 0.9 * limit < np.abs(values).max() <= limit
        # the standard deviation of a uniform variable in +-limit
        np.testing.assert_allclose(kernel.std(), limit / 3**0.5, rtol=0.02)


def test_normalization_has_the_published_constants():
    values = np.array([[[[1.0]], [[3.0]]]])
    symbol = keras.Input(values.shape[1:])
    model = keras.Model(symbol, normalization(symbol))
    np.testing.assert_allclose(model(values, training=True)[0, :, 0, 0], [-1, 1] / np.sqrt(1 + 1e-5), rtol=1e-6)
    _, _, mean, variance = model.get_weights()
    np.testing.assert_allclose([mean[0], variance[0]], [0.1 * 2, 0.9 * 1 + 0.1 * 1], rtol=1e-6)


def test_activations():
    np.testing.assert_allclose(apply(relu, [[-2.0, 3.0]]), [[0, 3]])
    np.testing.assert_allclose(apply(leaky_relu, [[-2.0, 3.0]]), [[-0.02, 3]], rtol=1e-6)


def test_the_last_layer_is_float32_and_named():
    symbol = keras.Input((4,), dtype="bfloat16")
    outputs = logits(symbol, 3, use_bias=False)
    assert outputs.dtype == "float32"
    assert [weight.shape for weight in keras.Model(symbol, outputs).weights] == [(4, 3)]
    assert keras.Model(symbol, outputs).layers[-1].name == "logits"


def test_the_input_is_checked():
    assert image_input("lazynet", (8, 9, 1), 2).shape == (None, 8, 9, 1)
    with pytest.raises(ValueError, match="at least 8x8 for model 'lazynet'"):
        image_input("lazynet", (8, 5, 1), 2)
