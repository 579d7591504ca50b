"""Checks a network's name, options and image before anything is built; imports no TensorFlow."""

import re
from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError, closest
from kerasnets.models.names import MODEL_FACTS, Facts, Option

# Before the path of a Python file that builds a network of its own, see `file_network`.
FILE = "file:"


def is_file(name: str) -> bool:
    """Whether a network is that of a user's file."""
    return isinstance(name, str) and name.startswith(FILE)


def file_path(name: str) -> Path:
    """Where the file of network ``file:PATH`` is, from wherever it is asked for."""
    return Path(name.removeprefix(FILE)).expanduser().absolute()


def short_arch(name: str) -> str:
    """A network's name, fit for a folder's: ``file:/home/me/my net.py`` gives ``file-my_net``."""
    return f"file-{re.sub(r'[^A-Za-z0-9_.-]+', '_', file_path(name).stem)[:60]}" if is_file(name) else name


def model_facts(name: str) -> Facts:
    """Returns what is known of the network `name`.

    Raises:
        InputError: There is no such network.
    """
    if name not in MODEL_FACTS:
        raise InputError(f"Unknown model {name!r}. {closest(str(name), MODEL_FACTS)}")
    return MODEL_FACTS[name]


def check_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Checks the options given to a network.

    Args:
        name: The network.
        options: Its options by name; those left out take their defaults.

    Returns:
        Every option of the network with its value, defaults written out, in the order of `MODEL_FACTS`.

    Raises:
        InputError: Unknown network or option, or a value of the wrong type or range. The options of a user's file are
            not known before it is run, and are checked by `build_model`.
    """
    if is_file(name):
        return _of_a_file(name, options)
    known = model_facts(name).options
    for option in options:
        if option not in known:
            answer = closest(str(option), known) if known else "It has none."
            raise InputError(f"Unknown option {option!r} of model {name!r}. {answer}")
    return {option: _checked(name, option, fact, options.get(option, fact.default)) for option, fact in known.items()}


def check_image_shape(name: str, image_shape: Sequence[int], num_classes: int) -> None:
    """Checks that the network `name` takes images of this shape and this number of classes.

    Args:
        name: The network.
        image_shape: `(height, width, channels)`.
        num_classes: Number of classes.

    Raises:
        InputError: Not three positive whole numbers, an image below the network's least size, fewer than two classes.
    """
    smallest = model_facts(name).smallest_side
    if len(image_shape) != 3 or not all(_is_whole(size) and size > 0 for size in image_shape):
        raise InputError(
            "image_shape must be three positive whole numbers (height, width, channels). "
            f"Received: {tuple(image_shape)}. A grey image has 1 channel."
        )
    height, width, _ = image_shape
    if min(height, width) < smallest:
        raise InputError(
            f"image size must be at least {smallest}x{smallest} for model {name!r}. Received: {height}x{width}. "
            "Use larger images."
        )
    if not _is_whole(num_classes) or num_classes < 2:
        raise InputError(f"num_classes must be a whole number of at least 2. Received: {num_classes!r}.")


def _checked(name: str, option: str, fact: Option, value: Any) -> Any:
    if fact.read:
        return _read(name, option, fact, value)
    if fact.choices:
        valid, expected = value in fact.choices, f"one of {', '.join(fact.choices)}"
    elif isinstance(fact.default, bool):
        valid, expected = isinstance(value, bool), "true or false"
    else:
        whole = isinstance(fact.default, int)
        upper = "" if fact.maximum is None else f" and at most {fact.maximum}"
        expected = f"a {'whole ' if whole else ''}number of at least {fact.minimum}{upper}"
        valid = (_is_whole(value) or (not whole and isinstance(value, float))) and fact.minimum <= value < float("inf")
        valid = valid and (fact.maximum is None or value <= fact.maximum)
    if not valid:
        raise InputError(f"Option {option!r} of model {name!r} must be {expected}. Received: {value!r}.")
    return type(fact.default)(value)


def _of_a_file(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    if not file_path(name).is_file():
        raise InputError(f"{FILE}PATH must name a Python file. Received: {file_path(name)}, which is no file.")
    for option, value in options.items():
        if not isinstance(value, bool | int | float | str):
            raise InputError(f"Option {option!r} of model {name!r} must be a number or a text. Received: {value!r}.")
    return dict(options)


def _read(name: str, option: str, fact: Option, value: Any) -> str:
    # A command line and YAML take a text that is one number for the number.
    if not isinstance(value, str) and not _is_whole(value):
        raise InputError(
            f"Option {option!r} of model {name!r} must be a text. Received: {value!r}. Put it into quotes."
        )
    text = " ".join(str(value).split())
    try:
        fact.read(text)
    except InputError as error:
        raise InputError(f"Option {option!r} of model {name!r}: {error}") from None
    return text


def _is_whole(value: Any) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
