"""From a network's answers to numbers: a predictor, an evaluation by class name, and the metrics behind it.

The function ``evaluate`` is imported from its module, ``from kerasnets.evaluation.evaluate import evaluate``: a name
cannot be both a function and a submodule of one package.
"""

from importlib import import_module

# Looked up on first use: the metrics must not cost the import of TensorFlow.
_HOMES = {
    "BatchedPredictor": "predictor",
    "Evaluation": "evaluate",
    "Predictor": "predictor",
    "align_classes": "evaluate",
    "confusion_matrix": "metrics",
    "mean_loss": "metrics",
    "per_class_table": "metrics",
    "serve_log_probabilities": "predictor",
    "wilson_interval": "metrics",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
