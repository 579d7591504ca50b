"""What the server reads for its trials; what becomes of these is in test_trial_process.py."""

import os
import socket
import threading

import pytest

from kerasnets.errors import InputError
from kerasnets.search import trial_server
from kerasnets.search.trial_server import main, read
from kerasnets.training.config import TrainConfig
from pipelines.errors import DataError
from pipelines.sources import load_source

CONFIG = TrainConfig(dataset="digits", arch="lazynet", limit_train=200, validation=0.25)


def test_trials_see_no_test_split_and_no_more_images_than_they_use():
    source, data = read(CONFIG)
    assert list(source.splits) == ["train"] and len(source.splits["train"]) == 200
    assert list(data["class_counts"]) == ["train", "validation"]
    assert {name: sum(counts) for name, counts in data["class_counts"].items()} == {"train": 150, "validation": 50}
    assert data["class_names"] == [str(digit) for digit in range(10)] and data["image_shape"] == [8, 8, 1]
    # of the 150 images that are trained on
    assert 0.25 < data["mean"][0] < 0.35 and 0.3 < data["std"][0] < 0.45


def test_settings_that_do_not_fit_the_data():
    with pytest.raises(DataError, match="limit on training examples must lie in 1..1437"):
        read(CONFIG.replace(limit_train=5000))
    with pytest.raises(InputError, match="test_curve needs a test split"):
        read(CONFIG.replace(test_curve=1))


def test_what_tensorflow_reads_is_read_in_another_process(monkeypatch, tmp_path):
    def load(name, data_dir, reading):
        (tmp_path / "pid").write_text(str(os.getpid()))
        return load_source("digits")

    monkeypatch.setattr(trial_server, "load_source", load)
    source, _ = read(CONFIG.replace(dataset="tfds:digits"))
    assert int((tmp_path / "pid").read_text()) != os.getpid()
    here, _ = read(CONFIG)
    assert int((tmp_path / "pid").read_text()) == os.getpid()
    for split, expected in ((source.splits["train"], here.splits["train"]),):
        assert (
            split.images.tobytes() == expected.images.tobytes() and split.labels.tobytes() == expected.labels.tobytes()
        )
        assert split.images.ctypes.data % 64 == 0  # aligned anew, or TensorFlow would copy it


def test_a_search_that_ends_before_it_has_said_what_it_wants():
    ours, theirs = socket.socketpair()
    ours.close()
    assert main([str(theirs.detach())]) == 0


def test_lines_come_whole_however_they_are_cut():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        lines = trial_server._Lines(theirs)
        assert lines.wait(0.0) is None
        ours.sendall(b"one\ntw")
        assert (lines.wait(1.0), lines.wait(0.0)) == (b"one", None)
        threading.Timer(0.1, ours.sendall, [b"o\nthree\n"]).start()
        assert (lines.wait(None), lines.wait(0.0)) == (b"two", b"three")
        ours.close()
        assert lines.wait(None) == b""
