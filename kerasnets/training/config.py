"""`TrainConfig`: everything that decides what a training run computes, in one frozen dataclass that checks itself."""

import dataclasses
import hashlib
import json
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

from kerasnets.errors import InputError, closest
from pipelines.augmentation import RANGES as AUGMENTATION_RANGES
from pipelines.reading import Reading

# Settings that say where and how fast a run happens, not what it computes: two runs that differ only here are the same.
PLACE_FIELDS = ("data_dir", "output", "cache_bytes", "threads", "checkpoint_seconds")

_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run.

    Attributes:
        dataset: Name of a data set, such as cifar10 or digits, or folder:PATH, csv:FILE, npz:FILE or tfds:NAME.
        arch: Name of a network; best and worst stand for the networks that the recipes name for this data set,
            search:PATH for the network and settings that a search has found, PATH being its folder.
        arch_options: The network's own options, such as activation or width.
        data_dir: Folder that holds the data set; without it the usual places are searched.
        image_size: Height and width that all images are brought to; without it the data set's own, and 64 for image
            files.
        resize: How: stretch the image, crop its middle, or pad it with black.
        channels: 1 makes images grey, 3 colours them; without it the data set's own, and colour for image files.
        max_bad: Largest share of image files that may be left out because they cannot be read.
        cache_bytes: Memory for decoded image files, more goes to a cache folder; without it a quarter of what is free.
        output: Folder that receives the run folder.
        seed: Decides initial weights, order, augmentation, dropout and the validation split.
        epochs: Passes over the training images.
        batch_size: Images in one step, over all devices together.
        optimizer: Update rule. muon orthogonalises the updates of convolution kernels and leaves all other weights to
            sgd in Nesterov's form.
        learning_rate: Highest rate of the schedule.
        momentum: Momentum of sgd and rmsprop, beta_1 of adam and adamw.
        nesterov: Nesterov's form of momentum (sgd).
        muon_momentum: Momentum of the convolution kernels (muon).
        head_learning_rate_scale: Rate of the weights that are neither convolution kernels nor biases nor of a
            normalisation (muon), as a multiple of learning_rate.
        weight_decay: L2 strength, added to the gradient as decay times weight (sgd, rmsprop, adam) or decoupled
            (adamw).
        bias_learning_rate_scale: Rate of biases and normalisation weights, as a multiple of learning_rate.
        bias_weight_decay: Decay of biases and normalisation weights; without it, weight_decay.
        ema: Decay a step of an exponential moving average of the weights, which is then what is evaluated; 0 is off.
        schedule: Shape of the learning rate over the run.
        schedule_decay: Factor an epoch of schedule step.
        warmup_epochs: Epochs in which the rate rises from zero; for triangular and one_cycle the place of the peak
            (0: 23 % and 30 % of the run).
        final_learning_rate_scale: Last rate of linear, cosine, triangular and one_cycle, as a multiple of
            learning_rate.
        loss: Function that is made small. cross_entropy_on_probabilities and cross_entropy_unstable, softmax without
            subtracting the largest logit, are known mistakes, kept to be studied.
        label_smoothing: Share of the target that is spread over all classes (cross_entropy); the train loss is then
            the smoothed one, validation and test losses are plain.
        crop_padding: Pixels of padding before a random crop back to the image's size; 0 is off.
        crop_mode: What the padding holds.
        flip: Horizontal flip: of a random half of the images, or of each image in every other epoch.
        policy: Random operations on whole images: randaugment applies policy_operations of them at
            policy_magnitude, trivialaugment one at a random magnitude (its translation goes up to 32 pixels whatever
            the size of the images, as published).
        policy_operations: Operations one after the other (randaugment).
        policy_magnitude: Their strength from 0 to 30 (randaugment).
        rotation: Largest angle in degrees, either way; 0 is off, as for all that follow.
        translation: Largest shift in each direction, as a share of height and width.
        zoom: Largest change of scale, as a share: 0.2 draws from 0.8 to 1.2.
        brightness: Largest change of brightness: 0.2 multiplies by 0.8 to 1.2.
        contrast: Largest change of contrast: 0.2 multiplies the distance from the image's mean grey by 0.8 to 1.2.
        saturation: Largest change of saturation, likewise from each pixel's grey.
        hue: Largest turn of the hue, as a share of the colour circle, at most 0.5.
        cutout: Side in pixels of a square at a random place that is blanked with the mean of the normalisation.
        random_erasing: Probability that a random rectangle is blanked likewise.
        mixup: Alpha of the beta distribution that mixes each image and its label with another's. With it or cutmix the
            train loss is that of mixed targets, and the train accuracy counts the class with the larger share.
        cutmix: Alpha of the beta distribution that decides how much of another image is pasted in; with mixup each
            image gets one of the two.
        early_sizes: Pairs [size, share]: until that share of the epochs is over (rounded to whole epochs), the images
            are shrunk to size x size; the shares rise, and the rest of the run has images of full size. cutout shrinks
            with the images, crop_padding does not. With max_time the epochs are those that fit into it.
        normalization: Mean and standard deviation a channel: the training images' own (dataset), 0.5 and 0.5 (half),
            0 and 1, which leaves the images in [0, 1] (none), or those given.
        normalization_mean: Mean of each channel in [0, 1], for normalization given.
        normalization_std: Standard deviation of each channel in [0, 1], for normalization given.
        validation: Share of the training images held out, stratified; with it the epoch of the best validation
            accuracy is evaluated on the test split, without it the last epoch.
        limit_train: Use only this many training images, the same share of every class.
        early_stopping: Stop after this many epochs without a better validation accuracy; 0 is off.
        max_time: Time for training such as 90s, 30m or 8h; the schedule is planned anew to end by then.
        test_curve: Evaluate the test split after each of the last N epochs too (for studies; never used to choose).
        tta: Test-time augmentation of the last evaluation of the test split; the accuracy without it is reported too.
        precision: Number format of the layers; auto takes bfloat16 where this machine gains by it.
        threads: Processor threads to use. 0 is all, but for a command whose steps are too small to share out
            (coolnet_v7 in batches of 4): it uses one in each operation, which is faster, and env.json says so.
        devices: Every GPU found or else the CPU (auto), the CPU alone, or N logical CPUs (cpu:N, for testing).
        checkpoint_seconds: Longest time between two checkpoints.
    """

    dataset: str
    arch: str
    arch_options: dict[str, Any] = field(default_factory=dict)
    data_dir: str | None = None
    image_size: int | None = None
    resize: Literal["squash", "crop", "pad"] = "squash"
    channels: int | None = None
    max_bad: float = 0.01
    cache_bytes: int | None = None
    output: str = "runs"
    seed: int = 0
    epochs: int = 20
    batch_size: int = 128
    optimizer: Literal["sgd", "adam", "adamw", "rmsprop", "muon"] = "sgd"
    learning_rate: float = 0.01
    momentum: float = 0.9
    nesterov: bool = False
    muon_momentum: float = 0.6
    head_learning_rate_scale: float = 1.0
    weight_decay: float = 0.0
    bias_learning_rate_scale: float = 1.0
    bias_weight_decay: float | None = None
    ema: float = 0.0
    schedule: Literal["constant", "step", "linear", "cosine", "triangular", "one_cycle"] = "constant"
    schedule_decay: float = 0.9
    warmup_epochs: float = 0.0
    final_learning_rate_scale: float = 0.0
    loss: Literal["cross_entropy", "mse", "cross_entropy_on_probabilities", "cross_entropy_unstable"] = "cross_entropy"
    label_smoothing: float = 0.0
    crop_padding: int = 0
    crop_mode: Literal["zero", "reflect"] = "zero"
    flip: Literal["none", "random", "alternating"] = "none"
    policy: Literal["none", "randaugment", "trivialaugment"] = "none"
    policy_operations: int = 2
    policy_magnitude: int = 9
    rotation: float = 0.0
    translation: float = 0.0
    zoom: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    hue: float = 0.0
    cutout: int = 0
    random_erasing: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0
    early_sizes: list[list[float]] = field(default_factory=list)
    normalization: Literal["dataset", "half", "none", "given"] = "dataset"
    normalization_mean: list[float] | None = None
    normalization_std: list[float] | None = None
    validation: float = 0.0
    limit_train: int | None = None
    early_stopping: int = 0
    max_time: str | None = None
    test_curve: int = 0
    tta: Literal["none", "flip", "flip+shift", "adaptive"] = "none"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    threads: int = 0
    devices: str = "auto"
    checkpoint_seconds: float = 60.0

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
            if item.type is bool and not isinstance(value, bool):
                raise InputError(f"{item.name} must be true or false. Received: {value!r}.")
        for name in ("dataset", "arch", "output", "devices"):
            if not isinstance(getattr(self, name), str) or not getattr(self, name):
                raise InputError(f"{name} must be a name. Received: {getattr(self, name)!r}.")
        if not isinstance(self.arch_options, dict):
            raise InputError(f"arch_options must map option names to values. Received: {self.arch_options!r}.")
        self._check_together()

    def _check_together(self):
        given = (self.normalization_mean, self.normalization_std)
        if [value is not None for value in given] != [self.normalization == "given"] * 2:
            raise InputError(
                f"normalization given needs normalization_mean and normalization_std, other kinds take neither. "
                f"Received: {self.normalization} with mean {given[0]} and std {given[1]}."
            )
        if self.normalization == "given" and not _match(*given):
            raise InputError(
                "normalization_mean and normalization_std must be lists of numbers, one a channel, the std above 0. "
                f"Received: {given[0]} and {given[1]}."
            )
        if self.label_smoothing and self.loss != "cross_entropy":
            raise InputError(f"label_smoothing works with loss cross_entropy. Received: loss {self.loss}.")
        if self.channels == 2:
            raise InputError("channels must be 1 (grey) or 3 (colour). Received: 2.")
        self._check_early_sizes()
        if self.max_time is not None and parse_seconds(self.max_time) <= 0:
            raise InputError(f"max_time must be above zero. Received: {self.max_time}. Write 90s, 30m or 8h.")
        if not re.fullmatch(r"auto|cpu(:[1-9]\d?)?", self.devices):
            raise InputError(f"devices must be auto, cpu or cpu:N. Received: {self.devices!r}.")

    def _check_early_sizes(self):
        pairs = self.early_sizes
        if not isinstance(pairs, list) or not all(_is_size_and_share(pair) for pair in pairs):
            raise InputError(
                "early_sizes must be pairs of an image size, a whole number above 0, and a share of the epochs between "
                f"0 and 1. Received: {pairs!r}. Write [[20, 0.3], [26, 0.6]]."
            )
        shares = [share for _, share in pairs]
        if sorted(set(shares)) != shares:
            raise InputError(
                "early_sizes must have rising shares, each the share of the run at which its size ends. "
                f"Received: {pairs}. Write [[20, 0.3], [26, 0.6]]."
            )

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

    def replace(self, **changes: Any) -> "TrainConfig":
        """Returns a copy with the named fields changed; an unknown name is an `InputError`."""
        check_keys(changes)
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Returns every field as plain JSON and YAML types."""
        return dataclasses.asdict(self)


# name: (lowest, highest, what to do); integers are told from floats by the field's type.
_RANGES: dict[str, tuple[float, float, str]] = {
    "seed": (0, 2**31 - 1, ""),
    "epochs": (1, 1_000_000, ""),
    "batch_size": (1, 1_000_000, ""),
    "learning_rate": (1e-12, 1e6, "0.01 is a common start for sgd, 0.001 for adamw."),
    "momentum": (0, 0.99999, ""),
    "muon_momentum": (0, 0.99999, ""),
    "head_learning_rate_scale": (0, 1e6, ""),
    "weight_decay": (0, 1e3, ""),
    "bias_learning_rate_scale": (0, 1e6, ""),
    "bias_weight_decay": (0, 1e3, ""),
    "ema": (0, 0.9999999, "0.999 averages about a thousand steps."),
    "schedule_decay": (1e-9, 1, ""),
    "warmup_epochs": (0, 1e6, ""),
    "final_learning_rate_scale": (0, 1, ""),
    "label_smoothing": (0, 0.999999, ""),
    "image_size": (1, 4096, "32 and 64 are usual."),
    "channels": (1, 3, "1 is grey, 3 is colour."),
    "max_bad": (0, 1, "0.01 allows one file in a hundred."),
    "cache_bytes": (0, 1e18, ""),
    "validation": (0, 0.9, "0.1 holds out a tenth of the training images."),
    "limit_train": (1, 1e12, ""),
    "early_stopping": (0, 1_000_000, ""),
    "test_curve": (0, 1_000_000, ""),
    "threads": (0, 4096, "0 uses all."),
    "checkpoint_seconds": (0, 1e9, ""),
}
_RANGES |= AUGMENTATION_RANGES
_OPTIONAL = ("image_size", "channels", "cache_bytes", "bias_weight_decay", "limit_train")


def _check_number(name: str, value: Any, low: float, high: float, remedy: str) -> None:
    if value is None and name in _OPTIONAL:
        return
    whole = TrainConfig.__dataclass_fields__[name].type in (int, int | None)
    kind = "a whole number" if whole else "a number"
    good = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not good or not low <= value <= high:
        raise InputError(f"{name} must be {kind} from {low:g} to {high:g}. Received: {value!r}. {remedy}".rstrip())


def _is_size_and_share(pair: Any) -> bool:
    if not isinstance(pair, list) or len(pair) != 2 or not all(type(value) in (int, float) for value in pair):
        return False
    return pair[0] >= 1 and pair[0] == int(pair[0]) and 0 < pair[1] < 1


def _match(mean: Any, std: Any) -> bool:
    if not isinstance(mean, list) or not isinstance(std, list) or not 0 < len(mean) == len(std):
        return False
    numbers = all(isinstance(value, int | float) and math.isfinite(value) for value in mean + std)
    return numbers and min(std) > 0


def check_keys(values: dict[str, Any]) -> None:
    """Raises an `InputError` that names the closest field for a key that is none."""
    for key in values:
        if key not in TrainConfig.__dataclass_fields__:
            raise InputError(f"Unknown setting {key!r}. {closest(str(key), TrainConfig.__dataclass_fields__)}")


def parse_seconds(text: str) -> float:
    """Reads a duration such as ``90``, ``90s``, ``1.5h`` or ``1h30m`` into seconds.

    Raises:
        InputError: The text is none of these.
    """
    # "90 s" and "1h 30m" are durations, "1 30" is none.
    compact = re.sub(r"(?<=\d)\s+(?=[a-z])|(?<=[a-z])\s+(?=\d)", "", str(text).strip().lower())
    parts = re.findall(r"(\d+(?:\.\d+)?)([a-z]*)", compact)
    if not parts or "".join(map("".join, parts)) != compact or any(unit not in _UNITS for _, unit in parts):
        raise InputError(f"A time must look like 90s, 30m, 8h or 1h30m. Received: {text!r}.")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def config_hash(config: TrainConfig, digits: int = 8) -> str:
    """Returns hexadecimal digits that name what the run computes (`PLACE_FIELDS` do not count)."""
    kept = {key: value for key, value in config.to_dict().items() if key not in PLACE_FIELDS}
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:digits]


def config_from_dict(values: dict[str, Any]) -> TrainConfig:
    """Builds a config from plain values.

    Raises:
        InputError: A key is unknown (the closest is named), or a value is out of its range.
    """
    check_keys(values)
    for key, example in (("dataset", "cifar10"), ("arch", "cifarnet")):
        if key not in values:
            raise InputError(f"A configuration must name its {key}. Received none. Add, for example, {key}: {example}.")
    return TrainConfig(**values)


def config_to_yaml(config: TrainConfig) -> str:
    """Returns the config as YAML with every default written out, in the order of the fields."""
    return yaml.safe_dump(config.to_dict(), sort_keys=False, allow_unicode=True)


def load_config(path: str | Path) -> TrainConfig:
    """Reads a YAML file with the fields of `TrainConfig`.

    Raises:
        InputError: The file is missing, is no mapping, or holds an unknown or wrong setting.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"A configuration file was expected. Received: {path}, which does not exist.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} must be YAML. Received: {str(error).splitlines()[0]}.") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} must hold settings, one 'name: value' a line. Received: {type(values).__name__}.")
    try:
        return config_from_dict(values)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
