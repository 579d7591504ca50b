"""Networks out of a user's file: what it may return, its options, and one line for each mistake."""

import os
import subprocess
import sys

import keras
import keras_tuner
import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.evaluation.evaluate import evaluate
from kerasnets.export.load import load_predictor
from kerasnets.models import build_model, check_options
from kerasnets.models.describe import output_kind
from kerasnets.models.file_network import file_settings, load_file
from kerasnets.models.options import short_arch
from kerasnets.recipes import recipe, resolve_arch
from kerasnets.runs.run import Run
from pipelines.sources import load_source

NET = """\
import keras

def build(hp, image_shape, num_classes):
    images = keras.Input(image_shape)
    features = keras.layers.Flatten()(images)
    kind = hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["wide"]):
        if kind == "wide":
            features = keras.layers.Dense(hp.Int("units", 4, 64, default=8), activation="relu")(features)
    if hp.Boolean("dropped"):
        features = keras.layers.Dropout(hp.Float("rate", 0.1, 0.5))(features)
    return keras.Model(images, keras.layers.Dense(num_classes, name="logits")(features), name="mine")
"""
SHAPE = (8, 8, 1)
IMAGES = np.random.default_rng(0).normal(size=(4, *SHAPE)).astype("float32")


@pytest.fixture
def net(tmp_path):
    def write(text=NET, name="net.py"):
        (tmp_path / name).write_text(text)
        return f"file:{tmp_path / name}"

    return write


def ending(end, before="features = keras.layers.Flatten()(images)"):
    return (
        "import keras\n\ndef build(hp, image_shape, num_classes):\n    images = keras.Input(image_shape)\n"
        f"    {before}\n    {end}\n"
    )


def test_the_file_builds_the_network(net):
    model = build_model(net(), SHAPE, 3, seed=0)
    assert (model.name, output_kind(model), model.output_shape) == ("mine", "logits", (None, 3))
    assert [tuple(weight.shape) for weight in model.weights] == [(64, 3), (3,)]
    wide = build_model(net(), SHAPE, 3, seed=0, kind="wide", units=5)
    assert [tuple(weight.shape) for weight in wide.weights] == [(64, 5), (5,), (5, 3), (3,)]


def test_the_same_seed_gives_the_same_weights(net):
    first, second, other = (build_model(net(), SHAPE, 3, seed=seed).get_weights()[0] for seed in (4, 4, 5))
    np.testing.assert_array_equal(first, second)
    assert (first != other).any()


def test_bfloat16_is_answered_in_float32(net):
    model = build_model(net(), SHAPE, 3, precision="bfloat16", seed=0)
    assert model.output.dtype == "float32"
    assert (output_kind(model), model.layers[-2].compute_dtype) == ("logits", "bfloat16")
    expected = build_model(net(), SHAPE, 3, seed=0)(IMAGES)
    np.testing.assert_allclose(model(IMAGES), expected, atol=0.05)


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        ("keras.layers.Dense(num_classes)", "logits"),
        ("keras.layers.Dense(num_classes, activation='softmax')", "probabilities"),
        ("keras.layers.Dense(num_classes, name='probabilities')", "probabilities"),
    ],
)
def test_an_end_without_a_name_is_named(net, end, kind):
    model = build_model(net(ending(f"return keras.Model(images, {end}(features))")), SHAPE, 3)
    assert output_kind(model) == kind


def test_a_softmax_is_named(net):
    before = "features = keras.layers.Dense(num_classes)(keras.layers.Flatten()(images))"
    for layer in ("Softmax()", "Activation('softmax')"):
        text = ending(f"return keras.Model(images, keras.layers.{layer}(features))", before)
        assert output_kind(build_model(net(text), SHAPE, 3)) == "probabilities"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"knid": "wide"}, r"Unknown option 'knid' of model 'file:.*net.py'. Known: .* Did you mean 'kind'\?"),
        ({"kind": "deep"}, "Option 'kind' of model 'file:.*' must be one of plain, wide. Received: 'deep'."),
        ({"kind": "wide", "units": 3}, "Option 'units' of model .* must be a number from 4 to 64. Received: 3."),
        ({"kind": "wide", "units": True}, "Option 'units' of model .* must be a number from 4 to 64. Received: True."),
        ({"dropped": 1}, "Option 'dropped' of model .* must be one of True, False. Received: 1."),
    ],
)
def test_options_are_checked(net, options, message):
    with pytest.raises(InputError, match=message):
        build_model(net(), SHAPE, 3, **options)


def test_a_fixed_value_is_an_option_of_one_value(net):
    text = ending(
        "hp.Fixed('a', 3); return keras.Model(images, keras.layers.Dense(num_classes, name='logits')(features))"
    )
    build_model(net(text), SHAPE, 3, a=3)
    with pytest.raises(InputError, match="Option 'a' of model .* must be one of 3. Received: 4"):
        build_model(net(text), SHAPE, 3, a=4)


def test_a_network_without_options(net):
    with pytest.raises(InputError, match="Unknown option 'a' of model .* It has none."):
        build_model(net(ending("return keras.Model(images, keras.layers.Dense(num_classes)(features))")), SHAPE, 3, a=1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("build = 3\n", "net.py must have a function build.hp, image_shape, num_classes.. Received: none."),
        ("x = 1\n1 / 0\n", "net.py, line 2: the file must work. Received: ZeroDivisionError: division by zero"),
        ("def build(:\n", "net.py, line 1: the file must work. Received: SyntaxError: "),
        ("import no_such_package\n", "line 1: the file must work. Received: ModuleNotFoundError: No module named"),
        (ending("raise ValueError('too\\nwide')"), "line 6: build.* must work. Received: ValueError: too wide"),
        (ending("assert False"), "line 6: build.* must work. Received: AssertionError$"),
        (ending("keras.layers.Dense(-1)"), "line 6: build.* must work. Received: ValueError: "),
        (ending("return features"), "build must return a keras.Model of one input .* Received: KerasTensor"),
        (ending("return None"), "build must return a keras.Model of one input and one output. Received: NoneType"),
        (ending("return keras.Sequential([keras.layers.Flatten()])"), "build must return a keras.Model of one input"),
        (
            ending("return keras.Model(images, keras.layers.Dense(4)(features))"),
            r"from \(None, 8, 8, 1\) to \(None, 3\). Received: one from \(None, 8, 8, 1\) to \(None, 4\)",
        ),
        (
            ending("return keras.Model([images, keras.Input((2,))], keras.layers.Dense(3)(features))"),
            r"Received: one from \(None, 8, 8, 1\), \(None, 2\) to \(None, 3\)",
        ),
        (
            ending("return keras.Model(images, keras.layers.Dense(3, activation='relu')(features))"),
            "the last layer of the model must be named 'logits' or 'probabilities', .* Received: 'dense",
        ),
        (
            ending("return keras.Model(images, keras.layers.Dropout(0.5)(keras.layers.Dense(3)(features)))"),
            "the last layer of the model must be named 'logits' or 'probabilities', .* Received: 'dropout",
        ),
    ],
)
def test_mistakes_are_told_in_one_line(net, text, message):
    with pytest.raises(InputError, match=message) as caught:
        build_model(net(text), SHAPE, 3)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(InputError, match=r"file:PATH must name a Python file. Received: /no/such.py, which is no file"):
        build_model("file:/no/such.py", SHAPE, 3)
    with pytest.raises(InputError, match=r"file:PATH must name a Python file. Received: /no/such.py, which is no file"):
        check_options("file:/no/such.py", {})
    with pytest.raises(InputError, match=r"file:PATH must name a Python file. Received: /no/such.py, which is no file"):
        load_file("/no/such.py")


def test_options_are_numbers_and_texts(net):
    assert check_options(net(), {"a": 1, "b": "c", "d": True, "e": 0.5}) == {"a": 1, "b": "c", "d": True, "e": 0.5}
    with pytest.raises(InputError, match=r"Option 'a' of model 'file:.*' must be a number or a text. Received: \[1\]"):
        check_options(net(), {"a": [1]})


def test_a_changed_file_is_read_again(net):
    one = load_file(net().removeprefix("file:"))
    assert load_file(net().removeprefix("file:")) is not None
    path = net(NET + "\nCHANGED = True\n").removeprefix("file:")
    os.utime(path, (1, 1))
    assert not hasattr(one, "CHANGED") and load_file(path).CHANGED
    assert load_file(path) is load_file(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def settings(hp):\n    return 3\n", r"settings\(hp\) must return names with values. Received: 3"),
        ("def settings(hp):\n    return {1: 2}\n", r"settings\(hp\) must return names with values. Received: \{1: 2\}"),
        ("def settings(hp):\n    return {'arch': 'a'}\n", r"settings\(hp\) must leave arch out, .* Received: arch"),
        ("def settings(hp):\n    hp.nothing\n", r"line 15: settings\(hp\) must work. Received: AttributeError"),
    ],
)
def test_mistakes_in_settings(net, text, message):
    with pytest.raises(InputError, match=message):
        file_settings(net(NET + "\n" + text).removeprefix("file:"))


SETTINGS = "\ndef settings(hp):\n    return {'learning_rate': hp.Float('rate', 0.01, 0.1), 'epochs': 1}\n"


def test_settings_are_the_recipe(net, monkeypatch, tmp_path):
    path = net(NET + SETTINGS).removeprefix("file:")
    assert file_settings(path) == {"learning_rate": 0.01, "epochs": 1}
    hp = keras_tuner.HyperParameters()
    hp.values["rate"] = 0.07
    assert file_settings(path, hp) == {"learning_rate": 0.07, "epochs": 1}
    monkeypatch.chdir(tmp_path)
    config = recipe("cifar10", "file:net.py")
    assert (config.arch, resolve_arch("cifar10", "file:net.py")) == (f"file:{path}", f"file:{path}")
    assert (config.learning_rate, config.epochs, config.optimizer, config.flip) == (0.01, 1, "adamw", "random")
    assert recipe("digits", "file:net.py", epochs=3).epochs == 3
    assert recipe("digits", "file:net.py").flip == "none"
    net(NET + "\ndef settings(hp):\n    return {'epoch': 1}\n")
    with pytest.raises(InputError, match="Unknown setting 'epoch'"):
        recipe("digits", "file:net.py")


def test_names_of_folders():
    assert short_arch("file:/home/me/my net.v2.py") == "file-my_net.v2"
    assert short_arch("cifarnet") == "cifarnet"


@pytest.mark.slow
def test_train_and_evaluate(net, tmp_path):
    arch = net(NET + SETTINGS)
    command = [sys.executable, "-c", "import sys; from kerasnets.cli.main import main; sys.exit(main())"]
    words = ["train", "digits", "--arch", arch, "--arch-options.kind", "wide", "--output", str(tmp_path / "runs")]
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = (tmp_path / "runs" / "digits").iterdir()
    assert path.name.startswith("file-net-s0-")
    assert Run(path).config["arch_options"] == {"kind": "wide"}
    evaluation = evaluate(load_predictor(path), load_source("digits"))
    assert evaluation.accuracy == pytest.approx(Run(path).summary["test"]["accuracy"])
    words[3] = "file:/no/such.py"
    done = subprocess.run([*command, *words], capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "which is no file" in done.stderr


def test_a_model_with_its_layers_named_twice_is_the_users_mistake(net):
    twice = "keras.layers.Dense(num_classes, name='x')(keras.layers.Dense(3, name='x')(features))"
    text = ending(f"return keras.Model(images, {twice})")
    with pytest.raises(InputError, match="line 6: build.* must work. Received: ValueError: "):
        build_model(net(text), SHAPE, 3)


def test_the_policy_is_that_of_the_caller(net):
    build_model(net(), SHAPE, 3, precision="bfloat16")
    assert keras.config.dtype_policy().name == "float32"
