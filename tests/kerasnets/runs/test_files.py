"""Files stay whole when the disk is full, the folder is wrong, or the writer is killed."""

import errno
import json
import math
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from kerasnets.runs import files
from kerasnets.runs.files import (
    finite_or_null,
    sweep_partial_files,
    write_bytes_atomic,
    write_json_atomic,
    write_text_atomic,
)

ROOT = Path(__file__).parents[3]


def in_process(script: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs a script that needs no TensorFlow, so that limits and signals do not touch this process."""
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_new_and_replaced(tmp_path):
    path = tmp_path / "file"
    write_bytes_atomic(path, b"\x00old")
    assert path.read_bytes() == b"\x00old"
    write_bytes_atomic(str(path), b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["file"]


def test_content_and_rename_reach_the_disk_in_order(tmp_path, monkeypatch):
    calls = []
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (calls.append(os.readlink(f"/proc/self/fd/{fd}")), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (calls.append("rename"), replace(*names)))
    write_bytes_atomic(tmp_path / "file", b"data")
    partial, rename, folder = calls
    assert partial.endswith(".partial") and rename == "rename" and folder == str(tmp_path)


def test_full_disk_leaves_the_old_content(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = f"""
import resource, signal, sys
from kerasnets.runs.files import write_bytes_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, {resource.RLIM_INFINITY}))
write_bytes_atomic(sys.argv[1], bytes(1_000_000))
"""
    done = in_process(script, str(path))
    assert done.returncode == 1 and "OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_killed_writer_leaves_the_old_content(tmp_path, function):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    script = f"""
import os, signal, sys
from kerasnets.runs.files import write_bytes_atomic
os.{function} = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
write_bytes_atomic(sys.argv[1], bytes(1_000_000))
"""
    assert in_process(script, str(path)).returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(list(tmp_path.glob(".file.*.partial"))) == 1
    sweep_partial_files(tmp_path)
    assert os.listdir(tmp_path) == ["file"]


def test_ctrl_c_in_the_write_leaves_nothing_aside(tmp_path, monkeypatch):
    def interrupt(fd):
        raise KeyboardInterrupt

    monkeypatch.setattr(files.os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_bytes_atomic(tmp_path / "file", b"data")
    assert os.listdir(tmp_path) == []


def test_folder_that_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_bytes_atomic(tmp_path / "nowhere" / "file", b"data")


def test_sweep_touches_nothing_else(tmp_path):
    for name in ("results.csv", ".lock", "a.partial", ".b.1.partial"):
        (tmp_path / name).touch()
    sweep_partial_files(tmp_path)
    assert sorted(os.listdir(tmp_path)) == [".lock", "a.partial", "results.csv"]


def test_text_is_utf_8(tmp_path):
    write_text_atomic(tmp_path / "file", "Grüße\n")
    assert (tmp_path / "file").read_bytes() == b"Gr\xc3\xbc\xc3\x9fe\n"


def test_a_file_name_that_is_no_utf_8_can_be_written(tmp_path):
    name = os.fsdecode(b"pets\xff \xc3\xa9")
    write_json_atomic(tmp_path / "file", {"origin": name, name: 1})
    text = (tmp_path / "file").read_text(encoding="utf-8")
    assert json.loads(text) == {"origin": name, name: 1}
    assert "pets\\udcff é" in text
    write_text_atomic(tmp_path / "file", name)
    assert (tmp_path / "file").read_bytes() == b"pets\\udcff \xc3\xa9"


def test_json_has_no_nan(tmp_path):
    value = {"loss": math.nan, "list": [math.inf, (1.5, -math.inf)], "name": "é", "n": 3, "yes": True, "none": None}
    write_json_atomic(tmp_path / "file", value)
    text = (tmp_path / "file").read_text(encoding="utf-8")
    expected = {"loss": None, "list": [None, [1.5, None]], "name": "é", "n": 3, "yes": True, "none": None}
    assert json.loads(text) == expected
    assert "é" in text and text.endswith("}\n")


def test_finite_or_null_leaves_the_value_alone():
    value = {"a": [math.nan]}
    assert finite_or_null(value) == {"a": [None]}
    assert math.isnan(value["a"][0])


def test_a_full_disk_says_where(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError) as error:
        write_bytes_atomic(tmp_path / "file", b"data")
    assert error.value.filename == str(tmp_path / "file")
    assert os.listdir(tmp_path) == []
