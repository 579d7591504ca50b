"""Figures from a run folder. Nothing here needs the model, or TensorFlow."""

from importlib import import_module

# Looked up on first use: importing the package must not cost the import of matplotlib.
_HOMES = {
    "confusion_figure": "confusion",
    "curves_figure": "curves",
    "misclassified_figure": "misclassified",
    "write_figures": "figures",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
