"""What a run was made with, and what of it could change the last bits."""

import json
import os
import platform
import re
import resource
import sys

import keras
import numpy as np
import tensorflow as tf

from kerasnets.training import environment
from kerasnets.training.environment import (
    EXACTNESS,
    describe_environment,
    differences,
    peak_memory_bytes,
    processor_name,
)


def describe():
    return describe_environment(tf.distribute.get_strategy(), "float32", "as asked")


def test_describe(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/kerasnets-train", "digits", "--seed", "3"])
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    facts = describe()
    assert facts["packages"]["tensorflow"] == tf.__version__
    assert facts["packages"]["keras"] == keras.__version__
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["python"] == platform.python_version()
    assert facts["cpu_count"] == len(os.sched_getaffinity(0))
    assert (facts["precision"], facts["precision_reason"], facts["replicas"]) == ("float32", "as asked", 1)
    assert facts["onednn"]["TF_ENABLE_ONEDNN_OPTS"] == "0"
    assert facts["command"] == "kerasnets-train digits --seed 3"
    assert re.fullmatch(r"[0-9a-f]{40}\+?", facts["commit"] or "0" * 40)
    assert set(EXACTNESS) <= set(facts)
    assert json.loads(json.dumps(facts)) == facts


def test_differences():
    now = describe()
    assert differences(json.loads(json.dumps(now)), now) == []
    before = now | {"intra_op_threads": 77, "commit": "other", "command": "other"}
    assert differences(before, now) == [f"intra_op_threads: 77 before, {now['intra_op_threads']} now"]
    assert differences({}, now)[0] == f"python: None before, {now['python']} now"


def test_package_that_is_not_installed():
    assert environment._version("no-such-package-anywhere") is None


def test_commit_without_git(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert describe()["commit"] is None


def test_commit_outside_a_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "__file__", str(tmp_path / "environment.py"))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert describe()["commit"] is None


def test_processor():
    assert processor_name().endswith(f", {len(os.sched_getaffinity(0))} cores")


def test_peak_memory():
    peak = peak_memory_bytes()
    assert peak <= resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    block = np.ones(32 * 2**20, np.uint8)
    assert peak_memory_bytes() >= peak and 50 * 2**20 < peak < 2**40 and block[0]
