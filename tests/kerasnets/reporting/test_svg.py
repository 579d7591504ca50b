"""Drawings: the same bytes each time, small, coloured by the page, with names that stay text."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from kerasnets.reporting.svg import Bar, Line, bars_svg, curves_svg, shared_out, standalone, value_limits

X = np.arange(1, 6)
NAN = float("nan")


def line(name="a", place=0, y=(0.1, 0.2, 0.3, 0.4, 0.5), **rest):
    return Line(name=name, place=place, x=np.arange(1, len(y) + 1), y=np.array(y), **rest)


def curves(*lines, name="loss", per_cent=False, **rest):
    return curves_svg(list(lines), name=name, y_label="loss", per_cent=per_cent, **rest)


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def drawn_paths(svg, style):
    """Corners of the paths whose style holds some words."""
    paths = re.findall(r'<path d="([^"]*)"[^>]*style="([^"]*)"', svg)
    return [len(re.findall("[ML]", path)) for path, its_style in paths if style in its_style]


def test_the_same_drawing_has_the_same_bytes():
    assert curves(line()) == curves(line())


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$x_1$", r"$\frac$", "a -- b", 'b " c', "#010203"])
def test_names_stay_text(name):
    svg = curves(line(name), line("b", 1))
    assert name in words(svg)
    assert name in words(bars_svg([Bar(name=name, place=0, value=0.5)], name="n", x_label="x", from_zero=True))


def test_letters_and_axes_have_the_colour_of_the_page():
    svg = curves(line(), line("b", 1))
    assert "currentColor" in svg and "#010203" not in svg and "#000000" not in svg and "#ffffff" not in svg
    assert "<style" not in svg and "<metadata" not in svg and "DejaVu" not in svg


def test_nothing_in_two_drawings_has_the_same_name():
    names = [set(re.findall(r'\bid="([^"]*)"', curves(line(), line("b", 1), name=name))) for name in ("x", "y")]
    assert names[0] and not names[0] & names[1]


def test_a_file_of_its_own_brings_its_ink():
    text = standalone(curves(line()), "<!-- ours -->")
    assert text.startswith('<?xml version="1.0" encoding="utf-8"?>\n<!-- ours -->\n<svg ')
    assert re.search(r'viewBox="0 0 (\S+) (\S+)" .* width="\1" height="\2">', text)
    assert "svg{color:#1f2328}" in text and "prefers-color-scheme:dark" in text
    ElementTree.fromstring(text)


def test_what_is_not_finite_is_left_out():
    whole, holed = (
        drawn_paths(curves(line(y=y)), "stroke: #3b82c4") for y in ((1, 2, 4, 3, 5), (1, NAN, 4, 3, np.inf))
    )
    assert (whole, holed) == ([5], [3])


def test_a_band_is_drawn_where_there_is_one():
    y = np.array([1.0, 2, 4, 3, 5])
    assert "fill-opacity: 0.2" not in curves(line(y=y))
    assert "fill-opacity: 0.2" in curves(line(y=y, low=y - 1, high=y + 1))


def test_many_points_are_thinned_and_the_last_one_kept():
    y = np.random.default_rng(0).random(1000)
    svg = curves(line(y=y))
    assert drawn_paths(svg, "stroke: #3b82c4") == [120]
    assert len(svg) < 15_000
    spike = np.append(np.zeros(999), 1.0)
    path = re.search(r'<path d="([^"]*)"[^>]*stroke: #3b82c4', curves(line(y=spike)))[1]
    heights = [float(corner.split()[2]) for corner in re.findall(r"[ML] [\d.-]+ [\d.-]+", path)]
    assert heights[-1] < heights[0] - 100  # the last point is at the top


def test_losses_far_apart_have_a_logarithmic_axis_and_shares_none():
    y = (1000.0, 10.0, 1.0)
    assert {"1", "10", "100", "1000"} <= set(words(curves(line(y=y))))
    assert "100000 %" in words(curves(line(y=y), per_cent=True))


def test_marks_are_named_in_the_legend():
    assert words(curves(line(marks=[(5, 0.7)])))[-1] == "published"
    assert words(curves(line(marks=[(5, 0.7)]), mark_name="selected"))[-1] == "selected"
    assert "a" not in words(curves(line()))  # one curve is named by its axis


def test_limits_count_bands_and_marks():
    y = np.array([1.0, NAN])
    assert value_limits([line(y=y)]) == (1.0, 1.0)
    assert value_limits([line(y=y, low=y - 1, high=y + 2, marks=[(1, 9.0)])]) == (0.0, 9.0)
    assert value_limits([line(y=(NAN,))]) is None


@pytest.mark.parametrize(("n", "sizes"), [(0, []), (1, [1]), (8, [8]), (9, [5, 4]), (17, [6, 6, 5])])
def test_many_curves_are_shared_out_evenly(n, sizes):
    lines = [line(str(place), place) for place in range(n)]
    parts = shared_out(lines)
    assert [len(part) for part in parts] == sizes
    assert [each for part in parts for each in part] == lines


def test_bars_say_their_number_and_show_what_was_published():
    bars = [
        Bar(name="a", place=0, value=0.5, interval=(0.4, 0.6), published=(0.7, 0.8)),
        Bar(name="b", place=1, value=None),
    ]
    seen = words(bars_svg(bars, name="n", x_label="accuracy", from_zero=True))
    assert "50.00 %" in seen and seen[-1] == "published" and {"a", "b", "accuracy", "0 %"} <= set(seen)
    alone = words(bars_svg(bars[1:], name="n", x_label="accuracy", from_zero=False))
    assert "published" not in alone
