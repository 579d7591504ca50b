"""The networks of the published reports, by name. TensorFlow is imported only when a network is built."""

import importlib

_MODULES = {
    "MODELS": "build",
    "MODEL_FACTS": "names",
    "MODEL_NAMES": "names",
    "build_model": "build",
    "check_options": "options",
    "describe_models": "describe",
    "flops_per_image": "describe",
    "model_facts": "options",
    "output_kind": "describe",
}
__all__ = [
    "MODELS",
    "MODEL_FACTS",
    "MODEL_NAMES",
    "build_model",
    "check_options",
    "describe_models",
    "flops_per_image",
    "model_facts",
    "output_kind",
]


def __getattr__(name: str):
    if name in _MODULES:
        return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
