"""What stands behind a key of a YAML space: a fixed value, choices or a range, and the hyperparameter it becomes."""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras_tuner

from kerasnets.errors import InputError, closest

_KEYS = ("min", "max", "log", "step", "default")


@dataclass(frozen=True)
class Range:
    """What one setting may be.

    Attributes:
        name: Of the hyperparameter.
        choices: Values to choose from, one if it is fixed; empty for numbers between two limits.
        low: The lower limit.
        high: The upper one, which is included.
        step: Distance of neighbours, or their ratio with `log`; None for any number between.
        log: Whether small numbers are drawn as often as large ones.
        default: What stands in the middle of what is known: the recipe's value if it is possible.
    """

    name: str
    choices: tuple = ()
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    default: Any = None


def read_range(name: str, value: Any, kind: Any, usual: Any, check: Callable[[Any], None]) -> Range:
    """Reads what stands behind a key.

    Args:
        name: The key, for messages and for the hyperparameter.
        value: A list of choices, a mapping with ``min`` and ``max`` (and ``log``, ``step``, ``default``), or one value.
        kind: Type of the setting; a list is a single value where it is one.
        usual: The recipe's value.
        check: Raises an `InputError` for a value that the setting cannot have.

    Raises:
        InputError: It is none of these, or a value is not possible.
    """
    if isinstance(value, dict):
        return _read_limits(name, value, kind, usual, check)
    if not isinstance(value, list) or _is_one_list(value, kind, check):
        _checked(name, value, check)
        return Range(name, choices=(value,), default=value)
    if not value:
        raise InputError(f"{name} must be a value, a list of choices or a range. Received: an empty list.")
    for one in value:
        _checked(name, one, check)
    # 0 and 0.5 are numbers of one kind.
    choices = [float(one) if kind in (float, float | None) and type(one) is int else one for one in value]
    if len({_text(one) for one in choices}) < len(choices):
        raise InputError(f"{name} must have choices that differ. Received: {value}.")
    return Range(name, choices=tuple(choices), default=usual if usual in choices else choices[0])


def declare_range(hp: keras_tuner.HyperParameters, one: Range) -> Any:
    """Declares the hyperparameter, and returns the setting for the value that `hp` holds."""
    if len(one.choices) == 1:
        return one.choices[0]
    if one.choices:
        return _declare_choices(hp, one)
    sampling = "log" if one.log else "linear"
    declare = hp.Int if isinstance(one.low, int) else hp.Float
    return declare(one.name, one.low, one.high, step=one.step, sampling=sampling, default=one.default)


def _declare_choices(hp: keras_tuner.HyperParameters, one: Range) -> Any:
    kinds = {type(choice) for choice in one.choices}
    if kinds == {bool}:
        return hp.Boolean(one.name, default=one.default)
    if kinds in ({int}, {float}, {str}):
        return hp.Choice(one.name, list(one.choices), default=one.default)
    # keras-tuner knows choices of one kind only.
    texts = {_text(choice): choice for choice in one.choices}
    return texts[hp.Choice(one.name, list(texts), default=_text(one.default))]


def _read_limits(name: str, value: dict, kind: Any, usual: Any, check: Callable[[Any], None]) -> Range:
    for key in value:
        if key not in _KEYS:
            raise InputError(f"Unknown key {key!r} in the range of {name}. {closest(str(key), _KEYS)}")
    if "min" not in value or "max" not in value:
        raise InputError(
            f"{name} must have min and max, such as {{min: 0.001, max: 0.1, log: true}}. Received: {value}."
        )
    whole = kind in (int, int | None)
    low, high, step = (_number(name, key, value.get(key), whole) for key in ("min", "max", "step"))
    log = value.get("log", False)
    if not isinstance(log, bool):
        raise InputError(f"log of {name} must be true or false. Received: {log!r}.")
    if low >= high:
        raise InputError(f"{name} must have a min below its max. Received: {low} and {high}.")
    if log and low <= 0:
        raise InputError(f"{name} must have a min above 0, since it is drawn by its logarithm. Received: {low}.")
    if step is not None and step <= (1 if log else 0):
        raise InputError(
            f"step of {name} must be above {1 if log else 0}{', it is a ratio' if log else ''}. Received: {step}."
        )
    for one in (low, high):
        _checked(name, one, check)
    default = value.get("default", usual)
    inside = isinstance(default, int | float) and not isinstance(default, bool) and low <= default <= high
    if "default" in value and not inside:
        raise InputError(f"default of {name} must be a number from {low} to {high}. Received: {default!r}.")
    middle = math.sqrt(low * high) if log else (low + high) / 2
    if step is not None and "default" not in value:
        default = low  # what lies on a step and what does not is for keras-tuner to know
    elif not inside:
        default = middle
    default = round(default) if whole else float(default)
    return Range(name, low=low, high=high, step=step, log=log, default=default)


def _number(name: str, key: str, value: Any, whole: bool) -> Any:
    if value is None and key == "step":
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float) or not math.isfinite(value):
        raise InputError(f"{key} of {name} must be a {'whole ' * whole}number. Received: {value!r}.")
    return value if whole else float(value)


def _is_one_list(value: list, kind: Any, check: Callable[[Any], None]) -> bool:
    """Settings such as early_sizes are lists themselves."""
    if "list" not in str(kind):
        return False
    try:
        check(value)
    except InputError:
        return False
    return True


def _checked(name: str, value: Any, check: Callable[[Any], None]) -> None:
    try:
        check(value)
    except InputError as error:
        text = str(error)
        raise InputError(text if name.split(".")[-1] in text else f"{name}: {text}") from None


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
