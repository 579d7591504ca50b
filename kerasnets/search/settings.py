"""`trial_config`: from what a space has chosen to the whole run of a trial."""

from typing import Any

from kerasnets.errors import InputError
from kerasnets.models.options import check_options
from kerasnets.search.config import SearchConfig
from kerasnets.training.config import TrainConfig

# What the search sets itself, and no space may.
FIXED = (
    "dataset", "data_dir", "output", "seed", "epochs", "max_time", "validation", "limit_train", "precision", "threads",
    "image_size", "resize", "channels", "max_bad", "cache_bytes", "early_stopping", "test_curve", "devices",
    "checkpoint_seconds",
)  # fmt: skip
# With a time instead of epochs, a trial has as many epochs as fit.
_MOST_EPOCHS = 1000


def trial_config(config: SearchConfig, settings: dict[str, Any], threads: int = 0) -> TrainConfig:
    """Returns the whole run of a choice, of which a trial may be the first part.

    Args:
        config: The search.
        settings: What the space has chosen.
        threads: Processor threads of the run.

    Raises:
        InputError: The space sets what the search itself decides, or a setting is out of its range.
    """
    for name in settings:
        if name in FIXED:
            raise InputError(
                f"A space must leave {name} to the search. Received: {name}: {settings[name]!r}. Take it out of the "
                "space; flags of kerasnets-search set it where it can be set."
            )
    in_seconds = config.unit == "seconds"
    whole = TrainConfig(
        **{
            "dataset": config.dataset,
            "data_dir": config.data_dir,
            "seed": config.seed,
            "epochs": _MOST_EPOCHS if in_seconds else config.epochs,
            "max_time": config.trial_time,
            "validation": config.validation,
            "limit_train": config.limit_train,
            "precision": config.precision,
            "image_size": config.image_size,
            "resize": config.resize,
            "channels": config.channels,
            "max_bad": config.max_bad,
            "cache_bytes": config.cache_bytes,
            "threads": threads,
        }
        | settings
    )
    # With every option written out, as in its run folder: the same run has the same hash.
    return whole.replace(arch_options=check_options(whole.arch, whole.arch_options))
