"""The confusion matrix: what is written into it for few classes and beside it for many."""

import io

import numpy as np
import pytest

from kerasnets.reporting.confusion import confusion_figure, most_frequent_confusions

SUMMARY = {"dataset": "digits", "arch": "lenet_bn", "seed": 0, "status": "interrupted", "test": None}


def draw(counts, names):
    figure = confusion_figure(counts, names, SUMMARY)
    figure.savefig(io.BytesIO(), format="png")
    return figure


def test_few_classes_show_their_counts_but_no_zeros():
    figure = draw(np.array([[5, 2], [0, 7]]), ["cat", "dog"])
    cells = {text.get_position(): text.get_text() for text in figure.axes[0].texts}
    assert cells == {(0, 0): "5", (1, 0): "2", (1, 1): "7"}


def test_colours_are_shares_of_the_true_class():
    shares = draw(np.array([[3, 1], [0, 0]]), ["cat", "dog"]).axes[0].images[0].get_array()
    np.testing.assert_allclose(shares, [[0.75, 0.25], [0, 0]])


def test_many_classes_list_their_confusions_instead():
    counts = np.diag(np.full(30, 10))
    counts[3, 7] = 4
    figure = draw(counts, [f"class {index}" for index in range(30)])
    words = [text.get_text() for text in figure.axes[0].texts]
    assert words == ["Most frequent confusions (true → predicted)", "4", "class 3 → class 7"]


def test_many_classes_without_mistakes_say_so():
    words = [text.get_text() for text in draw(np.eye(21, dtype=int), [str(i) for i in range(21)]).axes[0].texts]
    assert words == ["No mistakes."]


def test_every_class_is_named_up_to_250():
    names = [f"c{index}" for index in range(60)]
    assert [label.get_text() for label in draw(np.eye(60, dtype=int), names).axes[0].get_yticklabels()] == names
    figure = confusion_figure(np.eye(501, dtype=int), [f"c{index}" for index in range(501)], SUMMARY)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()][:2] == ["c0", "c3"]


@pytest.mark.parametrize("name", ["$5", "$x_1$", r"$\frac$", "a_b^c", "100 %", "{}"])
def test_a_name_is_never_read_as_a_formula(name):
    figure = draw(np.array([[5, 2], [0, 7]]), [name, "dog"])
    label = figure.axes[0].get_xticklabels()[0]
    assert (label.get_text(), label.get_parse_math()) == (name, False)


def test_confusions_are_ordered_by_count_then_position():
    counts = np.array([[9, 1, 3], [3, 9, 0], [1, 0, 9]])
    assert most_frequent_confusions(counts) == [(0, 2), (1, 0), (0, 1), (2, 0)]
    assert most_frequent_confusions(counts, at_most=1) == [(0, 2)]
