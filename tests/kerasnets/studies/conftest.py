"""The results of a small study, fabricated: no network is trained."""

import numpy as np
import pytest

from kerasnets.studies.cells import make_cells
from kerasnets.studies.results import read_cell
from kerasnets.studies.study import Claim, Diverges, Equal, Higher, Measure, Point, Row, Setting, Study
from kerasnets.studies.study_results import study_results
from kerasnets.training.config import config_to_yaml

SCRIPT = "<script>alert(1)</script>"
LABELS = np.repeat(np.int32([0, 1, 2]), 40)


def row(setting, quantity, published, epoch=None, class_name=None, impossible=""):
    measure = Measure(quantity=quantity, epoch=epoch, class_name=class_name)
    return Row(setting=setting, measure=measure, published=published, rounding=0.005, impossible=impossible)


STUDY = Study(
    name="small",
    question=f"Is {SCRIPT} a | name?",
    dataset="folder:photos",
    base={"arch": "lazynet", "epochs": 3},
    settings=(
        Setting(name="plain"),
        Setting(name=SCRIPT, config={"learning_rate": 0.5}, note="tested on other images"),
        Setting(name="wild", config={"learning_rate": 9.0, "loss": "mse"}),
    ),
    seeds=2,
    rows=(
        row("plain", "test_accuracy", 0.75),
        *(row("plain", "train_loss", 2 * 0.5**epoch, epoch) for epoch in (1, 2, 3)),
        *(row("plain", "train_accuracy", 0.3, epoch) for epoch in (1, 2, 3)),
        *(row("plain", "test_loss", 1.4, epoch) for epoch in (1, 2, 3)),
        row("plain", "class_accuracy", 0.8, class_name="cat"),
        row("plain", "class_accuracy", 0.7, class_name=SCRIPT),
        row(SCRIPT, "class_accuracy", 0.7, class_name="cat", impossible="Pasted from elsewhere."),
    ),
    claims=(
        Claim(
            text=f"{SCRIPT} is better.",
            comparisons=(
                Higher(first=Point(setting=SCRIPT), second=Point(setting="plain"), by=0.01),
                Equal(first=Point(setting=SCRIPT), second=Point(setting="plain"), margin=0.05),
            ),
        ),
        Claim(text="Wild ones diverge.", comparisons=(Diverges(setting="wild"),)),
    ),
    assumes=(f"That {SCRIPT} is a name.",),
    published_cost="two hours",
)  # fmt: skip


@pytest.fixture(scope="session")
def small_results(write_run, tmp_path_factory):
    """The results of the small study: "plain" is right on 3 of 4 images, SCRIPT on 5 of 6, one run of "wild" diverged
    and one failed; the runs of seed 1 were made on another machine."""
    folder = tmp_path_factory.mktemp("small")
    results = []
    for cell in make_cells(STUDY):
        if cell.setting == "wild" and cell.seed == 1:
            results.append(read_cell(folder, cell, failed=f"killed by {SCRIPT}"))
            continue
        every = {"plain": 4, SCRIPT: 6, "wild": 4}[cell.setting]
        wrong = (np.arange(120) + cell.seed) % every == 0
        write_run(
            folder / "cells" / cell.key,
            config=config_to_yaml(cell.config),
            labels=LABELS,
            predicted=np.where(wrong, (LABELS + 1) % 3, LABELS).astype(np.int32),
            hardware=f"machine {cell.seed}",
            seconds=60.0 + cell.seed,
            status="diverged" if cell.setting == "wild" else "finished",
            epochs=1 if cell.setting == "wild" else 3,
            pictures=False,
        )
        results.append(read_cell(folder, cell))
    return study_results(STUDY, results, command="kerasnets-study run small")


@pytest.fixture(scope="session")
def small_page(small_results):
    """The page of the small study."""
    from kerasnets.studies.report import study_page

    return study_page(small_results)
