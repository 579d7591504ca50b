"""scripts/bench_train.py, run as a command with tiny settings and with peers that make their numbers up."""

import argparse
import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_train.py"
TINY = ["--batch-size", 4, "--steps", 2, "--epochs", 2, "--evaluation-images", 20]
# Rates by setting; what PyTorch's ways reach changes from round to round.
PEER = """
import json, pathlib, sys
rates = {"float32": [2, 2], "mixed_bfloat16": [4, 4], "bfloat16 eager": [8, 30], "bfloat16 compile": [10, 10]}
counter = pathlib.Path(__file__).with_name("-".join(sys.argv[1:]))
number = int(counter.read_text()) if counter.exists() else 0
counter.write_text(str(number + 1))
print("noise")
print(json.dumps({"images_per_second": rates[" ".join(sys.argv[1:-1])][number], "setting": sys.argv[-1]}))
"""


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def peers(tmp_path):
    """A folder of peers, and an interpreter that says it has torch 9.9."""
    for name in ("keras_stock.py", "torch_cifarnet.py"):
        (tmp_path / name).write_text(PEER)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && echo 9.9 && exit\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return ["--peers", tmp_path, "--peer-python", python]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--peers", "/nowhere"], "/nowhere/keras_stock.py must be a peer's script. Received: no such file."),
        (["--peer-python", "/nowhere"], "--peer-python must be a Python with torch. Received: /nowhere, no such"),
        (["--data-dir", "/nowhere"], "--data-dir must be a folder. Received: /nowhere, which is none."),
        (["--json", "/nowhere/x.json"], "--json must name a file in an existing folder. Received: /nowhere/x.json."),
        (["--repeats", "0"], "--repeats must be at least 1. Received: 0."),
        (["--epochs", "1"], "--epochs must be at least 2. Received: 1."),
        (["--steps", "200"], "--steps times --batch-size must be at most 50,000."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def test_a_python_without_torch_is_told_before_anything_runs(peers):
    Path(peers[-1]).write_text("#!/bin/sh\nexit 1\n")
    done = run(*peers)
    assert done.returncode == 2
    assert "which has none" in done.stderr and done.stderr.count("\n") == 1


def test_a_peer_that_fails_ends_the_script_with_its_last_line(peers, load_script, monkeypatch, capsys):
    (Path(peers[1]) / "keras_stock.py").write_text("raise SystemExit('out of luck')")
    bench_train = load_script("bench_train")
    monkeypatch.setattr(bench_train, "kerasnets_rate", lambda options, precision: {"images_per_second": 1.0})
    arguments = [*TINY, *peers, "--sections", "train", "--precision", "bfloat16"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, arguments)])
    with pytest.raises(SystemExit, match="2"):
        bench_train.main()
    assert capsys.readouterr().err.splitlines()[-1].endswith("Received: exit code 1, out of luck")


def test_our_rate_is_by_the_clock_from_the_end_of_the_first_epoch_to_that_of_the_last(monkeypatch, load_script):
    bench_train = load_script("bench_train")
    told = {"images_per_second": 9.0, "seconds": {"train": 5.0}, "peak_memory_bytes": 1}
    ran = {"started": 90.0, "ends": [100.0, 102.0, 106.0], "summary": told | {"run": "runs/x"}}
    monkeypatch.setattr(bench_train, "run_kerasnets", lambda options, precision, epochs, images: ran)
    options = argparse.Namespace(epochs=3, steps=10, batch_size=4)
    # Two epochs of 40 images in 6 seconds.
    assert bench_train.kerasnets_rate(options, "float32") == {"images_per_second": 80 / 6, "summary": told}


@pytest.mark.slow
def test_training_beside_the_peers(peers, tmp_path):
    file = tmp_path / "out.json"
    arguments = ["--sections", "train", "--precision", "bfloat16", "--repeats", 2, "--json", file]
    done = run(*TINY, *peers, *arguments)
    assert done.returncode == 0, done.stderr
    report = json.loads(file.read_text())
    table = report["sections"]["train"]["bfloat16"]
    contestants = table["contestants"]
    assert list(contestants) == ["kerasnets", "Keras stock", "PyTorch eager", "PyTorch compile"]
    ours = [each["images_per_second"] for each in contestants["kerasnets"]["rounds"]]
    assert min(ours) > 0
    # Eager has the higher median: (8 + 30) / 2 against 10.
    assert table["best_torch"] == "PyTorch eager"
    assert report["ratio_to_best_torch"] == pytest.approx(statistics.median([ours[0] / 8, ours[1] / 30]))
    assert report["ratio_to_best_torch_float32"] is None
    assert contestants["PyTorch eager"]["ratio_of_medians"] == pytest.approx(statistics.mean(ours) / 19)
    assert contestants["Keras stock"]["ours_over_this"] == pytest.approx(statistics.mean(ours) / 4)
    assert contestants["Keras stock"]["rounds"][0]["setting"] == "4"  # the batch size
    assert all(each["summary"]["images_per_second"] > 0 for each in contestants["kerasnets"]["rounds"])
    assert report["versions"]["torch"] == "9.9" and report["hardware"]["cores"] >= 1
    assert report["command"].startswith("bench_train.py --batch-size 4")
    assert "| PyTorch compile | 10 |" in done.stdout


@pytest.mark.slow
def test_overhead_start_and_evaluation(tmp_path):
    file = tmp_path / "out.json"
    # A small network: each of the runs compiles it anew.
    sections = ["--arch", "lenet_bn", "--sections", "overhead", "start", "evaluation"]
    done = run(*TINY, *sections, "--precision", "float32", "--repeats", 2, "--json", file)
    assert done.returncode == 0, done.stderr
    measured = json.loads(file.read_text())["sections"]
    overhead = measured["overhead"]["float32"]
    shares = [1 - b / a for a, b in zip(overhead["step_seconds"], overhead["bare_step_seconds"], strict=True)]
    assert len(shares) == 2 and min(overhead["bare_step_seconds"]) > 0
    assert overhead["overhead"] == pytest.approx(statistics.mean(shares))
    # Both hold an import of TensorFlow; the first step comes after setting up and compiling.
    start = measured["start"]
    for total, summary in zip(start["first_step_seconds"], start["summaries"], strict=True):
        assert total > summary["seconds"]["setup"] + summary["seconds"]["compile"] + 0.5 * min(start["import_seconds"])
    rates = measured["evaluation"]["float32"]["images_per_second"]
    assert list(rates) == ["evaluate", "SavedModel", "bare model(x)", "bare model(x), compiled"]
    ratios = [a / b for a, b in zip(rates["SavedModel"], rates["bare model(x)"], strict=True)]
    kept = measured["evaluation"]["float32"]["ratios"]["SavedModel"]["bare model(x)"]
    assert kept == pytest.approx(statistics.mean(ratios))
    assert "| at most 6 s |" in done.stdout
