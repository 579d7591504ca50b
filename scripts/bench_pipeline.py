#!/usr/bin/env python3
"""How fast images come out of `pipelines`, beside Keras's own ways in the same run.

    taskset -c 1 nice -n 10 python scripts/bench_pipeline.py
    python scripts/bench_pipeline.py --sections files --rounds 3 --work-dir /tmp/bench
    python scripts/bench_pipeline.py --sections augmentation files --json

Contestants run in turn, round after round, so that a busy machine slows all of them alike.

augmentation   What pad-and-crop, flip and normalisation cost for one random image, alone and in the stream. The times
               are the best round of each, the ratios are medians over the rounds. A few seconds.
operations     What each operation of the augmentation costs alone for one random image, at a usual strength, its draws
               included and normalisation not. The best round of each. Half a minute.
files          JPEG files of mixed sizes, made here, to augmented batches of 64x64 pixels: the first pass, over files
               that are dropped from the page cache before it; later epochs, from what was kept; and the memory that it
               takes. Beside `image_dataset_from_directory` with Keras's preprocessing layers, and beside processes that
               decode and do nothing else. Every contestant is a process of its own that uses all cores; the figures are
               medians over the rounds. With 5,000 and 50,000 files some three minutes a round on two cores, and one for
               making them.
"""

import argparse
import itertools
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
from PIL import Image, ImageDraw  # noqa: E402

from pipelines.cores import usable_cores  # noqa: E402

# TensorFlow and Keras are imported where they are used: the processes that make and decode files start without them.

SECTIONS = ("augmentation", "operations", "files")
PADDING, MEAN, STD = 4, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
RANDOM_SHAPE, FILES_SHAPE = (32, 32, 3), (64, 64, 3)
CLASSES, QUALITY = 10, 85


def keras_layers(first: list, shape: tuple[int, int, int]) -> Callable:
    """Augmentation and normalisation with Keras's layers; `first` holds those that crop."""
    import keras
    import tensorflow as tf

    last = [
        keras.layers.RandomFlip("horizontal", seed=0),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Normalization(mean=MEAN, variance=np.square(STD)),
    ]

    def augment(images):
        for layer in [*first, *last]:
            images = layer(images, training=True) if type(layer).__name__.startswith("Random") else layer(images)
        return images

    augment(tf.zeros((1, *shape), tf.uint8))  # builds the layers outside of any graph, or they belong to one graph
    return augment


def translation_layer(height: int):
    """Shifts by as many pixels as the padded crop can."""
    import keras

    return keras.layers.RandomTranslation(PADDING / height, PADDING / height, "constant", "nearest", seed=0)


# Section augmentation ------------------------------------------------------------------------------------------------


def contestants(images: np.ndarray, batch_size: int, threads: int) -> dict[str, Callable[[], float]]:
    """Functions that run all the examples once and return the seconds: the augmentation alone, the whole stream."""
    import keras
    import tensorflow as tf

    from pipelines import Augmentation, Split, normalize, training_dataset
    from pipelines.augment import crop_and_flip, draw_crops, draw_flips

    height, width, _ = RANDOM_SHAPE
    translation = keras_layers([translation_layer(height)], RANDOM_SHAPE)
    crop = [keras.layers.ZeroPadding2D(PADDING), keras.layers.RandomCrop(height, width, seed=0)]
    split = Split(images=images, labels=np.zeros(len(images), np.int32))
    batches = [tf.constant(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]

    def ours(images):
        size = images.shape[0]
        crops, flips = draw_crops(size, PADDING, seed=0, epoch=0), draw_flips(size, "random", seed=0, epoch=0)
        return normalize(crop_and_flip(images, crops, flips, padding=PADDING, mode="zero"), MEAN, STD)

    def alone(augment):
        compiled = tf.function(augment)

        def run():
            start = time.perf_counter()
            for images in batches:
                compiled(images)
            return time.perf_counter() - start

        return run

    def stream(dataset):
        options = tf.data.Options()
        options.threading.private_threadpool_size = threads
        options.threading.max_intra_op_parallelism = threads
        dataset = dataset.with_options(options)

        def run():
            # A new iterator each time: one that lived on would fill its buffers in the other contestants' turns.
            iterator = iter(dataset)
            next(iterator)  # making an iterator takes a tenth of a second, once in a training
            start = time.perf_counter()
            for _ in batches:
                next(iterator)
            return time.perf_counter() - start

        return run

    augmentation = Augmentation(crop_padding=PADDING, flip="random")
    usual = tf.data.Dataset.from_tensor_slices((split.images, split.labels)).shuffle(len(split), seed=0).repeat()
    usual = usual.batch(batch_size).map(lambda images, labels: (translation(images), labels), tf.data.AUTOTUNE)
    own = training_dataset(split, batch_size=batch_size, seed=0, augmentation=augmentation, mean=MEAN, std=STD)
    return {
        "augmentation: pipelines": alone(ours),
        "augmentation: Keras RandomTranslation": alone(translation),
        "augmentation: Keras RandomCrop": alone(keras_layers(crop, RANDOM_SHAPE)),
        "stream: pipelines": stream(own),
        "stream: Keras RandomTranslation": stream(usual.prefetch(tf.data.AUTOTUNE)),
    }


def measure(functions: dict[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each function in each round, in turn; a first round, which compiles, is not counted."""
    every_round = [{name: function() for name, function in functions.items()} for _ in range(rounds + 1)]
    return {name: [seconds[name] for seconds in every_round[1:]] for name in functions}


def table(seconds: dict[str, list[float]], examples: int) -> list[dict]:
    """One row for each contestant; `times_ours` compares it with `pipelines` in the same group, round by round."""
    rows = []
    for name, values in seconds.items():
        reference = seconds[f"{name.split(':')[0]}: pipelines"]
        best = min(values) / examples
        ratio = statistics.median(value / own for value, own in zip(values, reference, strict=True))
        rows.append(
            {
                "name": name,
                "microseconds_per_image": round(best * 1e6, 2),
                "images_per_second": round(1 / best),
                "times_ours": round(ratio, 2),
            }
        )
    return rows


def random_images(arguments: argparse.Namespace) -> tuple[dict[str, Any], np.ndarray]:
    """The setting in words, and whole batches of random images."""
    import tensorflow as tf

    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    examples = arguments.examples // arguments.batch_size * arguments.batch_size
    setting = {"image_shape": RANDOM_SHAPE, "batch_size": arguments.batch_size, "threads": arguments.threads}
    setting |= {"examples": examples, "rounds": arguments.rounds}
    return setting, np.random.default_rng(0).integers(0, 256, (examples, *RANDOM_SHAPE), dtype=np.uint8)


def measure_augmentation(arguments: argparse.Namespace) -> dict[str, Any]:
    """Section augmentation: what was measured, and the rows."""
    setting, images = random_images(arguments)
    functions = contestants(images, arguments.batch_size, arguments.threads)
    return {**setting, "results": table(measure(functions, arguments.rounds), len(images))}


def print_augmentation(report: dict[str, Any]) -> None:
    print(f"{'':40} {'us/image':>9} {'images/s':>9} {'x ours':>7}")
    for name, microseconds, rate, ratio in (row.values() for row in report["results"]):
        print(f"{name:40} {microseconds:9.2f} {rate:9,} {ratio:7.2f}")


# Section operations --------------------------------------------------------------------------------------------------


def operations(images: np.ndarray, batch_size: int) -> dict[str, Callable[[], float]]:
    """Functions that put all the examples through one operation and return the seconds."""
    import tensorflow as tf

    from pipelines.augment import augment, draw_augmentation
    from pipelines.augment_examples import usual_augmentations
    from pipelines.augment_mix import mix_images

    batches = [tf.constant(images[start : start + batch_size]) for start in range(0, len(images), batch_size)]

    def timed(augmentation):
        @tf.function
        def operate(images, epoch):
            draws = draw_augmentation(augmentation, batch_size, RANDOM_SHAPE, seed=0, epoch=epoch)
            varied = augment(images, draws, augmentation, MEAN)
            return mix_images(varied, tf.roll(varied, 1, axis=0), draws) if augmentation.mixes else varied

        def run():
            start = time.perf_counter()
            for epoch, batch in enumerate(batches):
                operate(batch, tf.constant(epoch))
            return time.perf_counter() - start

        return run

    return {name: timed(augmentation) for name, augmentation in usual_augmentations(RANDOM_SHAPE[0]).items()}


def measure_operations(arguments: argparse.Namespace) -> dict[str, Any]:
    """Section operations: what was measured, and the rows."""
    setting, images = random_images(arguments)
    seconds = measure(operations(images, arguments.batch_size), arguments.rounds)
    rows = [
        {"name": name, "microseconds_per_image": round(min(s) / len(images) * 1e6, 2)} for name, s in seconds.items()
    ]
    return {**setting, "results": rows}


def print_operations(report: dict[str, Any]) -> None:
    print(f"{'':40} {'us/image':>9}")
    for name, microseconds in (row.values() for row in report["results"]):
        print(f"{name:40} {microseconds:9.2f}")


# Section files: the files --------------------------------------------------------------------------------------------


def make_image(number: int, sides: tuple[int, int]) -> Image.Image:
    """A picture that compresses as a photograph does, about 1.8 bits a pixel: clouds at four scales, and three discs.

    The class, `number` modulo `CLASSES`, decides on its tint.
    """
    generator = np.random.default_rng(number)
    width, height = generator.integers(sides[0], sides[1] + 1, 2).tolist()
    tint = Image.new("HSV", (1, 1), (number % CLASSES * 256 // CLASSES, 160, 150)).convert("RGB")
    clouds = np.zeros((height, width, 3), np.float32) + np.asarray(tint, np.float32) / 2
    for cells in (3, 9, 27, 81):
        noise = Image.fromarray(generator.integers(0, 256, (cells, cells, 3), dtype=np.uint8))
        clouds += np.asarray(noise.resize((width, height), Image.Resampling.BILINEAR), np.float32) / cells**0.6
    image = Image.fromarray(np.clip(clouds - clouds.mean() + 128, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(3):
        x, y, radius = generator.random(3) * (width, height, 40)
        colour = tuple(generator.integers(0, 256, 3).tolist())
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)
    return image


def image_file(folder: Path, number: int) -> Path:
    """Where an image lies; the last tenth of each hundred is the test split."""
    split = "test" if number % 100 >= 90 else "train"
    return folder / split / f"class {number % CLASSES}" / f"{number:06}.jpg"


def write_image(folder: Path, number: int, sides: tuple[int, int]) -> None:
    make_image(number, sides).save(image_file(folder, number), quality=QUALITY)


def make_files(work: Path, count: int, sides: tuple[int, int]) -> Path:
    """Writes so many files on all cores, the same ones every time, if they are not there yet; returns their folder."""
    folder = work / f"{count}-files-of-{sides[0]}-to-{sides[1]}-pixels"
    if not folder.is_dir():
        aside = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(aside, ignore_errors=True)
        for number in range(100):
            image_file(aside, number).parent.mkdir(parents=True, exist_ok=True)
        with process_pool() as pool:
            pool.starmap(write_image, ((aside, number, sides) for number in range(count)), chunksize=64)
        aside.rename(folder)
    return folder


def process_pool():
    """One process for each core; not forked, since TensorFlow's threads may be running."""
    return multiprocessing.get_context("spawn").Pool(usable_cores())


def drop_from_page_cache(folder: Path) -> bool:
    """Has the next reading of the files come from the disk; False where the system does not offer that."""
    if not hasattr(os, "posix_fadvise"):
        return False
    os.sync()  # only pages that are on the disk can be dropped
    for file in image_files(folder):
        descriptor = os.open(file, os.O_RDONLY)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
    return True


def image_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*/*/*.jpg"))


# Section files: the contestants --------------------------------------------------------------------------------------


def decode_file(file: Path) -> None:
    with Image.open(file) as image:
        np.asarray(image)


def decode_and_resize_file(file: Path) -> None:
    height, width, _ = FILES_SHAPE
    with Image.open(file) as image:
        np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def run_pool(options: dict[str, Any], work: Callable[[Path], None]) -> dict[str, float]:
    """Files a second in processes that have started."""
    files = image_files(Path(options["folder"]))
    with process_pool() as pool:
        pool.map(time.sleep, [0.5] * usable_cores(), chunksize=1)
        start = time.perf_counter()
        for _ in pool.imap_unordered(work, files, chunksize=64):
            pass
        return {"decoded_per_second": len(files) / (time.perf_counter() - start)}


def run_pipelines(options: dict[str, Any], cache_bytes: int) -> dict[str, float]:
    """Ours: what is decoded lies in memory, or with `cache_bytes` 0 in the cache folder."""
    import keras  # noqa: F401
    import tensorflow as tf

    from pipelines import Augmentation, load_source, training_dataset
    from pipelines.reading import Reading

    tf.zeros(1)
    memory = MemoryWatch()
    start = time.perf_counter()
    reading = Reading(image_size=FILES_SHAPE[0], cache_bytes=cache_bytes)
    source = load_source(f"folder:{options['folder']}", None, reading)
    loaded = time.perf_counter() - start
    train = source.splits["train"]
    augmentation = Augmentation(crop_padding=PADDING, flip="random")
    stream = training_dataset(
        train, batch_size=options["batch_size"], seed=0, augmentation=augmentation, mean=MEAN, std=STD
    )
    rates = epoch_rates(iter(stream), len(train), start, options["seconds"])
    return {"decoded_per_second": sum(source.split_sizes.values()) / loaded, **rates, **memory.stop()}


def run_keras(options: dict[str, Any], *cache_file: str) -> dict[str, float]:
    """Keras's way, with tf.data's cache in memory or in a file."""
    import keras
    import tensorflow as tf

    augment = keras_layers([translation_layer(FILES_SHAPE[0])], FILES_SHAPE)
    memory = MemoryWatch()
    start = time.perf_counter()
    images = keras.utils.image_dataset_from_directory(
        f"{options['folder']}/train",
        image_size=FILES_SHAPE[:2],
        batch_size=options["batch_size"],
        seed=0,
        verbose=False,
    )
    # Batches are cached, which is faster than images would be; their order stays that of the first epoch.
    stream = images.cache(*cache_file).repeat().map(lambda images, labels: (augment(images), labels), tf.data.AUTOTUNE)
    rates = epoch_rates(iter(stream.prefetch(tf.data.AUTOTUNE)), len(images.file_paths), start, options["seconds"])
    return rates | memory.stop()


CONTESTANTS = {
    "decoding alone": lambda options: run_pool(options, decode_file),
    "decoding and resizing alone": lambda options: run_pool(options, decode_and_resize_file),
    "kerasnets, in memory": lambda options: run_pipelines(options, cache_bytes=10**18),
    "kerasnets, cache folder": lambda options: run_pipelines(options, cache_bytes=0),
    "Keras, cache()": lambda options: run_keras(options),
    "Keras, cache(file)": lambda options: run_keras(options, f"{options['scratch']}/keras"),
}


def epoch_rates(iterator: Iterator, examples: int, start: float, seconds: float) -> dict[str, float]:
    """Images a second: from `start`, when nothing was read yet, to the end of the first epoch; in the epochs after it.

    Args:
        iterator: Endless, of batches with the labels as their second part.
        examples: In an epoch.
        start: By `time.perf_counter`.
        seconds: How long later epochs are watched.
    """
    seen = 0
    while seen < examples:
        seen += len(next(iterator)[1])
    first = time.perf_counter() - start
    for _ in range(8):  # which may have been made ahead
        next(iterator)
    begin, later = time.perf_counter(), 0
    while time.perf_counter() < begin + seconds:
        later += len(next(iterator)[1])
    return {"first_epoch_per_second": seen / first, "cached_per_second": later / (time.perf_counter() - begin)}


class MemoryWatch:
    """How far the memory of this process rises above what it has now, and how much its own processes have at most."""

    def __init__(self):
        Path("/proc/self/clear_refs").write_text("5")  # the peak that the kernel keeps starts anew
        self._before, self._workers, self._stopped = memory_kib("self", "VmRSS"), 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(0.1):
            lists = [file.read_text().split() for file in Path("/proc/self/task").glob("*/children")]
            # What they share with this process is counted there.
            used = sum(memory_kib(process, "RssAnon") for process in itertools.chain(*lists))
            self._workers = max(self._workers, used)

    def stop(self) -> dict[str, float]:
        self._stopped.set()
        self._thread.join()
        return {"peak_mib": (memory_kib("self", "VmHWM") - self._before) / 1024, "workers_mib": self._workers / 1024}


def memory_kib(process: str, what: str) -> int:
    """A value of a process's status; 0 for one that has ended."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{what}:")), 0)


# Section files: the comparison ---------------------------------------------------------------------------------------


def run_contestant(name: str, options: dict[str, Any]) -> dict[str, float]:
    """Runs one in a process of its own; its failure ends the script."""
    line = [sys.executable, __file__, "--contestant", name, json.dumps(options)]
    environment = os.environ | {"KERASNETS_CACHE": f"{options['scratch']}/kerasnets"}
    done = subprocess.run(line, capture_output=True, text=True, env=environment)
    if done.returncode:
        last = (done.stderr.strip() or "no output").splitlines()[-1]
        print(f"{Path(__file__).name}: error: {name!r} must succeed. Received: {last}", file=sys.stderr)
        sys.exit(1)
    return json.loads(done.stdout.splitlines()[-1])


def measure_files(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Section files: the goals, what was measured, and a row for each number of files and contestant."""
    folders = {count: make_files(work, count, tuple(arguments.sides)) for count in sorted(arguments.files)}
    rounds, dropped = [], True
    for _, (count, folder), name in itertools.product(range(arguments.rounds), folders.items(), CONTESTANTS):
        dropped = drop_from_page_cache(folder) and dropped
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            options = {"folder": str(folder), "scratch": scratch, "seconds": arguments.seconds}
            result = run_contestant(name, options | {"batch_size": arguments.batch_size})
        rounds.append({"files": count, "name": name} | result)
        print(f"{count:,} files, {name}", file=sys.stderr, flush=True)
    rows = [
        {"files": count, "name": name}
        | medians([row for row in rounds if (row["files"], row["name"]) == (count, name)])
        for count, name in itertools.product(folders, CONTESTANTS)
    ]
    return {
        **goals(rows),
        "image_shape": FILES_SHAPE,
        "sides": arguments.sides,
        "batch_size": arguments.batch_size,
        "cores": usable_cores(),
        "rounds": arguments.rounds,
        "dropped_from_page_cache": dropped,
        "results": rows,
        "every_round": rounds,
    }


def medians(rows: list[dict[str, Any]]) -> dict[str, float]:
    """The median of each figure over the rounds."""
    figures = [name for name in rows[0] if name not in ("files", "name")]
    return {name: round(statistics.median(row[name] for row in rows), 1) for name in figures}


def goals(rows: list[dict[str, Any]]) -> dict[str, float | None]:
    """What is compared with a goal, with the largest number of files; the growth is from the smallest to it."""
    counts = sorted({row["files"] for row in rows})
    most, least = ({row["name"]: row for row in rows if row["files"] == counts[place]} for place in (-1, 0))
    stored, alone = most["kerasnets, cache folder"], most["decoding alone"]["decoded_per_second"]
    in_memory = most["kerasnets, in memory"]
    growth = stored["peak_mib"] - least["kerasnets, cache folder"]["peak_mib"]
    return {
        "cached_times_peer": in_memory["cached_per_second"] / most["Keras, cache()"]["cached_per_second"],
        "cache_folder_times_peer": stored["cached_per_second"] / most["Keras, cache(file)"]["cached_per_second"],
        "memory_growth_mib": growth if len(counts) > 1 else None,
        "cold_share_of_decoding": in_memory["decoded_per_second"] / alone,
        "cold_share_of_decoding_and_resizing": in_memory["decoded_per_second"]
        / most["decoding and resizing alone"]["decoded_per_second"],
    }


def print_files(report: dict[str, Any]) -> None:
    low, high = report["sides"]
    dropped = "dropped from the page cache before each" if report["dropped_from_page_cache"] else "in the page cache"
    print(f"JPEG files of {low} to {high} pixels a side, {dropped}; {report['cores']} cores, images/s\n")
    columns = ("decoded_per_second", "first_epoch_per_second", "cached_per_second", "peak_mib", "workers_mib")
    print("| files | | decoded | to the end of the first epoch | later epochs | peak MiB | its processes' MiB |")
    print("| ---: | --- |" + " ---: |" * len(columns))
    for row in report["results"]:
        cells = [f"{row[column]:,.0f}" if column in row else "" for column in columns]
        print(f"| {row['files']:,} | {row['name']} | {' | '.join(cells)} |")
    print()
    for name, value in itertools.islice(report.items(), 5):
        print(f"{name:36} {'needs two numbers of files' if value is None else f'{value:.2f}'}")


def parse() -> argparse.Namespace:
    """Reads the command line and complains about what cannot be measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=["augmentation"])
    parser.add_argument("--threads", type=int, default=1, help="threads for TensorFlow in section augmentation")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--examples", type=int, default=4096, help="random images; rounded down to whole batches")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--files", type=int, nargs="+", default=[5_000, 50_000], help="how many, in section files")
    parser.add_argument("--sides", type=int, nargs=2, default=[80, 160], metavar=("LOW", "HIGH"), help="of the files")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long later epochs are watched in section files")
    parser.add_argument("--work-dir", type=Path, metavar="DIR", help="keeps the files; else they are temporary")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--contestant", nargs=2, help=argparse.SUPPRESS)  # what a process of section files is told
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.batch_size, arguments.rounds, arguments.examples // arguments.batch_size) < 1:
        parser.error("every number must be at least 1, and --examples at least --batch-size")
    low, high = arguments.sides
    if min(arguments.files) < 100 or not 1 <= low <= high or arguments.seconds <= 0:
        parser.error("--files must be at least 100, --sides two rising numbers above 0, --seconds above 0")
    return arguments


def main() -> None:
    arguments = parse()
    if arguments.contestant:
        name, options = arguments.contestant
        print(json.dumps(CONTESTANTS[name](json.loads(options))))
        return
    report = {}
    if "files" in arguments.sections:
        with tempfile.TemporaryDirectory() as scratch:
            work = (arguments.work_dir or Path(scratch)).absolute()
            work.mkdir(parents=True, exist_ok=True)
            report["files"] = measure_files(arguments, work)
    for section, measured in (("augmentation", measure_augmentation), ("operations", measure_operations)):
        if section in arguments.sections:
            report[section] = measured(arguments)
    if arguments.json:
        # The object of the only section; that of the first of several holds the others'.
        first = report.pop(next(iter(report)))
        print(json.dumps(first | report))
        return
    printers = {"augmentation": print_augmentation, "operations": print_operations, "files": print_files}
    for section, values in report.items():
        printers[section](values)


if __name__ == "__main__":
    main()
