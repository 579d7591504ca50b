"""What a run is made of before its folder exists: data, network, optimiser, devices, and what is said about them."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import Predictor
from kerasnets.models import build_model, check_options, flops_per_image, output_kind
from kerasnets.training.config import TrainConfig
from kerasnets.training.distribute import make_strategy, set_threads, use_deterministic_gpu
from kerasnets.training.environment import describe_environment
from kerasnets.training.image_sizes import ImageSizes, accept_sizes
from kerasnets.training.losses import Loss, evaluated_loss, make_loss
from kerasnets.training.optimizers import GroupedOptimizer
from kerasnets.training.precision import choose_precision
from kerasnets.training.progress import Progress
from kerasnets.training.state import make_averages
from pipelines.augment import Augmentation, normalize
from pipelines.build import training_dataset
from pipelines.resize import shrink_split
from pipelines.source import ImageSource
from pipelines.sources import load_source
from pipelines.splits import carve_validation, limit_train

# Layers that compute their weights from images see this many, or as many as fit into so many bytes of float32: those
# up to 64 x 64 x 3 all do.
_ADAPT_IMAGES = 5_000
_ADAPT_BYTES = 1 << 28
_STORAGES = {
    "cache folder": "images are read from the cache folder while training: --cache-bytes of memory do not hold them",
    "files": "images are decoded anew in every epoch: neither --cache-bytes of memory nor the disk of the cache folder "
    "hold them ($KERASNETS_CACHE names another)",
}
_CONSTANTS = {"half": (0.5, 0.5), "none": (0.0, 1.0)}


@dataclass(kw_only=True)
class Setup:
    """Everything that is made before the run folder, so that a mistake leaves none behind."""

    config: TrainConfig
    source: ImageSource
    strategy: tf.distribute.Strategy
    model: keras.Model
    optimizer: GroupedOptimizer
    averages: list
    loss: Loss
    evaluated_loss: str
    predictor: Predictor
    data: dict[str, Any]
    environment: dict[str, Any]
    sizes: dict[str, Any]
    image_sizes: ImageSizes
    progress: Progress
    started: float


def prepare(
    config: TrainConfig, source: ImageSource | None, progress: Progress, *, model=None, precision: str | None = None
) -> Setup:
    """Makes everything that training needs.

    Args:
        config: What to do.
        source: The data set, or None to load ``config.dataset``.
        progress: Told what will be trained on what.
        model: A network whose weights to start from.
        precision: The format that the run began with, to go on with it.

    Raises:
        InputError, DataError: As `kerasnets.train`.
    """
    started = time.perf_counter()
    config = config.replace(arch_options=check_options(config.arch, config.arch_options))
    set_threads(config.threads)
    source = _split(config, source or load_source(config.dataset, config.data_dir, config.reading()))
    use_deterministic_gpu()
    strategy = make_strategy(config.devices)
    precision, reason = (precision, "as the run began") if precision else choose_precision(config.precision)
    mean, std = _normalization(config, source)
    with strategy.scope():
        given, model = model, _build(config, source, precision, model)
        accept_sizes(model, config.arch, config.early_sizes, source.image_shape)
        _accept_padding(config, source.image_shape)
        if given is None:
            _adapt(model, source, mean, std)
        optimizer = GroupedOptimizer(config, model.trainable_variables)
        model.compile(optimizer=optimizer.main)
        averages = make_averages(model, config.ema)
    kind = output_kind(model)
    setup = Setup(
        config=config,
        source=source,
        strategy=strategy,
        model=model,
        optimizer=optimizer,
        averages=averages,
        loss=make_loss(config.loss, kind, source.num_classes, config.label_smoothing),
        evaluated_loss=evaluated_loss(config.loss, kind),
        predictor=Predictor(
            model,
            class_names=source.class_names,
            image_shape=source.image_shape,
            mean=mean,
            std=std,
            name=config.arch,
            resize=config.resize,
        ),
        data=_describe_data(source, mean, std),
        environment=describe_environment(strategy, precision, reason),
        sizes={
            "train_images": len(source.splits["train"]),
            "weights": model.count_params(),
            "trainable_weights": sum(int(np.prod(variable.shape)) for variable in model.trainable_variables),
            "flops_per_image": flops_per_image(model),
            "precision": precision,
        },
        image_sizes=ImageSizes.planned(config.early_sizes, config.epochs, source.image_shape[0]),
        progress=progress,
        started=started,
    )
    _announce(setup, kind, reason)
    return setup


def _split(config: TrainConfig, source: ImageSource) -> ImageSource:
    if config.test_curve and "test" not in source.splits:
        raise InputError(
            f"test_curve needs a test split. Received: {config.test_curve} with {source.name}, which has "
            f"{', '.join(source.splits)}. Set test_curve to 0."
        )
    if config.limit_train is not None:
        source = limit_train(source, config.limit_train)
    if config.validation and "validation" in source.splits:
        raise InputError(
            f"{source.name} has a validation split of its own. Received: validation {config.validation}. Set it to 0."
        )
    if config.early_stopping and not config.validation and "validation" not in source.splits:
        raise InputError(
            f"early_stopping needs held-out images. Received: {config.early_stopping} with validation 0. "
            "Add --validation 0.1."
        )
    return carve_validation(source, config.validation, config.seed)


def _accept_padding(config: TrainConfig, image_shape: Sequence[int]) -> None:
    """Reflected padding needs images, the early ones too, that are larger than it."""
    side = min(*image_shape[:2], *(size for size, _ in config.early_sizes))
    if config.crop_mode == "reflect" and config.crop_padding >= side:
        raise InputError(
            f"crop_padding must be smaller than the smallest images, {side:g} pixels, with crop_mode reflect. "
            f"Received: {config.crop_padding}. Use less padding or --crop-mode zero."
        )


def _build(config: TrainConfig, source: ImageSource, precision: str, given: keras.Model | None) -> keras.Model:
    model = build_model(
        config.arch,
        source.image_shape,
        source.num_classes,
        precision=precision,
        seed=config.seed,
        **config.arch_options,
    )
    if given is not None:
        shapes = [tuple(weight.shape) for weight in given.weights]
        if shapes != [tuple(weight.shape) for weight in model.weights]:
            raise InputError(
                f"model must have the weights of arch {config.arch!r} with options {config.arch_options}. Received: "
                f"{given.name!r} with {given.count_params():,} weights. Pass what build_model made for that arch."
            )
        for weight, value in zip(model.weights, given.get_weights(), strict=True):
            weight.assign(value)
    return model


def _adapt(model: keras.Model, source: ImageSource, mean: list[float], std: list[float]) -> None:
    """Lets the layers that compute their weights from images do so; resuming, a checkpoint overwrites them."""
    ours = [layer for layer in model.layers if type(layer).__module__.startswith("kerasnets.")]
    layers = [layer for layer in ours if hasattr(layer, "adapt")]
    if layers:
        count = min(_ADAPT_IMAGES, max(1, _ADAPT_BYTES // (4 * math.prod(source.image_shape))))
        images = normalize(tf.constant(source.splits["train"].images[:count]), mean, std).numpy()
        for layer in layers:
            layer.adapt(images)


def _normalization(config: TrainConfig, source: ImageSource) -> tuple[list[float], list[float]]:
    channels = source.image_shape[-1]
    if config.normalization == "dataset":
        mean, std = source.channel_statistics("train")
        return [float(value) for value in mean], [float(value) for value in std]
    if config.normalization in _CONSTANTS:
        mean, std = _CONSTANTS[config.normalization]
        return [mean] * channels, [std] * channels
    if len(config.normalization_mean) != channels:
        raise InputError(
            f"normalization_mean must have {channels} values for images of {source.name}. "
            f"Received: {config.normalization_mean}."
        )
    return list(config.normalization_mean), list(config.normalization_std)


def describe_data(config: TrainConfig, source: ImageSource) -> dict[str, Any]:
    """What ``data.json`` of a run says, without a run.

    Args:
        config: The run.
        source: The data set as it was loaded.

    Raises:
        InputError, DataError: The data cannot be divided as the configuration has it.
    """
    source = _split(config, source)
    return _describe_data(source, *_normalization(config, source))


def _describe_data(source: ImageSource, mean: list[float], std: list[float]) -> dict[str, Any]:
    return {
        "dataset": source.name,
        "class_names": list(source.class_names),
        "image_shape": list(source.image_shape),
        "mean": mean,
        "std": std,
        "split_sizes": {split: int(size) for split, size in source.split_sizes.items()},
        "class_counts": {split: [int(n) for n in source.class_counts(split)] for split in source.splits},
        "origin": source.origin,
        "storage": source.storage,
        "bad_files": len(source.bad_files),
    }


def _announce(setup: Setup, kind: str, reason: str) -> None:
    """Says before training what will be trained on what."""
    say, sizes, source = setup.progress.message, setup.sizes, setup.source
    for split, counts in setup.data["class_counts"].items():
        low, high = min(counts), max(counts)
        each = f"{low:,}" if low == high else f"{low:,} to {high:,}"
        say(f"{split}: {sum(counts):,} images, {each} in each of {source.num_classes} classes")
    say(
        f"{setup.config.arch}: {sizes['trainable_weights']:,} trainable weights, "
        f"{sizes['flops_per_image'] / 1e6:,.1f} million operations an image; {sizes['precision']} ({reason})"
    )
    if source.storage != "memory":
        say(_STORAGES[source.storage])
    if source.bad_files:
        say(f"{len(source.bad_files):,} files cannot be used and are left out; the run's bad_files.csv lists them")
    if setup.config.early_sizes:
        say(f"images {setup.image_sizes}")
    if kind == "probabilities" and setup.config.loss != "mse":
        say(
            "Warning: this network ends in probabilities and the loss takes logits: they are squashed twice, and the "
            "gradient all but vanishes. Use a network that ends in logits unless this is what you study."
        )


def training_stream(setup: Setup, epoch: int, step: int, size: int) -> tf.data.Dataset:
    """Returns the endless stream of training batches from a step of an epoch on, both counted from 0.

    With `TrainConfig.early_sizes` all its images have the height and width ``size``, and cutout shrinks with them.
    """
    config, split = setup.config, setup.source.splits["train"]
    settings = {field.name: getattr(config, field.name) for field in fields(Augmentation)}
    if config.early_sizes:
        split = shrink_split(split, size)
        if config.cutout:
            settings["cutout"] = max(1, round(config.cutout * size / setup.image_sizes.full))
    return training_dataset(
        split,
        batch_size=config.batch_size,
        seed=config.seed,
        augmentation=Augmentation(**settings),
        mean=setup.data["mean"],
        std=setup.data["std"],
        start_epoch=epoch,
        start_step=step,
        num_replicas=setup.strategy.num_replicas_in_sync,
        num_classes=setup.source.num_classes,
    )
