#!/usr/bin/env python3
"""Architecture search beside stock keras-tuner: trials finished, best score and memory in the same time.

    python scripts/bench_search.py --data-dir DIR --limit-train 10000 --minutes 30 --json bench_search.json

In turn, round after round, each in processes of its own and for the same time from its start: `kerasnets-search`, and
`stock_tuner.py`, the same kind of oracle with the same seed on the same space, networks and images, with keras-tuner's
own tuner class, its own loop over trials and plain Keras `fit`. Whoever begins changes from round to round.

Trials that are finished are those that have a score in time. A promoted trial of Hyperband is one more, as keras-tuner
counts; epochs are those that finished trials were given. A score is the accuracy on the same validation images: ours
after the last epoch, keras-tuner's of the best epoch, which favours it. Memory is that of all processes together, pages
that they share counted once, four times a second; its growth is from the second fifth of the time to the last.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarking import (
    ROOT,
    check_data_and_json,
    check_numbers,
    complain,
    complain_of_failure,
    origin,
    print_origin,
    write_json,
)

OURS, STOCK = "kerasnets-search", "keras-tuner"
SEARCH = "import sys; from kerasnets.cli.search import main; sys.exit(main())"
LOOK_SECONDS = 0.25
# What is asked to stop may have to write checkpoints; what does not is killed.
SECONDS_TO_STOP = 120.0
MIB = 1 << 20


# The contestants -----------------------------------------------------------------------------------------------------


def commands(options: argparse.Namespace, folder: Path) -> dict[str, list[str]]:
    """What is started, by contestant."""
    same = ["--tuner", options.tuner, "--epochs", options.epochs, "--seed", options.seed]
    same += ["--validation", options.validation]
    for name in ("data_dir", "limit_train", "trials"):
        if (value := getattr(options, name)) is not None:
            same += [f"--{name.replace('_', '-')}", value]
    ours = [sys.executable, "-c", SEARCH, options.dataset, *same, "--objective", "val_accuracy"]
    ours += ["--max-time", f"{options.minutes * 60:g}s", "--workers", options.workers, "--final-seeds", 0, "--nice", 0]
    ours += ["--output", folder, "--name", OURS]
    stock = [sys.executable, ROOT / "scripts" / "stock_tuner.py", folder / STOCK, "--dataset", options.dataset, *same]
    return {name: [str(word) for word in line] for name, line in ((OURS, ours), (STOCK, stock))}


def read_ours(folder: Path, deadline: float) -> list[dict[str, Any]]:
    """The trials that have a score in time: score and epochs."""
    trials = []
    for file, record in read_each(folder / "results", "*.json"):
        if record["status"] == "completed" and file.stat().st_mtime <= deadline:
            trials.append({"score": record["val_accuracy"], "epochs": record["budget"] - record["initial_budget"]})
    return trials


def read_stock(folder: Path, deadline: float, epochs: int) -> list[dict[str, Any]]:
    """The same of keras-tuner's files."""
    trials = []
    for file, record in read_each(folder, "trial_*/trial.json"):
        if record["status"] == "COMPLETED" and file.stat().st_mtime <= deadline:
            values = record["hyperparameters"]["values"]
            given = values.get("tuner/epochs", epochs) - values.get("tuner/initial_epoch", 0)
            trials.append({"score": record["score"], "epochs": given})
    return trials


def read_each(folder: Path, pattern: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Files and what they hold; one that was being written is passed over."""
    for file in sorted(folder.glob(pattern)):
        with contextlib.suppress(OSError, ValueError):
            yield file, json.loads(file.read_text(encoding="utf-8"))


# What is measured ----------------------------------------------------------------------------------------------------


def compete(options: argparse.Namespace, number: int) -> dict[str, Any]:
    """One round: each contestant's result."""
    results = {}
    with contextlib.ExitStack() as stack:
        folder = options.output and options.output / f"round-{number + 1}"
        folder = folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        lines = commands(options, folder)
        for name in (OURS, STOCK) if number % 2 == 0 else (STOCK, OURS):
            seconds = options.minutes * 60
            ran = run(lines[name], folder / f"{name}.txt", seconds)
            deadline = ran.pop("started") + seconds
            read = {OURS: read_ours, STOCK: lambda *place: read_stock(*place, options.epochs)}[name]
            results[name] = summarise(read(folder / name, deadline), ran)
            told = {key: results[name][key] for key in ("trials", "best_score", "peak_memory_bytes")}
            print(f"round {number + 1}, {name}: {told}", file=sys.stderr, flush=True)
    return results


def run(line: list[str], output: Path, seconds: float) -> dict[str, Any]:
    """Runs a command for so long and looks at the memory of all processes that it has started.

    Returns:
        When it was started (Unix seconds), how long it ran, its exit code, and (seconds, bytes) of every look.
    """
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    started, begin, looks = time.time(), time.monotonic(), []
    with open(output, "wb") as file:
        process = subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=environment, start_new_session=True
        )
        try:
            asked, running = False, {process.pid}
            while process.poll() is None:
                age = time.monotonic() - begin
                running = members(running)
                if age < seconds:
                    looks.append((round(age, 2), memory(running)))
                elif not asked:
                    asked = True
                    process.terminate()
                elif age > seconds + SECONDS_TO_STOP:
                    break
                time.sleep(LOOK_SECONDS)
            ran = time.monotonic() - begin
        finally:
            for left in members(running):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)
            process.wait()
    if not asked and process.returncode:
        complain_of_failure(line, process.returncode, output.read_text(errors="replace").strip())
    return {"started": started, "seconds": ran, "exit_code": process.returncode, "memory": looks}


def members(known: set[int]) -> set[int]:
    """Those of the processes that still run, all of their sessions, and the sessions that these have started."""
    parents, sessions = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            _, parent, _, session, *_ = stat.read_text().rpartition(")")[2].split()
            number = int(stat.parent.name)
            parents[number], sessions[number] = int(parent), int(session)
    found: set[int] = set()
    added = known & parents.keys()
    while added:
        found |= added
        leaders = {sessions[number] for number in added}
        added = {number for number in parents if sessions[number] in leaders or parents[number] in added} - found
    return found


def memory(processes: set[int]) -> int:
    """Bytes in memory of the processes; a page that n of them share counts as 1/n in each."""
    total = 0
    for process in processes:
        with contextlib.suppress(OSError):  # it has ended meanwhile
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
    return total


def summarise(trials: list[dict[str, Any]], ran: dict[str, Any]) -> dict[str, Any]:
    """A contestant's numbers."""
    sizes = [size for _, size in ran["memory"]]
    fifth = len(sizes) // 5
    growth = statistics.median(sizes[-fifth:]) - statistics.median(sizes[fifth : 2 * fifth]) if fifth else None
    thinned = ran["memory"][:: max(1, len(sizes) // 200)]
    return {
        "trials": len(trials),
        "epochs": sum(trial["epochs"] for trial in trials),
        "best_score": max((trial["score"] for trial in trials), default=None),
        "peak_memory_bytes": max(sizes, default=0),
        "memory_growth_bytes": growth,
    } | (ran | {"memory": thinned, "scores": [trial["score"] for trial in trials]})


def compare(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over the rounds of our trials over keras-tuner's, and of the difference of the best scores."""
    trials = [each[OURS]["trials"] / each[STOCK]["trials"] for each in rounds if each[STOCK]["trials"]]
    pairs = [(each[OURS]["best_score"], each[STOCK]["best_score"]) for each in rounds]
    differences = [ours - stock for ours, stock in pairs if None not in (ours, stock)]
    return {
        "ratio_of_trials": statistics.median(trials) if trials else None,
        "difference_of_best_scores": statistics.median(differences) if differences else None,
    }


# What is told --------------------------------------------------------------------------------------------------------


def print_report(report: dict[str, Any]) -> None:
    """One table over all rounds, and what is compared with a goal."""
    print(f"\n{report['dataset']}, {report['tuner']}, {report['minutes']:g} minutes each\n")
    print("| round | | trials | epochs | best validation accuracy | peak memory | growth |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for number, contestants in enumerate(report["rounds"], start=1):
        for name in (OURS, STOCK):
            row = contestants[name]
            score = "" if row["best_score"] is None else f"{row['best_score']:.2%}"
            growth = "" if row["memory_growth_bytes"] is None else f"{row['memory_growth_bytes'] / MIB:+,.0f} MiB"
            peak = f"{row['peak_memory_bytes'] / MIB:,.0f} MiB"
            print(f"| {number} | {name} | {row['trials']} | {row['epochs']:g} | {score} | {peak} | {growth} |")
    print("\n| what | measured | goal |\n| --- | ---: | --- |")
    ratio, difference = report["ratio_of_trials"], report["difference_of_best_scores"]
    print(f"| our trials over keras-tuner's | {'' if ratio is None else f'{ratio:.2f}'} | at least 2 |")
    points = "" if difference is None else f"{100 * difference:+.2f} points"
    print(f"| our best score less keras-tuner's | {points} | not below 0 |")
    print_origin(report)


def parse() -> argparse.Namespace:
    """Reads the command line and complains about what cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="cifar10")
    parser.add_argument("--tuner", choices=("hyperband", "bayesian", "random"), default="hyperband")
    parser.add_argument("--minutes", type=float, default=30, help="for each contestant, in each round")
    parser.add_argument("--repeats", type=int, default=1, help="rounds")
    parser.add_argument("--epochs", type=int, default=9, help="of a whole trial")
    parser.add_argument("--trials", type=int, metavar="N", help="end earlier; keras-tuner's hyperband cannot")
    parser.add_argument("--limit-train", type=int, metavar="N", help="training images, validation images among them")
    parser.add_argument("--validation", type=float, default=0.1, help="share of them that trials are ranked on")
    parser.add_argument("--seed", type=int, default=1, help="0 would be none for keras-tuner")
    parser.add_argument("--workers", type=int, default=1, help="trials side by side, of ours")
    parser.add_argument("--data-dir", type=Path, metavar="DIR")
    parser.add_argument("--output", type=Path, metavar="DIR", help="keep the searches there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every raw value there, round by round")
    options = parser.parse_args()
    check_numbers(options, {"repeats": 1, "epochs": 1, "trials": 1, "limit_train": 1, "seed": 1, "workers": 1})
    if options.minutes <= 0:
        complain(f"--minutes must be above zero. Received: {options.minutes:g}.")
    if not 0 < options.validation < 1:
        complain(f"--validation must lie between 0 and 1. Received: {options.validation:g}.")
    if not Path("/proc/self/smaps_rollup").is_file():
        complain("Memory is read from /proc, which needs Linux. Received: a system without it.")
    check_data_and_json(options)
    if options.output and options.output.exists() and any(options.output.iterdir()):
        complain(f"--output must be a new or empty folder. Received: {options.output}, which is not.")
    for name in ("data_dir", "output", "json"):
        path = getattr(options, name)
        setattr(options, name, path and path.absolute())
    return options


def main() -> None:
    options = parse()
    settings = ("dataset", "tuner", "minutes", "repeats", "epochs", "trials", "limit_train", "validation", "seed")
    report = {
        "ratio_of_trials": None,
        "difference_of_best_scores": None,
        **origin("keras-tuner"),
        "rounds": [],
    } | {name: getattr(options, name) for name in (*settings, "workers")}
    for number in range(options.repeats):
        report["rounds"].append(compete(options, number))
        report |= compare(report["rounds"])
        write_json(options.json, report)
    print_report(report)


if __name__ == "__main__":
    main()
