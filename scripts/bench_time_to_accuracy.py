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
import json
import os
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarking import (
    COMMAND,
    PEERS,
    check_command,
    check_data_and_json,
    check_peer_python,
    command_line,
    commit,
    complain,
    hardware,
    print_origin,
    run,
    today,
    versions,
    write_json,
)

DATASET = "cifar10"
# What may differ between the runs of one file: where they happened, and the seed.
NOT_COMPARED = ("seed", "data_dir", "output")


def timed(line: list) -> tuple[str, float]:
    """Runs a command in a process of its own: what it printed, and the seconds from its start to its end."""
    print("$", shlex.join(str(word) for word in line), file=sys.stderr, flush=True)
    start = time.perf_counter()
    printed = run(line, TF_CPP_MIN_LOG_LEVEL="3")
    return printed, time.perf_counter() - start


def run_ours(options: argparse.Namespace, seed: int) -> dict[str, Any]:
    """One training of ours, by its own summary."""
    with tempfile.TemporaryDirectory() as scratch:
        printed, seconds = timed([*train_command(options, seed), "--output", options.output or scratch, "--json"])
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
    printed, seconds = timed([options.peer_python, options.peers / "torch_speed.py", options.data_dir, seed])
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


def settings(options: argparse.Namespace) -> dict[str, Any]:
    """Every setting of our runs, as the installed command understands it."""
    import yaml

    printed, _ = timed([*train_command(options, 0), "--print-config"])
    return {name: value for name, value in yaml.safe_load(printed).items() if name not in NOT_COMPARED}


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
    print_origin(report)


def parse() -> argparse.Namespace:
    """Reads the command line and complains about what cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="speednet")
    parser.add_argument("--seeds", type=int, default=5, help="how many trainings of ours, seeds from 0")
    parser.add_argument("--peer-seeds", type=int, default=1, help="how many of the peer's")
    parser.add_argument("--peer-python", metavar="PYTHON", help="interpreter with torch; without it there is no peer")
    parser.add_argument("--peers", type=Path, default=PEERS, metavar="DIR")
    parser.add_argument("--data-dir", type=Path, required=True, metavar="DIR", help="holds cifar-10-batches-py")
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep our run folders here")
    parser.add_argument("--json", type=Path, default=Path("time_to_accuracy.json"), metavar="FILE")
    options = parser.parse_args()
    if min(options.seeds, options.peer_seeds) < 1:
        complain(f"--seeds and --peer-seeds must be at least 1. Received: {options.seeds}, {options.peer_seeds}.")
    check_command()
    check_data_and_json(options)
    if options.peer_python:
        if not (options.peers / "torch_speed.py").is_file():
            complain(f"--peers must hold torch_speed.py. Received: {options.peers}, which has none.")
        if not (options.data_dir / "cifar-10-batches-py").is_dir():
            complain(
                f"The peer reads DIR/cifar-10-batches-py. Received: {options.data_dir}, which has none. Unpack it."
            )
        options.peer_python, _ = check_peer_python(options.peer_python)
    return options


def main() -> None:
    options = parse()
    identity = {
        "arch": options.arch,
        "settings": settings(options),
        "hardware": hardware(),
        "versions": versions("numpy"),
    }
    report = take_up(options, identity) | {"command": command_line()}
    peer_seeds = options.peer_seeds if options.peer_python else 0
    for seed in range(max(options.seeds, peer_seeds)):
        for name, number, start in (("ours", options.seeds, run_ours), ("peer", peer_seeds, run_peer)):
            if seed < number and seed not in [each["seed"] for each in report[name]]:
                moment = {"seed": seed, "date": today(), "commit": commit()}
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
