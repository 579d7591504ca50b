"""The compiled step against NumPy in float64: exact sums, one update after another, moving averages, a bad step."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.training.config import TrainConfig
from kerasnets.training.losses import make_loss
from kerasnets.training.optimizers import GroupedOptimizer
from kerasnets.training.state import make_averages
from kerasnets.training.step import make_train_steps, reseed, seed_states

GENERATOR = np.random.default_rng(3)
# Two whole batches and a small last one.
SIZES = (4, 4, 1)
IMAGES = GENERATOR.normal(size=(9, 2, 2, 1)).astype(np.float32)
LABELS = GENERATOR.integers(0, 3, 9).astype(np.int32)
RATES = [0.1, 0.3, 0.2]


def batches(images=IMAGES, weights=None, labels=LABELS):
    """The batches again and again."""
    weights = np.ones(9, np.float32) if weights is None else weights
    ends = np.cumsum(SIZES)
    parts = [slice(end - size, end) for end, size in zip(ends, SIZES, strict=True)]

    def stream():
        while True:
            yield from ((images[part], labels[part], weights[part]) for part in parts)

    arrays = (images, labels, weights)
    signature = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in arrays)
    return iter(tf.data.Dataset.from_generator(stream, output_signature=signature))


def linear(regularizer=None, dtype="float32"):
    inputs = keras.Input((2, 2, 1))
    layer = keras.layers.Dense(3, name="logits", kernel_regularizer=regularizer, dtype=dtype)
    model = keras.Model(inputs, layer(keras.layers.Flatten()(inputs)))
    values = np.random.default_rng(4).normal(size=(4, 3))
    model.set_weights([values, np.array([0.1, -0.2, 0.3])])
    return model


def stepper(model, stream=None, decay=0.0, **settings):
    settings = {"momentum": 0.0} | settings
    config = TrainConfig(dataset="digits", arch="lazynet", ema=decay, **settings)
    optimizer = GroupedOptimizer(config, model.trainable_variables)
    averages = make_averages(model, decay)
    steps = make_train_steps(
        model,
        optimizer,
        make_loss("cross_entropy", "logits", 3),
        tf.distribute.get_strategy(),
        stream or batches(),
        seed=1,
        averages=averages,
        decay=decay,
    )
    return steps, averages, optimizer


def by_hand(strength=0.0):
    """Softmax regression in NumPy: a row of sums a step, and the weights after each."""
    kernel, bias = (np.asarray(value, np.float64) for value in linear().get_weights())
    rows, weights, start = [], [], 0
    for size, rate in zip(SIZES, RATES, strict=True):
        x, y = IMAGES[start : start + size].reshape(size, 4).astype(np.float64), LABELS[start : start + size]
        start += size
        scores = np.exp(x @ kernel + bias)
        shares = scores / scores.sum(axis=1, keepdims=True)
        loss_sum = -np.log(shares[np.arange(size), y]).sum()
        penalty = strength * (kernel**2).sum()
        error = (shares - np.eye(3)[y]) / size
        gradients = x.T @ error + 2 * strength * kernel, error.sum(axis=0)
        norm = np.sqrt(sum((gradient**2).sum() for gradient in gradients))
        rows.append((loss_sum, (shares.argmax(axis=1) == y).sum(), size, penalty, norm))
        kernel, bias = kernel - rate * gradients[0], bias - rate * gradients[1]
        weights.append((kernel, bias))
    return rows, weights


@pytest.mark.parametrize("strength", [0.0, 0.05])
def test_sums_and_updates_with_a_small_last_batch(strength):
    model = linear(keras.regularizers.L2(strength) if strength else None)
    steps, _, _ = stepper(model)
    record = steps(RATES, 0)
    rows, weights = by_hand(strength)
    np.testing.assert_allclose(np.array(record).T, rows, rtol=1e-5)
    for value, expected in zip(model.get_weights(), weights[-1], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)


def test_whole_shares_of_classes_do_what_positions_do():
    models = linear(), linear()
    shares = np.eye(3, dtype=np.float32)[LABELS]
    records = [
        stepper(model, batches(labels=labels))[0](RATES, 0)
        for model, labels in zip(models, (LABELS, shares), strict=True)
    ]
    np.testing.assert_allclose(np.array(records[0]), np.array(records[1]), rtol=1e-5)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_mixed_labels_count_by_their_largest_share():
    shares = np.eye(3, dtype=np.float32)[LABELS] * 0.6 + np.eye(3, dtype=np.float32)[(LABELS + 1) % 3] * 0.4
    record = stepper(linear(), batches(labels=shares))[0]([0.0], 0)
    rows, _ = by_hand()
    kernel, bias = linear().get_weights()
    scores = np.exp(IMAGES[:4].reshape(4, 4).astype(np.float64) @ kernel + bias)
    logarithms = np.log(scores / scores.sum(axis=1, keepdims=True))
    assert record.loss_sum[0] == pytest.approx(-(shares[:4] * logarithms).sum(), rel=1e-5)
    assert record.correct[0] == rows[0][1]


def test_in_one_call_or_one_by_one():
    models = linear(), linear()
    together = stepper(models[0])[0](RATES, 0)
    steps, _, _ = stepper(models[1])
    alone = [steps([rate], number) for number, rate in enumerate(RATES)]
    np.testing.assert_array_equal(np.array(together), np.concatenate([np.array(record) for record in alone], axis=1))
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_examples_of_weight_zero_do_not_count():
    # The last example of the first batch is only a filler.
    weights = np.ones(9, np.float32)
    weights[3] = 0.0
    images = IMAGES.copy()
    images[3] = 100.0
    one, other = linear(), linear()
    record = stepper(one, batches(weights=weights))[0]([0.1], 0)
    filled = stepper(other, batches(images, weights))[0]([0.1], 0)
    assert record.count[0] == 3
    np.testing.assert_allclose(np.array(filled), np.array(record), rtol=1e-6)
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], rtol=1e-6)


def test_weight_decay_is_no_part_of_the_reported_gradient():
    model = linear()
    record = stepper(model, weight_decay=0.5)[0]([0.1], 0)
    rows, weights = by_hand()
    assert record.gradient_norm[0] == pytest.approx(rows[0][4], rel=1e-5)
    start = linear().get_weights()
    np.testing.assert_allclose(model.get_weights()[0], weights[0][0] - 0.1 * 0.5 * start[0], rtol=1e-4, atol=1e-6)


def test_moving_averages():
    model = linear()
    steps, averages, _ = stepper(model, decay=0.6)
    start = linear().get_weights()
    steps(RATES, 0)
    expected = [value.astype(np.float64) for value in start]
    for weights in by_hand()[1]:
        expected = [0.6 * average + 0.4 * weight for average, weight in zip(expected, weights, strict=True)]
    for average, value in zip(averages, expected, strict=True):
        np.testing.assert_allclose(average.numpy(), value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_step_that_is_not_finite_is_not_applied_and_ends_the_call(bad):
    images = IMAGES.copy()
    images[5] = bad  # in the second step
    model = linear()
    steps, averages, optimizer = stepper(model, batches(images), decay=0.5)
    record = steps(RATES, 0)
    assert len(record.loss_sum) == 2
    assert np.isfinite([column[0] for column in record]).all()
    assert not np.isfinite([column[1] for column in record]).all()
    _, weights = by_hand()
    for value, expected in zip(model.get_weights(), weights[0], strict=True):
        np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-6)
    for average, value, first in zip(averages, weights[0], linear().get_weights(), strict=True):
        np.testing.assert_allclose(average.numpy(), 0.5 * value + 0.5 * first, rtol=1e-4, atol=1e-6)
    assert int(optimizer.main.iterations.numpy()) == 1
    assert float(optimizer.main.learning_rate.numpy()) == np.float32(0.1)


def test_bfloat16_outputs_are_summed_in_float32():
    record = stepper(linear(dtype="mixed_bfloat16"))[0](RATES, 0)
    assert record.loss_sum.dtype == np.float32
    np.testing.assert_allclose(np.array(record).T, by_hand()[0], rtol=0.03)
    exact = stepper(linear())[0](RATES, 0)
    assert (record.loss_sum != exact.loss_sum).all()


def dropout_model():
    inputs = keras.Input((100,))
    return keras.Model(inputs, keras.layers.Dropout(0.5)(keras.layers.Dropout(0.5)(inputs)))


def drawn(seed, step, replica=0, draws_before=0):
    model, ones = dropout_model(), tf.ones((1, 100))
    for _ in range(draws_before):
        model(ones, training=True)
    reseed(seed_states(model), seed, tf.constant(step, tf.int64), tf.constant(replica, tf.int64), 2)
    return model(ones, training=True).numpy().tobytes()


def test_random_layers_depend_on_seed_step_and_replica_alone():
    assert drawn(1, 7) == drawn(1, 7, draws_before=3)
    assert len({drawn(1, 7), drawn(2, 7), drawn(1, 8), drawn(1, 7, replica=1), drawn(1, 6, replica=1)}) == 5


def test_two_random_layers_draw_differently():
    model = dropout_model()
    states = seed_states(model)
    assert len(states) == 2
    reseed(states, 1, tf.constant(7, tf.int64), tf.constant(0, tf.int64), 1)
    assert states[0].numpy().tolist() != states[1].numpy().tolist()
