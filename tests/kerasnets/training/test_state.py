"""What a resume needs is copied and put back, and refused where it does not fit."""

import keras
import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.training.state import capture, make_averages, restore


def variables(*values):
    return [keras.Variable(np.asarray(value, np.float32)) for value in values]


def test_round_trip():
    group = variables([[1.5, 2.0]], 3.0)
    arrays = capture(model=group, ema=[])
    assert list(arrays) == ["model/0000", "model/0001"]
    for variable in group:
        variable.assign(variable * 0)
    restore(arrays, model=group, ema=[])
    np.testing.assert_array_equal(group[0].numpy(), [[1.5, 2.0]])
    assert group[1].numpy() == 3.0


def test_capture_copies():
    group = variables([1.0])
    arrays = capture(model=group)
    group[0].assign([2.0])
    assert arrays["model/0000"] == [1.0]


def test_order_of_more_than_ten():
    group = variables(*range(12))
    arrays = capture(model=group)
    restore(dict(reversed(arrays.items())), model=group)
    assert [float(variable.numpy()) for variable in group] == list(range(12))


def test_other_number_of_arrays():
    arrays = capture(model=variables(1.0, 2.0))
    with pytest.raises(InputError, match="must hold 1 arrays of model. Received: 2. It was written by another network"):
        restore(arrays, model=variables(1.0))
    with pytest.raises(InputError, match="must hold 1 arrays of ema. Received: 0"):
        restore(arrays, ema=variables(1.0))


def test_other_shape():
    arrays = capture(model=variables([1.0, 2.0]))
    with pytest.raises(InputError, match=r"model/0000 must have shape \(1, 2\). Received: \(2,\). It was written by"):
        restore(arrays, model=variables([[1.0, 2.0]]))


def test_averages_begin_at_the_weights():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3), keras.layers.BatchNormalization()])
    assert make_averages(model, 0.0) == []
    averages = make_averages(model, 0.9)
    assert len(averages) == len(model.weights) == 6
    for average, weight in zip(averages, model.weights, strict=True):
        np.testing.assert_array_equal(average.numpy(), weight.numpy())
        assert average.dtype == "float32" and not average.trainable
