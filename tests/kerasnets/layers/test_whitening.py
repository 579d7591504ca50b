import keras
import numpy as np
import pytest

from kerasnets.layers.whitening import Whitening

# Neighbours that hang together, as in photographs: each pixel is the mean of white noise over 2x2.
NOISE = np.random.default_rng(0).normal(size=(400, 9, 10, 3))
IMAGES = ((NOISE[:, :-1, :-1] + NOISE[:, 1:, :-1] + NOISE[:, :-1, 1:] + NOISE[:, 1:, 1:]) / 2).astype("float32")


def adapted(images=IMAGES, **options):
    layer = Whitening(**options)
    layer.build((None, *images.shape[1:]))
    layer.adapt(images)
    return layer


def test_the_outputs_are_uncorrelated_with_variance_one():
    outputs = adapted()(IMAGES).numpy()
    assert outputs.shape == (400, 7, 8, 24)
    half = outputs[..., :12].reshape(-1, 12)
    # Patches are not centred, in the layer as in its source: the second moments are the identity.
    moments = half.T @ half / len(half)
    raw = IMAGES[:, :7, :8].reshape(-1, 3)
    assert np.abs((raw.T @ raw / len(raw)) - np.eye(3)).max() < 0.1  # so this test says something of neighbours
    np.testing.assert_allclose(moments, np.eye(12), atol=0.01)


def test_the_second_half_is_the_negative_of_the_first():
    outputs = adapted()(IMAGES[:5]).numpy()
    np.testing.assert_array_equal(outputs[..., 12:], -outputs[..., :12])


def test_directions_without_variance_are_not_blown_up():
    kernel = adapted(np.zeros((3, 4, 4, 1), "float32")).kernel.numpy()
    # 1 / sqrt(5e-4) is the most that a direction is multiplied with
    assert np.abs(kernel).max() <= 5e-4**-0.5 * 1.0001


def test_before_adapting_every_pixel_of_a_patch_is_an_output():
    layer = Whitening(2)
    images = np.random.default_rng(1).normal(size=(1, 2, 2, 3)).astype("float32")
    outputs = layer(images).numpy().ravel()
    np.testing.assert_allclose(outputs, np.concatenate([images.ravel(), -images.ravel()]), rtol=1e-6)


def test_memory_is_bounded_by_parts_without_changing_the_sum():
    images = np.random.default_rng(2).normal(size=(1300, 3, 3, 1)).astype("float32")
    patches = np.stack([images[:, i : i + 2, j : j + 2, 0].reshape(-1, 4) for i in (0, 1) for j in (0, 1)])
    patches = patches.reshape(-1, 4).astype(float)
    kernel = adapted(images).kernel.numpy().reshape(4, 8)[:, :4]
    np.testing.assert_allclose(
        kernel.T @ (patches.T @ patches / len(patches) + 5e-4 * np.eye(4)) @ kernel, np.eye(4), atol=1e-4
    )


def test_it_is_not_trained_and_keeps_its_filters():
    layer = adapted(kernel_size=3)
    assert layer.trainable_weights == []
    images = keras.Input((8, 9, 3))
    model = keras.Model(images, layer(images))
    assert model.output.shape == layer.compute_output_shape((None, 8, 9, 3)) == (None, 6, 7, 54)
    copy = keras.models.model_from_json(model.to_json())
    copy.set_weights(model.get_weights())
    np.testing.assert_array_equal(copy(IMAGES[:2]), model(IMAGES[:2]))


def test_it_computes_in_the_type_of_its_policy():
    layer = adapted(dtype="mixed_bfloat16")
    assert layer(IMAGES[:2]).dtype == "bfloat16"
    assert layer.kernel.dtype == "float32"
    np.testing.assert_allclose(np.asarray(layer(IMAGES[:2]), "float32"), adapted()(IMAGES[:2]), atol=0.05, rtol=0.02)


@pytest.mark.parametrize("shape", [(None, None, None, 3), (4, 32, 30, 3)])
def test_output_shape(shape):
    expected = (shape[0], shape[1] and shape[1] - 1, shape[2] and shape[2] - 1, 24)
    assert Whitening(2).compute_output_shape(shape) == expected
