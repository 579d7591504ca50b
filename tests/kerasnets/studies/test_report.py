"""The report of a study as files: what is in them, that text stays text, that the same results give the same bytes."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest

from kerasnets.errors import InputError
from kerasnets.reporting.markdown import to_markdown
from kerasnets.reporting.page import Text, to_html
from kerasnets.studies.report import cell_table, study_page, write_study_report

SCRIPT = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def folder(small_results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "small"
    written = write_study_report(small_results, folder)
    assert sorted(written) == sorted(path for path in folder.rglob("*") if path.is_file())
    return folder


def test_verdicts_come_first(small_page):
    assert [section.title for section in small_page.sections] == [
        "Claims", "Published numbers", "Curves", "Accuracy of each class", "Final test accuracy", "Costs",
        "What failed or is missing", "What was run", "Assumptions", "To repeat it",
    ]  # fmt: skip


def test_names_stay_text_in_every_file(folder):
    texts = {path.name: path.read_text() for path in folder.rglob("*.*")}
    assert len(texts) == 9
    for name, text in texts.items():
        if name != "cells.csv":
            assert "<script" not in text, name
    for name in ("report.html", "report.md", "test-accuracy.svg", "class-accuracy-1.svg", "curves-train-loss.svg"):
        assert "&lt;script&gt;" in texts[name], name


def test_markdown_links_to_its_drawings(folder):
    links = re.findall(r"\]\((figures/[\w-]+\.svg)\)", (folder / "report.md").read_text())
    assert sorted(links) == sorted(f"figures/{path.name}" for path in (folder / "figures").iterdir())
    assert all((folder / link).stat().st_size < 60_000 for link in links)


def test_html_holds_its_drawings(folder):
    text = (folder / "report.html").read_text()
    assert text.count("<svg ") == 6 and "figures/" not in text
    assert "kerasnets-study run small" in text


def test_the_same_results_give_the_same_bytes_and_leftovers_go(small_results, folder, tmp_path):
    again = tmp_path / "again"  # drawn once more
    (again / "figures").mkdir(parents=True)
    (again / "figures" / "gone.svg").write_text("<svg><!-- kerasnets report --></svg>")
    (again / "figures" / "mine.svg").write_text("<svg/>")
    write_study_report(small_results, again)
    for path in folder.rglob("*.*"):
        assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes(), path
    assert sorted(path.name for path in (again / "figures").iterdir() if path.name in ("gone.svg", "mine.svg")) == [
        "mine.svg"
    ]


def test_a_row_for_each_run(folder, small_results):
    table = pd.read_csv(folder / "cells.csv")
    assert table[["setting", "seed", "status"]].values.tolist()[:3] == [
        ["plain", 0, "finished"], [SCRIPT, 0, "finished"], ["wild", 0, "diverged"],
    ]  # fmt: skip
    assert table["test_accuracy"].tolist()[:2] == pytest.approx([0.75, 5 / 6])
    assert table["train_seconds"].tolist()[:2] == [60.0, 60.0]
    assert table["reason"].tolist()[-1] == f"killed by {SCRIPT}"
    assert table["epochs"].tolist()[:3] == [3, 3, 1]
    assert table["scale"].tolist() == [1.0] * len(table)
    # "wild" diverged: its accuracy is that of a guess, its loss is no number
    assert table["test_accuracy"][2] == pytest.approx(1 / 3) and np.isnan(table["train_loss"][2])
    assert cell_table(small_results.cells, 0.1)["scale"].unique().tolist() == [0.1]


def test_a_scaled_study_says_so_in_large_letters(small_results, small_page, monkeypatch):
    monkeypatch.setattr("kerasnets.studies.report.curve_figures", lambda results: [])
    scaled = study_page(dataclasses.replace(small_results, scale=0.5))
    assert '<p class="shout">SCALED to 0.5 of the full cost</p>' in to_html(scaled)
    assert "# SCALED to 0.5 of the full cost" in to_markdown(scaled, "figures")
    assert "SCALED" not in to_html(small_page)


def test_different_hardware_is_said_at_the_head(small_page):
    texts = [block.text for block in small_page.head if isinstance(block, Text)]
    assert len(texts) == 1 and texts[0].endswith("It was: machine 0; machine 1.")


def test_losses_of_different_kinds_are_told_apart(small_page):
    curves = next(section for section in small_page.sections if section.title == "Curves")
    assert "each setting's own (cross_entropy, mse)" in curves.blocks[0].text


def test_only_reports_are_written_over(small_results, tmp_path):
    (tmp_path / "report.md").write_text("Dear reader")
    with pytest.raises(InputError, match="report.md must be free or an older report"):
        write_study_report(small_results, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
