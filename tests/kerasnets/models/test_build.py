"""One contract for all networks: shapes, learning, seeds, precision, the same outputs in a fresh process."""

import random
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.models.build import MODELS, build_model
from kerasnets.models.describe import output_kind
from kerasnets.models.names import MODEL_FACTS, MODEL_NAMES

VARIANTS = [(name, {}) for name in MODEL_NAMES] + [
    ("boringnet", {"activation": "leaky_relu"}),
    ("scratch_mlp", {"width": 5, "l2": 0.01}),
    ("tiny_leaky", {"batch_norm": False, "output": "probabilities"}),
    ("speednet", {"width": 8, "depth": 3}),
    ("blocks", {"stages": "8 k5 wide bare res2 act mean2, 16 skip2 max2", "stem": "whitening", "dropout": 0.1}),
]
IMAGES = np.random.default_rng(0).normal(size=(8, 16, 16, 3)).astype("float32")
LABELS = np.arange(8) % 3


def train_step(model):
    from_logits = output_kind(model) == "logits"
    with tf.GradientTape() as tape:
        outputs = model(IMAGES, training=True)
        loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(LABELS, outputs, from_logits=from_logits))
        loss += sum(model.losses)
    gradients = tape.gradient(loss, [weight.value for weight in model.trainable_weights])
    for weight, gradient in zip(model.trainable_weights, gradients, strict=True):
        weight.assign_sub(0.1 * gradient)
    return float(loss), gradients


@pytest.mark.parametrize("name, options", VARIANTS)
def test_contract(name, options):
    model = build_model(name, (16, 16, 3), 3, seed=0, **options)
    assert model.name == name
    assert model.input.dtype == model.output.dtype == "float32"
    assert model(IMAGES).shape == (8, 3)
    before = model.get_weights()
    loss, gradients = train_step(model)
    assert np.isfinite(loss)
    assert all(np.isfinite(gradient).all() for gradient in gradients)
    kernels = [index for index, weight in enumerate(model.weights) if len(weight.shape) > 1 and weight.trainable]
    assert kernels and all((model.get_weights()[index] != before[index]).any() for index in kernels)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_sizes_from_the_smallest_on(name):
    smallest = MODEL_FACTS[name].smallest_side
    for shape in [(smallest, smallest, 1), (smallest, smallest + 5, 3), (28, 28, 1)]:
        outputs = build_model(name, shape, 4)(np.ones((2, *shape), "float32"))
        assert outputs.shape == (2, 4)
        assert np.isfinite(outputs).all()
    with pytest.raises(
        InputError, match=f"at least {smallest}x{smallest} for model '{name}'. Received: {smallest - 1}x"
    ):
        build_model(name, (smallest - 1, smallest, 1), 4)


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_large_images(name):
    # The weights of the first linear layer would be hundreds of megabytes: the shape is enough.
    with tf.Graph().as_default(), keras.StatelessScope():
        model = MODELS[name]((224, 224, 3), 4)
    assert model.output.shape == (None, 4)


def test_the_same_seed_gives_the_same_weights_whatever_came_before():
    first = build_model("lenet_bn", (8, 8, 1), 3, seed=5).get_weights()
    build_model("cifarnet", (8, 8, 1), 3, seed=1)
    second, other = (build_model("lenet_bn", (8, 8, 1), 3, seed=seed).get_weights() for seed in (5, 6))
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert (first[0] != other[0]).any()


def test_layers_of_one_network_start_differently():
    model = build_model("resblocks", (8, 8, 1), 3, seed=5)
    same_shape = [weight for weight in model.get_weights() if weight.shape == (3, 3, 100, 100)]
    assert len({weight.tobytes() for weight in same_shape}) == len(same_shape) == 8


def test_without_a_seed_weights_differ():
    first, second = (build_model("lazynet", (8, 8, 1), 3).get_weights()[0] for _ in range(2))
    assert (first != second).any()


def test_a_seed_leaves_the_generators_alone():
    random.seed(3)
    expected = random.random()
    random.seed(3)
    build_model("lazynet", (8, 8, 1), 3, seed=5)
    assert random.random() == expected


@pytest.mark.parametrize("name", MODEL_NAMES)
def test_bfloat16_computes_in_bfloat16_and_answers_in_float32(name):
    model = build_model(name, (16, 16, 3), 3, precision="bfloat16", seed=0)
    assert keras.config.dtype_policy().name == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    outputs = model(IMAGES)
    assert outputs.dtype == model.output.dtype == "float32"
    expected = build_model(name, (16, 16, 3), 3, seed=0)(IMAGES)
    np.testing.assert_allclose(outputs, expected, atol=0.02 * np.abs(expected).max() + 0.01)
    hidden = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert all(layer.compute_dtype == "bfloat16" for layer in hidden)


def test_the_policy_is_restored_after_an_error():
    with pytest.raises(InputError, match="at least 8x8"):
        build_model("lazynet", (2, 2, 1), 3, precision="bfloat16")
    assert keras.config.dtype_policy().name == "float32"


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="Did you mean 'cifarnet'"):
        build_model("cifarnett", (8, 8, 1), 3)
    with pytest.raises(InputError, match=r"Unknown precision 'float16'\. Known: bfloat16, float32\."):
        build_model("lazynet", (8, 8, 1), 3, precision="float16")
    with pytest.raises(InputError, match="Unknown option 'depth' of model 'lazynet'"):
        build_model("lazynet", (8, 8, 1), 3, depth=3)


# In reverse order, so that a seed which depended on what was built before would show.
FRESH = """
import sys, numpy as np
from kerasnets.models import MODEL_NAMES, build_model
for name in reversed(MODEL_NAMES):
    stored = np.load(f"{sys.argv[1]}/{name}.npz")
    model = build_model(name, (16, 16, 3), 3, seed=7)
    np.testing.assert_array_equal(model.get_weights()[0], stored["first"], err_msg=name)
    model.set_weights([stored[f"weight{index}"] for index in range(len(model.weights))])
    np.testing.assert_array_equal(model(stored["images"]), stored["outputs"], err_msg=name)
print("equal")
"""


@pytest.mark.slow
def test_a_fresh_process_gives_the_same_outputs(tmp_path):
    for name in MODEL_NAMES:
        model = build_model(name, (16, 16, 3), 3, seed=7)
        first = model.get_weights()[0]
        train_step(model)
        weights = {f"weight{index}": weight for index, weight in enumerate(model.get_weights())}
        np.savez(tmp_path / f"{name}.npz", first=first, images=IMAGES, outputs=model(IMAGES), **weights)
    done = subprocess.run([sys.executable, "-c", FRESH, tmp_path], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "equal", done.stderr
