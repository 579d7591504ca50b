"""What the benchmarks have in common: mistakes in one line, processes, what a report says of itself, its file."""

import argparse
import datetime
import importlib.metadata
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # of this checkout, whatever is installed

from kerasnets.layers.processor import cpu_flags  # noqa: E402
from kerasnets.runs.files import write_json_atomic  # noqa: E402
from pipelines.cores import usable_cores  # noqa: E402

PEERS = ROOT.parent / "shared" / "peers"
COMMAND = Path(sys.executable).parent / "kerasnets-train"


def complain(text: str) -> NoReturn:
    """Ends the script with one line about a mistake that the user can mend, and exit code 2."""
    print(f"{Path(sys.argv[0]).name}: error: {text}", file=sys.stderr)
    sys.exit(2)


def check_numbers(options: argparse.Namespace, lowest: Mapping[str, int]) -> None:
    """Complains about a flag that is given and below its lowest value."""
    for name, low in lowest.items():
        value = getattr(options, name)
        if value is not None and value < low:
            complain(f"--{name.replace('_', '-')} must be at least {low}. Received: {value}.")


def check_data_and_json(options: argparse.Namespace) -> None:
    """Complains about a ``--data-dir`` that is no folder, and a ``--json`` in none."""
    if options.data_dir and not options.data_dir.is_dir():
        complain(f"--data-dir must be a folder. Received: {options.data_dir}, which is none.")
    if options.json and not options.json.absolute().parent.is_dir():
        complain(f"--json must name a file in an existing folder. Received: {options.json}.")


def check_command() -> None:
    """Complains where ``kerasnets-train`` is not installed beside this interpreter."""
    if not COMMAND.is_file():
        complain(f"{COMMAND.name} must be installed beside {sys.executable}. Received: none. Run scripts/quickstart.")


def check_peer_python(python: str) -> tuple[str, str]:
    """Complains about an interpreter that is missing or has no torch; returns its path and the version of torch."""
    found = shutil.which(python)
    if not found:
        complain(f"--peer-python must be a Python with torch. Received: {python}, no such program.")
    found = os.path.abspath(found)  # not resolved: the link is what makes it that environment's
    ask = "import importlib.metadata as packages; print(packages.version('torch'))"
    done = subprocess.run([found, "-c", ask], capture_output=True, text=True)
    if done.returncode:
        complain(f"--peer-python must be a Python with torch. Received: {python}, which has none.")
    return found, done.stdout.strip()


def run(line: list, folder: Path | None = None, **environment: str) -> str:
    """Runs a command in a process of its own and returns what it printed; a failure ends the script."""
    words = [str(word) for word in line]
    done = subprocess.run(words, cwd=folder, env=os.environ | environment, capture_output=True, text=True)
    if done.returncode:
        complain_of_failure(words, done.returncode, done.stderr.strip() or done.stdout.strip())
    return done.stdout


def complain_of_failure(words: list[str], code: int, said: str) -> NoReturn:
    """Ends the script for a command that failed, with the last line that it said."""
    last = (said or "no output").splitlines()[-1]
    complain(f"`{shlex.join(words)}` must succeed. Received: exit code {code}, {last}")


def origin(*packages: str) -> dict[str, Any]:
    """What every report says of itself: command, day, commit, machine, and versions of kerasnets and these packages."""
    return {
        "command": command_line(),
        "date": today(),
        "commit": commit(),
        "hardware": hardware() | {"load_average": os.getloadavg()[0]},
        "versions": versions(*packages),
    }


def command_line() -> str:
    """The command that repeats the script."""
    return shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])


def today() -> str:
    """The day, such as 2025-01-31."""
    return datetime.date.today().isoformat()


def hardware() -> dict[str, Any]:
    """The processor, what it has for bfloat16, and the cores that this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    name = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    flags = cpu_flags()
    instructions = {flag: flag in flags for flag in ("amx_bf16", "avx512_bf16")}
    return {"processor": name, "cores": usable_cores()} | instructions


def versions(*packages: str) -> dict[str, str]:
    """Versions of kerasnets, what it stands on, and these packages."""
    return {name: importlib.metadata.version(name) for name in ("kerasnets", "tensorflow", "keras", *packages)}


def commit() -> str | None:
    """The commit of the checkout, with + behind it when files were changed since."""
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def print_origin(report: dict[str, Any]) -> None:
    """A last line: where, with what load, and with which versions the report was made."""
    machine = report["hardware"]
    load = f", load before {machine['load_average']:.1f}" if "load_average" in machine else ""
    print(f"\n{machine['processor']}, {machine['cores']} cores{load}; ", end="")
    print(", ".join(f"{name} {version}" for name, version in report["versions"].items()))


def write_json(path: Path | None, report: dict[str, Any]) -> None:
    """Replaces the file at once, so that a stop leaves the last whole one; writes nothing where there is no path."""
    if path:
        write_json_atomic(path, report)
