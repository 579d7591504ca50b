"""Layers that the networks need and Keras lacks or has slow; imported only when one is asked for."""

import importlib

_MODULES = {
    "Convolution": "convolution",
    "FastSiLU": "activations",
    "FusedBatchNormalization": "batch_norm",
    "PartialIdentity": "initializers",
    "Whitening": "whitening",
}
__all__ = ["Convolution", "FastSiLU", "FusedBatchNormalization", "PartialIdentity", "Whitening"]


def __getattr__(name: str):
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
