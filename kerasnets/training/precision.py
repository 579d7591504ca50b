"""Which number format the layers compute in, decided by what the machine gains."""

import time

import tensorflow as tf

from kerasnets.layers.processor import cpu_flags, has_amx

# bfloat16 has to be this much faster before it is worth its coarser numbers.
_WORTH = 1.25


def choose_precision(requested: str) -> tuple[str, str]:
    """Resolves ``auto``.

    bfloat16 is taken at once on a CPU with AMX and on a GPU of compute capability 8 or more. A CPU that only has the
    AVX512-BF16 instructions gains on some models and loses on others, so there a convolution and its gradients are
    timed in both formats (about a second) and bfloat16 is taken if it is 1.25 times as fast. Everything else keeps
    float32.

    Args:
        requested: ``"auto"``, ``"float32"`` or ``"bfloat16"``.

    Returns:
        The format and the reason in a few words.
    """
    if requested != "auto":
        return requested, "as asked"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        good = capability >= (8, 0)
        return ("bfloat16" if good else "float32"), f"GPU of compute capability {capability[0]}.{capability[1]}"
    if has_amx():
        return "bfloat16", "the CPU has amx_bf16"
    if "avx512_bf16" not in cpu_flags():
        return "float32", "the CPU has no bfloat16 instructions"
    gain = measure_gain()
    return ("bfloat16" if gain >= _WORTH else "float32"), f"bfloat16 measured {gain:.2f} times as fast here"


def measure_gain() -> float:
    """Times a 3x3 convolution with both its gradients: float32 seconds over bfloat16 seconds, the best of four each.

    The formats take turns, so that whatever else the machine does slows both.
    """
    steps = [_convolution(dtype) for dtype in (tf.float32, tf.bfloat16)]
    best = [float("inf"), float("inf")]
    for attempt in range(5):
        for number, step in enumerate(steps):
            start = time.perf_counter()
            step()
            if attempt:  # the first call compiles
                best[number] = min(best[number], time.perf_counter() - start)
    return best[0] / best[1]


def _convolution(dtype: tf.DType):
    images, kernel, gradient = (
        tf.cast(tf.random.stateless_normal(shape, seed=(0, number)), dtype)
        for number, shape in enumerate([(32, 16, 16, 128), (3, 3, 128, 256), (32, 16, 16, 256)])
    )

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            tape.watch((images, kernel))
            outputs = tf.nn.conv2d(images, kernel, 1, "SAME")
        gradients = tape.gradient(outputs, (images, kernel), output_gradients=gradient)
        return tf.add_n([tf.reduce_sum(tf.cast(value, tf.float32)) for value in gradients])

    return lambda: step().numpy()
