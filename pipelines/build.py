"""The one place that puts a tf.data pipeline together: order, gather, augment, mix, normalise, prefetch.

The images lie in memory once, as uint8, or are read batch by batch (`StoredImages`). What is shuffled, split and
skipped is the stream of their indices, so a training stream can start at any step of any epoch at no cost and go on as
if it had never stopped.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from pipelines.augment import Augmentation, augment, draw_augmentation, normalize
from pipelines.augment_mix import mix_images, mix_labels
from pipelines.augment_seeds import ORDER_STREAM, stream_seed
from pipelines.cores import usable_cores
from pipelines.errors import DataError
from pipelines.source import Split
from pipelines.stored_images import StoredImages

# Finished batches, or groups of small ones, that wait for the training; each core has one more in work.
_WAITING = 2
# Smaller batches are made several at a time, about so many examples: making one costs more than its images do. Of large
# images fewer, so that what waits does not fill the memory.
_EXAMPLES_AT_A_TIME = 128
_BYTES_AT_A_TIME = 2**21
# Nothing below needs autograph, and an error raised in a converted function would lose its type.
_plain = tf.autograph.experimental.do_not_convert


def steps_per_epoch(num_examples: int, batch_size: int) -> int:
    """Steps that see every example once; the last one is smaller when the sizes do not divide.

    Raises:
        DataError: There is no example, or the batch size is not positive.
    """
    if num_examples < 1 or batch_size < 1:
        raise DataError(
            "An epoch needs at least 1 example and a batch size of at least 1. "
            f"Received: {num_examples} examples, batch size {batch_size}. Choose a positive batch size and a split "
            "that is not empty."
        )
    return -(-num_examples // batch_size)


def training_dataset(
    split: Split,
    *,
    batch_size: int,
    seed: int,
    augmentation: Augmentation,
    mean: Sequence[float],
    std: Sequence[float],
    start_epoch: int = 0,
    start_step: int = 0,
    num_replicas: int = 1,
    num_classes: int | None = None,
) -> tf.data.Dataset:
    """An endless stream of augmented, normalised batches, epoch after epoch.

    Every epoch sees each example once in an order of its own; its last batch is smaller when the sizes do not divide.
    Order and augmentation depend on (seed, epoch, example index) alone, so a stream started at any epoch and step
    equals the rest of a stream that started at the beginning, bit for bit. With mixup or cutmix each example is mixed
    with the one before it in the epoch's order, the first with the last.

    Args:
        split: The training examples.
        batch_size: Examples in one step, over all replicas.
        seed: Not negative, below 2**60.
        augmentation: How images are varied.
        mean: Of each channel, for `normalize`.
        std: Of each channel, for `normalize`.
        start_epoch: The first epoch, from 0.
        start_step: The first step inside it, from 0 to `steps_per_epoch`.
        num_replicas: Every step comes as this many elements, one for each replica: the step's examples in order, split
            as evenly as possible, larger parts first. A step with fewer examples than replicas repeats its first ones
            with weight 0.
        num_classes: Width of mixed labels; only mixup and cutmix need it.

    Returns:
        Elements (images, labels, weights): (b, height, width, channels) float32; (b,) int32, or with mixup or cutmix
        (b, num_classes) float32 of shares that sum to 1; and (b,) float32 of 1 for an example and 0 for a repeat.

    Raises:
        DataError: An argument lies outside its range.
    """
    steps = steps_per_epoch(len(split), batch_size)
    _check_training(steps, seed, start_epoch, start_step, num_replicas)
    if augmentation.mixes and (num_classes is None or num_classes <= int(split.labels.max())):
        raise DataError(
            f"num_classes must be above the largest label, {split.labels.max()}, where mixup or cutmix mixes labels. "
            f"Received: {num_classes}. Pass the number of classes."
        )
    num_examples = len(split)
    gather, labels = _gather(split.images), _on_cpu(split.labels)
    # Replicas and mixed examples depend on where a step begins and ends.
    together = 1 if num_replicas > 1 or augmentation.mixes else steps_together(batch_size, split.images.shape[1:])

    @_plain
    def epoch_parts(epoch):
        order = shuffled_order(num_examples, seed=seed, epoch=epoch)
        draws = draw_augmentation(augmentation, num_examples, split.images.shape[1:], seed=seed, epoch=epoch)

        @_plain
        def part(position):
            step, replica = position // num_replicas, position % num_replicas
            places = tf.range(step * batch_size, tf.minimum((step + together) * batch_size, num_examples))
            places, weights = replica_part(places, replica, num_replicas)
            if augmentation.mixes:
                # Only one example more has to be augmented, the one before the first.
                places = tf.concat([(places[:1] - 1) % num_examples, places], 0)
            indices = tf.gather(order, places)
            return indices, {name: tf.gather(values, indices) for name, values in draws.items()}, weights

        first = tf.where(epoch == start_epoch, tf.constant(start_step, tf.int64), 0)
        return tf.data.Dataset.range(first * num_replicas, steps * num_replicas, together).map(part)

    @_plain
    def batch(indices, draws, weights):
        pixels = augment(gather(indices), draws, augmentation, mean)
        targets = tf.gather(labels, indices)
        if augmentation.mixes:
            draws = {name: values[1:] for name, values in draws.items()}
            pixels = mix_images(pixels[1:], pixels[:-1], draws)
            targets = mix_labels(targets[1:], targets[:-1], draws["share"], num_classes)
        return normalize(pixels, mean, std), targets, weights

    # One iterator lives through the whole training: epochs are joined inside the stream, not by making iterators anew.
    stream = tf.data.Dataset.counter(start_epoch).flat_map(epoch_parts)
    return _in_parallel(stream, batch, batch_size if together > 1 else None)


def evaluation_dataset(split: Split, *, batch_size: int) -> tf.data.Dataset:
    """Every example once, in order, untouched; the last batch is smaller when the sizes do not divide.

    Returns:
        Elements (images, labels): (b, height, width, channels) uint8 and (b,) int32.

    Raises:
        DataError: The split is empty or the batch size is not positive.
    """
    steps = steps_per_epoch(len(split), batch_size)
    gather, labels = _gather(split.images), _on_cpu(split.labels)

    @_plain
    def batch(step):
        places = tf.range(step * batch_size, tf.minimum((step + 1) * batch_size, len(split)))
        return gather(places), tf.gather(labels, places)

    return _in_parallel(tf.data.Dataset.range(steps), batch)


def steps_together(batch_size: int, image_shape: Sequence[int]) -> int:
    """How many steps' batches are made at once, from 1: fewer the larger batches and images are."""
    bytes_per_image = 4 * math.prod(image_shape)  # float32
    return max(1, min(_EXAMPLES_AT_A_TIME, _BYTES_AT_A_TIME // bytes_per_image) // batch_size)


def _on_cpu(array: np.ndarray) -> tf.Tensor:
    with tf.device("CPU:0"):
        return tf.constant(array)


def _gather(images: np.ndarray | StoredImages) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from places, (b,) integers, to the images there."""
    if isinstance(images, StoredImages):

        @_plain
        def read(places):
            pixels = tf.numpy_function(images.__getitem__, [places], tf.uint8, stateful=False)
            return tf.ensure_shape(pixels, (None, *images.shape[1:]))

        return read
    with tf.device("CPU:0"):
        # Shared, not copied: a constant would take twice the memory.
        tensor = tf.experimental.dlpack.from_dlpack(images.__dlpack__())
    return lambda places: tf.gather(tensor, places)


def shuffled_order(num_examples: int, *, seed: int, epoch: tf.Tensor | int) -> tf.Tensor:
    """The order of one epoch, a permutation of 0..num_examples-1, (num_examples,) int32."""
    pair = stream_seed(seed, ORDER_STREAM, epoch)
    keys = tf.random.stateless_uniform((num_examples,), pair, None, None, tf.int32, alg="philox")
    return tf.argsort(keys, stable=True)


def replica_part(indices: tf.Tensor, replica: tf.Tensor, num_replicas: int) -> tuple[tf.Tensor, tf.Tensor]:
    """One replica's share of a step.

    Args:
        indices: (b,) the examples of the step, at least one.
        replica: From 0 to num_replicas - 1.
        num_replicas: How many shares there are.

    Returns:
        (indices, weights): the share, never empty, and (b,) float32 of 1, or 0 for an example repeated to fill it.
    """
    size = tf.shape(indices, tf.int64)[0]
    filled = tf.maximum(size, num_replicas)
    replica = tf.cast(replica, tf.int64)
    base, larger = filled // num_replicas, filled % num_replicas
    start = replica * base + tf.minimum(replica, larger)
    positions = tf.range(start, start + base + tf.cast(replica < larger, tf.int64))
    return tf.gather(indices, positions % size), tf.cast(positions < size, tf.float32)


def _in_parallel(stream: tf.data.Dataset, batch: Callable, batch_size: int | None = None) -> tf.data.Dataset:
    """Makes the batches on several threads, in order, some steps ahead; with `batch_size` each is cut into such."""
    options = tf.data.Options()
    # Its thread sleeps for up to a minute between looks, and an iterator cannot be dropped while it does (seen: 55 s).
    options.autotune.enabled = False
    # The rewrites find nothing to improve here, but copy all the images and take 0.2 s for every iterator (measured).
    options.experimental_optimization.apply_default_optimizations = False
    batches = stream.map(batch, num_parallel_calls=usable_cores(), deterministic=True).prefetch(_WAITING)
    if batch_size:
        # Cut in the training's own thread: to wake another for each batch costs more than the cutting (measured).
        batches = batches.flat_map(lambda *several: tf.data.Dataset.from_tensors(several).rebatch(batch_size))
    return batches.with_options(options)


def _check_training(steps: int, seed: int, start_epoch: int, start_step: int, num_replicas: int) -> None:
    ranges = {
        "seed": (seed, 0, 2**60 - 1),
        "start_epoch": (start_epoch, 0, 2**31 - 1),
        "start_step": (start_step, 0, steps),
        "num_replicas": (num_replicas, 1, 2**16),
    }
    for name, (value, low, high) in ranges.items():
        if not low <= value <= high:
            raise DataError(f"{name} must lie in {low}..{high}. Received: {value}. Choose a value in that range.")
