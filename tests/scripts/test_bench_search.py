"""scripts/bench_search.py: its parts on files and processes made up, and both contestants for a moment."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_search.py"
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads memory from /proc")


@pytest.fixture(scope="module")
def bench(load_script):
    return load_script("bench_search")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--repeats", "0"], "--repeats must be at least 1. Received: 0."),
        (["--limit-train", "0"], "--limit-train must be at least 1. Received: 0."),
        (["--seed", "0"], "--seed must be at least 1. Received: 0."),
        (["--minutes", "0"], "--minutes must be above zero. Received: 0."),
        (["--validation", "1"], "--validation must lie between 0 and 1. Received: 1."),
        (["--data-dir", "/nowhere"], "--data-dir must be a folder. Received: /nowhere, which is none."),
        (["--output", "/"], "--output must be a new or empty folder. Received: /, which is not."),
        (["--json", "/nowhere/x.json"], "--json must name a file in an existing folder. Received: /nowhere/x.json."),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(arguments, message):
    done = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr and done.stderr.count("\n") == 1


def write(path, text, age=0.0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (time.time() - age,) * 2)


def test_our_trials_that_ended_in_time(bench, tmp_path):
    record = {"status": "completed", "val_accuracy": 0.5, "budget": 9, "initial_budget": 3}
    write(tmp_path / "results" / "0.json", json.dumps(record), age=100)
    write(tmp_path / "results" / "1.json", json.dumps(record))  # too late
    write(tmp_path / "results" / "2.json", json.dumps(record | {"status": "diverged"}), age=100)
    write(tmp_path / "results" / "3.json", json.dumps(record)[:9], age=100)
    assert bench.read_ours(tmp_path, time.time() - 50) == [{"score": 0.5, "epochs": 6}]


def test_keras_tuner_s_trials_that_ended_in_time(bench, tmp_path):
    def trial(status, **values):
        return json.dumps({"status": status, "score": 0.75, "hyperparameters": {"values": values}})

    promoted = {"tuner/epochs": 9, "tuner/initial_epoch": 3}
    write(tmp_path / "trial_0" / "trial.json", trial("COMPLETED", **promoted), age=100)
    write(tmp_path / "trial_1" / "trial.json", trial("COMPLETED"), age=100)  # of another tuner than hyperband
    write(tmp_path / "trial_2" / "trial.json", trial("COMPLETED"))
    write(tmp_path / "trial_3" / "trial.json", trial("INVALID"), age=100)
    assert [each["epochs"] for each in bench.read_stock(tmp_path, time.time() - 50, epochs=27)] == [6, 27]


BIG = "x = b'x' * (60 << 20)\nimport time\ntime.sleep(60)"
PARENT = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {BIG!r}], start_new_session=True)"


def test_memory_is_that_of_all_processes_and_none_stays(bench, tmp_path, monkeypatch):
    monkeypatch.setattr(bench, "SECONDS_TO_STOP", 0.5)
    ran = bench.run([sys.executable, "-c", PARENT], tmp_path / "out.txt", seconds=3.0)
    assert 3.0 <= ran["seconds"] < 10.0
    sizes = [size for _, size in ran["memory"]]
    assert 60 << 20 < max(sizes) < 200 << 20
    assert os.getpid() in bench.members({os.getpid()})
    assert bench.members({1 << 30}) == set()  # has ended
    assert not [line for line in processes() if "x = b'x' * (60 << 20)" in line]


def processes() -> list[str]:
    lines = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue
    return lines


def test_a_contestant_that_fails_ends_the_script_with_its_last_line(bench, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        bench.run([sys.executable, "-c", "raise SystemExit('out of luck')"], tmp_path / "out.txt", seconds=60.0)
    assert capsys.readouterr().err.endswith("must succeed. Received: exit code 1, out of luck\n")


def test_numbers_of_a_contestant(bench):
    looks = [(second, size) for second, size in enumerate([9, 1, 2, 3, 3, 4, 4, 7, 8, 6])]
    trials = [{"score": 0.5, "epochs": 3}, {"score": 0.75, "epochs": 9}]
    numbers = bench.summarise(trials, {"seconds": 10.0, "exit_code": 0, "memory": looks})
    expected = {"trials": 2, "epochs": 12, "best_score": 0.75, "peak_memory_bytes": 9}
    # the median of 6 and 8 less that of 2 and 3
    assert numbers | expected | {"memory_growth_bytes": 4.5} == numbers
    nothing = bench.summarise([], {"seconds": 0.1, "exit_code": 0, "memory": []})
    assert (nothing["best_score"], nothing["memory_growth_bytes"]) == (None, None)


def test_comparison_and_table(bench, capsys):
    def numbers(trials, score):
        trials = [{"score": score, "epochs": 3}] * trials
        return bench.summarise(trials, {"seconds": 1.0, "exit_code": 0, "memory": [(0.0, 3 << 20)] * 10})

    rounds = [
        {bench.OURS: numbers(9, 0.75), bench.STOCK: numbers(3, 0.5)},
        {bench.OURS: numbers(4, 0.5), bench.STOCK: numbers(4, 0.625)},
        {bench.OURS: numbers(4, 0.5), bench.STOCK: numbers(0, 0.0)},
    ]
    compared = bench.compare(rounds)
    assert compared == {"ratio_of_trials": 2.0, "difference_of_best_scores": 0.0625}
    machine = {"processor": "a processor", "cores": 2, "load_average": 0.5}
    report = {"dataset": "digits", "tuner": "random", "minutes": 1, "rounds": rounds, "hardware": machine}
    bench.print_report(report | compared | {"versions": {"keras": "3"}})
    printed = capsys.readouterr().out
    assert "| 1 | kerasnets-search | 9 | 27 | 75.00% | 3 MiB | +0 MiB |" in printed
    assert "| 3 | keras-tuner | 0 | 0 |  | 3 MiB | +0 MiB |" in printed
    assert "| our trials over keras-tuner's | 2.00 | at least 2 |" in printed
    assert "| our best score less keras-tuner's | +6.25 points | not below 0 |" in printed


@pytest.mark.slow
def test_both_contestants(tmp_path):
    words = ["--dataset", "digits", "--tuner", "random", "--trials", 2, "--epochs", 1, "--limit-train", 200]
    words += ["--minutes", 10, "--json", tmp_path / "out.json", "--output", tmp_path / "kept"]
    done = subprocess.run([sys.executable, SCRIPT, *map(str, words)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "out.json").read_text())
    (contestants,) = report["rounds"]
    for name, numbers in contestants.items():
        assert numbers["trials"] == numbers["epochs"] == 2, name
        assert 0 < numbers["best_score"] <= 1 and numbers["peak_memory_bytes"] > 100 << 20
        assert (tmp_path / "kept" / "round-1" / name).is_dir()
    assert report["ratio_of_trials"] == 1.0
    assert "| 1 | keras-tuner | 2 | 2 |" in done.stdout
