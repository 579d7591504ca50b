"""What a diagnosis finds when numbers break down at a known place."""

import json
from typing import get_args

import keras
import numpy as np
import pytest
import tensorflow as tf

from kerasnets.runs.checkpoint import load_newest
from kerasnets.training.config import TrainConfig
from kerasnets.training.diagnosis import _SUSPICIOUS_RATE, describe, first_not_finite, likely_cause
from kerasnets.training.losses import make_loss
from kerasnets.training.train import train

CROSS_ENTROPY = make_loss("cross_entropy", "logits", 3)
IMAGES = np.random.default_rng(0).normal(size=(4, 2, 2, 1)).astype("float32")
LABELS = tf.constant([0, 1, 2, 0])


class SquareRoot(keras.layers.Layer):
    """Finite forward at 0, where its gradient is not."""

    def call(self, inputs):
        return tf.sqrt(inputs * 0.0)


def network(*middle):
    inputs = keras.Input((2, 2, 1))
    x = keras.layers.Dense(3, name="first")(keras.layers.Flatten()(inputs))
    for layer in middle:
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(3, name="logits")(x))


def test_sound_network():
    found = first_not_finite(network(), IMAGES, LABELS, CROSS_ENTROPY)
    assert (found["place"], found["not_finite"]) == ("nowhere", 0)


def test_bad_input():
    images = IMAGES.copy()
    images[1, 0, 0, 0] = np.nan
    images[2, 0, 0, 0] = np.inf
    found = first_not_finite(network(), images, LABELS, CROSS_ENTROPY)
    assert (found["place"], found["not_finite"]) == ("input", 2)


def test_bad_weight():
    model = network()
    model.get_layer("first").bias.assign([0.0, np.nan, 0.0])
    found = first_not_finite(model, IMAGES, LABELS, CROSS_ENTROPY)
    assert (found["place"], found["not_finite"]) == ("weight", 1)
    assert found["name"].endswith("first/bias")


def test_overflowing_layer():
    model = network(keras.layers.ReLU(name="middle"))
    model.get_layer("first").kernel.assign(np.full((4, 3), 3e38))
    found = first_not_finite(model, np.full_like(IMAGES, 10.0), LABELS, CROSS_ENTROPY)
    assert (found["place"], found["name"], found["not_finite"]) == ("layer output", "first", 12)
    assert found["largest_input"] == 10.0


def test_logarithm_of_zero():
    model = network()
    found = first_not_finite(model, IMAGES, LABELS, lambda labels, outputs: -tf.math.log(outputs[:, 0] * 0.0))
    assert (found["place"], found["not_finite"]) == ("loss", 4)


def test_bad_gradient():
    found = first_not_finite(network(SquareRoot()), IMAGES, LABELS, CROSS_ENTROPY)
    assert found["place"] == "gradient"
    # Gradients run backwards: the layer before the root is the first that sees the infinite one.
    assert "first" in found["name"]


def steps(*norms):
    return [{"gradient_norm": norm} for norm in norms]


@pytest.mark.parametrize(
    ("place", "rate", "norms", "cause"),
    [
        ("input", 0.01, [1, 1, 1, 1], "images themselves"),
        ("loss", 0.01, [1, 1, 1, 1], "logarithm of zero"),
        ("layer output", 0.01, [1, 3, 30, 400], "ran away, and the gradient norm grew from 1 to 400"),
        ("layer output", 10.0, [1, 1, 1, 1], "rate 10 is too high"),
        ("layer output", 0.01, [1, 1, 1, 1], "not high in itself"),
    ],
)
def test_likely_cause(place, rate, norms, cause):
    reason, remedies = likely_cause({"place": place}, rate, steps(*norms), "sgd")
    assert cause in reason
    assert remedies


@pytest.fixture(scope="module")
def diverged(tmp_path_factory):
    class Told:
        texts: list[str] = []

        def message(self, text):
            self.texts.append(text)

        def steps(self, *arguments):
            pass

        def epoch(self, *arguments):
            pass

        def close(self):
            pass

    config = TrainConfig(
        dataset="digits",
        arch="boringnet",
        arch_options={"activation": "relu"},
        epochs=20,
        batch_size=32,
        limit_train=200,
        learning_rate=1e6,
        loss="cross_entropy",
        precision="float32",
        checkpoint_seconds=0.0,
        output=str(tmp_path_factory.mktemp("runs")),
    )
    return train(config, progress=Told()), Told.texts


def test_run_that_diverges(diverged):
    run, texts = diverged
    assert run.status == "diverged"
    assert run.summary["test"] is None
    diagnosis = json.loads((run.path / "diagnosis.json").read_text())
    assert diagnosis["learning_rate"] == pytest.approx(1e6)
    assert diagnosis["first"]["place"] in ("layer output", "loss", "gradient")
    assert diagnosis["first"]["name"]
    assert "too high" in diagnosis["cause"]
    assert "--learning-rate 100000" in diagnosis["try"][0]
    assert texts[-1] == describe(diagnosis)


def test_recent_steps_lead_up_to_the_failure(diverged):
    run, _ = diverged
    diagnosis = json.loads((run.path / "diagnosis.json").read_text())
    recent = diagnosis["recent_steps"]
    assert [step["step"] for step in recent] == list(range(recent[0]["step"], diagnosis["step"]))
    assert all(step["gradient_norm"] is not None for step in recent[:-1])


def test_last_good_weights_are_kept(diverged):
    run, _ = diverged
    _, arrays, meta, damaged = load_newest(run.path / "checkpoints")
    assert meta["state"]["step"] >= 1
    assert not damaged
    assert all(np.isfinite(value).all() for value in arrays.values())


def test_every_optimizer_can_be_judged():
    assert set(_SUSPICIOUS_RATE) == set(get_args(TrainConfig.__dataclass_fields__["optimizer"].type))
