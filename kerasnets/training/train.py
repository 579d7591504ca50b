"""`train` and `resume`: from a configuration to a finished run folder."""

import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import mean_loss
from kerasnets.models.options import short_arch
from kerasnets.runs.files import write_bytes_atomic, write_json_atomic
from kerasnets.runs.folder import RunFolder, check_output
from kerasnets.runs.run import Run
from kerasnets.training.config import TrainConfig, config_hash, config_to_yaml, load_config
from kerasnets.training.diagnosis import describe, diagnose
from kerasnets.training.environment import differences
from kerasnets.training.finish import describe_place, finish, summarise
from kerasnets.training.interrupt import Interrupted, SignalFlag
from kerasnets.training.loop import TrainingLoop
from kerasnets.training.loop_state import Diverged, LoopState, Parts, Paused
from kerasnets.training.progress import Progress, Silent
from kerasnets.training.setup import Setup, prepare, training_stream
from kerasnets.training.state import capture, restore
from kerasnets.training.step import make_train_steps
from kerasnets.training.until import Until
from pipelines.build import steps_per_epoch
from pipelines.dataset_names import short_name
from pipelines.files_source import bad_files_csv
from pipelines.source import ImageSource


def train(
    config: TrainConfig,
    *,
    source: ImageSource | None = None,
    model: keras.Model | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress | None = None,
    run_path: str | Path | None = None,
    until: Until | None = None,
) -> Run:
    """Trains a network in a fresh run folder.

    Args:
        config: What to do; `kerasnets.recipe` gives the best known settings.
        source: The data set; without it ``config.dataset`` is loaded.
        model: A network built by `build_model` with the same name and options, to start from its weights.
        callbacks: Your own Keras callbacks, run after the built-in ones.
        progress: Told what happens; silent by default.
        run_path: The very folder to make; without it, one below ``config.output`` that is named after what is trained.
        until: Where to pause, for `resume` to go on from. The schedule is that of the whole run all the same.

    Returns:
        The run, with status ``finished``, ``diverged`` when a loss or gradient was not finite, or ``paused``. With
        ``until``, ``summary["pause"]`` says how far it came and how good it was there, see `describe_place`.

    Raises:
        InputError: A setting is wrong, or does not fit the data or the machine, or ``run_path`` holds a run already;
            no folder is made.
        DataError: The data set is missing or damaged.
        OSError: The folder cannot be written.
        Interrupted: Ctrl-C or SIGTERM came; the run can be resumed.
    """
    check_output(config.output if run_path is None else run_path)
    setup = prepare(config, source, progress or Silent(), model=model)
    del source  # the setup holds what is left of it; the undivided images need not stay
    config = setup.config
    with _new_folder(config, run_path) as folder:
        _write_facts(setup, folder)
        folder.log("started", command=setup.environment["command"])
        return _run(setup, folder, callbacks, until)


def resume(
    run_path: str | Path,
    *,
    source: ImageSource | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    progress: Progress | None = None,
    threads: int | None = None,
    until: Until | None = None,
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
        until: Where to pause again, as in `train`; without it the run goes on to its end.

    Returns:
        The run; one that had finished, or paused at ``until``, is returned as it is.

    Raises:
        InputError: It is no run folder, its checkpoints are damaged, another process holds it, or the images are not
            those that it began with.
        DataError, OSError, Interrupted: As in `train`.
    """
    progress = progress or Silent()
    with RunFolder.open(run_path) as folder:
        run = Run(folder.path)
        status = run.status if (folder.path / "summary.json").exists() else None
        if status == "finished":
            progress.message(f"{folder.path} has finished already: nothing to do.")
            return run
        if (
            status == "paused"
            and until
            and until.reached(*(run.summary["pause"][key] for key in ("epochs", "seconds")))
        ):
            progress.message(f"{folder.path} has paused there already: nothing to do.")
            return run
        config = load_config(folder.path / "config.yaml")
        config = config if threads is None else config.replace(threads=threads)
        before = run.environment if (folder.path / "env.json").exists() else {}
        setup = prepare(config, source, progress, precision=before.get("precision"))
        if (folder.path / "data.json").exists():
            _check_data(run.data, setup.data, folder.path)
        if before:
            _tell_differences(before, setup, folder, progress)
        _write_facts(setup, folder)
        return _run(setup, folder, callbacks, until, paused_before=status == "paused")


def _new_folder(config: TrainConfig, run_path: str | Path | None) -> RunFolder:
    if run_path is not None:
        return RunFolder.create_at(run_path, config_to_yaml(config))
    name = f"{short_arch(config.arch)}-s{config.seed}-{config_hash(config)}"
    return RunFolder.create(Path(config.output) / short_name(config.dataset), name, config_to_yaml(config))


def _write_facts(setup: Setup, folder: RunFolder) -> None:
    """Writes what the run works with and on: machine, data, and the image files that were left out."""
    write_json_atomic(folder.path / "env.json", setup.environment)
    write_json_atomic(folder.path / "data.json", setup.data)
    if setup.source.bad_files:
        write_bytes_atomic(folder.path / "bad_files.csv", bad_files_csv(setup.source.bad_files))


def _check_data(before: dict, now: dict, path: Path) -> None:
    for key in ("class_names", "image_shape", "class_counts", "mean", "std"):
        if before.get(key) != now[key]:
            raise InputError(
                f"A run goes on with the images that it began with. Received: another {key.replace('_', ' ')} than in "
                f"{path / 'data.json'}, from {now['origin']}. Put the images back, or start a new run."
            )


def _tell_differences(before: dict, setup: Setup, folder: RunFolder, progress: Progress) -> None:
    changed = differences(before, setup.environment)
    if changed:
        progress.message(f"Resumed under other conditions, the last bits may differ: {'; '.join(changed)}")
    folder.log("resumed", differences=changed, command=setup.environment["command"])


def _run(
    setup: Setup,
    folder: RunFolder,
    callbacks: Sequence[keras.callbacks.Callback],
    until: Until | None,
    paused_before: bool = False,
) -> Run:
    """Trains from the newest checkpoint of the folder, or from the start, to the end or to the pause."""
    config = setup.config
    steps = steps_per_epoch(len(setup.source.splits["train"]), config.batch_size)
    parts = Parts(
        config=config,
        folder=folder,
        model=setup.model,
        optimizer=setup.optimizer,
        averages=setup.averages,
        make_steps=lambda epoch, step, size: _make_steps(setup, epoch, step, size),
        steps_per_epoch=steps,
        image_sizes=setup.image_sizes,
        evaluate=lambda split: _evaluate(setup, split),
        validated="validation" in setup.source.splits,
        callbacks=list(callbacks),
        progress=setup.progress,
        meta={"versions": setup.environment["packages"], "data": setup.data, "sizes": setup.sizes},
        until=until,
        paused_before=paused_before,
    )
    state = LoopState(total_steps=config.epochs * steps)
    state.seconds["setup"] = 0.0 if paused_before else time.perf_counter() - setup.started
    with SignalFlag() as flag:
        try:
            _train(parts, state, flag)
            summary = finish(parts, state, setup.source, setup.predictor, setup.evaluated_loss)
            folder.log("finished", test=summary["test"])
        except Paused:
            pause = describe_place(parts, state)
            summarise(parts, state, "paused", pause=pause)
            folder.log("paused", **pause)
        except Interrupted:
            summarise(parts, state, "interrupted")
            folder.log("interrupted", signal=flag.received)
            raise
        except tf.errors.OpError:
            # What went wrong when stored images were read says more than the error that TensorFlow makes of it.
            problems = getattr(setup.source.splits["train"].images, "problems", [])
            if problems:
                raise problems[0] from None
            raise
        except Diverged as problem:
            _write_diagnosis(setup, folder, problem, parts.image_sizes.at(problem.epoch))
            summarise(parts, state, "diverged")
        finally:
            setup.progress.close()
    return Run(folder.path)


def _train(parts: Parts, state: LoopState, flag: SignalFlag) -> None:
    loop = TrainingLoop(parts, state, flag)
    if state.rows:
        parts.folder.write_results(state.rows)  # rows that a crash wrote after the checkpoint go
    summarise(parts, state, "running")
    loop.run()


def _make_steps(setup: Setup, epoch: int, step: int, size: int):
    dataset = training_stream(setup, epoch, step, size)
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


def _evaluate(setup: Setup, split: str) -> tuple[float, float]:
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


def _write_diagnosis(setup: Setup, folder: RunFolder, problem: Diverged, size: int) -> None:
    dataset = training_stream(setup, problem.epoch, problem.step_in_epoch, size)
    pieces = list(dataset.take(setup.strategy.num_replicas_in_sync))
    batch = tuple(tf.concat(column, axis=0) for column in zip(*pieces, strict=True))
    diagnosis = diagnose(setup.model, batch, setup.loss, problem, setup.config.optimizer)
    write_json_atomic(folder.path / "diagnosis.json", diagnosis)
    folder.log("diverged", **{key: diagnosis[key] for key in ("epoch", "step", "first", "cause")})
    setup.progress.message(describe(diagnosis))
