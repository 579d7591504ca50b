#!/usr/bin/env python3
"""How fast training is: beside Keras's and PyTorch's usual ways, beside the bare step, at the start, in evaluation.

    python scripts/bench_train.py --peer-python OTHER_VENV/bin/python --json bench_train.json
    python scripts/bench_train.py --sections overhead start evaluation

Contestants run in turn, round after round, so that a busy machine slows all of them alike; every ratio is the median
over the rounds. About twenty minutes on two cores. Without --data-dir the images are random bytes in CIFAR-10's form.

train       Images/s of `kerasnets-train` in a fresh process with everything on (input pipeline, augmentation, metrics,
            callbacks, results, checkpoints), by the clock from the end of its first epoch, which compiles, to the end
            of its last; and of the peers, each in a fresh process too.
overhead    The same epochs beside the bare compiled step (network, loss, gradient, update) on a batch held in memory:
            the share of the time that everything else takes.
start       From the command to the end of the first training step, beside `import tensorflow` alone.
evaluation  `kerasnets.evaluate` and an exported SavedModel beside a loop of `model(x)` in batches of 256.
"""

import argparse
import datetime
import json
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np  # noqa: E402
from benchmarking import (  # noqa: E402
    COMMAND,
    PEERS,
    ROOT,
    check_command,
    check_data_and_json,
    check_numbers,
    check_peer_python,
    complain,
    origin,
    print_origin,
    run,
    write_json,
)

SECTIONS = ("train", "overhead", "start", "evaluation")
DATASET = "cifar10"
OURS = "kerasnets"
TRAIN_IMAGES = 50_000  # as many as the real data set has, so that starting costs what it costs there
BARE_BATCH_SIZE = 256


# What is measured ----------------------------------------------------------------------------------------------------


def write_random_data(folder: Path, test_images: int) -> None:
    """Writes random images and labels in the official form of CIFAR-10."""
    generator = np.random.default_rng(0)
    target = folder / "cifar-10-batches-py"
    target.mkdir(parents=True)
    sizes = {f"data_batch_{number}": TRAIN_IMAGES // 5 for number in range(1, 6)} | {"test_batch": test_images}
    for name, size in sizes.items():
        data = np.frombuffer(generator.bytes(size * 3072), np.uint8).reshape(size, 3072)
        batch = {b"data": data, b"labels": generator.integers(0, 10, size).tolist()}
        (target / name).write_bytes(pickle.dumps(batch, protocol=2))
    names = [f"class {number}" for number in range(10)]
    (target / "batches.meta").write_bytes(pickle.dumps({b"label_names": names}, protocol=2))


def run_kerasnets(options: argparse.Namespace, precision: str, epochs: int, images: int) -> dict[str, Any]:
    """One run of the installed command: when it was started, its epochs' ends (Unix seconds) and its summary."""
    with tempfile.TemporaryDirectory() as scratch:
        line = [COMMAND, DATASET, "--arch", options.arch, "--data-dir", options.data_dir, "--output", scratch]
        line += ["--epochs", epochs, "--batch-size", options.batch_size, "--limit-train", images]
        line += ["--precision", precision, "--early-sizes", "[]", "--tta", "none", "--json"]
        started = time.time()
        summary = json.loads(run(line, Path(scratch)))
        events = [json.loads(row) for row in (Path(summary["run"]) / "log.jsonl").read_text().splitlines()]
    ends = [datetime.datetime.fromisoformat(row["time"]).timestamp() for row in events if row["event"] == "epoch"]
    return {"started": started, "ends": ends, "summary": summary}


def kerasnets_rate(options: argparse.Namespace, precision: str) -> dict[str, Any]:
    """Images/s from the end of the first epoch to the end of the last, and what the run itself says."""
    images = options.steps * options.batch_size
    result = run_kerasnets(options, precision, options.epochs, images)
    seconds = result["ends"][-1] - result["ends"][0]
    told = {key: result["summary"][key] for key in ("images_per_second", "seconds", "peak_memory_bytes")}
    return {"images_per_second": (options.epochs - 1) * images / seconds, "summary": told}


def peer_commands(options: argparse.Namespace, precision: str) -> dict[str, list]:
    """The peers that train this network in this format, by name; none for networks that no peer has."""
    commands = {}
    if options.arch == "cifarnet":
        policy = {"float32": "float32", "bfloat16": "mixed_bfloat16"}[precision]
        commands["Keras stock"] = [sys.executable, options.peers / "keras_stock.py", policy, options.batch_size]
        for mode in ("eager", "compile"):
            script = options.peers / "torch_cifarnet.py"
            commands[f"PyTorch {mode}"] = [options.peer_python, script, precision, mode, options.batch_size]
    if options.arch == "speednet" and precision == "bfloat16":
        commands["PyTorch eager"] = [options.peer_python, options.peers / "torch_speed.py", "--throughput"]
    return {name: line for name, line in commands.items() if line[0]}


def check_peers(options: argparse.Namespace) -> dict[str, str]:
    """Complains about a peer that cannot run; returns the version of PyTorch, when there is one."""
    lines = [line for precision in options.precision for line in peer_commands(options, precision).values()]
    for script in {line[1] for line in lines}:
        if not script.is_file():
            complain(f"{script} must be a peer's script. Received: no such file. Name their folder with --peers.")
    if not any(line[0] == options.peer_python for line in lines):
        print("PyTorch is left out: --peer-python names an interpreter that has it.", file=sys.stderr)
        return {}
    return {"torch": options.torch}


def measure_train(options: argparse.Namespace, save: Callable[[dict], None]) -> dict[str, Any]:
    """Section train, saved after each round: {precision: {contestant: every round's result}}."""
    results = {precision: {} for precision in options.precision}
    for number in range(options.repeats):
        for precision, contestants in results.items():
            contestants.setdefault(OURS, []).append(kerasnets_rate(options, precision))
            for name, line in peer_commands(options, precision).items():
                with tempfile.TemporaryDirectory() as scratch:
                    contestants.setdefault(name, []).append(json.loads(run(line, Path(scratch)).splitlines()[-1]))
            rates = {name: round(rounds[-1]["images_per_second"], 1) for name, rounds in contestants.items()}
            print(f"train, round {number + 1}, {precision}: {rates}", file=sys.stderr, flush=True)
        save(summarise_train(results))
    return summarise_train(results)


def summarise_train(results: dict[str, dict[str, list[dict]]]) -> dict[str, Any]:
    """Medians of the rates; `ours_over_this` is the median over the rounds of our rate over a peer's in that round."""
    table = {}
    for precision, contestants in results.items():
        rates = {name: [each["images_per_second"] for each in rounds] for name, rounds in contestants.items()}
        ratios = {name: [a / b for a, b in zip(rates[OURS], values, strict=True)] for name, values in rates.items()}
        torch = [name for name in rates if name.startswith("PyTorch")]
        best = max(torch, key=lambda name: statistics.median(rates[name]), default=None)
        table[precision] = {
            "contestants": {
                name: {
                    "median_images_per_second": statistics.median(rates[name]),
                    "ours_over_this": statistics.median(ratios[name]),
                    "ratios": ratios[name],
                    "ratio_of_medians": statistics.median(rates[OURS]) / statistics.median(rates[name]),
                    "rounds": contestants[name],
                }
                for name in rates
            },
            "best_torch": best,
            "ratio_to_best_torch": statistics.median(ratios[best]) if best else None,
        }
    return table


def measure_overhead(options: argparse.Namespace, save: Callable[[dict], None]) -> dict[str, Any]:
    """Section overhead: epochs of one run, and after each of them as many bare steps.

    The bare steps are taken at an epoch's end by a callback, outside of what is counted as the epoch: that reaches from
    where the callback returns to where it is called again, so results, log and checkpoints of every epoch are in it.
    """
    import keras

    import kerasnets

    source = load_source(options, options.steps * options.batch_size)
    results = {}
    for precision in options.precision:
        config = configuration(options, precision, epochs=options.repeats + 2)
        bare = bare_steps(config, source)
        bare(1)  # compiles
        full_seconds, bare_seconds, returned = [], [], []

        def end_of_epoch(epoch, logs, bare=bare, full=full_seconds, alone=bare_seconds, returned=returned):
            if returned:
                full.append((time.perf_counter() - returned.pop()) / options.steps)
            alone.append(bare(options.steps) / options.steps)
            returned.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as scratch:
            callbacks = [keras.callbacks.LambdaCallback(on_epoch_end=end_of_epoch)]
            finished = kerasnets.train(config.replace(output=scratch), source=source, callbacks=callbacks)
            seconds = finished.summary["seconds"]
        # The first epoch compiles and has no beginning on this clock, and the second still grows TensorFlow's memory.
        full, alone = full_seconds[1:], bare_seconds[2:]
        shares = [1 - b / a for a, b in zip(full, alone, strict=True)]
        results[precision] = {
            "step_seconds": full,
            "bare_step_seconds": alone,
            "shares": shares,
            "overhead": statistics.median(shares),
            "summary": {"seconds": seconds},
        }
        save(results)
    return results


def bare_steps(config, source) -> Callable[[int], float]:
    """A function that trains for some steps on one batch in memory and returns the seconds; nothing else is done."""
    import tensorflow as tf

    import kerasnets
    from kerasnets.training.losses import make_loss
    from kerasnets.training.optimizers import GroupedOptimizer

    model = kerasnets.build_model(
        config.arch,
        source.image_shape,
        source.num_classes,
        precision=config.precision,
        seed=config.seed,
        **config.arch_options,
    )
    optimizer = GroupedOptimizer(config, model.trainable_variables)
    loss = make_loss(config.loss, "logits", source.num_classes, config.label_smoothing)
    split = source.splits["train"]
    images = tf.constant(split.images[: config.batch_size], tf.float32) / 255 - 0.5
    labels = tf.constant(split.labels[: config.batch_size])

    @tf.function
    def run_steps(count):
        value = tf.constant(0.0)
        for _ in tf.range(count):
            with tf.GradientTape() as tape:
                value = tf.reduce_mean(loss(labels, tf.cast(model(images, training=True), tf.float32)))
            optimizer.apply(tape.gradient(value, model.trainable_variables))
        return value

    def timed(count: int) -> float:
        start = time.perf_counter()
        run_steps(tf.constant(count)).numpy()
        return time.perf_counter() - start

    return timed


def measure_start(options: argparse.Namespace, save: Callable[[dict], None]) -> dict[str, Any]:
    """Section start: a run of one step ends its only epoch right after it, and its log says when that was."""
    line = [sys.executable, "-c", "import tensorflow"]
    run(line, ROOT)  # the files come from the disk once
    result = {"import_seconds": [], "first_step_seconds": [], "beyond_import_seconds": [], "summaries": []}
    for _ in range(options.repeats):
        begin = time.perf_counter()
        run(line, ROOT)
        result["import_seconds"].append(time.perf_counter() - begin)
        training = run_kerasnets(options, "auto", 1, options.batch_size)
        result["first_step_seconds"].append(training["ends"][0] - training["started"])
        result["beyond_import_seconds"].append(result["first_step_seconds"][-1] - result["import_seconds"][-1])
        result["summaries"].append({key: training["summary"][key] for key in ("seconds", "precision")})
    for name in ("import", "first_step", "beyond_import"):
        result[f"median_{name}_seconds"] = statistics.median(result[f"{name}_seconds"])
    save(result)
    return result


def measure_evaluation(options: argparse.Namespace, save: Callable[[dict], None]) -> dict[str, Any]:
    """Section evaluation: images/s of each way; the bare loops get normalised images and keep only the answers."""
    import tensorflow as tf

    import kerasnets

    source = load_source(options, options.batch_size)
    test = source.splits["test"].images
    results = {}
    for precision in options.precision:
        with tempfile.TemporaryDirectory() as scratch:
            trained = kerasnets.train(
                configuration(options, precision, epochs=1).replace(output=scratch), source=source
            )
            live = kerasnets.load_predictor(trained.path)
            archive = kerasnets.export_run(trained.path, Path(scratch) / "exported", images=test)
            exported = kerasnets.load_predictor(archive)
        images = tf.constant(test, tf.float32) / 255 - 0.5
        compiled = tf.function(lambda batch, model=live.model: model(batch, training=False))
        functions = {
            "evaluate": lambda live=live: kerasnets.evaluate(live, source),
            "SavedModel": lambda exported=exported: exported.log_probabilities(test),
            "bare model(x)": loop(lambda batch, model=live.model: model(batch, training=False), images),
            "bare model(x), compiled": loop(compiled, images),
        }
        rounds = [{name: timed(function) for name, function in functions.items()} for _ in range(options.repeats + 1)]
        rates = {name: [len(test) / seconds[name] for seconds in rounds[1:]] for name in functions}  # round 0 compiles
        ratios = {
            name: {
                bare: statistics.median(a / b for a, b in zip(rates[name], rates[bare], strict=True))
                for bare in rates
                if bare.startswith("bare")
            }
            for name in ("evaluate", "SavedModel")
        }
        medians = {name: statistics.median(values) for name, values in rates.items()}
        results[precision] = {"images_per_second": rates, "medians": medians, "ratios": ratios}
        save(results)
    return results


def loop(function: Callable, images) -> Callable[[], None]:
    """Calls the function on one batch of the images after the other and fetches its answers."""

    def answers():
        return [
            function(images[start : start + BARE_BATCH_SIZE]).numpy()
            for start in range(0, len(images), BARE_BATCH_SIZE)
        ]

    return answers


def timed(function: Callable) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def load_source(options: argparse.Namespace, train_images: int):
    """The data set with so many images to train on and the wanted number to evaluate."""
    import pipelines

    source = pipelines.limit_train(pipelines.load_source(DATASET, options.data_dir), train_images)
    few = source.splits["test"].take(np.arange(min(options.evaluation_images, len(source.splits["test"]))))
    return pipelines.ImageSource(
        name=source.name,
        class_names=source.class_names,
        splits={"train": source.splits["train"], "test": few},
        origin=source.origin,
    )


def configuration(options: argparse.Namespace, precision: str, epochs: int):
    """The recipe of the network, all epochs at full image size."""
    import kerasnets

    settings = {"batch_size": options.batch_size, "precision": precision, "epochs": epochs, "early_sizes": []}
    return kerasnets.recipe(DATASET, options.arch, **settings)


# What is told --------------------------------------------------------------------------------------------------------


def print_train(report: dict[str, Any]) -> None:
    """One table for all formats: images/s, and how many times faster ours is."""
    formats = report["sections"]["train"]
    print(f"\n`{report['arch']}`, batches of {report['batch_size']}: images/s in training, and our rate over each\n")
    print("| | " + " | ".join(f"{precision} | ours over this" for precision in formats) + " |")
    print("| --- |" + " ---: | ---: |" * len(formats))
    for name in dict.fromkeys(name for table in formats.values() for name in table["contestants"]):
        cells = []
        for table in formats.values():
            row = table["contestants"].get(name)
            rate = f"{row['median_images_per_second']:,.0f}" if row else ""
            cells += [rate, f"{row['ours_over_this']:.2f}" if row and name != OURS else ""]
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_others(sections: dict[str, Any]) -> None:
    """One table of what is compared with a goal."""
    rows = []
    for precision, values in sections.get("overhead", {}).items():
        steps = [statistics.median(values[key]) * 1e3 for key in ("step_seconds", "bare_step_seconds")]
        what = f"{steps[0]:,.0f} ms a step, the bare step {steps[1]:,.0f} ms"
        rows.append((f"everything around the step, {precision}: {what}", f"{values['overhead']:.1%}", "under 5 %"))
    if start := sections.get("start"):
        what = "to the end of the first step {:.1f} s, `import tensorflow` {:.1f} s: beyond it".format(
            start["median_first_step_seconds"], start["median_import_seconds"]
        )
        rows.append((what, f"{start['median_beyond_import_seconds']:.1f} s", "at most 6 s"))
    for precision, values in sections.get("evaluation", {}).items():
        for name, ratios in values["ratios"].items():
            for bare, ratio in ratios.items():
                what = f"{name}, {precision}: {values['medians'][name]:,.0f} images/s over {bare}"
                rows.append((what, f"{ratio:.2f}", "at least 1"))
    if rows:
        print("\n| what | measured | goal |\n| --- | ---: | --- |")
        for row in rows:
            print(f"| {' | '.join(row)} |")


def parse() -> argparse.Namespace:
    """Reads the command line and complains about what cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--arch", default="cifarnet", help="network; cifarnet and speednet have peers")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--precision", nargs="+", choices=("float32", "bfloat16"), default=["float32", "bfloat16"])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--repeats", type=int, default=3, help="rounds of every section")
    parser.add_argument("--steps", type=int, default=12, help="steps in an epoch")
    parser.add_argument("--epochs", type=int, default=3, help="epochs of a run of section train, the first not counted")
    parser.add_argument("--evaluation-images", type=int, default=5000)
    parser.add_argument("--peers", type=Path, default=PEERS, metavar="DIR")
    parser.add_argument(
        "--peer-python", metavar="PYTHON", help="interpreter with torch; without it PyTorch is left out"
    )
    parser.add_argument(
        "--data-dir", type=Path, metavar="DIR", help="CIFAR-10 in its official form; else random images"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every raw value there, round by round")
    options = parser.parse_args()
    check_numbers(options, {"batch_size": 1, "repeats": 1, "steps": 1, "epochs": 2, "evaluation_images": 1})
    if options.steps * options.batch_size > TRAIN_IMAGES:
        complain(f"--steps times --batch-size must be at most {TRAIN_IMAGES:,}. Received: more. Take fewer steps.")
    check_command()
    check_data_and_json(options)
    # Every run starts in a scratch folder of its own.
    for name in ("peers", "data_dir", "json"):
        path = getattr(options, name)
        setattr(options, name, path and path.absolute())
    if options.peer_python:
        options.peer_python, options.torch = check_peer_python(options.peer_python)
    return options


def main() -> None:
    options = parse()
    torch = check_peers(options) if "train" in options.sections else {}
    settings = ("arch", "batch_size", "precision", "repeats", "steps", "epochs", "evaluation_images")
    report = {
        "ratio_to_best_torch": None,
        "ratio_to_best_torch_float32": None,
        **origin("numpy"),
        "data": "real" if options.data_dir else "random",
        "sections": {},
    } | {name: getattr(options, name) for name in settings}
    report["versions"] |= torch
    measures = {
        "train": measure_train,
        "overhead": measure_overhead,
        "start": measure_start,
        "evaluation": measure_evaluation,
    }

    def save(section: str, values: dict[str, Any]) -> None:
        report["sections"][section] = values
        if section == "train":
            report["ratio_to_best_torch"] = values.get("bfloat16", {}).get("ratio_to_best_torch")
            report["ratio_to_best_torch_float32"] = values.get("float32", {}).get("ratio_to_best_torch")
        write_json(options.json, report)

    with tempfile.TemporaryDirectory() as scratch:
        if options.data_dir is None:
            options.data_dir = Path(scratch)
            write_random_data(options.data_dir, options.evaluation_images)
        # The processes come first: this one grows when it imports TensorFlow.
        for section in sorted(options.sections, key=("train", "start", "overhead", "evaluation").index):
            print(f"section {section}", file=sys.stderr, flush=True)
            save(section, measures[section](options, lambda values, section=section: save(section, values)))
    if "train" in report["sections"]:
        print_train(report)
    print_others(report["sections"])
    print_origin(report)


if __name__ == "__main__":
    main()
