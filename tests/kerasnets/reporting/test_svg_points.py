"""Points: each is drawn and named, those without a value stand on the axis, costs far apart have a logarithmic axis."""

import re
import xml.etree.ElementTree as ElementTree

import pytest

from kerasnets.reporting.svg_points import Points, Steps, points_svg

BLUE, ORANGE, RED = "#3b82c4", "#d9822b", "#c9504f"
SCRIPT = "<script>alert(1)</script>"


def points(name="a", place=0, x=(1, 2, 3), y=(0.1, 0.2, 0.3), **rest):
    return Points(name=name, place=place, x=x, y=y, **rest)


def draw(*groups, steps=None, per_cent=True, **rest):
    labels = {"x_label": "seconds", "y_label": "accuracy", "per_cent": per_cent}
    return points_svg(groups, steps, name="n", **labels, **rest)


def words(svg):
    return [element.text for element in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def uses(svg, colour):
    """Markers (x, y) in a colour, those in the legend too."""
    found = re.findall(r'<use [^>]*?x="([\d.]+)" y="([\d.]+)" style="[^"]*?' + colour, svg)
    return [(float(x), float(y)) for x, y in found]


def test_each_point_is_drawn_and_its_group_named():
    svg = draw(points(), points("b", 1, x=(5,), y=(0.5,)))
    assert len(uses(svg, BLUE)) == 3 + 1
    assert len(uses(svg, ORANGE)) == 1 + 1
    assert {"a", "b", "seconds", "accuracy"} <= set(words(svg))
    assert any(word.endswith(" %") for word in words(svg))
    assert not any(word.endswith(" %") for word in words(draw(points(), per_cent=False)))


def test_groups_without_points_are_not_named():
    assert "b" not in words(draw(points(), points("b", 1, x=(), y=())))


def test_what_has_no_value_stands_on_the_axis():
    svg = draw(points(), points("lost", 3, x=(2, 3), y=None))
    *crosses, _ = uses(svg, RED)
    assert len(crosses) == 2
    assert len({y for _, y in crosses}) == 1
    assert crosses[0][1] > max(y for _, y in uses(svg, BLUE)[:3])  # lower on the screen


def test_rings_are_empty():
    svg = draw(points("ring", 1, x=(1,), y=(0.1,), ring=True))
    assert f"fill: none; stroke: {ORANGE}" in svg or re.search(rf"fill-opacity: 0[^.].*stroke: {ORANGE}", svg)


def test_the_line_keeps_each_value_until_the_next():
    svg = draw(points(), steps=Steps(name="best", x=[1, 2, 3], y=[0.1, 0.3, 0.3]))
    path = re.findall(r'<path d="([^"]*)"[^>]*stroke: currentColor[^"]*opacity: 0.8', svg)[0]
    corners = [tuple(map(float, corner.split()[1:])) for corner in re.findall(r"[ML] [\d.]+ [\d.]+", path)]
    (x0, y0), (x1, y1), (x2, y2), *_ = corners
    assert y0 == y1 and x1 == x2 and y2 < y1
    assert "best" in words(svg)


@pytest.mark.parametrize(("x", "labels"), [((1, 1000), {"1", "10", "100", "1000"}), ((1, 5), {"0", "1", "5"})])
def test_costs_far_apart_have_a_logarithmic_axis(x, labels):
    assert labels <= set(words(draw(points(x=x, y=(0.1, 0.2)), far_apart=True)))


def test_times_begin_at_zero_however_far_apart():
    assert "0" in words(draw(points(x=(1, 1000), y=(0.1, 0.2))))


def test_names_stay_text_and_the_ink_is_that_of_the_page():
    svg = draw(points(SCRIPT), points("faint", None), steps=Steps(name="s", x=[1, 2], y=[0.1, 0.2]))
    assert SCRIPT in words(svg) and "<script" not in svg
    assert "currentColor" in svg and "#010203" not in svg
    assert svg == draw(points(SCRIPT), points("faint", None), steps=Steps(name="s", x=[1, 2], y=[0.1, 0.2]))


def test_without_anything_to_draw_there_are_axes():
    assert {"seconds", "accuracy"} <= set(words(draw()))
