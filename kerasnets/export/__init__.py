"""Networks leave and come back here: SavedModels, the one door for saved networks, and predictions of image files.

The function ``predict`` is imported from its module, ``from kerasnets.export.predict import predict``: a name cannot
be both a function and a submodule of one package.
"""

from importlib import import_module

# Looked up on first use: importing the package must not cost the import of TensorFlow.
_HOMES = {
    "export": "saved_model",
    "load_predictor": "load",
    "read_images": "predict",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
