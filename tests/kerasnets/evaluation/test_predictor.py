"""Batching, test-time augmentation and the shared graph, with a model small enough to check by NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import TTA, BatchedPredictor, Predictor, serve_log_probabilities
from pipelines.stored_images import StoredImages

SHAPE = (6, 5, 3)
MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


def tiny_model(kind="logits", seed=0):
    inputs = keras.Input(SHAPE)
    x = keras.layers.Conv2D(4, 3, activation="relu", kernel_initializer=keras.initializers.GlorotUniform(seed))(inputs)
    x = keras.layers.Flatten()(x)
    activation = "softmax" if kind == "probabilities" else None
    dense = keras.layers.Dense(
        3, name=kind, activation=activation, kernel_initializer=keras.initializers.GlorotUniform(seed + 1)
    )
    return keras.Model(inputs, dense(x), name="tiny")


def predictor(model=None):
    return Predictor(
        model or tiny_model(), class_names=("a", "b", "c"), image_shape=SHAPE, mean=MEAN, std=STD, name="tiny"
    )


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, (23, *SHAPE), dtype=np.uint8)


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def numpy_forward(model, images):
    """The tiny model in NumPy, float64."""
    x = (images / 255.0 - MEAN) / STD
    kernel, bias, dense, dense_bias = (np.asarray(weight, np.float64) for weight in model.weights)
    windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(1, 2))
    hidden = np.maximum(np.einsum("nhwcij,ijco->nhwo", windows, kernel) + bias, 0)
    return softmax(hidden.reshape(len(x), -1) @ dense + dense_bias)


def test_log_probabilities_equal_numpy(images):
    model = tiny_model()
    answer = predictor(model).log_probabilities(images)
    assert answer.dtype == np.float32
    np.testing.assert_allclose(answer, np.log(numpy_forward(model, images)), atol=1e-5)


def test_a_model_of_probabilities_gives_their_logarithms(images):
    model = tiny_model("probabilities")
    answer = predictor(model).log_probabilities(images)
    np.testing.assert_allclose(answer, np.log(numpy_forward(model, images)), atol=1e-5)


def test_a_probability_of_zero_is_clipped():
    model = tiny_model("probabilities")
    model.layers[-1].bias.assign([0.0, 0.0, 1000.0])
    answer = predictor(model).log_probabilities(np.zeros((1, *SHAPE), np.uint8))
    np.testing.assert_allclose(answer, [[np.log(1e-7), np.log(1e-7), 0.0]], rtol=1e-6)


def test_position_and_company_leave_no_trace(images):
    once = predictor()
    whole = once.log_probabilities(images, batch_size=8)
    np.testing.assert_array_equal(once.log_probabilities(images[13:14], batch_size=8), whole[13:14])
    np.testing.assert_array_equal(once.log_probabilities(images[::-1], batch_size=8)[::-1], whole)


def test_one_batch_shape_is_traced(images):
    shapes = []
    recording = BatchedPredictor(
        lambda batch: shapes.append(tuple(batch.shape)) or tf.zeros((len(batch), 2)),
        class_names=("a", "b"),
        image_shape=SHAPE,
        name="recording",
    )
    assert recording.log_probabilities(images, batch_size=10).shape == (23, 2)
    assert shapes == [(10, *SHAPE)] * 3


def test_a_dataset_gives_what_its_arrays_give(images):
    dataset = tf.data.Dataset.from_tensor_slices((images, np.zeros(23, np.int32))).batch(9)
    once = predictor()
    np.testing.assert_array_equal(once.log_probabilities(dataset, 4), once.log_probabilities(images, 4))


def test_no_images_give_no_rows():
    assert predictor().log_probabilities(np.zeros((0, *SHAPE), np.uint8)).shape == (0, 3)


def test_new_weights_are_seen(images):
    model = tiny_model()
    once = predictor(model)
    before = once.log_probabilities(images)
    model.set_weights(tiny_model(seed=7).get_weights())
    np.testing.assert_allclose(once.log_probabilities(images), np.log(numpy_forward(model, images)), atol=1e-5)
    assert np.abs(once.log_probabilities(images) - before).max() > 0.01


def test_moving_statistics_are_used_and_kept():
    inputs = keras.Input(SHAPE)
    norm = keras.layers.BatchNormalization()
    x = keras.layers.GlobalAveragePooling2D()(norm(inputs))
    model = keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))
    before = [weight.numpy() for weight in norm.weights]
    once = predictor(model)
    images = np.random.default_rng(3).integers(0, 256, (8, *SHAPE), dtype=np.uint8)
    alone = np.concatenate([once.log_probabilities(images[i : i + 1], 4) for i in range(8)])
    np.testing.assert_array_equal(alone, once.log_probabilities(images, 4))
    for weight, old in zip(norm.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)


def test_flip_averages_probabilities(images):
    model = tiny_model()
    expected = (numpy_forward(model, images) + numpy_forward(model, np.flip(images, 2))) / 2
    np.testing.assert_allclose(predictor(model).log_probabilities(images, tta="flip"), np.log(expected), atol=1e-5)


def test_flip_and_shift_average_six_views(images):
    model = tiny_model()

    def both(x):
        return (numpy_forward(model, x) + numpy_forward(model, np.flip(x, 2))) / 2

    rows, columns = SHAPE[:2]
    # Index tables written by hand: one pixel beyond the edge is the second one inside.
    up, down = [1, *range(rows - 1)], [*range(1, rows), rows - 2]
    left, right = [1, *range(columns - 1)], [*range(1, columns), columns - 2]
    shifted = [images[:, up][:, :, left], images[:, down][:, :, right]]
    expected = 0.5 * both(images) + 0.25 * both(shifted[0]) + 0.25 * both(shifted[1])
    answer = predictor(model).log_probabilities(images, tta="flip+shift")
    np.testing.assert_allclose(answer, np.log(expected), atol=1e-5)
    np.testing.assert_allclose(np.exp(answer).sum(axis=1), 1, rtol=1e-5)


def test_adaptive_asks_shifted_views_of_doubtful_images_only(images):
    model = tiny_model()

    def both(rows, columns):
        part = images[:, rows][:, :, columns]
        return (numpy_forward(model, part) + numpy_forward(model, np.flip(part, 2))) / 2

    def shifts(size):
        return [1, *range(size - 1)], [*range(1, size), size - 2]

    expected = both(range(SHAPE[0]), range(SHAPE[1]))
    ranked = np.sort(expected, axis=1)
    doubtful = ranked[:, -1] - ranked[:, -2] < 0.3
    assert 0 < doubtful.sum() < len(images)
    views = [both(rows, columns) for rows in shifts(SHAPE[0]) for columns in shifts(SHAPE[1])]
    expected[doubtful] = np.mean([expected, *views], axis=0)[doubtful]
    answer = predictor(model).log_probabilities(images, tta="adaptive")
    np.testing.assert_allclose(answer, np.log(expected), atol=1e-5)
    assert np.abs(np.mean(views, axis=0) - expected)[~doubtful].max() > 0.01


def test_adaptive_asks_only_as_often_as_needed(images):
    network, calls = predictor(), []
    function = network.function
    network.function = lambda batch: calls.append(len(batch)) or function(batch)
    network.log_probabilities(images, batch_size=4, tta="adaptive")
    network.log_probabilities(images[:0], batch_size=4, tta="adaptive")
    ranked = np.sort(np.exp(predictor().log_probabilities(images, tta="flip")), axis=1)
    doubtful = (ranked[:, -1] - ranked[:, -2] < 0.3).sum()
    assert len(calls) == 2 * 6 + 8 * -(-doubtful // 4)
    assert set(calls) == {4}  # batches that are not full are filled up


@pytest.mark.parametrize("tta", TTA)
def test_stored_images_are_read_batch_by_batch(images, tta):
    read = []
    stored = StoredImages(lambda rows: read.append(rows.tolist()) or images[rows], np.arange(23), SHAPE)
    network = predictor()
    answers = network.with_and_without_tta(stored, 4, tta)
    for answer, expected in zip(answers, network.with_and_without_tta(images, 4, tta), strict=True):
        np.testing.assert_array_equal(answer, expected)
    assert max(map(len, read)) == 4
    assert read[:6] == [list(range(start, min(start + 4, 23))) for start in range(0, 23, 4)]
    again = sum(map(len, read[6:]))
    assert again == {"none": 0, "flip": 0, "flip+shift": 23}.get(tta, again)


@pytest.mark.parametrize("tta", TTA)
def test_how_many_answers_are_held_makes_no_difference(images, tta, monkeypatch):
    whole = predictor().with_and_without_tta(images, 4, tta)
    monkeypatch.setattr("kerasnets.evaluation.predictor._BLOCK", 2)
    for answer, expected in zip(predictor().with_and_without_tta(images, 4, tta), whole, strict=True):
        np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize("tta", TTA)
def test_with_and_without_are_the_two_answers(images, tta):
    network = predictor()
    averaged, plain = network.with_and_without_tta(images, 250, tta)
    np.testing.assert_array_equal(averaged, network.log_probabilities(images, tta=tta))
    np.testing.assert_array_equal(plain, network.log_probabilities(images))
    assert (averaged == plain).all() == (tta == "none")


def test_unknown_tta_names_the_closest(images):
    with pytest.raises(InputError, match="Did you mean 'flip'"):
        predictor().log_probabilities(images, tta="flips")


@pytest.mark.parametrize("bad", [np.zeros((2, *SHAPE), np.float32), np.zeros((2, 5, 6, 3), np.uint8)])
def test_other_images_are_refused(bad):
    with pytest.raises(InputError, match=r"must be uint8 of shape \(n, 6, 5, 3\)"):
        predictor().log_probabilities(bad)


def test_names_must_fit_the_outputs():
    with pytest.raises(InputError, match="one output per class name: 2. Received: 3"):
        Predictor(tiny_model(), class_names=("a", "b"), image_shape=SHAPE, mean=MEAN, std=STD, name="tiny")


def test_the_shared_function_is_the_predictors(images):
    model = tiny_model()
    direct = tf.function(serve_log_probabilities(model, MEAN, STD))(tf.constant(images))
    np.testing.assert_array_equal(predictor(model).log_probabilities(images, batch_size=23), direct)
