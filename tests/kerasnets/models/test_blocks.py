"""Every other network is a point of `blocks`: the same weights in the same order, the same outputs."""

import keras
import numpy as np
import pytest

from kerasnets.layers import PartialIdentity
from kerasnets.models.build import build_model
from kerasnets.models.names import MODEL_FACTS, MODEL_NAMES

NO_TRUNK = {"stages": "", "normalization": "none", "activation": "none", "logits_bias": True}
COOLNET = {"stages": "6 k5 valid max2, 16 k5 valid max2", "hidden": "120 84", "logits_bias": True}
SPEEDNET = {
    "stem": "whitening",
    "normalization": "batch_no_scale",
    "activation": "silu",
    "head": "max",
    "convolution_bias": False,
    "initializer": "identity",
}
TINY_LEAKY = {
    "stages": "64 bare max2 act, 128 bare max2 act, 256 bare max2 act, 512 bare max2 act",
    "activation": "leaky_relu",
    "hidden": "512",
    "hidden_activation": "leaky_relu",
    "logits_bias": True,
}
# A network with its options, and the options of `blocks` that give it.
POINTS = [
    ("lazynet", {}, NO_TRUNK),
    ("boringnet", {}, NO_TRUNK | {"hidden": "120 84", "hidden_activation": "none"}),
    ("boringnet", {"activation": "relu"}, NO_TRUNK | {"hidden": "120 84"}),
    ("boringnet", {"activation": "leaky_relu"}, NO_TRUNK | {"hidden": "120 84", "hidden_activation": "leaky_relu"}),
    ("coolnet_v7", {}, COOLNET | {"normalization": "none", "activation": "none"}),
    (
        "coolnet_v10",
        {},
        COOLNET | {"normalization": "none", "activation": "none", "hidden_activation": "leaky_relu"},
    ),
    ("lenet_bn", {}, COOLNET | {"hidden_normalization": "batch"}),
    ("scratch_mlp", {}, NO_TRUNK | {"hidden": "100", "initializer": "normal"}),
    (
        "scratch_mlp",
        {"width": 7, "initial_stddev": 1.0, "l2": 0.005},
        NO_TRUNK | {"hidden": "7", "initializer": "normal", "initial_stddev": 1.0, "l2": 0.005},
    ),
    ("cifarnet", {}, {}),
    (
        "resblocks",
        {},
        {
            "stages": "10 k5 wide bare res4 act max2, 100 bare res4 act max2, 256 bare res4 act max2, "
            "512 valid bare max2 act",
            "hidden": "512 500 500 100 100 100",
            "logits_bias": True,
        },
    ),
    ("tiny_leaky", {}, TINY_LEAKY),
    ("tiny_leaky", {"batch_norm": False}, TINY_LEAKY | {"normalization": "none"}),
    ("tinynet", {}, {"stages": "64 128 max2, 128 128 256 max2, 256 max2, 256 256 max2"}),
    (
        "tinynet_deep",
        {},
        {"stages": "64 128 max2, 128 128 256 max2, 256 max2, 256 256 512 max2, 512 max2, 512 512 max2"},
    ),
    (
        "speednet",
        {},
        SPEEDNET | {"stages": "64 bare max2 act 64, 256 bare max2 act 256, 256 bare max2 act 256"},
    ),
    (
        "speednet",
        {"width": 8, "depth": 3},
        SPEEDNET | {"stages": "8 bare max2 act skip2, 32 bare max2 act skip2, 32 bare max2 act skip2"},
    ),
]
IMAGES = np.random.default_rng(0).normal(size=(6, 32, 32, 3)).astype("float32")


def test_every_network_is_among_the_points():
    assert {name for name, _, _ in POINTS} == set(MODEL_NAMES) - {"blocks"}


@pytest.mark.parametrize(("name", "options", "point"), POINTS)
@pytest.mark.parametrize("side", [32, 12])
def test_the_point_is_the_network(name, options, point, side):
    images = IMAGES[:, :side, :side]
    expected = build_model(name, (side, side, 3), 7, seed=1, **options)
    model = build_model("blocks", (side, side, 3), 7, seed=2, **point)
    assert [weight.shape for weight in model.weights] == [weight.shape for weight in expected.weights]
    assert [weight.trainable for weight in model.weights] == [weight.trainable for weight in expected.weights]
    model.set_weights(expected.get_weights())
    for training in (False, True, False):  # the last one sees the statistics that the second has moved
        np.testing.assert_allclose(
            model(images, training=training), expected(images, training=training), rtol=1e-5, atol=1e-5
        )
    np.testing.assert_allclose(sum(model.losses), sum(expected.losses), rtol=1e-6)


@pytest.mark.parametrize(("name", "options", "point"), POINTS)
def test_the_weights_begin_alike(name, options, point):
    # From the same seed, hence from the same distribution, scale and order.
    shape, classes = MODEL_FACTS[name].image_shape, MODEL_FACTS[name].num_classes
    if name == "tinynet_deep":
        shape = (32, 32, 3)  # the large one takes seconds
    expected = build_model(name, shape, classes, seed=3, **options)
    model = build_model("blocks", shape, classes, seed=3, **point)
    for one, other in zip(model.get_weights(), expected.get_weights(), strict=True):
        assert one.std() == pytest.approx(other.std(), rel=0.2, abs=1e-6)
        assert np.abs(one).max() == pytest.approx(np.abs(other).max(), rel=0.3, abs=1e-6)


def test_heads():
    def features(head):
        return build_model("blocks", (16, 16, 3), 3, stages="8 max2", head=head).layers[-1].input.shape[-1]

    assert (features("flatten"), features("average"), features("max")) == (8 * 8 * 8, 8, 8)


def test_average_pooling():
    model = build_model("blocks", (8, 8, 1), 2, stages="4 bare mean2", activation="none", normalization="none")
    by_hand = model.layers[1](IMAGES[:, :8, :8, :1]).numpy().reshape(6, 4, 2, 4, 2, 4).mean(axis=(2, 4))
    pooled = keras.Model(model.input, model.layers[2].output)(IMAGES[:, :8, :8, :1])
    np.testing.assert_allclose(pooled, by_hand, rtol=1e-4, atol=1e-5)


def test_a_map_of_one_pixel_is_not_pooled():
    model = build_model("blocks", (8, 8, 1), 2, stages="4 mean8 mean2 max2 4 mean2")
    assert sum(isinstance(layer, keras.layers.AveragePooling2D) for layer in model.layers) == 1


def test_dropout_before_every_linear_layer():
    model = build_model("blocks", (8, 8, 1), 3, seed=0, stages="", hidden="50 40", dropout=0.5)
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert rates == [0.5] * 3
    images = IMAGES[:, :8, :8, :1]
    assert np.abs(model(images, training=True) - model(images, training=True)).max() > 0.01
    np.testing.assert_array_equal(model(images), model(images))


def test_l2_is_on_every_kernel():
    model = build_model("blocks", (8, 8, 1), 3, stages="4 4", hidden="5", l2=0.5)
    kernels = [weight for weight in model.get_weights() if weight.ndim > 1]
    assert len(kernels) == 4
    assert float(sum(model.losses)) == pytest.approx(0.5 * sum((kernel**2).sum() for kernel in kernels), rel=1e-5)


def test_identity_hands_channels_through():
    model = build_model("blocks", (8, 8, 3), 3, stages="8", initializer="identity")
    kernel = model.get_weights()[0]
    np.testing.assert_array_equal(kernel[1, 1, :, :3], np.eye(3))
    assert isinstance(model.layers[1].kernel_initializer, PartialIdentity)
