"""Which network and settings get the best known result on each data set, and what `best` and `worst` mean there."""

from pathlib import Path
from typing import Any

from kerasnets.errors import InputError
from kerasnets.models.options import FILE, check_options, file_path, is_file
from kerasnets.training.config import PLACE_FIELDS, TrainConfig, check_keys, load_config
from pipelines.dataset_names import split_kind, whole_path

# What `--arch best` and `--arch worst` stand for; a data set that is not listed uses the first line.
_BEST = {"": "speednet"}
_WORST = {"": "resblocks"}

# Settings of the published reports, by network. Source: the reports' ids stand in `kerasnets.models`.
_CIFARNET = {
    "epochs": 20,
    "batch_size": 256,
    "learning_rate": 0.01,
    "momentum": 0.9,
    "crop_padding": 4,
    "flip": "random",
    "normalization": "half",
}
_TINYNET = {
    "epochs": 10,
    "batch_size": 256,
    "learning_rate": 0.01,
    "momentum": 0.9,
    "weight_decay": 0.0005,
    "flip": "random",
    "normalization": "half",
}
# Momentum fitted: with 0.9 coolnet_v7 falls to 10 % and lazynet below its published 32 %, see study coolnet-cpu.
_COOLNET = {"epochs": 50, "batch_size": 4, "learning_rate": 0.01, "momentum": 0.0, "normalization": "half"}
# Batch size assumed: of 1, 10 and 100 the one whose losses come nearest to the report's table.
_SCRATCH = {"epochs": 10, "batch_size": 100, "learning_rate": 0.01, "momentum": 0.0, "normalization": "none"}
_SCRATCH_CIFAR10 = {
    "epochs": 20,
    "batch_size": 1,
    "learning_rate": 0.001,
    "arch_options": {"initial_stddev": 1.0, "l2": 0.005},
}
_TINY_LEAKY = {
    "epochs": 100,
    "batch_size": 128,
    "learning_rate": 0.05,
    "momentum": 0.9,
    "schedule": "step",
    "schedule_decay": 0.9,
    "normalization": "none",
}
# Of our own. Weight decay is that of the source, KellerJordan/cifar10-airbench, for a mean instead of a sum of losses.
_SPEEDNET = {
    "epochs": 8,
    "batch_size": 1000,
    "optimizer": "muon",
    "learning_rate": 0.17,
    "muon_momentum": 0.6,
    "momentum": 0.85,
    "head_learning_rate_scale": 0.06,
    "bias_learning_rate_scale": 310.0,
    "weight_decay": 0.2,
    "bias_weight_decay": 4e-5,
    "schedule": "linear",
    "label_smoothing": 0.2,
    "crop_padding": 2,
    "crop_mode": "reflect",
    "flip": "alternating",
    "normalization": "dataset",
    "tta": "adaptive",
}

# Of our own, for the networks of users.
_OWN_NETWORK = {
    "epochs": 20,
    "batch_size": 128,
    "optimizer": "adamw",
    "learning_rate": 0.002,
    "weight_decay": 0.05,
    "schedule": "linear",
    "label_smoothing": 0.1,
    "crop_padding": 1,
    "normalization": "dataset",
}


def _batches_of(batch_size: int) -> dict[str, Any]:
    """speednet's rates for another batch: the kernels' changes as its square root, the others' in proportion."""
    factor = (batch_size / _SPEEDNET["batch_size"]) ** 0.5
    rates = ("learning_rate", "bias_learning_rate_scale", "head_learning_rate_scale")
    return {"batch_size": batch_size} | {name: float(f"{_SPEEDNET[name] * factor:.3g}") for name in rates}


_BY_ARCH = {
    "speednet": _SPEEDNET,
    "cifarnet": _CIFARNET,
    "blocks": _CIFARNET,  # which it is, with its defaults
    "resblocks": _CIFARNET,
    "tinynet": _TINYNET,
    "tinynet_deep": _TINYNET,
    "lazynet": _COOLNET,
    "boringnet": _COOLNET,
    "coolnet_v7": _COOLNET,
    "coolnet_v10": _COOLNET,
    "lenet_bn": _COOLNET,
    "scratch_mlp": _SCRATCH,
    "tiny_leaky": _TINY_LEAKY,
}
# Where a data set needs other settings than the report of cifarnet and resblocks.
_BY_DATASET = {
    "digits": {"epochs": 15, "batch_size": 64, "crop_padding": 1, "normalization": "dataset"},
    "mnist": {"epochs": 5, "batch_size": 128, "crop_padding": 2, "normalization": "dataset"},
    "fashion_mnist": {"normalization": "dataset"},
}
# Mirrored they would be no digits any more, whatever the network.
_WRITTEN_DIGITS = ("digits", "mnist")
# For whatever a user owns, which is seldom as much as CIFAR-10.
_BY_KIND = {"speednet": _batches_of(128) | {"epochs": 20, "policy": "trivialaugment", "tta": "flip"}}
_BY_BOTH = {
    ("cifar10", "scratch_mlp"): _SCRATCH_CIFAR10,
    ("cifar10", "speednet"): {"epochs": 11, "early_sizes": [[20, 0.27], [24, 0.55]]},
    ("cifar100", "speednet"): {"epochs": 16, "early_sizes": [[24, 0.5]]},
    ("fashion_mnist", "speednet"): {"epochs": 12, "early_sizes": [[20, 0.5]]},
    ("mnist", "speednet"): {
        "epochs": 6,
        "early_sizes": [[20, 0.5]],
        "crop_mode": "zero",
        "tta": "none",
    },
    ("tiny_imagenet", "speednet"): _batches_of(500)
    | {"epochs": 16, "early_sizes": [[32, 0.7], [48, 0.9]], "crop_padding": 4},
    ("digits", "speednet"): _batches_of(64)
    | {
        "epochs": 15,
        "crop_padding": 1,
        "crop_mode": "zero",
        "tta": "none",
    },
}

# `--arch search:PATH` stands for the winner of a search, whose settings lie in this file of its folder.
SEARCH = "search:"
BEST_FILE = "best.yaml"
# Of a run or of the images that the search has read, and no finding of it.
_NOT_FOUND = (*PLACE_FIELDS, "seed", "validation", "limit_train", "early_stopping", "test_curve", "max_bad")
_READING = ("image_size", "resize", "channels", "normalization", "normalization_mean", "normalization_std")
# Heights in pixels, by which lengths in pixels are carried from one data set to another.
_SIDES = {"digits": 8, "mnist": 28, "fashion_mnist": 28, "cifar10": 32, "cifar100": 32, "tiny_imagenet": 64}


def read_best(path: str | Path) -> TrainConfig:
    """Reads the settings of a search's winner.

    Args:
        path: Folder of a search, or its ``best.yaml``.

    Raises:
        InputError: There is none, or it is damaged.
    """
    file = Path(path).expanduser()
    file = file / BEST_FILE if file.is_dir() else file
    if not str(path) or not file.is_file():
        raise InputError(
            f"{SEARCH}PATH must name the folder of a search that has a winner, or its {BEST_FILE}. Received: "
            f"{str(path)!r}, which has none. kerasnets-search writes it."
        )
    config = load_config(file)
    if config.arch in ("best", "worst") or config.arch.startswith(SEARCH):
        raise InputError(f"{file} must name a network as arch. Received: {config.arch!r}.")
    return config


def _found_by(path: str, dataset: str, image_size: int | None) -> dict[str, Any]:
    """The winner's network and settings for a data set, whose images may not be those of the search."""
    best = read_best(path)
    settings = {name: value for name, value in best.to_dict().items() if name not in ("dataset", *_NOT_FOUND)}
    if whole_path(dataset) != whole_path(best.dataset):
        settings = {name: value for name, value in settings.items() if name not in _READING}
        if best.normalization != "given":
            settings["normalization"] = best.normalization
        old, new = (size or _SIDES.get(name) for size, name in ((best.image_size, best.dataset), (image_size, dataset)))
        scale = new / old if old and new else 1.0
        settings |= {name: _scaled(settings[name], scale) for name in ("crop_padding", "cutout")}
        # Sizes of images, unlike the lengths above, do not fit where the images may be smaller.
        sizes = [[_scaled(size, scale), share] for size, share in best.early_sizes]
        settings["early_sizes"] = sizes if old and new else []
    # All of it mirrors.
    return settings | ({"tta": "none"} if dataset in _WRITTEN_DIGITS else {})


def _scaled(pixels: float, scale: float) -> int:
    return max(1, round(pixels * scale)) if pixels else 0


def own_network(dataset: str) -> dict[str, Any]:
    """Returns what a network is trained with of which nothing is known, fields of `TrainConfig`."""
    return _OWN_NETWORK | {"flip": "none" if dataset in _WRITTEN_DIGITS else "random"}


def resolve_arch(dataset: str, arch: str) -> str:
    """Returns the network that `best`, `worst` or `search:PATH` stands for on this data set; any other as it is, the
    path of `file:PATH` made whole.

    Raises:
        InputError: There is no winner of a search at that path.
    """
    if str(arch).startswith(SEARCH):
        return read_best(arch.removeprefix(SEARCH)).arch
    if is_file(arch):
        return f"{FILE}{file_path(arch)}"
    table = {"best": _BEST, "worst": _WORST}.get(arch)
    return arch if table is None else table.get(dataset, table[""])


def recipe(dataset: str, arch: str = "best", **overrides: Any) -> TrainConfig:
    """Returns the settings that get the best known result.

    Args:
        dataset: Name of a data set, such as ``"cifar10"``.
        arch: Name of a network, or ``"best"`` or ``"worst"``, or ``"search:PATH"`` for the network and settings that a
            search has found, where PATH is its folder or its ``best.yaml``, or ``"file:PATH"`` for a network of your
            own, with what its file says of the training.
        **overrides: Fields of `TrainConfig` to set otherwise.

    Raises:
        InputError: An override is not a field, or is out of its range, or there is no winner of a search at that path,
            or the file with a network is missing or fails.
    """
    if not isinstance(dataset, str) or not dataset:
        raise InputError(f"dataset must be a name such as cifar10. Received: {dataset!r}.")
    check_keys(overrides)
    if str(arch).startswith(SEARCH):
        settings = _found_by(arch.removeprefix(SEARCH), dataset, overrides.get("image_size"))
    elif is_file(arch):
        arch = resolve_arch(dataset, arch)
        check_options(arch, {})  # that the file exists, before keras is imported, as the file itself will
        from kerasnets.models.file_network import file_settings

        settings = own_network(dataset) | file_settings(file_path(arch))
        check_keys(settings)
    else:
        arch = resolve_arch(dataset, arch)
        settings = _BY_ARCH.get(arch, {}) | (_BY_DATASET.get(dataset, {}) if _BY_ARCH.get(arch) is _CIFARNET else {})
        settings = settings | (_BY_KIND.get(arch, {}) if split_kind(dataset)[0] else _BY_BOTH.get((dataset, arch), {}))
    if dataset in _WRITTEN_DIGITS:
        settings = settings | {"flip": "none"}
    return TrainConfig(**({"dataset": dataset, "arch": arch} | settings | overrides))
