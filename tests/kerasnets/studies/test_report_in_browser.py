"""Reports in a real browser: they load nothing, run nothing, complain of nothing, and fit a telephone and the dark."""

import json
import shutil

import numpy as np
import pytest

from kerasnets.reporting.run_page import write_run_report
from kerasnets.studies.report import write_study_report

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        shutil.which("chromium") is None or shutil.which("chromedriver") is None,
        reason="Chromium and its driver are not installed: apt-get install chromium chromium-driver",
    ),
]
SCRIPT = "<script>alert(1)</script>"
# The background flags keep the browser itself from asking for updates, which a machine without a network would refuse.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium that records what pages ask for and complain of."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # With the driver named, Selenium looks for none and goes nowhere.
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


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


def show(browser, path, width=1280, scheme="light"):
    """Opens a page, with all that is folded unfolded."""
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(path.as_uri())
    browser.execute_script("document.querySelectorAll('details').forEach(fold => fold.open = true)")


def requested(browser):
    """The addresses that the page has asked for."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]


@pytest.mark.parametrize("name", ["study", "run", "runs"])
def test_nothing_is_loaded_run_or_complained_of(browser, reports, name):
    browser.get_log("performance"), browser.get_log("browser")  # forget the page before
    show(browser, reports[name])
    addresses = requested(browser)
    assert reports[name].as_uri() in addresses
    assert {address for address in addresses if not address.startswith("data:")} == {reports[name].as_uri()}
    assert browser.get_log("browser") == []
    assert browser.execute_script("return document.scripts.length") == 0
    # An alert would have stopped the line above with an exception.
    cells = browser.execute_script(
        "return [...document.querySelectorAll('td, th, text, .headline')].map(place => place.textContent)"
    )
    assert SCRIPT in cells
    assert browser.execute_script("return [...document.images].every(image => image.naturalWidth > 0)")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", ["study", "run", "runs"])
def test_pages_fit_and_are_legible(browser, reports, name, width, scheme):
    show(browser, reports[name], width, scheme)
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    ink, paper, letters = browser.execute_script(
        "const style = getComputedStyle(document.body);"
        "return [style.color, style.backgroundColor, getComputedStyle(document.querySelector('svg text')).fill]"
    )
    assert letters == ink
    assert abs(brightness(ink) - brightness(paper)) > 500
    assert (brightness(paper) < brightness(ink)) == (scheme == "dark")
    smallest = browser.execute_script(
        "return Math.min(...[...document.querySelectorAll('svg')].map("
        "drawing => drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width))"
    )
    assert smallest > 0.9  # letters of 9 units are no smaller than 8 pixels


def brightness(colour):
    """The sum of red, green and blue of ``rgb(1, 2, 3)``."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


def test_wide_tables_scroll_in_a_box_of_their_own(browser, reports):
    show(browser, reports["study"], width=400)
    boxes = browser.execute_script(
        "return [...document.querySelectorAll('.scroll')].map(box => [box.clientWidth, box.scrollWidth])"
    )
    assert any(inside > outside for outside, inside in boxes)
    assert all(outside <= 400 for outside, _ in boxes)


def test_the_test_sees_a_page_that_loads_and_runs_something(browser, tmp_path):
    path = tmp_path / "bad.html"
    path.write_text("<img src='nowhere.png'><script>throw Error('seen')</script><p style='width: 900px'>wide</p>")
    browser.get_log("performance"), browser.get_log("browser")
    show(browser, path, width=400)
    assert (tmp_path / "nowhere.png").as_uri() in requested(browser)
    assert any("seen" in entry["message"] for entry in browser.get_log("browser"))
    assert browser.execute_script("return document.documentElement.scrollWidth") > 400
