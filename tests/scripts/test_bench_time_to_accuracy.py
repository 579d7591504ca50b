"""scripts/bench_time_to_accuracy.py, run as a command on a tiny data set: every seed once, and the numbers by hand."""

import json
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_time_to_accuracy.py"
# The 97.5 % quantile of Student's t with one degree of freedom, from tables.
T_1 = 12.706
PEER = """
import json, sys
seed = int(sys.argv[2])
print("noise")
accuracy = {"accuracy": 0.90 + 0.02 * seed, "accuracy_tta": 0.91 + 0.02 * seed}
print(json.dumps(accuracy | {"train_seconds": 100 + 10 * seed, "tta_seconds": 7}))
"""


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def data_dir(tmp_path):
    """CIFAR-10's official form with 40 images to train on and 20 to test."""
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    generator = np.random.default_rng(0)
    sizes = {f"data_batch_{number}": 8 for number in range(1, 6)} | {"test_batch": 20}
    for name, size in sizes.items():
        batch = {b"data": generator.integers(0, 256, (size, 3072), dtype=np.uint8)}
        (folder / name).write_bytes(pickle.dumps(batch | {b"labels": [k % 10 for k in range(size)]}, protocol=2))
    names = [f"class {number}" for number in range(10)]
    (folder / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))
    return tmp_path


@pytest.fixture
def peer(tmp_path):
    """Arguments for a peer that makes its numbers up, in an interpreter that says it has torch."""
    (tmp_path / "torch_speed.py").write_text(PEER)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 0\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return ["--peers", tmp_path, "--peer-python", python]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data-dir", "/nowhere"], "--data-dir must be a folder. Received: /nowhere"),
        (["--data-dir", ".", "--seeds", "0"], "--seeds and --peer-seeds must be at least 1. Received: 0, 1."),
        (["--data-dir", ".", "--json", "/nowhere/x.json"], "--json must name a file in an existing folder."),
        (["--data-dir", ".", "--peer-python", "python3", "--peers", "/nowhere"], "--peers must hold torch_speed.py."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_python_without_torch_is_told_before_anything_runs(data_dir, peer):
    (data_dir / "python").write_text("#!/bin/sh\nexit 1\n")
    done = run("--data-dir", data_dir, *peer, "--json", data_dir / "out.json")
    assert done.returncode == 2
    assert "which has none" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_seeds_are_run_once_and_summed_up(data_dir, peer):
    file = data_dir / "out.json"
    arguments = ["--data-dir", data_dir, "--arch", "lazynet", "--json", file, *peer]
    first = run(*arguments, "--seeds", 1)
    assert first.returncode == 0, first.stderr
    before = json.loads(file.read_text())
    assert before["summary"]["peer"]["accuracy"] == {"mean": 0.91, "standard_deviation": None, "interval": None}

    second = run(*arguments, "--seeds", 2, "--peer-seeds", 2)
    assert second.returncode == 0, second.stderr
    report = json.loads(file.read_text())
    assert [each["seed"] for each in report["ours"]] == [each["seed"] for each in report["peer"]] == [0, 1]
    assert report["ours"][:1] == before["ours"]  # not run again
    assert report["settings"]["arch"] == "lazynet" and "seed" not in report["settings"]

    # 0.91 and 0.93: mean 0.92, deviation 0.02 / sqrt(2), half a confidence interval t * deviation / sqrt(2) = t * 0.01.
    accuracy = report["summary"]["peer"]["accuracy"]
    assert accuracy["mean"] == pytest.approx(0.92)
    assert accuracy["standard_deviation"] == pytest.approx(0.02 / 2**0.5)
    assert accuracy["interval"] == pytest.approx([0.92 - T_1 * 0.01, 0.92 + T_1 * 0.01], abs=1e-5)
    assert report["summary"]["peer"]["accuracy_without_tta"]["mean"] == pytest.approx(0.91)
    assert report["summary"]["peer"]["median_train_seconds"] == 105

    ours, theirs = ([each["process_seconds"] for each in report[name]] for name in ("ours", "peer"))
    assert report["peer_over_ours_seconds"] == pytest.approx(sum(theirs) / sum(ours))
    assert all(seconds > each["seconds"]["total"] for seconds, each in zip(ours, report["ours"], strict=True))
    assert "| PyTorch, torch_speed | 2 | 92.00% | 1.41% |" in second.stdout

    other = run("--data-dir", data_dir, "--arch", "boringnet", "--json", file)
    assert other.returncode == 2
    assert "must hold runs of the same arch" in other.stderr
