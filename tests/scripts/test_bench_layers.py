"""scripts/bench_layers.py, run as a command on few images."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_layers.py"


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)


@pytest.mark.slow
def test_every_shape_and_algorithm_is_timed():
    done = run("--net", "speednet24", "--dtype", "float32", "--batch-size", "2", "--rounds", "1", "--json")
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert (answer["batch_size"], answer["rounds"], type(answer["amx"])) == (2, 1, bool)
    assert [row["map"] for row in answer["results"]] == [23, 11, 11, 5, 2]
    assert [row["chosen"] for row in answer["results"]] == ["library"] * 3 + ["products"] * 2
    for row in answer["results"]:
        assert all(row[name]["wall_ms"] > 0 for name in ("library", "mosaic", "products"))


def test_a_mistake_is_said_and_exits_2():
    done = run("--rounds", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--batch-size and --rounds must be at least 1" in done.stderr
