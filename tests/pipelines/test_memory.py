"""Free memory: of the machine, or of the container."""

import os

import pytest

from pipelines import memory
from pipelines.memory import free_memory_bytes


@pytest.fixture
def machine(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_CONTROL_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN_CONTROL_GROUP", tmp_path / "own")
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


def limit(group, most, used, **statistics):
    group.mkdir(parents=True, exist_ok=True)
    (group / "memory.max").write_text(f"{most}\n")
    (group / "memory.current").write_text(f"{used}\n")
    if statistics:
        lines = [f"{key} {value}\n" for key, value in statistics.items()]
        (group / "memory.stat").write_text("".join(lines))


def test_files_that_are_kept_count_as_free(machine):
    limit(machine, 1_000_000, 900_000, anon=200_000, file=700_000, inactive_file=600_000, active_file=100_000)
    assert free_memory_bytes() == 700_000
    limit(machine, 1_000_000, 900_000, inactive_file_of_another_kind=5, active_file=700_000)
    assert free_memory_bytes() == 100_000


@pytest.mark.parametrize("tightest", ["", "slurm", "slurm/job 7", "slurm/job 7/step"])
def test_the_tightest_of_the_control_groups_above_counts(machine, tightest):
    (machine / "own").write_text("4:memory:/elsewhere\n1:name=systemd:/\n0::/slurm/job 7/step\n")
    limit(machine, "max", 5)
    limit(machine / "slurm", 3_000_000, 700_000, inactive_file=100_000)
    limit(machine / "slurm/job 7/step", 2_500_000, 500_000)
    limit(machine / "slurm/another job", 10, 10)
    limit(machine / "elsewhere", 10, 10)
    assert free_memory_bytes() == 2_000_000
    limit(machine / tightest, 1_000_000, 300_000, inactive_file=50_000)
    assert free_memory_bytes() == 750_000


@pytest.mark.parametrize("own", ["/", "/docker/0123", "/../../other"])
def test_a_container_that_sees_its_group_from_outside_has_the_root(machine, own, monkeypatch):
    monkeypatch.setattr(memory, "_CONTROL_GROUPS", machine / "sys/cgroup")
    (machine / "own").write_text(f"0::{own}\n")
    limit(machine / "sys/cgroup", 1_000_000, 300_000)
    limit(machine / "other", 10, 10)
    assert free_memory_bytes() == 700_000


def test_elsewhere_half_of_all_memory(machine):
    (machine / "meminfo").unlink()
    assert free_memory_bytes() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2


def test_this_machine_has_some():
    assert free_memory_bytes() > 1 << 24
