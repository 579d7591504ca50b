"""Parallel coordinates: where each value lies, how axes are labelled, and that all lines and names are drawn."""

import math
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kerasnets.reporting.svg_parallel import ParallelAxis, lay_out, parallel_svg

SCRIPT = "<script>alert(1)</script>"


def axis(*values, name="a", **rest):
    return ParallelAxis(name=name, values=values, **rest)


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def lines(svg, style):
    """Corners of the lines between axes in a style: those with an opacity, which axes have not."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', svg)
    return [len(re.findall("[ML]", path)) for path, own in paths if style in own and "stroke-opacity" in own]


def test_choices_stand_in_even_distances_in_order():
    scale = lay_out(axis(128, 32, 64))
    assert scale.places.tolist() == pytest.approx([5 / 6, 1 / 6, 3 / 6])
    assert scale.ticks == [(pytest.approx(1 / 6), "32"), (pytest.approx(1 / 2), "64"), (pytest.approx(5 / 6), "128")]
    assert [label for _, label in lay_out(axis("sgd", "adamw", None)).ticks] == ["adamw", "sgd"]
    assert [label for _, label in lay_out(axis(True, False)).ticks] == ["no", "yes"]
    assert [label for _, label in lay_out(axis(True, 3, "x")).ticks] == ["3", "x", "yes"]


def test_equal_choices_lie_beside_each_other():
    places = lay_out(axis(*["a", "b"] * 6)).places
    assert len(set(places.tolist())) == 12
    assert places[::2].mean() == pytest.approx(0.25) and places[1::2].mean() == pytest.approx(0.75)
    assert places[::2].max() < 0.5 < places[1::2].min()


def test_many_numbers_are_a_scale():
    scale = lay_out(axis(*range(10, 21)))
    assert scale.places.tolist() == pytest.approx(np.linspace(0, 1, 11).tolist())
    assert scale.ticks == [(0, "10"), (0.5, "15"), (1, "20")]


def test_results_are_a_scale_however_few():
    assert lay_out(axis(1, 2, 9)).places.tolist() == pytest.approx([1 / 6, 3 / 6, 5 / 6])
    assert lay_out(axis(1, 2, 9, is_result=True)).places.tolist() == pytest.approx([0, 1 / 8, 1])
    assert lay_out(axis(3, is_result=True)).places.tolist() == [0.5]


def test_numbers_far_apart_are_a_logarithmic_scale():
    scale = lay_out(axis(*[10.0**-power for power in range(7)]))
    assert scale.places.tolist() == pytest.approx([(6 - power) / 6 for power in range(7)])
    assert scale.ticks == [(0, "1e-06"), (pytest.approx(0.5), "0.001"), (1, "1")]
    uniform = [(number + 1) / 100 for number in range(100)]  # from 0.01 to 1, and yet from an even scale
    assert [label for _, label in lay_out(axis(*uniform)).ticks] == ["0.01", "0.505", "1"]
    assert lay_out(axis(0, *range(100))).places[2] == pytest.approx(1 / 99)  # zero has no logarithm


def test_what_is_not_used_has_no_place():
    assert math.isnan(lay_out(axis(1, None, 2)).places[1])
    assert math.isnan(lay_out(axis(None, *range(10))).places[0])
    assert np.isnan(lay_out(axis(None, None)).places).all()


def test_shares_are_labelled_so():
    assert [label for _, label in lay_out(axis(*np.linspace(0.5, 0.7, 9).tolist(), per_cent=True)).ticks] == [
        "50.0 %", "60.0 %", "70.0 %",
    ]  # fmt: skip
    assert lay_out(axis(0.5, per_cent=True)).ticks == [(0.5, "50.0 %")]


def test_of_many_choices_the_first_and_last_are_labelled():
    assert [label for _, label in lay_out(axis(*"abcdefghij")).ticks] == ["a", "j"]


def test_long_labels_are_shortened_to_fit():
    labels = [label for _, label in lay_out(axis(*[f"{letter * 40}" for letter in "abcd"])).ticks]
    assert max(map(len, labels)) < 12


def test_each_trial_is_a_line_and_the_best_stand_out():
    svg = parallel_svg(
        [axis(1, 2, 3, name="width"), axis("x", None, "y", name=SCRIPT)], [True, False, False], name="n", label="l"
    )
    assert lines(svg, "stroke: #d9822b") == [2]
    assert lines(svg, "stroke: currentColor") == [2, 2]
    assert svg.rindex("stroke: #d9822b") > svg.rindex("stroke-opacity: 0.2")  # on top of the others
    assert {"width", "x", "y", "1", "3"} <= set(words(svg)) and words(svg).count("not used") == 1
    assert "<script" not in svg and "#010203" not in svg


def test_not_used_is_named_only_where_something_was_not():
    svg = parallel_svg([axis(1, 2), axis(3, 4)], [True, False], name="n", label="l")
    assert "not used" not in words(svg)


def test_it_is_as_high_as_it_has_axes():
    heights = [
        float(
            re.search(r'viewBox="0 0 \S+ (\S+)"', parallel_svg([axis(1, 2)] * n, [True, False], name="n", label="l"))[1]
        )
        for n in (2, 12)
    ]
    assert heights[1] - heights[0] == pytest.approx(10 * 0.58 * 72, abs=1)
