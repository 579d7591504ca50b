import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.layers.batch_norm import FusedBatchNormalization

GAMMA, BETA = np.array([1.0, 2.0, -0.5]), np.array([0.1, -0.2, 0.3])
MOVING_MEAN, MOVING_VARIANCE = np.array([0.5, 1.0, -1.0]), np.array([1.0, 4.0, 0.25])
EPSILON = 1e-3


@pytest.fixture
def arrays():
    random = np.random.default_rng(0)
    return random.normal(1.0, 2.0, (6, 5, 4, 3)), random.normal(size=(6, 5, 4, 3))


def layer(shape=(None, 5, 4, 3), **options):
    made = FusedBatchNormalization(epsilon=EPSILON, momentum=0.9, **options)
    made.build(shape)
    made.set_weights([GAMMA, BETA, MOVING_MEAN, MOVING_VARIANCE])
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
    mean, variance = x.mean(axes), x.var(axes)
    normal = (x - mean) / np.sqrt(variance + EPSILON)
    to_gamma, to_beta = (g * normal).sum(axes), g.sum(axes)
    to_x = GAMMA / np.sqrt(variance + EPSILON) * (g - to_beta / n - normal * to_gamma / n)
    return GAMMA * normal + BETA, (to_x, to_gamma, to_beta), mean, variance


def test_training_matches_the_formula(arrays):
    made = layer()
    outputs, gradients = outputs_and_gradients(made, *arrays)
    expected, expected_gradients, mean, variance = formula(*arrays)
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    for received, wanted in zip(gradients, expected_gradients, strict=True):
        np.testing.assert_allclose(received, wanted, rtol=1e-4, atol=2e-5)
    # 120 values a channel: with Bessel's correction left in, the variance would be off by 1 / 119.
    np.testing.assert_allclose(made.moving_mean, 0.9 * MOVING_MEAN + 0.1 * mean, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(made.moving_variance, 0.9 * MOVING_VARIANCE + 0.1 * variance, rtol=1e-6)


def test_inference_matches_the_formula_and_moves_nothing(arrays):
    made = layer()
    outputs, _ = outputs_and_gradients(made, *arrays, training=False)
    expected = GAMMA * (arrays[0] - MOVING_MEAN) / np.sqrt(MOVING_VARIANCE + EPSILON) + BETA
    np.testing.assert_allclose(outputs, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(made.moving_variance, MOVING_VARIANCE)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-5), ("mixed_bfloat16", 1e-2)])
def test_equals_the_keras_layer(arrays, training, precision, tolerance):
    made = layer(dtype=precision)
    stock = keras.layers.BatchNormalization(epsilon=EPSILON, momentum=0.9, dtype=precision)
    stock.build((None, 5, 4, 3))
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
    made = layer()
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


def test_the_fused_kernel_is_what_runs():
    made = layer()
    graph = tf.function(lambda x: made(x, training=True)).get_concrete_function(tf.TensorSpec((2, 5, 4, 3))).graph
    assert "FusedBatchNormV3" in {operation.type for operation in graph.get_operations()}


# Keras converts its variables through an __array__ without NumPy 2's copy keyword.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")
def test_saves_and_loads(tmp_path, arrays):
    model = keras.Sequential([keras.Input((5, 4, 3)), FusedBatchNormalization(momentum=0.7, name="norm")])
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
