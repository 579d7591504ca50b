"""`SearchConfig`: everything that decides what a search computes, and how it is run, in one frozen dataclass."""

import dataclasses
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from kerasnets.errors import InputError, closest
from kerasnets.training.config import parse_seconds
from pipelines.reading import Reading

# Settings that say how long, where and how fast a search goes: with other ones it is the same search.
RUNNING_FIELDS = (
    "data_dir", "cache_bytes", "output", "name", "trials", "max_time", "workers", "nice", "final_seeds", "against",
)  # fmt: skip
# Hyperband spends seconds in so many parts at most, so that its first rung is a 27th of a trial.
SECONDS_UNITS = 27


@dataclass(frozen=True, kw_only=True)
class SearchConfig:
    """One search.

    Attributes:
        dataset: Name of a data set, such as cifar10 or digits, or folder:PATH, csv:FILE, npz:FILE or tfds:NAME.
        space: What may vary: a Python file with build(hp, image_shape, num_classes), or a YAML file of ranges over the
            settings of kerasnets-train; without it the space of networks and recipes that comes with kerasnets.
        arch: A network to keep, so that only its training varies; without it the network varies too.
        tuner: How the next trial is chosen. hyperband gives many choices few epochs and goes on with the best of them.
        objective: What the trials are ranked by, always on validation images after the last epoch. accuracy_at_seconds
            gives every trial the same time instead of the same epochs; accuracy_per_flop is the accuracy times
            (FLOPs / 1e8) ** -0.07 (Tan et al. 2019).
        epochs: Epochs of a whole trial, but for accuracy_at_seconds; hyperband begins with fewer.
        trial_time: Time of a whole trial (accuracy_at_seconds).
        factor: How many choices compete for one place in the next round of hyperband.
        trials: End after this many trials, promoted ones counted again; without it, and without max_time, hyperband
            ends after one sweep over its brackets and the others after 30.
        max_time: Time for everything, the final training too, such as 30m or 8h; it counts on over Ctrl-C and kills.
        final_seeds: How often the winner is trained on all training images, each time with a seed of its own.
        against: Networks, with commas between them, that the winner is held against: each is trained with its own
            recipe on all training images for the winner's time, with the same seeds, and then tested.
        seed: Decides the trials and their runs.
        validation: Share of the training images that the trials are ranked on.
        limit_train: Use only this many training images in the trials, the same share of every class.
        max_weights: Reject networks with more trainable weights.
        max_flops: Reject networks that need more operations for an image's forward pass.
        max_cost: Reject choices whose training costs, by estimate, more than so many times what the space's defaults
            cost; without it 1 for the space that comes with kerasnets, and no limit for one of your own.
        precision: Number format of the layers; auto takes bfloat16 where this machine gains by it.
        data_dir: Folder that holds the data set; without it the usual places are searched.
        image_size: Height and width that all images are brought to; without it the data set's own, and 64 for image
            files.
        resize: How: stretch the image, crop its middle, or pad it with black.
        channels: 1 makes images grey, 3 colours them; without it the data set's own, and colour for image files.
        max_bad: Largest share of image files that may be left out because they cannot be read.
        cache_bytes: Memory for decoded image files, more goes to a cache folder; without it a quarter of what is free.
        output: Folder of all searches.
        name: Of this search, and of its folder; without it DATASET-TUNER-sSEED.
        workers: Trials side by side on this machine, which share its threads out.
        nice: How much the trials give way to other programs.
    """

    dataset: str
    space: str | None = None
    arch: str | None = None
    tuner: Literal["hyperband", "bayesian", "random"] = "hyperband"
    objective: Literal["val_accuracy", "accuracy_at_seconds", "accuracy_per_flop"] = "val_accuracy"
    epochs: int = 9
    trial_time: str | None = None
    factor: int = 3
    trials: int | None = None
    max_time: str | None = None
    final_seeds: int = 3
    against: str | None = None
    seed: int = 0
    validation: float = 0.1
    limit_train: int | None = None
    max_weights: int | None = None
    max_flops: int | None = None
    max_cost: float | None = None
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    data_dir: str | None = None
    image_size: int | None = None
    resize: Literal["squash", "crop", "pad"] = "squash"
    channels: int | None = None
    max_bad: float = 0.01
    cache_bytes: int | None = None
    output: str = "searches"
    name: str | None = None
    workers: int = 1
    nice: int = 10

    def __post_init__(self):
        for name, (low, high, remedy) in _RANGES.items():
            _check_number(name, getattr(self, name), low, high, remedy)
        for item in dataclasses.fields(self):
            choices = getattr(item.type, "__args__", ()) if getattr(item.type, "__origin__", None) is Literal else ()
            value = getattr(self, item.name)
            if choices and value not in choices:
                raise InputError(
                    f"{item.name} must be one of the known. Received: {value!r}. {closest(str(value), choices)}"
                )
        if not isinstance(self.dataset, str) or not self.dataset:
            raise InputError(f"dataset must be a name such as cifar10. Received: {self.dataset!r}.")
        if self.name is not None and not re.fullmatch(r"[\w][\w.+-]*", self.name):
            raise InputError(
                f"name must be letters, digits, dots and dashes, since it names a folder. Received: {self.name!r}."
            )
        for name in ("max_time", "trial_time"):
            value = getattr(self, name)
            if value is not None and parse_seconds(value) <= 0:
                raise InputError(f"{name} must be above zero. Received: {value}. Write 90s, 30m or 8h.")
        if (self.objective == "accuracy_at_seconds") != (self.trial_time is not None):
            raise InputError(
                "trial_time goes with objective accuracy_at_seconds, and that needs it. Received: "
                f"{self.objective} with trial_time {self.trial_time}. Write --trial-time 60s, or take val_accuracy."
            )
        if self.against is not None and not (self.rivals and self.final_seeds):
            raise InputError(
                "against must name networks, such as cifarnet,resblocks, for a final training. Received: "
                f"{self.against!r} with final_seeds {self.final_seeds}."
            )

    @property
    def most_cost(self) -> float | None:
        """Most cost of training, as a multiple of that of the defaults; None for no limit."""
        return 1.0 if self.max_cost is None and self.space is None else self.max_cost

    @property
    def unit(self) -> str:
        """What trials are given: ``epochs`` or ``seconds``."""
        return "epochs" if self.trial_time is None else "seconds"

    @property
    def budget_units(self) -> int:
        """A whole trial in the whole numbers that the tuner counts in: epochs, or 27ths of the trial's time."""
        return self.epochs if self.trial_time is None else SECONDS_UNITS

    @property
    def unit_size(self) -> float:
        """How many epochs or seconds one of these is."""
        return 1.0 if self.trial_time is None else parse_seconds(self.trial_time) / SECONDS_UNITS

    @property
    def max_trials(self) -> int | None:
        """Trials to be made, None where only the time or hyperband's sweep ends them."""
        if self.trials is None and self.max_time is None and self.tuner != "hyperband":
            return 30
        return self.trials

    @property
    def rivals(self) -> tuple[str, ...]:
        """The networks that the winner is held against."""
        return tuple(dict.fromkeys(name for word in (self.against or "").split(",") if (name := word.strip())))

    @property
    def folder(self) -> Path:
        """The folder of the search."""
        from pipelines.dataset_names import short_name

        return Path(self.output) / (self.name or f"{short_name(self.dataset)}-{self.tuner}-s{self.seed}")

    def reading(self) -> Reading:
        """How the data set is read."""
        return Reading(
            image_size=self.image_size,
            resize=self.resize,
            channels=self.channels,
            max_bad=self.max_bad,
            cache_bytes=self.cache_bytes,
            seed=self.seed,
        )

    def identity(self) -> dict[str, Any]:
        """What decides the trials and their scores; where the file of the space lies does not."""
        values = dataclasses.asdict(self)
        return {name: value for name, value in values.items() if name not in (*RUNNING_FIELDS, "space")}

    def to_yaml(self) -> str:
        """Every setting as YAML, in the order of the fields."""
        return yaml.safe_dump(dataclasses.asdict(self), sort_keys=False, allow_unicode=True)


# name: (lowest, highest, what to do); integers are told from floats by the field's type.
_RANGES: dict[str, tuple[float, float, str]] = {
    "epochs": (1, 100_000, "9 gives hyperband three rungs."),
    "factor": (2, 100, "3 is usual."),
    "trials": (1, 1_000_000, ""),
    "final_seeds": (0, 100, "0 leaves the final training out."),
    "seed": (0, 2**31 - 1, ""),
    "validation": (0.001, 0.9, "0.1 holds out a tenth of the training images."),
    "limit_train": (1, 1e12, ""),
    "max_weights": (1, 1e12, ""),
    "max_flops": (1, 1e15, ""),
    "max_cost": (1, 1e9, "The defaults themselves cost 1."),
    "image_size": (1, 4096, "32 and 64 are usual."),
    "channels": (1, 3, "1 is grey, 3 is colour."),
    "max_bad": (0, 1, "0.01 allows one file in a hundred."),
    "cache_bytes": (0, 1e18, ""),
    "workers": (0, 1024, "0 is for a chief that trains nothing itself."),
    "nice": (0, 19, "19 gives way most."),
}
_OPTIONAL = (
    "trials", "limit_train", "max_weights", "max_flops", "max_cost", "image_size", "channels", "cache_bytes",
)  # fmt: skip


def _check_number(name: str, value: Any, low: float, high: float, remedy: str) -> None:
    if value is None and name in _OPTIONAL:
        return
    whole = SearchConfig.__dataclass_fields__[name].type in (int, int | None)
    good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{name} must be {kind} from {low:g} to {high:g}. Received: {value!r}. {remedy}".rstrip())
