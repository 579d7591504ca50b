#!/usr/bin/env python3
"""Where the milliseconds of a training step go: by TensorFlow operation, by kind of oneDNN primitive, by its shape.

    python scripts/profile_step.py --arch cifarnet --precision bfloat16 --batch-size 256
    python scripts/profile_step.py --rows 60 --json profile.json

Two real runs on random images, each in a process of its own, one step a call: one under TensorFlow's profiler, one with
ONEDNN_VERBOSE=1, which makes oneDNN print every primitive that it executes. Both slow the step by a little. Primitives
that run at the same time each count in full; "nothing in oneDNN" is the time in which none of them ran.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarking import command_line, complain, write_json  # noqa: E402

WARM_UP_STEPS = 2
MARK = "kerasnets_step"
DIRECTIONS = {
    "forward_training": "forward",
    "forward_inference": "forward",
    "backward_data": "data gradient",
    "backward_weights": "weight gradient",
    "backward": "gradient",
}

Row = dict[str, Any]


def train_some_steps(options: argparse.Namespace, on_begin, on_end) -> None:
    """A real run of one epoch whose callback is told of every step, so that each is a call of its own."""
    import keras
    import numpy as np

    import kerasnets
    import pipelines

    steps = WARM_UP_STEPS + options.steps
    generator = np.random.default_rng(0)
    size = steps * options.batch_size
    images = generator.integers(0, 256, (size, 32, 32, 3), dtype=np.uint8)
    train = pipelines.Split(images=images, labels=generator.integers(0, 10, size).astype(np.int32))
    names = tuple(f"class {number}" for number in range(10))
    source = pipelines.ImageSource(name="random", class_names=names, splits={"train": train}, origin="random bytes")
    settings = {"batch_size": options.batch_size, "precision": options.precision, "epochs": 1, "early_sizes": []}
    callback = keras.callbacks.LambdaCallback(on_train_batch_begin=on_begin, on_train_batch_end=on_end)
    with tempfile.TemporaryDirectory() as scratch:
        config = kerasnets.recipe("cifar10", options.arch, output=scratch, **settings)
        kerasnets.train(config, source=source, callbacks=[callback])


def inside_verbose(options: argparse.Namespace) -> None:
    """The process whose output is oneDNN's log; a mark with the time stands before and after each step."""

    def mark(what):
        # Flushed, as oneDNN's own lines are: the order of the lines is the order of the events.
        return lambda step, logs=None: print(f"{MARK} {what} {time.time() * 1e3}", flush=True)

    train_some_steps(options, mark("begin"), mark("end"))


def inside_profiler(options: argparse.Namespace) -> None:
    """The process under TensorFlow's profiler; prints its steps' ms and {operation: [calls, ms]} of all of them."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        times = []

        def begin(step, logs=None):
            if step == WARM_UP_STEPS:
                tf.profiler.experimental.start(folder)
            times.append(-time.perf_counter() * 1e3)

        def end(step, logs=None):
            times[-1] += time.perf_counter() * 1e3
            if step == WARM_UP_STEPS + options.steps - 1:
                tf.profiler.experimental.stop()

        train_some_steps(options, begin, end)
        (file,) = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    totals = defaultdict(lambda: [0, 0.0])
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            # An operation's event is called name/in/the/graph:Type; "::" and ": " are in names of TensorFlow's own.
            found = re.fullmatch(r"[^:]+:(\w+)", plane.event_metadata[event.metadata_id].name)
            if found:
                totals[found[1]][0] += 1
                totals[found[1]][1] += event.duration_ps / 1e9
    print(json.dumps({"step_milliseconds": times[WARM_UP_STEPS:], "operations": totals}))


def run_inside(options: argparse.Namespace, what: str, **environment: str) -> str:
    """Runs this script again as the process to look into; returns what it printed."""
    line = [sys.executable, __file__, "--inside", what, "--arch", options.arch, "--precision", options.precision]
    line += ["--batch-size", str(options.batch_size), "--steps", str(options.steps)]
    done = subprocess.run(line, capture_output=True, text=True, env=os.environ | environment)
    if done.returncode:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        complain(f"the run to look into failed: {last}")
    return done.stdout


def read_steps(log: str) -> list[dict[str, Any]]:
    """The measured steps of oneDNN's log: milliseconds on the clock, and the primitives executed in each."""
    steps = []
    for line in log.splitlines():
        if line.startswith(MARK):
            _, what, now = line.split()
            if what == "begin":
                steps.append({"begin": float(now), "primitives": []})
            else:
                steps[-1]["milliseconds"] = float(now) - steps[-1]["begin"]
        elif ",primitive,exec," in line and steps and "milliseconds" not in steps[-1]:
            steps[-1]["primitives"].append(read_primitive(line))
    return steps[WARM_UP_STEPS:]


def read_primitive(line: str) -> Row:
    """One line of the log.

    Its fields: onednn_verbose, v1, time of the start in ms, primitive, exec, engine, kind, implementation, direction,
    memory, attributes, algorithm, problem, milliseconds.
    """
    fields = line.split(",")
    start, kind, implementation, direction = float(fields[2]), *fields[6:9]
    problem, milliseconds = fields[-2], float(fields[-1])
    sizes = {name: int(size) for name, size in re.findall(r"([a-z]+)(\d+)", problem)}
    return {
        "kind": f"{kind} {DIRECTIONS.get(direction, '')}".strip(),
        "shape": shape(kind, problem, sizes),
        "implementation": implementation,
        "start": start,
        "milliseconds": milliseconds,
        "gflop": operations(kind, problem, sizes) / 1e9,
    }


def shape(kind: str, problem: str, sizes: dict[str, int]) -> str:
    """The problem as people write it: batch x height x width x channels, to what, by which kernel."""
    if kind == "convolution":
        place = "{mb}x{ih}x{iw}x{ic} to {oh}x{ow}x{oc}, {kh}x{kw}"
    elif kind == "pooling":
        place = "{mb}x{ih}x{iw}x{ic} to {oh}x{ow}, {kh}x{kw}"
    else:
        place = "{mb}x{ih}x{iw}x{ic}"
    try:
        return place.format(**sizes)
    except KeyError:
        return problem


def operations(kind: str, problem: str, sizes: dict[str, int]) -> int:
    """Multiplications and additions of a convolution (any direction) or a product of matrices, 0 for the rest."""
    if kind == "convolution" and {"mb", "ic", "oc", "oh", "ow", "kh", "kw"} <= sizes.keys():
        outputs = sizes["mb"] * sizes["oh"] * sizes["ow"] * sizes["oc"]
        return 2 * outputs * sizes["kh"] * sizes["kw"] * sizes["ic"] // sizes.get("g", 1)
    if kind in ("matmul", "gemm_api", "inner_product") and (found := re.fullmatch(r"(\d+)x(\d+):\2x(\d+)", problem)):
        return 2 * int(found[1]) * int(found[2]) * int(found[3])
    return 0


def table(steps: list[dict], *keys: str) -> list[Row]:
    """Sums of a step's primitives that agree in the keys, the median over the steps, the slowest first."""
    groups = defaultdict(lambda: {"calls": [], "milliseconds": [], "gflop": []})
    for step in steps:
        sums = defaultdict(lambda: [0, 0.0, 0.0])
        for primitive in step["primitives"]:
            entry = sums[tuple(primitive[key] for key in keys)]
            for place, amount in enumerate((1, primitive["milliseconds"], primitive["gflop"])):
                entry[place] += amount
        for key, values in sums.items():
            for name, value in zip(groups[key], values, strict=True):
                groups[key][name].append(value)
    rows = [
        dict(zip(keys, key, strict=True)) | {name: statistics.median(values) for name, values in group.items()}
        for key, group in groups.items()
    ]
    for row in rows:
        seconds = row["milliseconds"] / 1e3
        row["gflop_per_second"] = row["gflop"] / seconds if row["gflop"] and seconds else None
    return sorted(rows, key=lambda row: -row["milliseconds"])


def idle(step: dict[str, Any]) -> float:
    """Milliseconds of the step in which no primitive ran."""
    busy, until = 0.0, 0.0
    for primitive in sorted(step["primitives"], key=lambda primitive: primitive["start"]):
        end = primitive["start"] + primitive["milliseconds"]
        busy += max(0.0, end - max(primitive["start"], until))
        until = max(until, end)
    return step["milliseconds"] - busy


def print_table(title: str, names: list[str], numbers: list[str], rows: list[list[str]]) -> None:
    """A Markdown table with columns of names on the left and of numbers on the right."""
    print(f"\n{title}\n\n| {' | '.join(names + numbers)} |")
    print("|" + " --- |" * len(names) + " ---: |" * len(numbers))
    for row in rows:
        print(f"| {' | '.join(row)} |")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="cifarnet")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="bfloat16")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=5, help=f"steps to look at, after {WARM_UP_STEPS} that warm up")
    parser.add_argument("--rows", type=int, default=30, help="rows of the tables by operation and by shape")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rows there")
    parser.add_argument("--inside", choices=("verbose", "profiler"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.batch_size, options.steps, options.rows) < 1:
        parser.error("every number must be at least 1")
    return options


def main() -> None:
    options = parse()
    if options.inside:
        return {"verbose": inside_verbose, "profiler": inside_profiler}[options.inside](options)
    profiled = json.loads(run_inside(options, "profiler").splitlines()[-1])
    steps = read_steps(run_inside(options, "verbose", ONEDNN_VERBOSE="1", ONEDNN_VERBOSE_TIMESTAMP="1"))
    wall = statistics.median(step["milliseconds"] for step in steps)
    report = {
        "command": command_line(),
        "arch": options.arch,
        "precision": options.precision,
        "batch_size": options.batch_size,
        "step_milliseconds": wall,
        "profiled_step_milliseconds": statistics.median(profiled["step_milliseconds"]),
        "step_milliseconds_each": [step["milliseconds"] for step in steps],
        "milliseconds_outside_onednn": statistics.median(idle(step) for step in steps),
        "operations": [
            {"operation": name, "calls": calls / options.steps, "milliseconds": milliseconds / options.steps}
            for name, (calls, milliseconds) in sorted(profiled["operations"].items(), key=lambda item: -item[1][1])
        ],
        "kinds": table(steps, "kind"),
        "shapes": table(steps, "kind", "shape", "implementation"),
    }
    write_json(options.json, report)
    print_report(report, options.rows)


def print_report(report: dict[str, Any], rows: int) -> None:
    """The three tables, each with milliseconds of one step."""
    wall, profiled = report["step_milliseconds"], report["profiled_step_milliseconds"]
    columns = ["calls", "ms", "of the step"]

    def numbers(row: Row, whole: float = wall) -> list[str]:
        return [f"{row['calls']:,.0f}", f"{row['milliseconds']:,.1f}", f"{row['milliseconds'] / whole:.1%}"]

    def speed(row: Row) -> str:
        return f"{row['gflop_per_second']:,.0f}" if row["gflop_per_second"] else ""

    print(f"`{report['arch']}`, {report['precision']}, batch {report['batch_size']}: {wall:,.1f} ms a step")
    print_table(
        f"By TensorFlow operation ({profiled:,.1f} ms a step under the profiler)",
        ["operation"],
        columns,
        [[row["operation"], *numbers(row, profiled)] for row in report["operations"][:rows]],
    )
    kinds = [[row["kind"], *numbers(row), speed(row)] for row in report["kinds"]]
    outside = report["milliseconds_outside_onednn"]
    kinds.append(["nothing in oneDNN", "", f"{outside:,.1f}", f"{outside / wall:.1%}", ""])
    print_table("By kind of oneDNN primitive", ["kind"], [*columns, "GFLOP/s"], kinds)
    names = ["kind", "shape", "implementation"]
    shapes = [[*(row[name] for name in names), *numbers(row), speed(row)] for row in report["shapes"][:rows]]
    print_table("By shape", names, [*columns, "GFLOP/s"], shapes)


if __name__ == "__main__":
    main()
