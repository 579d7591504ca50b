"""The training of the built-in space: hyperparameters, and the fields of `TrainConfig` that they stand for."""

from typing import Any

import keras_tuner

from kerasnets.recipes import recipe
from pipelines.dataset_names import split_kind

# Mirrored they would be no digits any more.
WRITTEN_DIGITS = ("digits", "mnist")
SCHEDULES = ["linear", "cosine", "one_cycle", "step", "constant"]
# Height and width in pixels; folders and lists of files are brought to 64x64, others have a size of their own.
_SIDES = {"digits": 8, "mnist": 28, "fashion_mnist": 28, "cifar10": 32, "cifar100": 32, "tiny_imagenet": 64}
_SIDES_BY_KIND = {"folder": 64, "csv": 64}
# The batch for which muon's rates are given; for another they change as its square root.
_MUON_BATCH = 1000


def side_of(dataset: str, image_size: int | None = None) -> int | None:
    """Height and width of a data set's images in pixels, where that is known without reading them."""
    return image_size or _SIDES.get(dataset) or _SIDES_BY_KIND.get(split_kind(dataset)[0])


def choose_recipe(
    hp: keras_tuner.HyperParameters, dataset: str, side: int | None, *, offsets_only: bool
) -> dict[str, Any]:
    """Declares what may vary of the training, and returns fields of `TrainConfig` for the values of `hp`.

    Args:
        hp: The hyperparameters.
        dataset: Name of the data set.
        side: Height and width of its images; None if unknown.
        offsets_only: Whether all weights of rank 0 and 1 are offsets of normalisations without a factor, as in
            speednet: they bear, and muon needs, a far higher rate than biases of linear layers do.
    """
    settings = _optimizer(hp, dataset, offsets_only)
    settings["schedule"] = hp.Choice("schedule", SCHEDULES)
    with hp.conditional_scope("schedule", ["step"]):
        decay = hp.Choice("schedule_decay", [0.7, 0.8, 0.9, 0.95], default=0.9)
    if settings["schedule"] == "step":
        settings["schedule_decay"] = decay
    settings["label_smoothing"] = hp.Choice("label_smoothing", [0.0, 0.1, 0.2], default=0.2)
    return settings | _augmentation(hp, dataset, side)


def choose_early_sizes(hp: keras_tuner.HyperParameters, side: int | None, usual: bool) -> dict[str, Any]:
    """Declares whether a part of the run has smaller images, which are faster.

    Args:
        hp: The hyperparameters.
        side: Of the images; below 16 pixels, or if unknown, there is no choice.
        usual: Whether the best known recipe does it.
    """
    if side is None or side < 16:
        return {}
    share = hp.Choice("small_images_share", [0.0, 0.3, 0.5, 0.7], default=0.5 if usual else 0.0)
    small = side // 2 if side >= 64 else side * 3 // 4 // 4 * 4
    return {"early_sizes": [[small, share]]} if share else {}


def _optimizer(hp: keras_tuner.HyperParameters, dataset: str, offsets_only: bool) -> dict[str, Any]:
    small = dataset == "digits"
    default = 64 if small else 128 if split_kind(dataset)[0] else 256
    batch = hp.Choice("batch_size", [16, 32, 64, 128] if small else [64, 128, 256, 512, 1000], default=default)
    optimizer = hp.Choice("optimizer", ["muon", "sgd", "adamw"])
    with hp.conditional_scope("optimizer", ["muon"]):
        muon = _muon(hp, batch, offsets_only)
    with hp.conditional_scope("optimizer", ["sgd"]):
        sgd = {
            "learning_rate": hp.Float("sgd_rate", 0.003, 0.5, sampling="log", default=0.05),
            "momentum": hp.Choice("sgd_momentum", [0.0, 0.8, 0.9, 0.95], default=0.9),
            "nesterov": hp.Boolean("nesterov", default=True),
            "weight_decay": hp.Choice("sgd_decay", [0.0, 5e-5, 5e-4, 5e-3], default=5e-4),
        }
    with hp.conditional_scope("optimizer", ["adamw"]):
        adamw = {
            "learning_rate": hp.Float("adamw_rate", 2e-4, 1e-2, sampling="log", default=2e-3),
            "momentum": 0.9,
            "weight_decay": hp.Choice("adamw_decay", [0.0, 0.01, 0.05, 0.2], default=0.05),
        }
    return {"batch_size": batch, "optimizer": optimizer} | {"muon": muon, "sgd": sgd, "adamw": adamw}[optimizer]


def _muon(hp: keras_tuner.HyperParameters, batch: int, offsets_only: bool) -> dict[str, Any]:
    """As in the recipe of speednet, whose rates of offsets and logits stand in a fixed ratio to the kernels'."""
    rate = hp.Float("muon_rate", 0.04, 0.6, sampling="log", default=0.17)
    momentum = hp.Choice("muon_momentum", [0.5, 0.6, 0.8, 0.9], default=0.6)
    decay = hp.Choice("muon_decay", [0.0, 0.02, 0.2], default=0.2)
    if rate is None:
        return {}
    factor = (batch / _MUON_BATCH) ** 0.5
    return {
        "learning_rate": _rounded(rate * factor),
        "muon_momentum": momentum,
        "momentum": 0.85,
        "head_learning_rate_scale": _rounded(0.06 * factor),
        # Factors and biases of convolutions bear no more than other rules give them.
        "bias_learning_rate_scale": _rounded((310.0 if offsets_only else 1.0) * factor),
        "weight_decay": decay,
        "bias_weight_decay": 4e-5,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.3g}")


def _augmentation(hp: keras_tuner.HyperParameters, dataset: str, side: int | None) -> dict[str, Any]:
    best = recipe(dataset)
    settings: dict[str, Any] = {"flip": "none", "normalization": best.normalization}
    if dataset not in WRITTEN_DIGITS:
        settings["flip"] = hp.Choice("flip", ["alternating", "random", "none"])
    # Shares of the side, in whole pixels.
    paddings = sorted({0, *(round((side or 32) * share) for share in (1 / 16, 1 / 8))})
    usual = min(reversed(paddings), key=lambda padding: abs(padding - best.crop_padding))
    settings["crop_padding"] = hp.Choice("crop_padding", paddings, default=usual)
    with hp.conditional_scope("crop_padding", paddings[1:]):
        mode = hp.Choice("crop_mode", ["reflect", "zero"], default=best.crop_mode)
    if settings["crop_padding"]:
        settings["crop_mode"] = mode
    if side is None or side >= 16:  # smaller images are shifted out of sight
        settings |= _policy(hp, best.policy)
    if side is not None:
        settings["cutout"] = hp.Choice("cutout", [0, side // 4, side // 2])
    # Of the test images: it mirrors them.
    settings["tta"] = "none" if settings["flip"] == "none" else best.tta
    return settings


def _policy(hp: keras_tuner.HyperParameters, usual: str) -> dict[str, Any]:
    policy = hp.Choice("policy", ["none", "trivialaugment", "randaugment"], default=usual)
    with hp.conditional_scope("policy", ["randaugment"]):
        magnitude = hp.Choice("policy_magnitude", [3, 6, 9])
    return {"policy": policy} | ({"policy_magnitude": magnitude} if policy == "randaugment" else {})
