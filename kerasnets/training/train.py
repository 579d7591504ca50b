"""`train` and `resume`: from a configuration to a finished run folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import mean_loss
from kerasnets.evaluation.predictor import Predictor
from kerasnets.models import build_model, check_options, flops_per_image, output_kind
from kerasnets.runs.checkpoint import checkpoint_files, load_newest
from kerasnets.runs.files import write_json_atomic
from kerasnets.runs.folder import RunFolder
from kerasnets.runs.run import Run
from kerasnets.training.config import TrainConfig, config_hash, config_to_yaml, load_config
from kerasnets.training.diagnosis import describe, diagnose
from kerasnets.training.distribute import make_strategy, set_threads, use_deterministic_gpu
from kerasnets.training.environment import describe_environment, differences
from kerasnets.training.finish import finish, summarise
from kerasnets.training.interrupt import Interrupted, SignalFlag
from kerasnets.training.loop import Diverged, LoopState, Parts, TrainingLoop
from kerasnets.training.losses import Loss, evaluated_loss, make_loss
from kerasnets.training.optimizers import GroupedOptimizer
from kerasnets.training.precision import choose_precision
from kerasnets.training.progress import Progress, Silent
from kerasnets.training.state import capture, make_averages, restore
from kerasnets.training.step import make_train_steps
from pipelines.augment import Augmentation
from pipelines.build import steps_per_epoch, training_dataset
from pipelines.source import ImageSource
from pipelines.sources import load_source
from pipelines.splits import carve_validation, limit_train


def train(
    config: TrainConfig,
    *,
    source: ImageSource | None = None,
    model: keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress | None = None,
) -> Run:
    """Trains a network in a fresh run folder.

    Args:
        config: What to do; `kerasnets.recipe` gives the best known settings.
        source: The data set; without it ``config.dataset`` is loaded.
        model: A network built by `build_model` with the same name and options, to start from its weights.
        callbacks: Your own Keras callbacks, run after the built-in ones.
        progress: Told what happens; silent by default.

    Returns:
        The run, with status ``finished``, or ``diverged`` when a loss or gradient was not finite.

    Raises:
        InputError: A setting is wrong, or does not fit the data or the machine; no folder is made.
        DataError: The data set is missing or damaged.
        OSError: The folder cannot be written.
        Interrupted: Ctrl-C or SIGTERM came; the run can be resumed.
    """
    setup = _prepare(config, source, progress or Silent(), model=model)
    name = f"{config.arch}-s{config.seed}-{config_hash(config)}"
    with RunFolder.create(Path(config.output) / config.dataset, name, config_to_yaml(config)) as folder:
        write_json_atomic(folder.path / "env.json", setup.environment)
        write_json_atomic(folder.path / "data.json", setup.data)
        folder.log("started", command=setup.environment["command"])
        return _run(setup, folder, callbacks)


def resume(
    run_path: str | Path,
    *,
    source: ImageSource | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress | None = None,
    threads: int | None = None,
) -> Run:
    """Goes on with a run in its own folder, as if it had never stopped.

    On the same machine, thread count and versions the weights and the results are bit-equal to those of a run that was
    not stopped. Where these differ, ``progress`` and the run's log are told what does.

    Args:
        run_path: The run folder.
        source: The data set, when it was passed to `train`.
        callbacks: Your own callbacks again, in the same order.
        progress: Told what happens; silent by default.
        threads: Another number of threads than the run began with.

    Returns:
        The run; one that had finished is returned as it is.

    Raises:
        InputError: It is no run folder, its checkpoints are damaged, or another process holds it.
        DataError, OSError, Interrupted: As in `train`.
    """
    progress = progress or Silent()
    with RunFolder.open(run_path) as folder:
        run = Run(folder.path)
        if (folder.path / "summary.json").exists() and run.status == "finished":
            progress.message(f"{folder.path} has finished already: nothing to do.")
            return run
        config = load_config(folder.path / "config.yaml")
        config = config if threads is None else config.replace(threads=threads)
        before = run.environment if (folder.path / "env.json").exists() else {}
        setup = _prepare(config, source, progress, precision=before.get("precision"))
        if before:
            _tell_differences(before, setup, folder, progress)
        write_json_atomic(folder.path / "env.json", setup.environment)
        write_json_atomic(folder.path / "data.json", setup.data)
        return _run(setup, folder, callbacks)


@dataclass(kw_only=True)
class _Setup:
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
    progress: Progress


def _prepare(
    config: TrainConfig, source: ImageSource | None, progress: Progress, *, model=None, precision: str | None = None
) -> _Setup:
    check_options(config.arch, config.arch_options)
    set_threads(config.threads)
    source = _split(config, source or load_source(config.dataset, config.data_dir))
    use_deterministic_gpu()
    strategy = make_strategy(config.devices)
    precision, reason = (precision, "as the run began") if precision else choose_precision(config.precision)
    with strategy.scope():
        model = _build(config, source, precision, model)
        optimizer = GroupedOptimizer(config, model.trainable_variables)
        model.compile(optimizer=optimizer.main)
        averages = make_averages(model, config.ema)
    kind = output_kind(model)
    mean, std = _normalization(config, source)
    setup = _Setup(
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
        progress=progress,
    )
    _announce(setup, kind, reason)
    return setup


def _split(config: TrainConfig, source: ImageSource) -> ImageSource:
    if config.limit_train is not None:
        source = limit_train(source, config.limit_train)
    return carve_validation(source, config.validation, config.seed)


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
                f"{given.name!r} with {given.count_params():,} weights. Add your own network to kerasnets.models.MODELS."
            )
        for weight, value in zip(model.weights, given.get_weights(), strict=True):
            weight.assign(value)
    return model


def _normalization(config: TrainConfig, source: ImageSource) -> tuple[list[float], list[float]]:
    channels = source.image_shape[-1]
    if config.normalization == "dataset":
        mean, std = source.channel_statistics("train")
        return [float(value) for value in mean], [float(value) for value in std]
    if config.normalization == "half":
        return [0.5] * channels, [0.5] * channels
    if len(config.normalization_mean) != channels:
        raise InputError(
            f"normalization_mean must have {channels} values for images of {source.name}. "
            f"Received: {config.normalization_mean}."
        )
    return list(config.normalization_mean), list(config.normalization_std)


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
    }


def _announce(setup: _Setup, kind: str, reason: str) -> None:
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
    if kind == "probabilities" and setup.config.loss != "mse":
        say(
            "Warning: this network ends in probabilities and the loss takes logits: they are squashed twice, and the "
            "gradient all but vanishes. Use a network that ends in logits unless this is what you study."
        )


def _tell_differences(before: dict, setup: _Setup, folder: RunFolder, progress: Progress) -> None:
    changed = differences(before, setup.environment)
    if changed:
        progress.message(f"Resumed under other conditions, the last bits may differ: {'; '.join(changed)}")
    folder.log("resumed", differences=changed, command=setup.environment["command"])


def _run(setup: _Setup, folder: RunFolder, callbacks: Sequence[keras.callbacks.Callback]) -> Run:
    """Trains from the newest checkpoint of the folder, or from the start, to the end."""
    config = setup.config
    steps = steps_per_epoch(len(setup.source.splits["train"]), config.batch_size)
    parts = Parts(
        config=config,
        folder=folder,
        model=setup.model,
        optimizer=setup.optimizer,
        averages=setup.averages,
        make_steps=lambda epoch, step: _make_steps(setup, epoch, step),
        steps_per_epoch=steps,
        evaluate=lambda split: _evaluate(setup, split),
        callbacks=list(callbacks),
        progress=setup.progress,
        meta={"versions": setup.environment["packages"], "data": setup.data, "sizes": setup.sizes},
    )
    state = LoopState(total_steps=config.epochs * steps)
    with SignalFlag() as flag:
        try:
            state = _train(parts, state, flag)
            summary = finish(parts, state, setup.source, setup.predictor, setup.evaluated_loss)
            folder.log("finished", test=summary["test"])
        except Interrupted:
            summarise(parts, state, "interrupted")
            folder.log("interrupted", signal=flag.received)
            raise
        except Diverged as problem:
            _write_diagnosis(setup, folder, problem)
            summarise(parts, state, "diverged")
        finally:
            setup.progress.close()
    return Run(folder.path)


def _train(parts: Parts, state: LoopState, flag: SignalFlag) -> LoopState:
    loop = TrainingLoop(parts, state, flag)
    if checkpoint_files(parts.folder.checkpoints):
        path, arrays, meta, damaged = load_newest(parts.folder.checkpoints)
        for message in damaged:
            parts.progress.message(f"{message} Going on from {path.name}.")
            parts.folder.log("damaged checkpoint", message=message)
        restore(arrays, model=parts.model.weights, optimizer=parts.optimizer.variables, ema=parts.averages)
        vars(state).update(meta["state"])
        loop.go_on(meta["callbacks"])
        parts.folder.write_results(state.rows)
        parts.progress.message(f"Going on from epoch {state.epoch + 1}, step {state.step + 1} ({path.name})")
    summarise(parts, state, "running")
    loop.run()
    return state


def _make_steps(setup: _Setup, epoch: int, step: int):
    dataset = _training_dataset(setup, epoch, step)
    iterator = iter(setup.strategy.distribute_datasets_from_function(lambda context: dataset))
    return make_train_steps(
        setup.model,
        setup.optimizer,
        setup.loss,
        setup.strategy,
        iterator,
        seed=setup.config.seed,
        averages=setup.averages,
        decay=setup.config.ema,
    )


def _training_dataset(setup: _Setup, epoch: int, step: int) -> tf.data.Dataset:
    config = setup.config
    return training_dataset(
        setup.source.splits["train"],
        batch_size=config.batch_size,
        seed=config.seed,
        augmentation=Augmentation(crop_padding=config.crop_padding, crop_mode=config.crop_mode, flip=config.flip),
        mean=setup.data["mean"],
        std=setup.data["std"],
        start_epoch=epoch,
        start_step=step,
        num_replicas=setup.strategy.num_replicas_in_sync,
    )


def _evaluate(setup: _Setup, split: str) -> tuple[float, float]:
    """Returns loss and accuracy of a split (``val`` or ``test``), with the averaged weights when the run has them."""
    examples = setup.source.splits[{"val": "validation"}.get(split, split)]
    kept = capture(model=setup.model.weights) if setup.averages else None
    if kept:
        restore(capture(model=setup.averages), model=setup.model.weights)
    log_probabilities = setup.predictor.log_probabilities(examples.images)
    if kept:
        restore(kept, model=setup.model.weights)
    accuracy = float(np.mean(log_probabilities.argmax(axis=1) == examples.labels))
    return mean_loss(log_probabilities, examples.labels, setup.evaluated_loss), accuracy


def _write_diagnosis(setup: _Setup, folder: RunFolder, problem: Diverged) -> None:
    dataset = _training_dataset(setup, problem.epoch, problem.step_in_epoch)
    pieces = list(dataset.take(setup.strategy.num_replicas_in_sync))
    batch = tuple(tf.concat(column, axis=0) for column in zip(*pieces, strict=True))
    diagnosis = diagnose(setup.model, batch, setup.loss, problem, setup.config.optimizer)
    write_json_atomic(folder.path / "diagnosis.json", diagnosis)
    folder.log("diverged", **{key: diagnosis[key] for key in ("epoch", "step", "first", "cause")})
    setup.progress.message(describe(diagnosis))
