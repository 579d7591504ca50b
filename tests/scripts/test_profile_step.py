"""scripts/profile_step.py, run as a command on a few tiny steps."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "profile_step.py"


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


def test_a_number_below_one_is_a_mistake():
    done = run("--steps", 0)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("every number must be at least 1")


@pytest.mark.slow
def test_a_run_that_fails_is_one_line_and_exit_code_2():
    done = run("--arch", "no_such_network", "--steps", 1, "--batch-size", 1)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no_such_network" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.slow
def test_a_step_of_cifarnet_in_float32(tmp_path):
    file = tmp_path / "out.json"
    done = run("--precision", "float32", "--batch-size", 2, "--steps", 2, "--json", file)
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text())
    kinds = {row["kind"]: row for row in report["kinds"]}
    # Eight convolutions; the images need no gradient.
    calls = [kinds[f"convolution {way}"]["calls"] for way in ("forward", "data gradient")]
    assert calls == [8, 7]
    # The README's 570 million operations an image forward, times two images; the linear layer is a small part of them.
    assert kinds["convolution forward"]["gflop"] == pytest.approx(2 * 0.5696, rel=0.01)
    # 64 x 128 kernels of 3x3 on 2 images of 32x32, two operations each.
    (row,) = [
        row
        for row in report["shapes"]
        if row["kind"] == "convolution forward" and row["shape"] == "2x32x32x64 to 32x32x128, 3x3"
    ]
    assert row["gflop"] == pytest.approx(2 * 2 * 32 * 32 * 64 * 128 * 9 / 1e9)
    assert row["gflop_per_second"] == pytest.approx(row["gflop"] / row["milliseconds"] * 1e3)
    assert 0 <= report["milliseconds_outside_onednn"] < report["step_milliseconds"]
    operations = {row["operation"]: row["calls"] for row in report["operations"]}
    assert operations["SparseSoftmaxCrossEntropyWithLogits"] == 1
    assert "nothing in oneDNN" in done.stdout
