"""Free memory: of the machine, or of the container."""

import os

import pytest

from pipelines import memory
from pipelines.memory import free_memory_bytes


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CONTROL_GROUP", tmp_path)
    monkeypatch.setattr(memory, "_MEMINFO", tmp_path / "meminfo")
    (tmp_path / "meminfo").write_text("MemTotal:       9000 kB\nMemFree:  1 kB\nMemAvailable:   4000 kB\n")
    return tmp_path


def test_what_the_machine_says(machine):
    assert free_memory_bytes() == 4000 * 1024
    (machine / "memory.max").write_text("max\n")
    (machine / "memory.current").write_text("5\n")
    assert free_memory_bytes() == 4000 * 1024


@pytest.mark.parametrize(("limit", "free"), [(1_000_000, 400_000), (100, 0), (10**12, 4000 * 1024)])
def test_a_containers_limit_counts(machine, limit, free):
    (machine / "memory.max").write_text(f"{limit}\n")
    (machine / "memory.current").write_text("600000\n")
    assert free_memory_bytes() == free


def test_elsewhere_half_of_all_memory(machine):
    (machine / "meminfo").unlink()
    assert free_memory_bytes() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def test_this_machine_has_some():
    assert free_memory_bytes() > 1 << 24
