#!/usr/bin/env python3
"""What pad-and-crop, flip and normalisation cost for one image, beside Keras's preprocessing layers in the same run.

    taskset -c 1 nice -n 10 python scripts/bench_pipeline.py
    taskset -c 1 nice -n 10 python scripts/bench_pipeline.py --json

Images are random, so no data is needed; a few seconds. The contestants run in turn, round after round, so that a busy
machine slows all of them alike: the times are the best round of each, the ratios are medians over the rounds.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from pipelines import Augmentation, Split, normalize, training_dataset  # noqa: E402
from pipelines.augment import crop_and_flip, draw_crops, draw_flips  # noqa: E402

SHAPE, PADDING, MEAN, STD = (32, 32, 3), 4, (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def ours(images: tf.Tensor) -> tf.Tensor:
    """The three augmentations with parameters drawn for this batch."""
    size = images.shape[0]
    crops, flips = draw_crops(size, PADDING, seed=0, epoch=0), draw_flips(size, "random", seed=0, epoch=0)
    return normalize(crop_and_flip(images, crops, flips, padding=PADDING, mode="zero"), MEAN, STD)


def keras_layers(first: list[keras.Layer]) -> Callable[[tf.Tensor], tf.Tensor]:
    """The same with Keras's layers; `first` holds those that crop."""
    last = [
        keras.layers.RandomFlip("horizontal", seed=0),
        keras.layers.Rescaling(1 / 255),
        keras.layers.Normalization(mean=MEAN, variance=np.square(STD)),
    ]

    def augment(images):
        for layer in [*first, *last]:
            images = layer(images, training=True) if type(layer).__name__.startswith("Random") else layer(images)
        return images

    augment(tf.zeros((1, *SHAPE), tf.uint8))  # builds the layers outside of any graph, or they belong to one graph
    return augment


def contestants(split: Split, batch_size: int, threads: int) -> dict[str, Callable[[], float]]:
    """Functions that run all the examples once and return the seconds: the augmentation alone, the whole stream."""
    height, width, _ = SHAPE
    shift = PADDING / height
    translation = keras_layers([keras.layers.RandomTranslation(shift, shift, "constant", "nearest", seed=0)])
    crop = keras_layers([keras.layers.ZeroPadding2D(PADDING), keras.layers.RandomCrop(height, width, seed=0)])
    batches = [tf.constant(split.images[start : start + batch_size]) for start in range(0, len(split), batch_size)]

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
        "augmentation: Keras RandomCrop": alone(crop),
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="threads for TensorFlow")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--examples", type=int, default=4096, help="random images; rounded down to whole batches")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.batch_size, arguments.rounds, arguments.examples // arguments.batch_size) < 1:
        parser.error("every number must be at least 1, and --examples at least --batch-size")

    tf.config.threading.set_inter_op_parallelism_threads(arguments.threads)
    tf.config.threading.set_intra_op_parallelism_threads(arguments.threads)
    examples = arguments.examples // arguments.batch_size * arguments.batch_size
    images = np.random.default_rng(0).integers(0, 256, (examples, *SHAPE), dtype=np.uint8)
    split = Split(images=images, labels=np.zeros(examples, np.int32))
    rows = table(measure(contestants(split, arguments.batch_size, arguments.threads), arguments.rounds), examples)
    if arguments.json:
        setting = {"image_shape": SHAPE, "batch_size": arguments.batch_size, "threads": arguments.threads}
        print(json.dumps({**setting, "examples": examples, "rounds": arguments.rounds, "results": rows}))
        return
    print(f"{'':40} {'us/image':>9} {'images/s':>9} {'x ours':>7}")
    for name, microseconds, rate, ratio in (row.values() for row in rows):
        print(f"{name:40} {microseconds:9.2f} {rate:9,} {ratio:7.2f}")


if __name__ == "__main__":
    main()
