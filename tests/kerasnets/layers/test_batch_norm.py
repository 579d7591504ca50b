import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.layers.batch_norm import FusedBatchNormalization, batch_normalize_rows

WEIGHTS = np.array([[1.0, 2.0, -0.5, 0.8], [0.1, -0.2, 0.3, 0.6], [0.5, 1.0, -1.0, 2.0], [1.0, 4.0, 0.25, 9.0]])
GAMMA, BETA, MOVING_MEAN, MOVING_VARIANCE = WEIGHTS[:, :3]
EPSILON = 1e-3


@pytest.fixture(params=[3, 4])
def arrays(request):
    """Three channels are normalised along rows, four by the kernel in float32."""
    random, shape = np.random.default_rng(0), (6, 5, 4, request.param)
    return random.normal(1.0, 2.0, shape), random.normal(size=shape)


def layer(shape=(None, 5, 4, 3), **options):
    made = FusedBatchNormalization(epsilon=EPSILON, momentum=0.9, **options)
    made.build(shape)
    made.set_weights(list(WEIGHTS[:, : made.gamma.shape[0]]))
    return made


def outputs_and_gradients(made, inputs, output_gradients, training=True):
    inputs = tf.constant(inputs, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = made(inputs, training=training)
    targets = [inputs, made.gamma.value, made.beta.value]
    return outputs, tape.gradient(outputs, targets, tf.cast(output_gradients, outputs.dtype))


def formula(x, g):
    """Forward and backward in float64, from the paper's algorithm 1 and its derivatives."""
    axes, n = (0, 1, 2), x[..., 0].size
    gamma, beta, *_ = WEIGHTS[:, : x.shape[-1]]
    mean, variance = x.mean(axes), x.var(axes)
    normal = (x - mean) / np.sqrt(variance + EPSILON)
    to_gamma, to_beta = (g * normal).sum(axes), g.sum(axes)
    to_x = gamma / np.sqrt(variance + EPSILON) * (g - to_beta / n - normal * to_gamma / n)
    return gamma * normal + beta, (to_x, to_gamma, to_beta), mean, variance


def test_training_matches_the_formula(arrays):
    made = layer(arrays[0].shape)
    *_, moving_mean, moving_variance = made.get_weights()
    outputs, gradients = outputs_and_gradients(made, *arrays)
    expected, expected_gradients, mean, variance = formula(*arrays)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    for received, wanted in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(received, wanted, rtol=1e-4, atol=2e-5)
    # 120 values a channel: with Bessel's correction left in, the variance would be off by 1 / 119.
    np.testing.assert_allclose(made.moving_mean, 0.9 * moving_mean + 0.1 * mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(made.moving_variance, 0.9 * moving_variance + 0.1 * variance, rtol=1e-6)


def test_inference_matches_the_formula_and_moves_nothing(arrays):
    made = layer(arrays[0].shape)
    outputs, _ = outputs_and_gradients(made, *arrays, training=False)
    gamma, beta, moving_mean, moving_variance = WEIGHTS[:, : arrays[0].shape[-1]]
    expected = gamma * (arrays[0] - moving_mean) / np.sqrt(moving_variance + EPSILON) + beta
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(made.moving_variance, moving_variance)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-5), ("mixed_bfloat16", 1e-2)])
def test_equals_the_keras_layer(arrays, training, precision, tolerance):
    made = layer(arrays[0].shape, dtype=precision)
    stock = keras.layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, dtype=precision)
    stock.build(arrays[0].shape)
    stock.set_weights(made.get_weights())
    outputs, gradients = outputs_and_gradients(made, *arrays, training)
    expected, expected_gradients = outputs_and_gradients(stock, *arrays, training)
    assert outputs.dtype == expected.dtype == made.compute_dtype
    np.testing.assert_allclose(tf.cast(outputs, "float32"), tf.cast(expected, "float32"), tolerance, tolerance)
    for received, wanted in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(received, wanted, rtol=tolerance, atol=tolerance)
    for received, wanted in zip(made.non_trainable_variables, stock.non_trainable_variables, strict=True):
        assert received.dtype == "float32"
        np.testing.assert_allclose(received, wanted, rtol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_without_scale_and_offset(arrays, training):
    plain = FusedBatchNormalization(epsilon=EPSILON, center=False, scale=False)
    stock = keras.layers.BatchNormalization(epsilon=EPSILON, center=False, scale=False)
    inputs = tf.constant(arrays[0], tf.float32)
    np.testing.assert_allclose(plain(inputs, training=training), stock(inputs, training=training), atol=1e-5)


def test_one_value_a_channel_has_no_variance():
    made = layer((None, 1, 1, 3))
    outputs = made(tf.constant([[[[1.0, 2.0, 3.0]]]]), training=True)
    np.testing.assert_allclose(outputs[0, 0, 0], BETA, atol=1e-6)
    np.testing.assert_allclose(made.moving_variance, 0.9 * MOVING_VARIANCE, rtol=1e-6)


def test_frozen_it_infers(arrays):
    made = layer(arrays[0].shape)
    made.trainable = False
    inputs = tf.constant(arrays[0], tf.float32)
    np.testing.assert_array_equal(made(inputs, training=True), made(inputs, training=False))


@pytest.mark.parametrize(
    "shape, options",
    [((7, 3), {}), ((2, 5, 3), {}), ((4, 5, 6, 3), {"dtype": "float64"}), ((4, 3, 5, 6), {"axis": 1})],
)
def test_other_inputs_go_through_keras(shape, options):
    made = layer((None, *shape[1:]), **options)
    x = np.random.default_rng(1).normal(3.0, 2.0, shape).astype(made.compute_dtype)
    axes = tuple(axis for axis in range(len(shape)) if axis != made.axis % len(shape))
    mean, variance = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    outputs = np.moveaxis(made(x, training=True).numpy(), made.axis, -1)
    normal = np.moveaxis((x - mean) / np.sqrt(variance + EPSILON), made.axis, -1)
    np.testing.assert_allclose(outputs, GAMMA * normal + BETA, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "channels, precision, training, kernel",
    [
        (3, "float32", True, False),
        (3, "float32", False, True),
        (4, "float32", True, True),
        (6, "float32", True, False),
        (8, "mixed_bfloat16", True, False),
        (8, "mixed_bfloat16", False, True),
        (16, "mixed_bfloat16", True, True),
        (6, "mixed_float16", True, True),
    ],
)
def test_the_kernel_runs_where_it_is_fast(channels, precision, training, kernel):
    made = FusedBatchNormalization(dtype=precision)
    made.build((None, 5, 4, channels))
    call = tf.function(lambda x: made(x, training=training))
    graph = call.get_concrete_function(tf.TensorSpec((None, 5, 4, channels), made.compute_dtype)).graph
    assert ("FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}) is kernel


def test_maps_of_unknown_width_go_to_the_kernel(arrays):
    made = layer((None, None, None, arrays[0].shape[-1]))
    call = tf.function(lambda x: made(x, training=True))
    spec = tf.TensorSpec((None, None, None, arrays[0].shape[-1]))
    graph = call.get_concrete_function(spec).graph
    assert "FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}
    np.testing.assert_allclose(call(tf.constant(arrays[0], tf.float32)), formula(*arrays)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype, tolerance", [("float32", 1e-5), ("bfloat16", 1e-2)])
@pytest.mark.parametrize("shape", [(4, 5, 6, 1), (3, 7, 1, 6), (1, 1, 8, 5), (9, 3, 2, 20)])
def test_rows_equal_the_kernel(shape, dtype, tolerance):
    random = np.random.default_rng(2)
    channels = shape[-1]
    inputs = tf.cast(random.normal(-1.0, 3.0, shape), dtype)
    scale, offset = (tf.constant(random.normal(size=channels), tf.float32) for _ in range(2))
    output_gradients = tf.cast(random.normal(size=shape), dtype)

    def kernel(inputs, scale, offset):
        return tf.raw_ops.FusedBatchNormV3(
            x=inputs, scale=scale, offset=offset, mean=[], variance=[], epsilon=EPSILON, is_training=True
        )[:3]

    results = []
    for function in (lambda *given: batch_normalize_rows(*given, EPSILON), kernel):
        with tf.GradientTape() as tape:
            tape.watch([inputs, scale, offset])
            outputs, mean, variance = function(inputs, scale, offset)
        gradients = tape.gradient(outputs, [inputs, scale, offset], output_gradients)
        results.append([outputs, *gradients, mean, variance])
    count = inputs[..., 0].shape.num_elements()
    results[1][-1] *= (count - 1) / count  # Bessel's correction
    for received, expected in zip(*results, strict=True):
        assert received.dtype == expected.dtype
        received, expected = (tf.cast(value, "float32").numpy() for value in (received, expected))
        np.testing.assert_allclose(received, expected, rtol=tolerance, atol=tolerance * max(1.0, abs(expected).max()))


@pytest.mark.parametrize("mean, tolerance", [(0.0, 1e-6), (1000.0, 1e-6), (30000.0, 1e-4)])
def test_a_large_mean_costs_rows_no_digits(mean, tolerance):
    """The kernel is off by 0.001 standard deviations at a mean of 1000, and by 0.08 at 30000."""
    inputs = np.random.default_rng(3).normal(mean, 1.0, (32, 28, 28, 3)).astype(np.float32)
    outputs, received, variance = batch_normalize_rows(tf.constant(inputs), tf.ones(3), tf.zeros(3), 0.0)
    exact = inputs.astype(np.float64)
    np.testing.assert_allclose(received, exact.mean((0, 1, 2)), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(variance, exact.var((0, 1, 2)), rtol=tolerance)
    normal = (exact - exact.mean((0, 1, 2))) / exact.std((0, 1, 2))
    np.testing.assert_allclose(outputs, normal, rtol=1e-5, atol=1e-6 * max(1.0, mean))


# Keras converts its variables through an __array__ without NumPy 2's copy keyword.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_saves_and_loads(tmp_path, arrays):
    model = keras.Sequential([keras.Input(arrays[0].shape[1:]), FusedBatchNormalization(momentum=0.7, name="norm")])
    model(arrays[0], training=True)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.get_layer("norm")) is FusedBatchNormalization
    assert loaded.get_layer("norm").momentum == 0.7
    np.testing.assert_array_equal(loaded(arrays[0]), model(arrays[0]))


# Logical devices must be set before TensorFlow starts, so this runs in a process of its own.
REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from kerasnets.layers.batch_norm import FusedBatchNormalization

x = np.random.default_rng(0).normal(1.0, 2.0, (10, 3, 3, 2)).astype("float32")
x[:7] += 5.0
weights = np.random.default_rng(1).normal(size=x.shape).astype("float32")

def step(layer, x, weights):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(x, training=True) * weights)
    return tape.gradient(loss, [variable.value for variable in layer.trainable_variables])

alone = FusedBatchNormalization()
alone.build(x.shape)
expected = step(alone, x, weights)

strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    layer = FusedBatchNormalization()
    layer.build(x.shape)

@tf.function
def both():
    def part(array):
        # Unequal parts: the mean of the replicas' means would be wrong.
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(array[:7] if context.replica_id_in_sync_group == 0 else array[7:]))
    return strategy.run(lambda x, w: step(layer, x, w), (part(x), part(weights)))

gradients = [strategy.reduce("SUM", gradient, axis=None) for gradient in both()]
for received, wanted in zip(gradients, expected):
    np.testing.assert_allclose(received, wanted, rtol=1e-4, atol=1e-4)
for mirrored, wanted in zip(layer.non_trainable_variables, alone.non_trainable_variables):
    for replica in mirrored.value.values:
        np.testing.assert_allclose(replica, wanted, rtol=1e-5)
print("equal")
"""


@pytest.mark.slow
def test_two_replicas_equal_one_device():
    done = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "equal", done.stderr
