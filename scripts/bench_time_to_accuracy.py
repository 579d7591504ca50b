#!/usr/bin/env python3
"""How long a whole training takes and how accurate it gets, over several seeds, beside the same in PyTorch.

    python scripts/bench_time_to_accuracy.py --data-dir DIR --json accuracy.json
    python scripts/bench_time_to_accuracy.py --data-dir DIR --json accuracy.json --seeds 5 --peer-python PYTHON

Seed after seed, `kerasnets-train cifar10 --arch speednet --seed N` as a process of its own, timed from its start to
its end: imports, data, compiling, training, the test split, tables and figures are all in it. The first --peer-seeds of
them in turn with `torch_speed.py`, timed in the same way. Every finished process is in the file at once: a second call
with the same file does only what is missing, or reports again when nothing is.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATASET = "cifar10"
COMMAND = Path(sys.executable).parent / "kerasnets-train"
# What may differ between the runs of one file: where they happened, and the seed.
NOT_COMPARED = ("seed", "data_dir", "output")


def complain(text: str) -> None:
    """Ends the script with one line about a mistake that the user can mend."""
    print(f"{Path(__file__).name}: error: {text}", file=sys.stderr)
    sys.exit(2)


def run(line: list) -> tuple[str, float]:
    """Runs a command in a process of its own: what it printed, and the seconds from its start to its end."""
    words = [str(word) for word in line]
    print("$", shlex.join(words), file=sys.stderr, flush=True)
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"})
    seconds = time.perf_counter() - start
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        complain(f"`{shlex.join(words)}` must succeed. Received: exit code {done.returncode}, {last}")
    return done.stdout, seconds


def run_ours(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One training of ours, by its own summary."""
    with tempfile.TemporaryDirectory() as scratch:
        printed, seconds = run([*train_command(options, seed), "--output", options.output or scratch, "--json"])
    summary = json.loads(printed)
    test = summary["test"]
    return {
        "process_seconds": seconds,
        "accuracy": test["accuracy"],
        # Without test-time augmentation the two are one number.
        "accuracy_without_tta": test.get("accuracy_without_tta", test["accuracy"]),
        "seconds": summary["seconds"],
        "images_per_second": summary["images_per_second"],
        "peak_memory_bytes": summary["peak_memory_bytes"],
        "precision": summary["precision"],
        "epochs": summary["epochs"],
    }


def train_command(options: argparse.Namespace, seed: int) -> list:
    return [COMMAND, DATASET, "--arch", options.arch, "--seed", seed, "--data-dir", options.data_dir]


def run_peer(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One training of the peer, by the line that it prints."""
    printed, seconds = run([options.peer_python, options.peers / "torch_speed.py", options.data_dir, seed])
    told = json.loads(printed.splitlines()[-1])
    return {
        "process_seconds": seconds,
        "accuracy": told["accuracy_tta"],
        "accuracy_without_tta": told["accuracy"],
        "seconds": {"train": told["train_seconds"], "evaluation": told["tta_seconds"]},
    }


def take_up(options: argparse.Namespace, identity: dict[str, Any]) -> dict[str, Any]:
    """What the file holds already; complains when that was measured on something else."""
    if not options.json.exists():
        return identity | {"ours": [], "peer": []}
    report = json.loads(options.json.read_text())
    for name, value in identity.items():
        if report.get(name) != value:
            complain(f"{options.json} must hold runs of the same {name}. Received: another. Name a new --json FILE.")
    return report


def summarise(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Mean, standard deviation and 95 % interval of the accuracies, medians of the seconds."""
    from scipy import stats  # comes with scikit-learn

    def spread(name: str) -> dict[str, Any]:
        values = [each[name] for each in runs]
        mean = statistics.mean(values)
        if len(values) < 2:
            return {"mean": mean, "standard_deviation": None, "interval": None}
        deviation = statistics.stdev(values)
        half = stats.t.ppf(0.975, len(values) - 1) * deviation / len(values) ** 0.5
        return {"mean": mean, "standard_deviation": deviation, "interval": [mean - half, mean + half]}

    def median(name: str) -> float:
        return statistics.median(each["seconds"][name] for each in runs)

    return {
        "seeds": len(runs),
        "accuracy": spread("accuracy"),
        "accuracy_without_tta": spread("accuracy_without_tta"),
        "median_process_seconds": statistics.median(each["process_seconds"] for each in runs),
        "median_train_seconds": median("train"),
        "median_evaluation_seconds": median("evaluation"),
    }


def add_summaries(report: dict[str, Any]) -> dict[str, Any]:
    """Renews what follows from the single runs."""
    report["summary"] = {name: summarise(report[name]) for name in ("ours", "peer") if report[name]}
    seconds = {name: values["median_process_seconds"] for name, values in report["summary"].items()}
    report["peer_over_ours_seconds"] = seconds["peer"] / seconds["ours"] if len(seconds) == 2 else None
    return report


def write_json(path: Path, report: dict[str, Any]) -> None:
    """Replaces the file at once, so that a stop leaves the last whole one."""
    aside = path.with_name(f".{path.name}.partial")
    aside.write_text(json.dumps(report, indent=1) + "\n")
    aside.replace(path)


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Every setting of our runs, as the installed command understands it."""
    import yaml

    printed, _ = run([*train_command(options, 0), "--print-config"])
    return {name: value for name, value in yaml.safe_load(printed).items() if name not in NOT_COMPARED}


def hardware() -> dict[str, Any]:
    """The processor and the cores that this process may use."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").is_file() else []
    values = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = values.get("flags", "").split()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    instructions = {name: name in flags for name in ("amx_bf16", "avx512_bf16")}
    return {"processor": values.get("model name", "unknown"), "cores": cores} | instructions


def commit() -> str | None:
    """The commit of the checkout, with + behind it when files were changed since."""
    try:
        command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def print_report(report: dict[str, Any]) -> None:
    """One Markdown table with a line for ours and one for the peer."""
    columns = ("", "seeds", "test accuracy, mean", "sd", "95 % interval", "without augmentation")
    columns += ("whole process, median", "training", "evaluation")
    print(f"| {' | '.join(columns)} |")
    print("| --- |" + " ---: |" * (len(columns) - 1))
    for name, values in report["summary"].items():
        accuracy = values["accuracy"]
        deviation, interval = accuracy["standard_deviation"], accuracy["interval"]
        cells = [
            {"ours": f"`{report['arch']}`", "peer": "PyTorch, torch_speed"}[name],
            f"{values['seeds']}",
            f"{accuracy['mean']:.2%}",
            "" if deviation is None else f"{deviation:.2%}",
            "" if interval is None else f"{interval[0]:.2%} to {interval[1]:.2%}",
            f"{values['accuracy_without_tta']['mean']:.2%}",
            *(f"{values[f'median_{part}_seconds']:,.1f} s" for part in ("process", "train", "evaluation")),
        ]
        print(f"| {' | '.join(cells)} |")
    if report["peer_over_ours_seconds"]:
        print(f"\nThe peer takes {report['peer_over_ours_seconds']:.2f} times as long (ratio of medians).")
    machine = report["hardware"]
    print(f"\n{machine['processor']}, {machine['cores']} cores; ", end="")
    print(", ".join(f"{name} {version}" for name, version in report["versions"].items()))


def parse() -> argparse.Namespace:
    """Reads the command line and complains about what cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="speednet")
    parser.add_argument("--seeds", type=int, default=5, help="how many trainings of ours, seeds from 0")
    parser.add_argument("--peer-seeds", type=int, default=1, help="how many of the peer's")
    parser.add_argument("--peer-python", metavar="PYTHON", help="interpreter with torch; without it there is no peer")
    parser.add_argument("--peers", type=Path, default=ROOT.parent / "shared" / "peers", metavar="DIR")
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="holds cifar-10-batches-py")
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep our run folders here")
    parser.add_argument("--json", type=Path, default=Path("time_to_accuracy.json"), metavar="FILE")
    options = parser.parse_args()
    if min(options.seeds, options.peer_seeds) < 1:
        complain(f"--seeds and --peer-seeds must be at least 1. Received: {options.seeds}, {options.peer_seeds}.")
    if not COMMAND.is_file():
        complain(f"{COMMAND.name} must be installed beside {sys.executable}. Received: none. Run scripts/quickstart.")
    if not options.data_dir.is_dir():
        complain(f"--data-dir must be a folder. Received: {options.data_dir}, which is none.")
    if not options.json.absolute().parent.is_dir():
        complain(f"--json must name a file in an existing folder. Received: {options.json}.")
    if options.peer_python:
        if not (options.peers / "torch_speed.py").is_file():
            complain(f"--peers must hold torch_speed.py. Received: {options.peers}, which has none.")
        if not (options.data_dir / "cifar-10-batches-py").is_dir():
            complain(
                f"The peer reads DIR/cifar-10-batches-py. Received: {options.data_dir}, which has none. Unpack it."
            )
        if not shutil.which(options.peer_python):
            complain(f"--peer-python must be a Python with torch. Received: {options.peer_python}, no such program.")
        ask = "import importlib.metadata as packages; packages.version('torch')"
        if subprocess.run([options.peer_python, "-c", ask], capture_output=True).returncode:
            complain(f"--peer-python must be a Python with torch. Received: {options.peer_python}, which has none.")
    return options


def main() -> None:
    options = parse()
    identity = {
        "arch": options.arch,
        "settings": settings(options),
        "hardware": hardware(),
        "versions": {name: importlib.metadata.version(name) for name in ("kerasnets", "tensorflow", "keras", "numpy")},
    }
    report = take_up(options, identity) | {"command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]])}
    peer_seeds = options.peer_seeds if options.peer_python else 0
    for seed in range(max(options.seeds, peer_seeds)):
        for name, number, start in (("ours", options.seeds, run_ours), ("peer", peer_seeds, run_peer)):
            if seed < number and seed not in [each["seed"] for each in report[name]]:
                moment = {"seed": seed, "date": datetime.date.today().isoformat(), "commit": commit()}
                last = moment | {"load_average": os.getloadavg()[0]} | start(options, seed)
                report[name].append(last)
                told = f"{name}, seed {seed}: {last['accuracy']:.2%} in {last['process_seconds']:.1f} s"
                print(told, file=sys.stderr, flush=True)
                write_json(options.json, add_summaries(report))
    print_report(add_summaries(report))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)  # what is finished is in the file
