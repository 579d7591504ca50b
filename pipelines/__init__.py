"""Image data to tf.data: named sources, stratified splits, batched augmentation, replayable training streams.

The names are looked up on first use, so that importing the package costs nothing (TensorFlow is not imported).
"""

import importlib

_HOMES = {
    "DataError": "pipelines.errors",
    "ImageSource": "pipelines.source",
    "Split": "pipelines.source",
    "SOURCES": "pipelines.sources",
    "load_source": "pipelines.sources",
    "source_names": "pipelines.sources",
    "Reading": "pipelines.reading",
    "BadFilesError": "pipelines.files_source",
    "CATALOG": "pipelines.catalog",
    "fetch_data_set": "pipelines.catalog",
    "shrink": "pipelines.resize",
    "shrink_split": "pipelines.resize",
    "carve_validation": "pipelines.splits",
    "limit_train": "pipelines.splits",
    "Augmentation": "pipelines.augmentation",
    "augmentation_examples": "pipelines.augment_examples",
    "normalize": "pipelines.augment",
    "evaluation_dataset": "pipelines.build",
    "steps_per_epoch": "pipelines.build",
    "training_dataset": "pipelines.build",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module 'pipelines' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
