"""Which devices a run uses, and how many threads: read once, before TensorFlow starts."""

import contextlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.models.names import MODEL_FACTS
from kerasnets.training.config import TrainConfig

# Operations of a whole step up to which a second thread makes it slower. Two cores of a Zen 4 with other work beside
# it, milliseconds of a step with one thread and with two, the best of ten each: lenet_bn, 16 million operations, 1.0
# and 2.1; coolnet_v7, 16 million, 0.8 and 1.6; 31 million, 1.3 and 2.1; 63 million, 1.9 and 2.5. With nothing beside
# it, 78 million were alike.
SMALL_STEP = 50e6


def set_threads(threads: int) -> None:
    """Limits TensorFlow to a number of processor threads; 0 leaves all.

    Raises:
        InputError: TensorFlow has already started with another number.
    """
    if not threads or tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise InputError(
            f"threads must be set before TensorFlow starts. Received: {threads} after it had started. "
            "Start a new process, or leave threads at 0."
        ) from None


def use_one_thread_if_small(config: TrainConfig, image_shape: Sequence[int], begun: Mapping[str, Any]) -> None:
    """Keeps each operation in one thread, if the config leaves the choice and a step is too small to share out.

    It holds for the rest of the process, so it is for a process that does nothing but this run. Operations still run
    beside each other, and so does the input pipeline. A number that is already set stays, and where TensorFlow has
    started everything does.

    Args:
        config: The run.
        image_shape: `(height, width, channels)` of its images.
        begun: The environment that a run to be resumed began in, whose choice is taken again; empty for a new run.
    """
    if config.threads or tf.config.threading.get_intra_op_parallelism_threads():
        return
    if begun.get("intra_op_threads") == 1 if begun else is_small_step(config, image_shape):
        with contextlib.suppress(RuntimeError):  # TensorFlow has started, and its threads with it
            tf.config.threading.set_intra_op_parallelism_threads(1)


def is_small_step(config: TrainConfig, image_shape: Sequence[int]) -> bool:
    """Whether a step on one CPU takes at most `SMALL_STEP` operations, by what is known of the network.

    These are the operations of the published network, in proportion to the number of pixels, times 3 for the gradients.
    Options that are whole numbers, such as width, change them: with another than the default the answer is no.
    """
    facts = MODEL_FACTS.get(config.arch)
    if facts is None or facts.flops_per_image is None or config.devices not in ("auto", "cpu"):
        return False
    changed = any(
        type(option.default) is int and config.arch_options.get(name, option.default) != option.default
        for name, option in facts.options.items()
    )
    pixels = math.prod(image_shape[:2]) / math.prod(facts.image_shape[:2])
    small = 3 * config.batch_size * facts.flops_per_image * pixels <= SMALL_STEP
    return small and not changed and not tf.config.list_physical_devices("GPU")


def make_strategy(devices: str) -> tf.distribute.Strategy:
    """Returns the strategy that steps run under.

    Args:
        devices: ``auto`` is one device, or a `MirroredStrategy` over every GPU when there are several; ``cpu`` is the
            CPU; ``cpu:N`` is a `MirroredStrategy` over N logical CPUs, which tests replication without a GPU.

    Raises:
        InputError: Logical CPUs were asked for after TensorFlow had started.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if devices == "auto":
        return tf.distribute.MirroredStrategy() if len(gpus) > 1 else tf.distribute.get_strategy()
    count = int(devices.partition(":")[2] or 1)
    if count == 1:
        return tf.distribute.OneDeviceStrategy("/cpu:0") if gpus else tf.distribute.get_strategy()
    _make_logical_cpus(count)
    return tf.distribute.MirroredStrategy([f"/cpu:{number}" for number in range(count)])


def _make_logical_cpus(count: int) -> None:
    cpu = tf.config.list_physical_devices("CPU")[0]
    try:
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)
    except RuntimeError:
        if len(tf.config.list_logical_devices("CPU")) < count:
            raise InputError(
                f"devices cpu:{count} must be set before TensorFlow starts. Received: TensorFlow running with "
                f"{len(tf.config.list_logical_devices('CPU'))} CPU device. Start a new process."
            ) from None


def use_deterministic_gpu() -> None:
    """Asks for deterministic kernels where there is a GPU; on a CPU they already are, thread count for thread count."""
    if tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
