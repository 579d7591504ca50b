#!/usr/bin/env python3
"""How long the gradient of a convolution's kernel takes in each of the ways that `kerasnets.layers` has.

    python scripts/bench_layers.py
    python scripts/bench_layers.py --net speednet --batch-size 128 --json

Numbers are random, so no data is needed; a minute or two. The shapes are those of the 3x3 convolutions of cifarnet and
speednet (at 32x32 and, in its early epochs, 24x24). The ways take turns, round after round, so that a busy machine
slows all of them alike, and the best round of each counts. Two times are given: that on the clock on the wall, and the
processor time of the busiest thread, which other work on the machine disturbs less (Linux only).
"""

import argparse
import functools
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import tensorflow as tf  # noqa: E402

from kerasnets.layers.processor import has_amx  # noqa: E402
from kerasnets.layers.weight_gradient import choose_algorithm, library, matrix_products, mosaic  # noqa: E402

# Side of the map, channels in, channels out.
SHAPES = {
    "cifarnet": [(32, 3, 64), (32, 64, 128), (16, 128, 128), (16, 128, 256), (8, 256, 256), (4, 256, 256)],
    "speednet": [(31, 24, 64), (15, 64, 64), (15, 64, 256), (7, 256, 256), (3, 256, 256)],
    "speednet24": [(23, 24, 64), (11, 64, 64), (11, 64, 256), (5, 256, 256), (2, 256, 256)],
}
ALGORITHMS = {"library": library, "mosaic": mosaic, "products": matrix_products}
TASKS = Path("/proc/self/task")


def thread_seconds() -> dict[str, float]:
    """Processor time of every thread of this process so far; empty where the system does not tell."""
    seconds = {}
    for task in TASKS.iterdir() if TASKS.is_dir() else []:
        try:
            seconds[task.name] = int((task / "schedstat").read_text().split()[0]) / 1e9
        except OSError:
            continue  # it has ended meanwhile
    return seconds


def timed(function: Callable[[], tf.Tensor]) -> tuple[float, float | None]:
    """Milliseconds on the wall, and of the busiest thread."""
    before, start = thread_seconds(), time.perf_counter()
    function()
    wall, after = time.perf_counter() - start, thread_seconds()
    busiest = max((after[name] - before.get(name, 0.0) for name in after), default=None)
    return wall * 1e3, None if busiest is None else busiest * 1e3


def measure(shape: tuple[int, int, int], dtype: str, batch_size: int, rounds: int) -> dict:
    """One row: the best time of each algorithm for one shape, after a first round, which compiles."""
    side, channels_in, channels_out = shape
    kernel_shape = [3, 3, channels_in, channels_out]
    inputs, gradient = (
        tf.cast(tf.random.stateless_normal((batch_size, side, side, channels), seed=(0, channels)), dtype)
        for channels in (channels_in, channels_out)
    )
    functions = {
        name: functools.partial(tf.function(algorithm, autograph=False), inputs, gradient, kernel_shape)
        for name, algorithm in ALGORITHMS.items()
    }
    times = [{name: timed(function) for name, function in functions.items()} for _ in range(rounds + 1)][1:]
    row = {"map": side, "channels_in": channels_in, "channels_out": channels_out, "dtype": dtype}
    for name in ALGORITHMS:
        walls, threads = zip(*(turn[name] for turn in times), strict=True)
        row[name] = {"wall_ms": round(min(walls), 2)}
        row[name]["thread_ms"] = None if None in threads else round(min(threads), 2)
    chosen = choose_algorithm(side, side, channels_in, channels_out, (3, 3), dtype)
    row["chosen"] = next(name for name, algorithm in ALGORITHMS.items() if algorithm is chosen)
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=[*SHAPES, "all"], default="all")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "both"], default="both")
    parser.add_argument("--threads", type=int, default=0, help="threads for TensorFlow; 0 is one for each core")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if min(arguments.batch_size, arguments.rounds, arguments.threads + 1) < 1:
        parser.error("--batch-size and --rounds must be at least 1, --threads at least 0")

    tf.config.threading.set_inter_op_parallelism_threads(1)  # one operation at a time, as with a network in training
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    nets = list(SHAPES) if arguments.net == "all" else [arguments.net]
    dtypes = ["bfloat16", "float32"] if arguments.dtype == "both" else [arguments.dtype]
    if not arguments.json:
        print(f"milliseconds on the wall / of the busiest thread, {arguments.batch_size} images, 3x3 kernels")
        print(f"{'':26}" + "".join(f"{name:>17}" for name in ALGORITHMS) + "  chosen")
    rows = []
    for net, dtype in [(net, dtype) for net in nets for dtype in dtypes]:
        for shape in SHAPES[net]:
            row = {"net": net} | measure(shape, dtype, arguments.batch_size, arguments.rounds)
            rows.append(row)
            if not arguments.json:
                print(line(row), flush=True)
    if arguments.json:
        setting = {"batch_size": arguments.batch_size, "rounds": arguments.rounds, "threads": arguments.threads}
        print(json.dumps({**setting, "amx": has_amx(), "results": rows}))


def line(row: dict) -> str:
    """A row of the table."""
    text = f"{row['dtype']:8} {row['map']:2}x{row['map']:<2} {row['channels_in']:4} -> {row['channels_out']:<4}"
    for name in ALGORITHMS:
        wall, thread = row[name]["wall_ms"], row[name]["thread_ms"]
        text += f"{wall:8.1f} /{'-' if thread is None else f'{thread:.1f}':>7}"
    return f"{text}  {row['chosen']}"


if __name__ == "__main__":
    main()
