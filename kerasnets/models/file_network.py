"""Networks of a user's own: `file:PATH.py` builds what the file's `build(hp, image_shape, num_classes)` returns."""

import importlib.util
import itertools
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import keras_tuner

from kerasnets.errors import InputError, closest
from kerasnets.models.options import FILE, file_path

_KINDS = {"linear": "logits", "softmax": "probabilities"}
_numbers = itertools.count()
_modules: dict[tuple[str, int, int], ModuleType] = {}


def load_file(path: str | Path) -> ModuleType:
    """Runs a user's file, once as long as it does not change.

    Raises:
        InputError: There is no such file, it fails, or it has no function `build`.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{FILE}PATH must name a Python file. Received: {path}, which is no file.")
    state = path.stat()
    key = (str(path), state.st_mtime_ns, state.st_size)
    if key not in _modules:
        spec = importlib.util.spec_from_file_location(f"kerasnets_file_{next(_numbers)}", path)
        module = importlib.util.module_from_spec(spec)
        run(path, "the file", lambda: spec.loader.exec_module(module))
        if not callable(getattr(module, "build", None)):
            raise InputError(f"{path} must have a function build(hp, image_shape, num_classes). Received: none.")
        _modules[key] = module
    return _modules[key]


def run(path: str | Path, what: str, function: Callable[[], Any]) -> Any:
    """Calls a user's code.

    Raises:
        InputError: It fails; one line says where and why.
    """
    try:
        return function()
    except Exception as error:
        # The innermost line of the file itself, not that of the library that refused what it was given.
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        if isinstance(error, SyntaxError) and error.filename == str(path):
            lines = [error.lineno]
        place = f", line {lines[-1]}" if lines else ""
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{path}{place}: {what} must work. Received: {type(error).__name__}{': ' * bool(reason)}{reason}"
        ) from error


def file_settings(path: str | Path, hp: keras_tuner.HyperParameters | None = None) -> dict[str, Any]:
    """Returns what the file's `settings(hp)` says of the training, fields of `TrainConfig`; {} if it has none.

    Raises:
        InputError: The file or the function fails, or it returns something else than a mapping.
    """
    settings = getattr(load_file(path), "settings", None)
    if settings is None:
        return {}
    hp = keras_tuner.HyperParameters() if hp is None else hp
    values = run(path, "settings(hp)", lambda: settings(hp))
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{path}: settings(hp) must return names with values. Received: {values!r}.")
    for name in ("arch", "arch_options"):
        if name in values:
            raise InputError(f"{path}: settings(hp) must leave {name} out, which is the file itself. Received: {name}.")
    return dict(values)


def file_network(
    name: str, image_shape: tuple[int, int, int], num_classes: int, options: Mapping[str, Any]
) -> keras.Model:
    """Builds the network of a file.

    Args:
        name: ``file:PATH``.
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.
        options: Values of its hyperparameters by name; those left out have their defaults.

    Returns:
        The model, whose last layer is named "logits" or "probabilities" and answers in float32.

    Raises:
        InputError: The file fails, returns something else, or an option is unknown or out of its range.
    """
    hp = keras_tuner.HyperParameters()
    hp.values = dict(options)
    model = build_from_file(file_path(name), hp, image_shape, num_classes)
    declared = {one.name: one for one in hp.space}
    for option, value in options.items():
        if option not in declared:
            answer = closest(option, declared) if declared else "It has none."
            raise InputError(f"Unknown option {option!r} of model {name!r}. {answer}")
        fitting = [one for one in hp.space if one.name == option and hp.is_active(one)]
        if fitting and not any(_is_allowed(one, value) for one in fitting):
            raise InputError(
                f"Option {option!r} of model {name!r} must be {_expected(declared[option])}. Received: {value!r}."
            )
    return model


def build_from_file(
    path: str | Path, hp: keras_tuner.HyperParameters, image_shape: tuple[int, int, int], num_classes: int
) -> keras.Model:
    """Calls the file's `build` and checks what it returns.

    Raises:
        InputError: As `file_network`.
    """
    module = load_file(path)
    model = run(path, "build(hp, image_shape, num_classes)", lambda: module.build(hp, tuple(image_shape), num_classes))
    if not isinstance(model, keras.Model) or not isinstance(getattr(model, "inputs", None), list):
        raise InputError(
            f"{path}: build must return a keras.Model of one input and one output. Received: {type(model).__name__}."
        )
    given = [tuple(tensor.shape) for tensor in (*model.inputs, *model.outputs)]
    expected = [(None, *image_shape), (None, num_classes)]
    if given != expected:
        raise InputError(
            f"{path}: build must return a model from {expected[0]} to {expected[1]}. Received: one from "
            f"{', '.join(map(str, given[: len(model.inputs)]))} to {', '.join(map(str, given[len(model.inputs) :]))}."
        )
    return _with_named_end(path, model)


def _with_named_end(path: str | Path, model: keras.Model) -> keras.Model:
    last = model.layers[-1]
    if last.name not in _KINDS.values():
        activation = getattr(getattr(last, "activation", None), "__name__", None)
        kind = "probabilities" if isinstance(last, keras.layers.Softmax) else _KINDS.get(activation)
        if kind is None or not isinstance(last, keras.layers.Dense | keras.layers.Activation | keras.layers.Softmax):
            raise InputError(
                f"{path}: the last layer of the model must be named 'logits' or 'probabilities', since the loss "
                f"depends on it. Received: {last.name!r}."
            )
        last.name = kind
    if model.outputs[0].dtype == "float32":
        return model
    # Computed in bfloat16, but answered in float32, as all networks do.
    kind, last.name = last.name, f"{last.name}_{model.outputs[0].dtype}"
    answer = keras.layers.Identity(name=kind, dtype="float32")(model.outputs[0])
    return keras.Model(model.inputs[0], answer, name=model.name)


def _is_allowed(one: Any, value: Any) -> bool:
    if hasattr(one, "min_value"):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and one.min_value <= value <= one.max_value
    return any(value == known and isinstance(value, bool) == isinstance(known, bool) for known in one.values)


def _expected(one: Any) -> str:
    if hasattr(one, "min_value"):
        return f"a number from {one.min_value} to {one.max_value}"
    return "one of " + ", ".join(map(str, one.values))
