"""What a run was made with: versions, processor, threads, code; and what differs on a resume."""

import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

from pipelines.cores import usable_cores

_PACKAGES = ("kerasnets", "tensorflow", "keras", "numpy")
# Bit-equal results are promised only while these stay the same.
EXACTNESS = ("python", "packages", "processor", "intra_op_threads", "inter_op_threads", "devices", "replicas", "onednn")


def describe_environment(strategy: tf.distribute.Strategy, precision: str, reason: str) -> dict[str, Any]:
    """Returns the content of ``env.json``, plain JSON values."""
    return {
        "packages": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "processor": processor_name(),
        "cpu_count": usable_cores(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "onednn": {name: os.environ.get(name) for name in ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA")},
        "devices": [device.name for device in tf.config.list_logical_devices()],
        "replicas": strategy.num_replicas_in_sync,
        "precision": precision,
        "precision_reason": reason,
        "commit": _commit(),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }


def differences(before: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Names what could make a resumed run differ in the last bits, such as ``intra_op_threads: 2 before, 1 now``."""
    return [f"{key}: {before.get(key)} before, {now[key]} now" for key in EXACTNESS if before.get(key) != now[key]]


def processor_name() -> str:
    """Returns the processor's name and number of cores that this process may use."""
    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            name = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), name)
    except OSError:
        pass  # not Linux: the platform's own name has to do
    return f"{name}, {usable_cores()} cores"


def peak_memory_bytes() -> int:
    """Returns the largest resident memory of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the code when it runs from a checkout, with ``+`` behind it when files were changed since."""
    folder = Path(__file__).parent
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=10)
        tracked = subprocess.run(
            ["git", "ls-files", "--error-unmatch", __file__], cwd=folder, capture_output=True, timeout=10
        )
        if commit.returncode or tracked.returncode:
            return None
        changed = subprocess.run(
            ["git", "diff", "--quiet", "HEAD", "--", "."], cwd=folder, capture_output=True, timeout=10
        )
        return commit.stdout.strip() + ("+" if changed.returncode else "")
    except (OSError, subprocess.TimeoutExpired):
        return None
