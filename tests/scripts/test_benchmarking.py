"""What the benchmarks have in common."""

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def benchmarking(load_script):
    return load_script("benchmarking")


def test_only_numbers_that_are_given_must_be_high_enough(benchmarking, capsys):
    options = argparse.Namespace(epochs=2, limit_train=None)
    benchmarking.check_numbers(options, {"epochs": 2, "limit_train": 1})
    with pytest.raises(SystemExit, match="2"):
        benchmarking.check_numbers(options, {"epochs": 3})
    assert capsys.readouterr().err.endswith("error: --epochs must be at least 3. Received: 2.\n")


def test_a_python_of_another_environment_keeps_its_link(benchmarking, tmp_path):
    real, link = tmp_path / "real", tmp_path / "link"
    real.write_text("#!/bin/sh\necho 9.9\n")
    real.chmod(0o755)
    link.symlink_to(real)
    assert benchmarking.check_peer_python(str(link)) == (str(link), "9.9")


def test_a_command_runs_in_its_folder_with_its_environment(benchmarking, tmp_path, capsys):
    line = [sys.executable, "-c", "import os; print(os.getcwd(), os.environ['KEY'])"]
    assert benchmarking.run(line, tmp_path, KEY="value") == f"{tmp_path.resolve()} value\n"
    with pytest.raises(SystemExit, match="2"):
        benchmarking.run(["sh", "-c", "echo first; echo last; exit 3"])
    assert capsys.readouterr().err.endswith("must succeed. Received: exit code 3, last\n")


def test_a_report_says_where_it_comes_from(benchmarking, capsys):
    report = benchmarking.origin("numpy")
    assert list(report["versions"]) == ["kerasnets", "tensorflow", "keras", "numpy"]
    assert report["versions"]["numpy"] == importlib.metadata.version("numpy")
    assert report["hardware"]["cores"] == len(os.sched_getaffinity(0))
    assert report["hardware"]["load_average"] >= 0
    benchmarking.print_origin(report)
    told = capsys.readouterr().out
    assert f"{report['hardware']['cores']} cores, load before" in told and "numpy " in told
    benchmarking.print_origin(report | {"hardware": benchmarking.hardware()})  # what does not change from run to run
    assert "load" not in capsys.readouterr().out


def test_the_commit_is_that_of_the_checkout(benchmarking, tmp_path, monkeypatch):
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=tmp_path, capture_output=True, text=True).stdout.strip()
    monkeypatch.setattr(benchmarking, "ROOT", tmp_path)
    assert benchmarking.commit() == head
    monkeypatch.setattr(benchmarking, "ROOT", Path("/"))
    assert benchmarking.commit() is None


def test_a_report_is_replaced_as_a_whole(benchmarking, tmp_path, monkeypatch):
    file = tmp_path / "report.json"
    benchmarking.write_json(None, {"a": 1})
    benchmarking.write_json(file, {"a": 1})
    with pytest.raises(TypeError):
        benchmarking.write_json(file, {"a": object()})
    assert json.loads(file.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["report.json"]
