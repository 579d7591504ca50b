"""Training: the configuration, the step and epoch loop, schedules, losses, optimisers and exact resume.

The functions are `kerasnets.train` and `kerasnets.resume`: here ``train`` is the module that holds them.
"""

import importlib

_WHERE = {
    "TrainConfig": "config",
    "load_config": "config",
    "Interrupted": "interrupt",
    "Until": "until",
}
__all__ = sorted(_WHERE)


def __getattr__(name):
    # TensorFlow is heavy and is imported only when something that needs it is asked for.
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
