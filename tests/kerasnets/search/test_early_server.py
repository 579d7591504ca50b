import os
import time
from pathlib import Path

import pytest

from kerasnets.errors import InputError
from kerasnets.search.config import SearchConfig
from kerasnets.search.early_server import EarlyServer


def test_the_data_is_there_once_it_was_waited_for():
    early = EarlyServer(SearchConfig(dataset="digits", limit_train=100, nice=0))
    with early.ended_after():
        server = early.wait()
        assert server.image_shape == (8, 8, 1)
        assert server.data["split_sizes"] == {"train": 90, "validation": 10}
        pid = server.pid
        os.kill(pid, 0)  # it lives
    assert not Path(f"/proc/{pid}").exists()


def test_a_mistake_is_told_who_waits(tmp_path):
    early = EarlyServer(SearchConfig(dataset=f"npz:{tmp_path / 'none.npz'}"))
    with pytest.raises(Exception, match=r"none\.npz"):
        early.wait()


def test_after_an_error_it_is_ended_and_nobody_waits():
    early = EarlyServer(SearchConfig(dataset="digits", limit_train=100, nice=0))
    began = time.monotonic()
    with pytest.raises(InputError, match="another"), early.ended_after():
        raise InputError("another search")
    assert time.monotonic() - began < 0.5
    server = early.wait()
    end = time.monotonic() + 30
    while Path(f"/proc/{server.pid}").exists():
        assert time.monotonic() < end
        time.sleep(0.05)
