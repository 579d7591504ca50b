"""Every network of the reports is a point of the built-in space, and every sample of it builds or is rejected."""

import json
import math
import random

import keras_tuner
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.models import MODEL_NAMES, build_model, flops_per_image
from kerasnets.models.block_shapes import block_shapes
from kerasnets.models.block_text import read_stages
from kerasnets.models.options import check_options
from kerasnets.search.network_choices import POOLINGS, choose_network, poolings_for


def networks() -> keras_tuner.HyperParameters:
    hp = keras_tuner.HyperParameters()
    choose_network(hp)
    return hp


def chosen(**values):
    """What the space makes of some values, the others being defaults; a value that is not active is a mistake."""
    hp, left = networks(), dict(values)
    hp.values = {}
    for one in hp.space:
        if hp.is_active(one):
            value = left.pop(one.name, one.default)
            assert value == one.default or one.value_to_prob(value) is not None
            assert value in getattr(one, "values", [value])
            hp.values[one.name] = value
    assert left == {}
    return choose_network(hp)


NO_TRUNK = {"poolings": "none"}
REPORTS = {
    "stem": "none",
    "normalization": "batch",
    "activation": "relu",
    "head": "flatten",
    "initializer": "uniform",
    "pool_place": "end",
}
LENET = REPORTS | {"poolings": "2 2", "kernel_size": 5, "padding": "valid", "hidden_layers": True, "hidden": "120 84"}
LENET |= {"width_1": 6, "depth_1": 1, "width_2": 16, "depth_2": 1}
COOLNET = LENET | {"normalization": "none", "activation": "none"}
CIFARNET = REPORTS | {"poolings": "2 2 2 4", "widen": True, "width_2": 128, "depth_2": 3, "depth_3": 1}
TINY_LEAKY = REPORTS | {"poolings": "2 2 2 2", "activation": "leaky_relu", "pool_place": "inside"}
TINY_LEAKY |= {"hidden_layers": True, "hidden": "512"}
TINY_LEAKY |= {"width_2": 128, "width_4": 512, "hidden_activation": "leaky_relu"}
TINY_LEAKY |= {f"depth_{number}": 1 for number in (1, 2, 3, 4)}
RESBLOCKS = REPORTS | {"poolings": "2 2 2 2", "stem": "wide", "blocks": "residual", "valid_end": True}
RESBLOCKS |= {"width_1": 10, "width_2": 100, "width_4": 512, "hidden_layers": True, "hidden": "512 500 500 100 100 100"}
RESBLOCKS |= {f"depth_{number}": 4 for number in (1, 2, 3)}
POINTS = [
    ("lazynet", {}, NO_TRUNK),
    *(
        (
            "boringnet",
            {"activation": kind},
            NO_TRUNK | {"hidden_layers": True, "hidden": "120 84", "hidden_activation": kind},
        )
        for kind in ("none", "relu", "leaky_relu")
    ),
    ("coolnet_v7", {}, COOLNET),
    ("coolnet_v10", {}, COOLNET | {"hidden_activation": "leaky_relu"}),
    ("lenet_bn", {}, LENET | {"hidden_normalization": "batch"}),
    ("scratch_mlp", {}, NO_TRUNK | {"hidden_layers": True, "hidden": "100", "linear_initializer": "normal"}),
    (
        "scratch_mlp",  # the report's CIFAR-10 row
        {"initial_stddev": 1.0, "l2": 0.005},
        NO_TRUNK
        | {"hidden_layers": True, "hidden": "100", "linear_initializer": "normal", "initial_stddev": 1.0, "l2": 0.005},
    ),
    ("cifarnet", {}, CIFARNET),
    ("resblocks", {}, RESBLOCKS),
    ("tiny_leaky", {}, TINY_LEAKY),
    ("tiny_leaky", {"batch_norm": False}, TINY_LEAKY | {"normalization": "none"}),
    ("tinynet", {}, CIFARNET | {"poolings": "2 2 2 2"}),
    (
        "tinynet_deep",
        {},
        CIFARNET | {"poolings": "2 2 2 2 2 2", "depth_4": 3, "width_5": 512, "depth_5": 1},
    ),
    ("speednet", {}, {}),
    ("speednet", {"depth": 3}, {"blocks": "skip", "depth_1": 3, "depth_2": 3, "depth_3": 3}),
]
IMAGES = np.random.default_rng(0).normal(size=(4, 32, 32, 3)).astype("float32")


def test_every_network_is_among_the_points():
    assert {name for name, _, _ in POINTS} == set(MODEL_NAMES) - {"blocks"}


@pytest.mark.parametrize(("name", "options", "values"), POINTS)
def test_the_point_is_the_network(name, options, values):
    expected = build_model(name, (32, 32, 3), 10, seed=0, **options)
    model = build_model("blocks", (32, 32, 3), 10, seed=1, **chosen(**values))
    assert [weight.shape for weight in model.weights] == [weight.shape for weight in expected.weights]
    model.set_weights(expected.get_weights())
    for training in (True, False):
        np.testing.assert_allclose(
            model(IMAGES, training=training), expected(IMAGES, training=training), rtol=1e-5, atol=1e-5
        )
    np.testing.assert_allclose(sum(model.losses), sum(expected.losses), rtol=1e-6)


def test_what_starts_as_in_the_report():
    assert chosen()["initializer"] == "identity"
    assert chosen(**CIFARNET)["initializer"] == "uniform"
    assert chosen(**NO_TRUNK, linear_initializer="normal")["initial_stddev"] == 0.1


@pytest.mark.parametrize(
    ("values", "stages"),
    [
        ({}, "64 bare max2 act 64, 256 bare max2 act 256"),
        ({"pool_place": "end"}, "64 64 max2, 256 256 max2"),
        ({"pool_place": "end", "widen": True}, "64 256 max2, 256 256 max2"),
        ({"poolings": "2 1"}, "64 bare max2 act 64, 256 256"),
        ({"stem": "wide", "kernel_size": 5}, "64 k5 wide bare max2 act 64 k5, 256 k5 bare max2 act 256 k5"),
        ({"padding": "valid", "depth_1": 1}, "64 valid bare max2 act, 256 valid bare max2 act 256 valid"),
        ({"blocks": "skip", "pool": "mean", "depth_1": 4}, "64 bare mean2 act skip3, 256 bare mean2 act 256"),
        ({"blocks": "skip", "depth_1": 1, "pool_place": "end"}, "64 max2, 256 256 max2"),
        ({"blocks": "residual", "kernel_size": 5}, "64 k5 bare max2 res2 k5 act, 256 k5 bare max2 res2 k5 act"),
        (
            {"blocks": "residual", "pool_place": "end", "valid_end": True, "poolings": "2 4"},
            "64 bare res2 act max2, 256 valid bare max4 act",
        ),
    ],
)
def test_the_text_of_the_stages(values, stages):
    assert chosen(**{"poolings": "2 2"} | values)["stages"] == stages


@pytest.mark.parametrize(
    ("side", "first", "last", "count"),
    [
        (8, "2 1", "2 2 2 1", 7),
        (28, "2 1", "2 2 2 2 2", 12),
        (32, "2 1", "2 2 2 2 2", 12),
        (None, "2 1", POOLINGS[-1], 13),
    ],
)
def test_images_decide_how_often_they_are_pooled(side, first, last, count):
    choices = poolings_for(side)
    assert (choices[0], choices[1], choices[-1], len(choices)) == ("none", first, last, count)


def test_stages_that_no_choice_has_are_not_declared():
    hp = keras_tuner.HyperParameters()
    choose_network(hp, 8)
    assert {one.name for one in hp.space if one.name.startswith("width")} == {
        f"width_{number}" for number in (1, 2, 3, 4)
    }


def samples(count):
    hp = networks()
    draw = random.Random(0)
    for _ in range(count):
        sample = hp.copy()
        sample.values = {}
        for one in sample.space:
            if sample.is_active(one):
                sample.values[one.name] = one.random_sample(draw.randrange(10**9))
        yield choose_network(sample)


def test_a_thousand_samples_can_be_read():
    for options in samples(1000):
        checked = check_options("blocks", options)
        read_stages(checked["stages"])
        assert block_shapes((32, 32, 3), 10, options).weights > 0


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_twenty_samples_build_as_computed(precision):
    for options in samples(20):
        with tf.Graph().as_default():
            model = build_model("blocks", (32, 32, 3), 10, precision=precision, **options)
            assert model.output.shape == (None, 10)
            weights = sum(math.prod(weight.shape) for weight in model.trainable_weights)
            flops = flops_per_image(model)
        computed = block_shapes((32, 32, 3), 10, options)
        assert (computed.weights, computed.flops) == (weights, flops)


def test_the_space_survives_being_written():
    hp = networks()
    hp.values |= {"hidden_layers": True, "hidden": "512", "hidden_normalization": "batch", "hidden_activation": "silu"}
    read = keras_tuner.HyperParameters.from_config(json.loads(json.dumps(hp.get_config())))
    assert choose_network(read) == choose_network(hp)
    assert len(read.space) == len(hp.space)  # nothing was declared a second time
