"""What an exact resume needs: the arrays of a run and how to put them back."""

import numpy as np

from kerasnets.errors import InputError


def make_averages(model, decay: float) -> list:
    """Returns one float32 variable for each of `model.weights`, at its present value; none when decay is 0."""
    import keras

    if not decay:
        return []
    return [
        keras.Variable(
            np.asarray(weight.numpy(), np.float32), dtype="float32", trainable=False, name=f"average_{number}"
        )
        for number, weight in enumerate(model.weights)
    ]


def capture(**groups: list) -> dict[str, np.ndarray]:
    """Copies variables to arrays named ``group/0000`` and so on.

    Args:
        **groups: Name to variables, such as ``model=model.weights``.
    """
    return {
        f"{group}/{number:04d}": np.array(variable.numpy())
        for group, variables in groups.items()
        for number, variable in enumerate(variables)
    }


def restore(arrays: dict[str, np.ndarray], **groups: list) -> None:
    """Assigns what `capture` copied.

    Raises:
        InputError: The arrays are of another network or optimiser: a number or a shape differs.
    """
    for group, variables in groups.items():
        found = sorted(name for name in arrays if name.startswith(f"{group}/"))
        if len(found) != len(variables):
            raise InputError(
                f"The checkpoint must hold {len(variables)} arrays of {group}. Received: {len(found)}. "
                "It was written by another network or optimiser."
            )
        for name, variable in zip(found, variables, strict=True):
            if tuple(arrays[name].shape) != tuple(variable.shape):
                raise InputError(
                    f"The checkpoint's {name} must have shape {tuple(variable.shape)}. "
                    f"Received: {tuple(arrays[name].shape)}. It was written by another network."
                )
            variable.assign(arrays[name])
