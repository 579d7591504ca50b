"""Evaluation by class name: a stub predictor whose answers are known."""

import json
import math

import numpy as np
import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.evaluation.evaluate import align_classes, evaluate
from kerasnets.evaluation.predictor import BatchedPredictor
from pipelines.source import ImageSource, Split

SHAPE = (2, 2, 1)
NAMES = ("cat", "dog", "ship")


def by_first_pixel(class_names, image_shape=SHAPE, **known):
    """Answers class number `first pixel` with probability 0.8, each of the others with 0.1."""

    def function(images):
        return tf.math.log(0.1 + 0.7 * tf.one_hot(tf.cast(images[:, 0, 0, 0], tf.int32), 3))

    return BatchedPredictor(function, class_names=class_names, image_shape=image_shape, name="stub", **known)


def source(first_pixels, labels, class_names=NAMES, shape=SHAPE):
    images = np.zeros((len(labels), *shape), np.uint8)
    images[:, 0, 0, 0] = first_pixels
    split = Split(images=images, labels=np.array(labels, np.int32))
    return ImageSource(name="stub-data", class_names=class_names, splits={"test": split}, origin="memory")


def test_numbers_by_hand():
    evaluation = evaluate(by_first_pixel(NAMES), source([0, 0, 1, 2], [0, 1, 1, 2]), selection="last epoch")
    assert (evaluation.correct, evaluation.n, evaluation.accuracy) == (3, 4, 0.75)
    assert evaluation.loss == pytest.approx(-(3 * math.log(0.8) + math.log(0.1)) / 4, rel=1e-6)
    np.testing.assert_array_equal(evaluation.confusion, [[1, 0, 0], [1, 1, 0], [0, 0, 1]])
    assert evaluation.per_class.set_index("class").loc["dog", "most_confused_with"] == "cat (1)"
    # Wilson, 3 of 4: (0.75 + z^2/8 +- z sqrt(0.75 * 0.25 / 4 + z^2/64)) / (1 + z^2/4).
    assert evaluation.interval == pytest.approx((0.3006, 0.9544), abs=5e-5)
    assert evaluation.selection == "last epoch"
    assert evaluation.labels.dtype == np.int32


def test_every_example_counts_once():
    labels = np.arange(607) % 3
    evaluation = evaluate(by_first_pixel(NAMES), source(labels, labels))
    assert (evaluation.n, evaluation.correct, len(evaluation.log_probabilities)) == (607, 607, 607)


def test_classes_are_aligned_by_name():
    pixels, labels = [0, 1, 2, 2, 1], [0, 1, 2, 0, 1]
    straight = evaluate(by_first_pixel(NAMES), source(pixels, labels))
    # The same images with the same true names, but the data set numbers its classes in another order.
    order = ("ship", "cat", "dog")
    renumbered = [order.index(NAMES[label]) for label in labels]
    permuted = evaluate(by_first_pixel(NAMES), source(pixels, renumbered, order))
    assert (permuted.accuracy, permuted.loss) == (straight.accuracy, straight.loss) == (0.8, straight.loss)
    assert permuted.class_names == order
    columns = ["support", "correct", "precision", "recall", "f1", "most_confused_with"]
    ours, theirs = (e.per_class.set_index("class").loc[list(NAMES), columns] for e in (permuted, straight))
    assert ours.equals(theirs)


def test_the_predictor_knows_how_its_weights_were_chosen():
    known = by_first_pixel(NAMES, selection="last epoch")
    assert evaluate(known, source([0], [0])).selection == "last epoch"
    assert evaluate(known, source([0], [0]), selection="mine").selection == "mine"


def test_the_loss_can_be_chosen():
    by_hand = pytest.approx((0.2**2 + 0.1**2 + 0.1**2) / 3, rel=1e-5)
    assert evaluate(by_first_pixel(NAMES), source([0], [0]), loss="mse").loss == by_hand
    assert evaluate(by_first_pixel(NAMES, loss="mse"), source([0], [0])).loss == by_hand


def test_json_holds_plain_values_and_null_for_undefined():
    evaluation = evaluate(by_first_pixel(NAMES), source([0, 1], [0, 1]))
    text = json.dumps(evaluation.to_json(), allow_nan=False)
    numbers = json.loads(text)
    assert numbers["accuracy"] == 1.0
    assert numbers["per_class"][0]["class"] == "cat"
    assert numbers["per_class"][0]["support"] == 1
    assert numbers["per_class"][2]["accuracy"] is None


def test_an_empty_split_is_undefined():
    evaluation = evaluate(by_first_pixel(NAMES), source([], []))
    assert (evaluation.n, evaluation.correct) == (0, 0)
    assert evaluation.to_json()["accuracy"] is None


def test_a_missing_split_is_named():
    with pytest.raises(InputError, match="Received: 'tset'. Known: test. Did you mean 'test'"):
        evaluate(by_first_pixel(NAMES), source([0], [0]), "tset")


def test_another_image_shape_is_refused():
    with pytest.raises(InputError, match=r"shape that 'stub' takes: \(2, 2, 1\). Received: \(3, 3, 1\)"):
        evaluate(by_first_pixel(NAMES), source([0], [0], shape=(3, 3, 1)))


def test_other_class_names_are_refused():
    with pytest.raises(InputError, match=r"1 \('frog'\) unknown to the network, 1 \('ship'\) missing in the data"):
        evaluate(by_first_pixel(NAMES), source([0], [0], ("cat", "dog", "frog")))


def test_equal_names_in_other_places_are_refused():
    assert align_classes(["crane", "crane"], ["crane", "crane"]) == [0, 1]
    with pytest.raises(InputError, match="must differ from each other"):
        align_classes(["crane", "crane", "dog"], ["crane", "dog", "crane"])


def test_long_lists_are_shortened():
    with pytest.raises(InputError, match=r"4 \('e', 'f', 'g', \.\.\.\) unknown"):
        align_classes(["a"], ["a", "e", "f", "g", "h"])
