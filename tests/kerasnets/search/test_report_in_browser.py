"""The page of a search in a real browser: it loads and runs nothing, and fits a telephone and the dark."""

import dataclasses

import pytest

from kerasnets.search.report import write_search_report

pytestmark = pytest.mark.slow
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def pages(records_of, write_search, tmp_path_factory):
    """The page of a search with one trial, and of one with fifty and names like scripts."""
    folder = tmp_path_factory.mktemp("searches")
    nasty = [
        dataclasses.replace(record, values=record.values | {SCRIPT: f"{SCRIPT}{place % 3}"}, reason=SCRIPT)
        for place, record in enumerate(records_of(50))
    ]
    summary = {"search": SCRIPT, "rejected": {SCRIPT: 3}, "command": SCRIPT * 20}
    final = {"final": {"accuracies": [0.7, 0.71], "interval": [0.69, 0.72]}}
    return {
        "one": write_search_report(write_search(folder / "one", records_of(1))),
        "many": write_search_report(write_search(folder / "many", nasty, summary | final)),
    }


@pytest.mark.parametrize("name", ["one", "many"])
def test_nothing_is_loaded_run_or_complained_of(browser, pages, name):
    browser.check_alone(pages[name])


def test_names_are_seen_as_they_are(browser, pages):
    browser.show(pages["many"])
    places = browser.run("return [...document.querySelectorAll('td, h1, text')].map(place => place.textContent)")
    assert f"Search {SCRIPT}" in places and SCRIPT in places


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", ["one", "many"])
def test_pages_fit_and_are_legible(browser, pages, name, width, scheme):
    browser.check_legible(pages[name], width, scheme)
