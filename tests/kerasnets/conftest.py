"""Run folders written by hand, for tests that read them (no network is trained), and a browser for their pages."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

CLASSES = ("cat", "dog", "<script>alert(1)</script>")
LABELS = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2], np.int32)
RIGHT_BUT_FOUR = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2, 0], np.int32)
CONFIG = "dataset: digits\narch: lazynet\narch_options:\n  width: 64\nseed: 3\nepochs: 3\nlearning_rate: 0.1\n"


def write_run_folder(
    path, *, config=CONFIG, epochs=3, status="finished", classes=CLASSES, labels=LABELS, predicted=RIGHT_BUT_FOUR,
    final=0.5, seconds=60.0, hardware="a processor, 2 cores", pictures=True,
):  # fmt: skip
    """Writes the files that training leaves in a run folder.

    The last test accuracy is that of ``predicted``; train loss falls from 2 by halves; test loss is 1.5 throughout.
    """
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config)
    counts = np.bincount(labels, minlength=len(classes)).tolist()
    data = {"class_names": list(classes), "class_counts": {"train": [9] * len(classes), "test": counts}}
    (path / "data.json").write_text(json.dumps(data))
    n, correct = len(labels), int((labels == predicted).sum())
    lines = [
        "epoch,learning_rate,gradient_norm,train_loss,train_accuracy,penalty,val_loss,val_accuracy,test_loss,test_accuracy"
    ]
    for epoch in range(1, epochs + 1):
        accuracy = correct / n if epoch == epochs and status == "finished" else final * epoch / epochs
        lines.append(f"{epoch},0.1,1.5,{2 * 0.5**epoch},{0.9 * epoch / epochs},0.0,,,1.5,{accuracy}")
    (path / "results.csv").write_text("\n".join(lines) + "\n")
    test = {
        "accuracy": correct / n, "loss": 1.5, "correct": correct, "n": n, "interval": [0.3906, 0.8619], "split": "test",
        "selection": "last epoch", "epoch": epochs, "tta": "none", "accuracy_without_tta": correct / n,
    }  # fmt: skip
    summary = {
        "status": status, "dataset": "digits", "arch": "lazynet", "seed": 3, "epochs": epochs, "train_images": 500,
        "test": test if status == "finished" else None, "seconds": {"total": seconds + 5, "train": seconds},
        "images_per_second": 1234.5, "peak_memory_bytes": 2**30, "hardware": hardware, "precision": "float32",
        "weights": 650, "flops_per_image": 1_280_000, "limit_train": None,
    }  # fmt: skip
    (path / "summary.json").write_text(json.dumps(summary))
    environment = {
        "packages": {"keras": "3.15.1"},
        "python": "3.11.7",
        "processor": hardware,
        "command": "train digits",
    }
    (path / "env.json").write_text(json.dumps(environment))
    if status == "finished":
        shares = np.eye(len(classes), dtype=np.float32)[predicted] * 0.7 + 0.1
        np.savez(path / "predictions.npz", labels=labels, log_probabilities=np.log(shares))
        for name in ("misclassified.png", "confusion_matrix.png") if pictures else ():
            Image.new("L", (30, 20), 128).save(path / name)
    return path


@pytest.fixture(scope="session")
def write_run():
    """The function that writes a run folder; see `write_run_folder`."""
    return write_run_folder


# The background flags keep the browser itself from asking for updates, which a machine without a network would refuse.
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage",
)  # fmt: skip


class PageBrowser:
    """Headless Chromium that records what pages ask for and complain of."""

    def __init__(self, driver):
        self.driver = driver
        self.run = driver.execute_script

    def show(self, path, width=1280, scheme="light"):
        """Opens a page, with all that is folded unfolded."""
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get(path.as_uri())
        self.run("document.querySelectorAll('details').forEach(fold => fold.open = true)")

    def forget(self):
        """Leaves the page before, and forgets what it has asked for and complained of."""
        self.driver.get("about:blank")
        self.driver.get_log("performance"), self.driver.get_log("browser")

    def requested(self):
        """The addresses that pages have asked for, without those that the browser's own (its new tab) ask for."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [request["request"]["url"] for request in asked if not request["documentURL"].startswith("chrome")]

    def complaints(self):
        """What pages have written to the console."""
        return self.driver.get_log("browser")

    def check_alone(self, path):
        """Checks that a page loads nothing, runs nothing and complains of nothing."""
        self.forget()
        self.show(path)
        addresses = self.requested()
        assert path.as_uri() in addresses
        assert {address for address in addresses if not address.startswith("data:")} == {path.as_uri()}
        assert self.complaints() == []
        # An alert would stop this line with an exception.
        assert self.run("return document.scripts.length") == 0
        assert self.run("return [...document.images].every(image => image.naturalWidth > 0)")

    def check_legible(self, path, width, scheme):
        """Checks that a page fits into the window, in colours and letters that can be read."""
        self.show(path, width, scheme)
        assert self.run("return document.documentElement.scrollWidth") <= width
        ink, paper, letters = self.run(
            "const style = getComputedStyle(document.body);"
            "return [style.color, style.backgroundColor, getComputedStyle(document.querySelector('svg text')).fill]"
        )
        assert letters == ink
        assert abs(brightness(ink) - brightness(paper)) > 500
        assert (brightness(paper) < brightness(ink)) == (scheme == "dark")
        smallest = self.run(
            "return Math.min(...[...document.querySelectorAll('svg')].map("
            "drawing => drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width))"
        )
        assert smallest > 0.9  # letters of 9 units are no smaller than 8 pixels


def brightness(colour):
    """The sum of red, green and blue of ``rgb(1, 2, 3)``."""
    return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium; see `PageBrowser`."""
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("Chromium and its driver are not installed: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    # With the driver named, Selenium looks for none and goes nowhere.
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    yield PageBrowser(driver)
    driver.quit()
