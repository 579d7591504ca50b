"""A data set read behind a live line is the one that `load_source` reads."""

import numpy as np
import pytest
from PIL import Image

from kerasnets.cli import live_line
from kerasnets.cli.read_source import read_source
from pipelines.reading import Reading
from pipelines.sources import load_source


@pytest.fixture
def folder(tmp_path):
    for split in ("train", "test"):
        for number, name in enumerate(("a", "b")):
            (tmp_path / split / name).mkdir(parents=True)
            for shade in range(3):
                Image.new("L", (5, 7), 60 * shade + number).save(tmp_path / split / name / f"{shade}.png")
    return tmp_path


def test_files_are_counted_as_they_are_read(folder, monkeypatch):
    told, lines = [], []
    monkeypatch.setattr(live_line.LiveLine, "advance", lambda self, more: told.append(more))
    monkeypatch.setattr(live_line.Progress, "add_task", lambda self, what, total: lines.append((what, total)))
    reading = Reading(image_size=4, channels=1)
    source, expected = (read(f"folder:{folder}", None, reading) for read in (read_source, load_source))
    for key, split in expected.splits.items():
        np.testing.assert_array_equal(source.splits[key].images, split.images)
        np.testing.assert_array_equal(source.splits[key].labels, split.labels)
    assert (lines, sum(told)) == ([("Reading files", 12)], 12)


def test_arrays_are_fitted():
    assert read_source("digits", None, Reading(image_size=16, channels=3)).image_shape == (16, 16, 3)
