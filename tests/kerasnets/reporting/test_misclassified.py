"""The most confident mistakes: which are chosen, and what is written under them."""

import io

import numpy as np
import pytest

from kerasnets.reporting.misclassified import misclassified_figure, most_confident_mistakes

SUMMARY = {"dataset": "digits", "arch": "lenet_bn", "seed": 0, "test": {"split": "validation"}}
NAMES = ["cat", "dog", "$5_a$"]


def answers(predictions, confidences):
    p = np.full((len(predictions), 3), 0.0)
    for row, (prediction, confidence) in enumerate(zip(predictions, confidences, strict=True)):
        p[row] = (1 - confidence) / 2
        p[row, prediction] = confidence
    return np.log(p).astype(np.float32)


def words(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def draw(labels, log_probabilities, channels=3):
    images = np.random.default_rng(0).integers(0, 256, (len(labels), 8, 8, channels), dtype=np.uint8)
    figure = misclassified_figure(images, np.array(labels), log_probabilities, NAMES, SUMMARY)
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_the_surest_mistakes_come_first_and_equals_by_index():
    labels = np.array([0, 1, 0, 1, 2])
    worst, mistakes = most_confident_mistakes(labels, answers([1, 1, 1, 0, 1], [0.6, 0.99, 0.9, 0.6, 0.8]))
    assert (worst.tolist(), mistakes) == ([2, 4, 0, 3], 4)


def test_at_most_24_of_them_are_chosen():
    worst, mistakes = most_confident_mistakes(np.zeros(100, int), answers([1] * 100, [0.9] * 100))
    assert (worst.tolist(), mistakes) == (list(range(24)), 100)


@pytest.mark.parametrize("channels", [1, 3])
def test_each_image_tells_truth_answer_and_probability(channels):
    figure = draw([0, 2, 1], answers([2, 2, 0], [0.75, 0.9, 0.5]), channels)
    assert words(figure) == [
        "is cat", "taken for $5_a$", "75.00% sure · image 0", "is dog", "taken for cat", "50.00% sure · image 2",
    ]  # fmt: skip
    assert figure.texts[0].get_text() == "digits · lenet_bn · seed 0\nAll 2 mistakes in 3 validation images"
    shown = figure.axes[0].images[0].get_array()
    expected = np.random.default_rng(0).integers(0, 256, (3, 8, 8, channels), dtype=np.uint8)[0]
    np.testing.assert_array_equal(np.asarray(shown), expected[..., 0] if channels == 1 else expected)


def test_grey_is_drawn_from_black_to_white():
    image = draw([0], answers([1], [0.9]), channels=1).axes[0].images[0]
    assert image.get_clim() == (0, 255)


def test_the_headline_counts():
    assert "The only mistake in 1 validation images" in draw([0], answers([1], [0.9])).texts[0].get_text()
    many = draw([0] * 30, answers([1] * 30, [0.9] * 30))
    assert "The 24 most confident of 30 mistakes in 30 validation" in many.texts[0].get_text()
    assert len(many.axes) == 24


def test_no_mistakes_are_said():
    figure = draw([0, 1], answers([0, 1], [0.9, 0.9]))
    assert not figure.axes
    assert figure.texts[-1].get_text() == "No mistakes."
