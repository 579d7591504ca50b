"""What a search takes its trials' settings from: its space, and `trial_config` for what that has chosen."""

from typing import TYPE_CHECKING, Any

from kerasnets.errors import InputError
from kerasnets.models.options import check_options
from kerasnets.search.config import SearchConfig
from kerasnets.search.folder import SearchFolder
from kerasnets.training.config import TrainConfig

if TYPE_CHECKING:
    from kerasnets.search.space import Space

# What the search sets itself, and no space may.
FIXED = (
    "dataset", "data_dir", "output", "seed", "epochs", "max_time", "validation", "limit_train", "precision", "threads",
    "image_size", "resize", "channels", "max_bad", "cache_bytes", "early_stopping", "test_curve", "devices",
    "checkpoint_seconds",
)  # fmt: skip
# With a time instead of epochs, a trial has as many epochs as fit.
_MOST_EPOCHS = 1000


def space_of(config: SearchConfig, folder: SearchFolder | None = None) -> "Space":
    """The space of a search.

    Args:
        config: The search.
        folder: With it a space of the user's own is read as it was when the search began: its networks are built from
            there, now and later.

    Raises:
        InputError: The file is missing or wrong.
    """
    from kerasnets.search.space import load_space

    path = config.space
    if path is not None and folder is not None:
        path = str(folder.space(config).absolute())
    return load_space(path, config.dataset, config.arch, image_size=config.image_size)


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
