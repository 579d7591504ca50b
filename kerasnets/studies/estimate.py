"""What a study will cost on this machine, from a short run of each of its networks on made-up images."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from kerasnets.errors import InputError
from kerasnets.studies.cells import Cell, cell_key
from kerasnets.training.config import TrainConfig
from pipelines.catalog import CATALOG
from pipelines.cores import usable_cores
from pipelines.source import ImageSource, Split
from pipelines.sources import load_source

if TYPE_CHECKING:
    import keras

# Two networks that differ in nothing else take the same time for an image.
_COSTS_NOTHING = {
    "seed": 0,
    "epochs": 1_000,
    "learning_rate": 1e-6,
    "schedule": "constant",
    "schedule_decay": 0.9,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "bias_weight_decay": None,
    "limit_train": None,
    "test_curve": 0,
    "validation": 0.0,
    "early_stopping": 0,
    "early_sizes": [],
    "tta": "none",
}
# Forward only, a network is at least this many times as fast as in training.
_FORWARD = 3.0
_IMAGES = 2_048


@dataclass(frozen=True, kw_only=True)
class Speed:
    """What a training costs here.

    Attributes:
        images_per_second: Training images a second, once it runs.
        start_seconds: Set-up and compilation, without TensorFlow's own start.
        train_images, test_images: Images of the whole data set.
    """

    images_per_second: float
    start_seconds: float
    train_images: int
    test_images: int

    def seconds(self, config: TrainConfig) -> float:
        """Estimates the seconds of a whole run: its epochs, its evaluations and the start."""
        images = min(self.train_images, config.limit_train or self.train_images)
        evaluated = (config.test_curve + 1) * self.test_images
        return self.start_seconds + (config.epochs * images + evaluated / _FORWARD) / self.images_per_second


def estimate(
    cells: Iterable[Cell], *, seconds: float = 2.0, measured: Callable[[str], None] = lambda name: None
) -> dict[str, float]:
    """Estimates the seconds that each cell takes when it runs alone, in one thread where its steps are small.

    Args:
        cells: The cells; networks that cost the same are measured once.
        seconds: How long each network is trained for.
        measured: Told the setting of each network that was measured.

    Returns:
        Cell key to seconds.

    Raises:
        InputError: A setting does not fit the data.
        DataError: A data set that is no standard one, whose images have to be looked at, is missing.
    """
    cells = list(cells)
    networks: dict[str, Cell] = {}
    for cell in cells:
        networks.setdefault(cost_signature(cell.config), cell)
    small = {like: cell for like, cell in networks.items() if _is_small(cell.config)}
    speeds: dict[str, Speed] = {}
    with _without_advice():
        for like, cell in networks.items():
            if like not in small:
                speeds[like] = measure_speed(cell.config, seconds)
                measured(cell.setting)
    one_thread = _measure_in_one_thread([cell.config for cell in small.values()], seconds)
    for (like, cell), speed in zip(small.items(), one_thread, strict=True):
        speeds[like] = speed
        measured(cell.setting)
    return {cell.key: speeds[cost_signature(cell.config)].seconds(cell.config) for cell in cells}


def seconds_together(cells: Sequence[Cell], seconds: Mapping[str, float], jobs: int) -> float:
    """Estimates what cells take that run side by side.

    Those whose steps are small have a thread each and do not slow each other; any others use all threads as it is, and
    take as long side by side as one after the other.

    Args:
        cells: The cells.
        seconds: Of each alone, by its key, see `estimate`.
        jobs: How many run side by side.
    """
    small = [seconds[cell.key] for cell in cells if _is_small(cell.config)]
    others = sum(seconds[cell.key] for cell in cells) - sum(small)
    return others + max(sum(small) / min(jobs, usable_cores()), max(small, default=0.0))


def _is_small(config: TrainConfig) -> bool:
    from kerasnets.training.distribute import is_small_step

    return is_small_step(config, image_shape(config))


def _measure_in_one_thread(configs: Sequence[TrainConfig], seconds: float) -> Iterator[Speed]:
    """Measures small networks one after the other in `estimate_process`, since a process sets its threads once."""
    if not configs:
        return
    asked = {"configs": [config.to_dict() for config in configs], "seconds": seconds}
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(
            [sys.executable, "-m", "kerasnets.studies.estimate_process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env={"TF_CPP_MIN_LOG_LEVEL": "2"} | os.environ,
        )
        with process:
            try:
                # A broken pipe: it has ended already, and says why.
                with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                    json.dump(asked, pipe)
                for _ in configs:
                    told = json.loads(process.stdout.readline() or "null")
                    if told is None:
                        complaints.seek(0)
                        raise RuntimeError(f"Nothing was measured:\n{complaints.read().decode(errors='replace')}")
                    if "error" in told:
                        raise InputError(told["error"])
                    yield Speed(**told)
            finally:
                process.kill()


@contextlib.contextmanager
def _without_advice() -> Iterator[None]:
    """TensorFlow takes many networks one after the other for one that is compiled again and again, and says so."""
    import tensorflow as tf

    before = tf.get_logger().level
    tf.get_logger().setLevel("ERROR")
    try:
        yield
    finally:
        tf.get_logger().setLevel(before)


def cost_signature(config: TrainConfig) -> str:
    """Returns the same text for configurations whose images take the same time."""
    return cell_key(dataclasses.replace(config, **_COSTS_NOTHING))


def measure_speed(config: TrainConfig, seconds: float = 2.0) -> Speed:
    """Trains for a few seconds on random images of the right shape, in a folder that is then removed.

    The images are those of the data set only where nothing is known of it beforehand.
    """
    from kerasnets.training.train import train

    source, train_images, test_images = _stand_in(config)
    # So low a rate that no network diverges on noise before it is timed.
    quick = dataclasses.replace(config, **_COSTS_NOTHING)
    with tempfile.TemporaryDirectory() as folder:
        run = train(quick, source=source, run_path=Path(folder) / "run", callbacks=[_stop_after(seconds)])
        summary = run.summary
    return Speed(
        images_per_second=summary["images_per_second"],
        start_seconds=summary["seconds"]["setup"] + summary["seconds"]["compile"],
        train_images=train_images,
        test_images=test_images,
    )


def _stop_after(seconds: float) -> "keras.callbacks.Callback":
    """A callback that ends the training so many seconds after its first step, which compiles."""
    import keras

    class StopAfter(keras.callbacks.Callback):
        begun: float | None = None

        def on_train_batch_end(self, batch, logs=None):
            now = time.perf_counter()
            self.begun = self.begun or now
            self.model.stop_training = now - self.begun >= seconds

    return StopAfter()


def image_shape(config: TrainConfig) -> tuple[int, ...]:
    """Returns the (height, width, channels) of the images that a run trains on."""
    facts = CATALOG.get(config.dataset)
    if facts is None:
        return load_source(config.dataset, config.data_dir, config.reading()).image_shape
    height, width, channels = facts.image_shape
    return config.image_size or height, config.image_size or width, config.channels or channels


def _stand_in(config: TrainConfig) -> tuple[ImageSource, int, int]:
    facts = CATALOG.get(config.dataset)
    if facts is None:
        source = load_source(config.dataset, config.data_dir, config.reading())
        return source, source.split_sizes["train"], source.split_sizes.get("test", 0)
    count = max(_IMAGES, 2 * config.batch_size)
    rng = np.random.default_rng(0)
    # Every class has an image, so that a network has as many outputs as with the real data.
    labels = np.arange(count, dtype=np.int32) % facts.num_classes
    images = rng.integers(0, 256, (count, *image_shape(config)), np.uint8)
    few = slice(0, max(facts.num_classes, 16))
    splits = {
        "train": Split(images=images, labels=labels),
        "test": Split(images=images[few], labels=labels[few]),
    }
    names = tuple(f"class {number}" for number in range(facts.num_classes))
    source = ImageSource(name=config.dataset, class_names=names, splits=splits, origin="random images")
    return source, facts.num_images["train"], facts.num_images["test"]
