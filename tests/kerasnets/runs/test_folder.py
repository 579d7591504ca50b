"""The writing side of a run folder: names, lock, results table and event log."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kerasnets.errors import InputError
from kerasnets.runs.folder import RESULT_COLUMNS, RunFolder, check_output, check_run_path

ROOT = Path(__file__).parents[3]


@pytest.fixture
def folder(tmp_path):
    with RunFolder.create(tmp_path, "net-s0-1a2b3c4d", "seed: 0\n") as folder:
        yield folder


def test_fresh_run_gets_a_folder_of_its_own(tmp_path):
    parent = tmp_path / "runs" / "digits"
    names = []
    for number in range(3):
        with RunFolder.create(parent, "net", f"seed: {number}\n") as folder:
            names.append(folder.path.name)
    assert names == ["net", "net-2", "net-3"]
    assert [(parent / name / "config.yaml").read_text() for name in names] == ["seed: 0\n", "seed: 1\n", "seed: 2\n"]
    assert (parent / "net" / "checkpoints").is_dir()


def test_nothing_is_left_when_the_disk_is_full(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        RunFolder.create(tmp_path / "runs", "net", "seed: 0\n")
    assert os.listdir(tmp_path / "runs") == []


def test_output_below_a_file(tmp_path):
    (tmp_path / "runs").write_text("no folder")
    with pytest.raises(OSError, match="runs"):
        RunFolder.create(tmp_path / "runs" / "digits", "net", "")
    with pytest.raises(OSError, match="runs"):
        RunFolder.create(tmp_path / "runs", "net", "")
    assert (tmp_path / "runs").read_text() == "no folder"


def test_a_run_in_exactly_this_folder(tmp_path):
    path = tmp_path / "cells" / "1a2b"
    with RunFolder.create_at(path, "seed: 0\n") as folder:
        assert folder.path == path
    with pytest.raises(InputError, match="Received: .*1a2b, which holds a run. Resume that run."):
        RunFolder.create_at(path, "seed: 1\n")
    assert (path / "config.yaml").read_text() == "seed: 0\n"


def test_a_folder_that_was_left_without_its_configuration_is_taken_up(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / ".lock").touch()
    (tmp_path / ".config.yaml.12.partial").write_text("see")
    with RunFolder.create_at(tmp_path, "seed: 0\n"):
        assert sorted(os.listdir(tmp_path)) == [".lock", "checkpoints", "config.yaml"]


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(InputError, match="A new run needs an empty folder. Received: .* with 'thesis.tex' in it"):
        RunFolder.create_at(tmp_path, "seed: 0\n")
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_a_full_disk_gives_the_folder_back(tmp_path, monkeypatch):
    def full(fd):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            RunFolder.create_at(tmp_path / "cell", "seed: 0\n")
    RunFolder.create_at(tmp_path / "cell", "seed: 0\n").close()


def test_second_process_is_refused(folder):
    script = "import sys; from kerasnets.runs.folder import RunFolder; RunFolder.open(sys.argv[1])"
    command = [sys.executable, "-c", script, str(folder.path)]
    done = subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"InputError: Another process is training in {folder.path}." in done.stderr


def test_lock_is_given_back(folder):
    with pytest.raises(InputError, match="Another process is training in .* a fresh run gets a folder of its own"):
        RunFolder.open(folder.path)
    folder.close()
    RunFolder.open(folder.path).close()


def test_lock_is_given_back_after_an_error(folder):
    folder.close()
    with pytest.raises(ZeroDivisionError), RunFolder.open(folder.path):
        raise ZeroDivisionError
    RunFolder.open(folder.path).close()


def test_open_sweeps_what_a_killed_writer_left(folder):
    leftovers = [folder.path / ".summary.json.1.partial", folder.checkpoints / ".step-000000001.ckpt.1.partial"]
    for path in leftovers:
        path.touch()
    folder.close()
    RunFolder.open(folder.path).close()
    assert not any(path.exists() for path in leftovers)


def test_open_what_is_no_run(tmp_path):
    with pytest.raises(InputError, match="A run folder was expected. Received: .*nowhere, which is no folder"):
        RunFolder.open(tmp_path / "nowhere")
    with pytest.raises(InputError, match="which has no config.yaml. Run folders look like"):
        check_run_path(tmp_path)
    assert os.listdir(tmp_path) == []


def test_results_have_one_header_and_a_row_an_epoch(folder):
    rows = [{"epoch": 1, "train_loss": 0.1 + 0.2, "val_loss": float("nan")}]
    folder.write_results(rows)
    rows.append({"epoch": 2, "train_loss": 1e-7, "test_accuracy": 0.5})
    folder.write_results(rows)
    lines = (folder.path / "results.csv").read_bytes().decode().split("\n")
    assert lines == [
        ",".join(RESULT_COLUMNS),
        "1,,,0.30000000000000004,,,nan,,,",
        "2,,,1e-07,,,,,,0.5",
        "",
    ]


def test_results_columns_are_known(folder):
    with pytest.raises(ValueError, match="fields not in fieldnames: 'seconds'"):
        folder.write_results([{"epoch": 1, "seconds": 3}])


def events(folder) -> list[dict]:
    return [json.loads(line) for line in (folder.path / "log.jsonl").read_text(encoding="utf-8").splitlines()]


def test_log(folder):
    folder.log("started", command="kerasnets-train digits")
    folder.log("epoch", loss=float("inf"), name="Grüße")
    first, second = events(folder)
    assert first["event"] == "started" and first["command"] == "kerasnets-train digits"
    assert second["loss"] is None and second["name"] == "Grüße"
    assert second["time"] >= first["time"] and second["time"].endswith("+00:00")


def test_half_a_log_line_ends_before_the_next(folder):
    folder.log("started")
    with open(folder.path / "log.jsonl", "a", encoding="utf-8") as file:
        file.write('{"time": "2026-01-01", "ev')
    folder.log("resumed")
    lines = (folder.path / "log.jsonl").read_text().splitlines()
    assert len(lines) == 3
    assert [json.loads(lines[number])["event"] for number in (0, 2)] == ["started", "resumed"]


def test_output_may_be_made_later(tmp_path):
    check_output(tmp_path / "not" / "yet" / "there")
    assert not (tmp_path / "not").exists()


def test_output_checked_below_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        InputError, match=r"output must be a folder that can be written. Received: .*file/runs \(.*is a file\)"
    ):
        check_output(tmp_path / "file" / "runs")


def test_output_that_is_read_only(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # permissions do not bind root
    with pytest.raises(InputError, match=r"is read-only\). Use --output with another folder"):
        check_output(tmp_path / "runs")
