import os
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.python.eager import context  # the public API shows no optimised graph

from kerasnets.layers import convolution, weight_gradient
from kerasnets.layers.convolution import Convolution
from kerasnets.layers.weight_gradient import library, matrix_products, mosaic

SHAPE = (5, 6, 7, 3)  # batch, height, width, channels
KINDS = (Convolution, keras.layers.Conv2D)


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(size=SHAPE)


@pytest.fixture
def algorithm(monkeypatch):
    """Makes the layer take one algorithm, and counts how often it did."""

    def take(chosen):
        calls = []
        monkeypatch.setattr(
            convolution, "choose_algorithm", lambda *_: lambda *given: calls.append(given) or chosen(*given)
        )
        return calls

    return take


def layer_pair(*arguments, **options):
    """Our layer and the stock layer with the same weights."""
    pair = [kind(*arguments, **options) for kind in KINDS]
    for layer in pair:
        layer.build(SHAPE)
    random = np.random.default_rng(1)
    values = [random.normal(size=weight.shape) for weight in pair[0].weights]
    for layer in pair:
        layer.set_weights(values)
    return pair


def outputs_and_gradients(layer, inputs, output_gradient=None):
    """[outputs, gradient of the inputs, gradient of each weight] as float64."""
    inputs = tf.constant(inputs, layer.compute_dtype)
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
    if output_gradient is None:
        output_gradient = np.random.default_rng(2).normal(size=outputs.shape)
    targets = [inputs, *(weight.value for weight in layer.trainable_weights)]
    gradients = tape.gradient(outputs, targets, tf.cast(output_gradient, outputs.dtype))
    return [np.asarray(value, float) for value in (outputs, *gradients)]


def formula(x, kernel, bias, gradient):
    """Convolution with padding "same" and its gradients, place by place, in float64."""
    height, width = kernel.shape[:2]
    top, left = height // 2, width // 2
    padded = np.pad(x, ((0, 0), (top, top), (left, left), (0, 0)))
    outputs, to_padded, to_kernel = np.zeros(gradient.shape) + bias, np.zeros(padded.shape), np.zeros(kernel.shape)
    for y in range(height):
        for z in range(width):
            seen = np.s_[:, y : y + x.shape[1], z : z + x.shape[2]]
            outputs += padded[seen] @ kernel[y, z]
            to_padded[seen] += gradient @ kernel[y, z].T
            to_kernel[y, z] = np.einsum("nijc,nijf->cf", padded[seen], gradient)
    inside = to_padded[:, top : top + x.shape[1], left : left + x.shape[2]]
    return outputs, inside, to_kernel, gradient.sum((0, 1, 2))


@pytest.mark.parametrize("amx", [False, True])
@pytest.mark.parametrize("precision, rtol, atol", [("float32", 1e-4, 1e-4), ("mixed_bfloat16", 2**-6, 0.1)])
@pytest.mark.parametrize("kernel_size", [1, 3, 5, (3, 5)])
@pytest.mark.parametrize("chosen", [library, mosaic, matrix_products])
def test_against_the_formula(monkeypatch, images, algorithm, chosen, kernel_size, precision, rtol, atol, amx):
    calls = algorithm(chosen)
    monkeypatch.setattr(convolution, "has_amx", lambda: amx)
    layer, _ = layer_pair(4, kernel_size, padding="same", dtype=precision)
    gradient = np.random.default_rng(2).normal(size=(*SHAPE[:3], 4))
    received = outputs_and_gradients(layer, images, gradient)
    assert len(calls) == 1
    expected = formula(images, *(weight.numpy().astype(float) for weight in layer.weights), gradient)
    for got, wanted in zip(received, expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("precision, tolerance", [("float32", 1e-5), ("mixed_bfloat16", 2**-7)])
@pytest.mark.parametrize("side", [3, 8, 11])
def test_equals_the_keras_layer(side, precision, tolerance):
    layers = [kind(64, 3, padding="same", activation="relu", dtype=precision) for kind in KINDS]
    images = np.random.default_rng(3).normal(size=(6, side, side, 64))
    for layer in layers:
        layer.build(images.shape)
    layers[1].set_weights(layers[0].get_weights())
    ours, theirs = (outputs_and_gradients(layer, images) for layer in layers)
    np.testing.assert_array_equal(ours[0], theirs[0])
    for got, wanted in zip(ours[1:], theirs[1:], strict=True):
        np.testing.assert_allclose(got, wanted, rtol=tolerance, atol=tolerance * np.abs(wanted).max())


@pytest.mark.parametrize(
    "options",
    [
        {"strides": 2, "padding": "same"},
        {"padding": "valid"},
        {"padding": "same", "dilation_rate": 2},
        {"padding": "same", "groups": 3},
        {"padding": "same", "kernel_size": 2},
        {"padding": "same", "dtype": "float64"},
        {"padding": "same", "dtype": "float16"},
    ],
    ids=str,
)
def test_everything_else_goes_through_the_keras_layer(images, algorithm, options):
    calls = algorithm(library)
    layer, stock_layer = layer_pair(6, **({"kernel_size": 3} | options))
    ours, theirs = outputs_and_gradients(layer, images), outputs_and_gradients(stock_layer, images)
    for got, wanted in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert not calls


def test_a_gpu_and_channels_first_go_through_the_keras_layer(monkeypatch, images, algorithm):
    calls = algorithm(library)
    layer, _ = layer_pair(4, 3, padding="same")
    monkeypatch.setattr(convolution, "_has_gpu", lambda: True)
    outputs_and_gradients(layer, images)
    first = Convolution(4, 3, padding="same", data_format="channels_first")
    assert not first._can_choose(tf.zeros((2, 3, 6, 6)))
    assert not calls


def test_a_map_of_unknown_size(images):
    layer, stock_layer = layer_pair(4, 3, padding="same")
    compiled = tf.function(
        lambda x: outputs_and_kernel_gradient(layer, x), input_signature=[tf.TensorSpec([None, None, None, 3])]
    )
    received = compiled(tf.constant(images, tf.float32))
    for got, wanted in zip(received, outputs_and_kernel_gradient(stock_layer, images), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-4)


def outputs_and_kernel_gradient(layer, images):
    with tf.GradientTape() as tape:
        outputs = layer(tf.cast(images, tf.float32))
    return outputs, tape.gradient(outputs, layer.kernel.value)


def operations(function, *arguments):
    """How often operations of three kinds stand in what is executed, after TensorFlow's optimisations."""
    context.enable_graph_collection()
    function(*arguments)  # the first call: later ones hand nothing over
    graphs = context.context().export_run_metadata().partition_graphs
    context.disable_graph_collection()
    names = [node.op for graph in graphs for node in graph.node]
    return {kind: sum(kind in name for name in names) for kind in ("FusedConv2D", "BackpropInput", "BiasAddV2")}


def test_nothing_is_computed_in_vain(algorithm):
    algorithm(mosaic)
    inputs = keras.Input((8, 8, 3))
    middle = Convolution(4, 3, padding="same", activation="relu")(inputs)
    model = keras.Model(inputs, Convolution(4, 3, padding="same")(middle))

    @tf.function
    def gradients(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(images) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    # The images' own gradient is left out, and bias and activation are still fused into the convolutions.
    found = operations(gradients, tf.ones((2, 8, 8, 3)))
    assert found == {"FusedConv2D": 2, "BackpropInput": 1, "BiasAddV2": 0}
    assert operations(tf.function(model), tf.ones((2, 8, 8, 3)))["FusedConv2D"] == 2


@pytest.mark.parametrize("chosen", [mosaic, matrix_products])
def test_inside_a_compiled_loop(images, algorithm, chosen):
    algorithm(chosen)
    layer, stock_layer = layer_pair(4, 3, padding="same")

    def descend(layer):
        @tf.function
        def run(x):
            for _ in tf.range(3):
                with tf.GradientTape() as tape:
                    loss = tf.reduce_mean(layer(x) ** 2)
                for weight, gradient in zip(
                    layer.trainable_weights, tape.gradient(loss, layer.trainable_variables), strict=True
                ):
                    weight.assign_sub(0.1 * gradient)

        run(tf.constant(images, tf.float32))
        return layer.get_weights()

    for got, wanted in zip(descend(layer), descend(stock_layer), strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)


def test_names_are_those_of_the_keras_layer_and_counted_with_them(monkeypatch):
    keras.layers.Conv2D(2, 3)  # the next one has a number
    numbers = [int(kind(2, 3).name.removeprefix("conv2d_")) for kind in KINDS * 2]
    assert [number - numbers[0] for number in numbers] == [0, 1, 2, 3]
    assert Convolution(2, 3, name="mine").name == "mine"
    monkeypatch.setattr(keras.backend, "get_uid", lambda prefix: 1)
    layer = Convolution(2, 3)
    layer.build(SHAPE)
    assert [weight.path for weight in layer.weights] == ["conv2d/kernel", "conv2d/bias"]


def test_serialisation(images):
    inputs = keras.Input(SHAPE[1:])
    options = {"padding": "same", "activation": "relu", "kernel_regularizer": keras.regularizers.L2(0.1)}
    model = keras.Model(inputs, Convolution(4, 3, **options)(inputs))
    for copy in (keras.models.model_from_json(model.to_json()), keras.models.clone_model(model)):
        layer = copy.layers[-1]
        assert type(layer) is Convolution and layer.get_config() == model.layers[-1].get_config()
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(images), model(images))


def test_an_export_answers_as_the_layer(tmp_path, images, algorithm):
    algorithm(matrix_products)
    inputs = keras.Input(SHAPE[1:])
    model = keras.Model(inputs, Convolution(4, 3, padding="same")(inputs))
    model.export(str(tmp_path), verbose=False)
    archive = tf.saved_model.load(str(tmp_path))
    images = tf.constant(images, tf.float32)
    np.testing.assert_allclose(archive.serve(images), model(images), rtol=1e-6, atol=1e-6)


@pytest.mark.slow
def test_replicas_get_the_gradient_of_the_whole_batch():
    program = """
import tensorflow as tf, numpy as np, keras
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["/cpu:0", "/cpu:1"])
from kerasnets.layers import convolution
from kerasnets.layers.weight_gradient import choose_algorithm, matrix_products, mosaic

images = np.random.default_rng(0).normal(size=(10, 4, 5, 3)).astype("float32")
for algorithm in (matrix_products, mosaic):
    convolution.choose_algorithm = lambda *_: algorithm
    with strategy.scope():
        layer = convolution.Convolution(4, 3, padding="same")
        layer.build(images.shape)

    def gradient(images):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(layer(images) ** 2)
        found = tape.gradient(loss, layer.trainable_variables)
        return tf.distribute.get_replica_context().all_reduce("SUM", found)

    @tf.function
    def replicated(halves):
        return strategy.run(gradient, args=(halves,))

    # five images in one replica, five in the other: the mosaic has to fill up both
    halves = strategy.experimental_distribute_values_from_function(
        lambda context: images[5 * context.replica_id_in_sync_group :][:5]
    )
    received = [strategy.experimental_local_results(value) for value in replicated(halves)]
    stock = keras.layers.Conv2D(4, 3, padding="same")
    stock.build(images.shape)
    stock.set_weights(layer.get_weights())
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(stock(images) ** 2)
    for values, expected in zip(received, tape.gradient(loss, stock.trainable_variables), strict=True):
        for value in values:
            np.testing.assert_allclose(value, expected, rtol=1e-4, atol=1e-3)
"""
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_chooser_gets_the_shape(monkeypatch):
    asked = []
    monkeypatch.setattr(convolution, "choose_algorithm", lambda *given: asked.append(given) or library)
    layer = Convolution(5, (1, 3), padding="same", dtype="mixed_bfloat16")
    layer(np.zeros((2, 6, 7, 3)))
    assert asked == [(6, 7, 3, 5, [1, 3], "bfloat16")]
    assert weight_gradient.choose_algorithm(*asked[0]) is library
