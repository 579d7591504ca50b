"""Which devices a run uses, and how many threads: read once, before TensorFlow starts."""

import tensorflow as tf

from kerasnets.errors import InputError


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
