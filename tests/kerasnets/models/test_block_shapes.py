"""The arithmetic agrees with the network that is built, for every kind of step and every published network."""

import math

import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.models.block_shapes import block_shapes
from kerasnets.models.build import build_model
from kerasnets.models.describe import flops_per_image

CASES = [
    ((32, 32, 3), {}),
    ((28, 28, 1), {"stages": "6 k5 valid max2, 16 k5 valid max2", "hidden": "120 84", "hidden_normalization": "batch"}),
    (
        (32, 32, 3),
        {"stages": "10 k5 wide bare res4 act max2, 20 bare res2 k5 act max3, 30 valid bare mean2 act", "head": "max"},
    ),
    (
        (17, 24, 3),
        {
            "stages": "8 bare max2 act skip3, 12 max2 skip1 k5, 9 k15 valid act",
            "stem": "whitening",
            "normalization": "batch_no_scale",
            "convolution_bias": False,
            "logits_bias": True,
            "hidden": "7",
            "hidden_normalization": "batch_no_scale",
        },
    ),
    ((8, 8, 1), {"stages": "4 max4 max4 mean2 5", "normalization": "none", "head": "average"}),
    ((9, 8, 3), {"stages": "", "hidden": "5 4"}),
]


@pytest.mark.parametrize(("shape", "options"), CASES)
def test_as_built(shape, options):
    with tf.Graph().as_default():
        model = build_model("blocks", shape, 7, **options)
        weights = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        flops = flops_per_image(model)
    computed = block_shapes(shape, 7, options)
    assert (computed.weights, computed.flops) == (weights, flops)


def test_cifarnet():
    computed = block_shapes((32, 32, 3), 10, {})
    assert (computed.weights, computed.flops) == (2_441_728, 569_775_104)


@pytest.mark.parametrize(
    ("stages", "idle"), [("4 max2 max2 max2", 0), ("4 max2 max2 max4", 0), ("4 max8 max2 mean2", 2)]
)
def test_poolings_that_find_one_pixel(stages, idle):
    assert block_shapes((8, 8, 1), 2, {"stages": stages}).idle_poolings == idle


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"stages": "4 max2 4 max2", "head": "max"}, True),
        ({"stages": "4 max2 4 max2", "head": "flatten"}, False),
        ({"stages": "4 max2 max2 4 max4 max2", "head": "max"}, False),  # a window that shrinks
        ({"stages": "4 max4 max2 4 k5 valid", "head": "max"}, False),  # a kernel that is padded
    ],
)
def test_networks_that_take_other_sizes(options, same):
    small, large = (block_shapes((side, side, 3), 2, options).layers for side in (24, 64))
    assert (small == large) is same


def test_mistakes_are_those_of_the_network():
    with pytest.raises(InputError, match="at least 8x8 for model 'blocks'"):
        block_shapes((7, 8, 1), 2, {})
    with pytest.raises(InputError, match="Unknown option 'stage' of model 'blocks'"):
        block_shapes((8, 8, 1), 2, {"stage": ""})
