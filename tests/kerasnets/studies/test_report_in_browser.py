"""Reports in a real browser: they load nothing, run nothing, complain of nothing, and fit a telephone and the dark."""

import numpy as np
import pytest

from kerasnets.reporting.run_page import write_run_report
from kerasnets.studies.report import write_study_report

pytestmark = pytest.mark.slow
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def reports(small_results, write_run, tmp_path_factory):
    """The report of a study, of a run and of two runs, each with a class that is called like a script."""
    folder = tmp_path_factory.mktemp("reports")
    write_study_report(small_results, folder / "study")
    write_run(folder / "a")
    write_run(folder / "b", predicted=np.repeat(np.int32([0, 1, 2]), 4))
    return {
        "study": folder / "study" / "report.html",
        "run": write_run_report([folder / "a"], folder / "run.html").path,
        "runs": write_run_report([folder / "a", folder / "b"], folder / "runs.html").path,
    }


@pytest.mark.parametrize("name", ["study", "run", "runs"])
def test_nothing_is_loaded_run_or_complained_of(browser, reports, name):
    browser.check_alone(reports[name])
    cells = browser.run(
        "return [...document.querySelectorAll('td, th, text, .headline')].map(place => place.textContent)"
    )
    assert SCRIPT in cells


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", ["study", "run", "runs"])
def test_pages_fit_and_are_legible(browser, reports, name, width, scheme):
    browser.check_legible(reports[name], width, scheme)


def test_wide_tables_scroll_in_a_box_of_their_own(browser, reports):
    browser.show(reports["study"], width=400)
    boxes = browser.run(
        "return [...document.querySelectorAll('.scroll')].map(box => [box.clientWidth, box.scrollWidth])"
    )
    assert any(inside > outside for outside, inside in boxes)
    assert all(outside <= 400 for outside, _ in boxes)


def test_the_test_sees_a_page_that_loads_and_runs_something(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<img src='nowhere.png'><script>throw Error('seen')</script><p style='width: 900px'>wide</p>")
    browser.forget()
    browser.show(path, width=400)
    assert (tmp_path / "nowhere.png").as_uri() in browser.requested()
    assert any("seen" in entry["message"] for entry in browser.complaints())
    assert browser.run("return document.documentElement.scrollWidth") > 400
    with pytest.raises(AssertionError):
        browser.check_alone(path)


def test_a_tab_of_the_browsers_own_is_not_held_against_a_page(browser, reports):
    browser.forget()
    browser.driver.get("chrome://new-tab-page-third-party")
    assert browser.run("return location.protocol") == "chrome:"
    browser.show(reports["study"])
    assert set(browser.requested()) == {reports["study"].as_uri()}
