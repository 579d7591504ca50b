import random

import keras
import numpy as np
import pytest

from kerasnets.layers.initializers import PartialIdentity


@pytest.mark.parametrize("channels_in, channels_out", [(3, 5), (5, 5), (7, 4)])
def test_a_convolution_hands_the_first_channels_through(channels_in, channels_out):
    images = np.random.default_rng(0).normal(size=(2, 6, 5, channels_in)).astype("float32")
    layer = keras.layers.Conv2D(
        channels_out, 3, padding="same", use_bias=False, kernel_initializer=PartialIdentity(seed=1)
    )
    handed = min(channels_in, channels_out)
    np.testing.assert_array_equal(np.asarray(layer(images))[..., :handed], images[..., :handed])


def test_the_other_filters_are_uniform():
    kernel = np.asarray(PartialIdentity(seed=1)((3, 3, 16, 400)))
    drawn = kernel[..., 16:]
    limit = (9 * 16) ** -0.5
    assert np.abs(drawn).max() <= limit and np.abs(drawn).max() > 0.99 * limit
    # uniform in +-a: standard deviation a / sqrt(3)
    assert drawn.std() == pytest.approx(limit / 3**0.5, rel=0.01)


def test_seeds():
    shape = (3, 3, 2, 8)
    first, again, other = (np.asarray(PartialIdentity(seed=seed)(shape)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    # Without one, the seed comes from Python's generator, as Keras's own initialisers take theirs.
    random.seed(3)
    drawn = np.asarray(PartialIdentity()(shape))
    random.seed(3)
    np.testing.assert_array_equal(drawn, np.asarray(PartialIdentity()(shape)))


def test_serialisation():
    initializer = PartialIdentity(seed=4)
    copy = keras.initializers.deserialize(keras.initializers.serialize(initializer))
    np.testing.assert_array_equal(np.asarray(copy((3, 3, 2, 8))), np.asarray(initializer((3, 3, 2, 8))))
