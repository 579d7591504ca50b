#!/usr/bin/env python3
"""A search as keras-tuner's users write it, for `bench_search.py` to hold `kerasnets-search` against.

Keras-tuner's own tuner class with its own loop over trials, all in one process; plain Keras `fit`. What is ours is what
must be the same: the space, the networks, the images with their augmentation, the losses, update rules and rates.
Departures: images are of full size from the first epoch on, and no number of failed trials ends the search. Where
keras-tuner would fail at once (see `mend`) it is helped.

It runs until it is stopped. What has become of each trial, keras-tuner writes into PROJECT/trial_*/trial.json; a
trial's score there is the validation accuracy of its best epoch.
"""

import argparse
import importlib.util
import os
import sys
import types
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import keras  # noqa: E402
import keras_tuner  # noqa: E402
import tensorflow as tf  # noqa: E402

from kerasnets.models import build_model, output_kind  # noqa: E402
from kerasnets.search.space import Space, hyperparameters, load_space  # noqa: E402
from kerasnets.training.config import TrainConfig  # noqa: E402
from kerasnets.training.losses import is_mixed, make_loss  # noqa: E402
from kerasnets.training.optimizers import GroupedOptimizer  # noqa: E402
from kerasnets.training.precision import choose_precision  # noqa: E402
from kerasnets.training.schedules import make_schedule  # noqa: E402
from pipelines.augment import normalize  # noqa: E402
from pipelines.augmentation import Augmentation  # noqa: E402
from pipelines.build import steps_per_epoch, training_dataset  # noqa: E402
from pipelines.source import ImageSource  # noqa: E402
from pipelines.sources import load_source  # noqa: E402
from pipelines.splits import carve_validation, limit_train  # noqa: E402

BATCH_SIZE = 250  # of the evaluation
MANY = 1_000_000


class Scheduled(keras.optimizers.Optimizer):
    """Our update rules, with the rate of every step, as one optimiser that `fit` takes."""

    def __init__(self, config: TrainConfig, variables: list, steps: int):
        super().__init__(learning_rate=config.learning_rate, name="scheduled")
        schedule, total = make_schedule(config, steps), config.epochs * steps
        self._rates = tf.constant([schedule(step, total) for step in range(total)], tf.float32)
        self.build(variables)
        self._grouped = GroupedOptimizer(config, variables)

    def apply(self, gradients, trainable_variables=None):
        """Makes a step."""
        step = tf.minimum(tf.cast(self.iterations.value, tf.int32), tf.size(self._rates) - 1)
        self._grouped.assign_rate(self._rates[step])
        self._grouped.apply(self._grouped.decayed(list(gradients)))
        self.iterations.assign_add(1)

    def save_own_variables(self, store):
        """Keeps everything that it takes to go on."""
        for number, variable in enumerate(self._grouped.variables):
            store[str(number)] = variable.numpy()

    def load_own_variables(self, store):
        """Takes it up again."""
        for number, variable in enumerate(self._grouped.variables):
            variable.assign(store[str(number)])


class Model(keras_tuner.HyperModel):
    """Builds and trains what a trial has chosen."""

    def __init__(self, space: Space, source: ImageSource, options: argparse.Namespace):
        super().__init__()
        self.space, self.source, self.options, self.known = space, source, options, False
        self.mean, self.std = source.channel_statistics("train")
        self.precision, _ = choose_precision("auto")
        validation = source.splits["validation"]
        images = tf.data.Dataset.from_tensor_slices((validation.images, validation.labels)).batch(BATCH_SIZE)
        self.validation = images.map(lambda batch, labels: (normalize(batch, self.mean, self.std), labels)).prefetch(2)

    def build(self, hp):
        """A compiled network; None while a tuner is made, which would look for what it is told anyway."""
        if not self.known:
            return None
        config = self._config(hp)
        shape, classes = self.source.image_shape, self.source.num_classes
        model = build_model(
            config.arch, shape, classes, precision=self.precision, seed=config.seed, **config.arch_options
        )
        for layer in model.layers:
            if type(layer).__module__.startswith("kerasnets.") and hasattr(layer, "adapt"):
                layer.adapt(normalize(tf.constant(self.source.splits["train"].images[:5000]), self.mean, self.std))
        loss = make_loss(config.loss, output_kind(model), classes, config.label_smoothing)

        def of_labels(labels, outputs):  # which Keras turns into floats
            return loss(labels if is_mixed(labels) and labels.shape[1] > 1 else _positions(labels), outputs)

        optimizer = Scheduled(config, model.trainable_variables, self._steps(config))
        model.compile(optimizer, of_labels, metrics=[keras.metrics.SparseCategoricalAccuracy("accuracy")])
        return model

    def fit(self, hp, model, *args, epochs, initial_epoch=0, **options):
        """Trains it for the epochs that the tuner gives."""
        config = self._config(hp)
        augmentation = {name: getattr(config, name) for name in Augmentation.__dataclass_fields__}
        images = training_dataset(
            self.source.splits["train"],
            batch_size=config.batch_size,
            seed=config.seed,
            augmentation=Augmentation(**augmentation),
            mean=self.mean,
            std=self.std,
            start_epoch=initial_epoch,
            num_classes=self.source.num_classes,
        )
        steps = self._steps(config)
        model.optimizer.iterations.assign(initial_epoch * steps)
        return model.fit(
            images,
            *args,
            epochs=epochs,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps,
            validation_data=self.validation,
            **options,
        )

    def _config(self, hp) -> TrainConfig:
        settings = self.space.settings(hp)
        settings.pop("early_sizes", None)
        return TrainConfig(dataset=self.options.dataset, epochs=self.options.epochs, seed=self.options.seed, **settings)

    def _steps(self, config: TrainConfig) -> int:
        return steps_per_epoch(len(self.source.splits["train"]), config.batch_size)


def _positions(labels):
    return tf.cast(tf.reshape(labels, [-1]), tf.int32)


def make_tuner(options: argparse.Namespace, model: Model) -> keras_tuner.Tuner:
    """Keras-tuner's own tuner."""
    known = hyperparameters(model.space, model.source.image_shape, model.source.num_classes)
    common = {
        "hypermodel": model,
        "objective": keras_tuner.Objective("val_accuracy", "max"),
        "seed": options.seed,
        "hyperparameters": known,
        "max_consecutive_failed_trials": MANY,
        "directory": options.project.parent,
        "project_name": options.project.name,
    }
    trials = options.trials or MANY
    if options.tuner == "hyperband":
        tuner = keras_tuner.Hyperband(max_epochs=options.epochs, factor=3, hyperband_iterations=MANY, **common)
    else:
        kind = {"random": keras_tuner.RandomSearch, "bayesian": keras_tuner.BayesianOptimization}[options.tuner]
        tuner = kind(max_trials=trials, **common)
    model.known = True
    return tuner


def keep_active_values(hp: keras_tuner.HyperParameters) -> None:
    """What `HyperParameters.ensure_active_values` means: it drops a value whose name is inactive in another scope."""
    for one in hp.space:
        if hp.is_active(one) and one.name not in hp.values:
            hp.values[one.name] = one.random_sample()
    for one in hp.space:
        if not hp.is_active(one.name):
            hp.values.pop(one.name, None)


def mend() -> None:
    """Keras-tuner imports tensorboard whether it is used or not, and TensorFlow does not bring it any more."""
    keras_tuner.HyperParameters.ensure_active_values = keep_active_values
    if importlib.util.find_spec("tensorboard") is None:
        for name in ("tensorboard", "tensorboard.plugins", "tensorboard.plugins.hparams"):
            sys.modules[name] = types.ModuleType(name)
        sys.modules["tensorboard.plugins.hparams"].api = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("project", type=Path)
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--tuner", choices=("hyperband", "bayesian", "random"), required=True)
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--validation", type=float, required=True)
    parser.add_argument("--limit-train", type=int)
    parser.add_argument("--trials", type=int, help="random and bayesian only: hyperband goes on until it is stopped")
    options = parser.parse_args()
    mend()
    source = load_source(options.dataset, options.data_dir)
    if options.limit_train:
        source = limit_train(source, options.limit_train)
    source = carve_validation(source, options.validation, options.seed)
    tuner = make_tuner(options, Model(load_space(None, options.dataset), source, options))
    tuner.search(epochs=options.epochs, verbose=0)


if __name__ == "__main__":
    main()
