"""kerasnets: train small image classifiers with Keras, resume them exactly, measure them, export them.

The names below are looked up on first use, so that `import kerasnets` costs nothing: TensorFlow comes with the first
name that needs it. `kerasnets.export` is the package; the function that exports a run is `kerasnets.export_run`.
"""

from importlib import import_module

__version__ = "0.1.0"

# name: (module, name there)
_HOMES = {
    "InputError": ("kerasnets.errors", "InputError"),
    "Run": ("kerasnets.runs", "Run"),
    "TrainConfig": ("kerasnets.training.config", "TrainConfig"),
    "build_model": ("kerasnets.models", "build_model"),
    "evaluate": ("kerasnets.evaluation.evaluate", "evaluate"),
    "export_run": ("kerasnets.export.saved_model", "export"),
    "list_runs": ("kerasnets.runs", "list_runs"),
    "load_predictor": ("kerasnets.export.load", "load_predictor"),
    "predict": ("kerasnets.export.predict", "predict"),
    "recipe": ("kerasnets.recipes", "recipe"),
    "resume": ("kerasnets.training.train", "resume"),
    "train": ("kerasnets.training.train", "train"),
}
__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
