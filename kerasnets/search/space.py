"""What a search may vary: `load_space` for the built-in space, a YAML file of ranges or a Python file."""

from pathlib import Path
from typing import Any, Protocol

import keras_tuner

from kerasnets.errors import InputError
from kerasnets.search.sample import RejectedSample, SampleFacts, check_sample

__all__ = ["RejectedSample", "SampleFacts", "Space", "check_sample", "hyperparameters", "load_space"]

# Scopes in scopes are found one after the other; a file that never stops finding more goes round in circles.
_MOST_BUILDS = 1_000


class Space(Protocol):
    """What may vary.

    Attributes:
        name: ``built-in``, or the file.
    """

    name: str

    def settings(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Declares what may vary, and returns fields of `TrainConfig` for the values that `hp` holds.

        They are arch, arch_options and whatever else the space decides, never dataset, epochs or seed.
        """

    def describe(self) -> dict[str, Any]:
        """Everything that decides the space, as JSON types: two spaces that differ have different descriptions."""

    def declare(self, hp: keras_tuner.HyperParameters, image_shape: tuple[int, int, int], num_classes: int) -> None:
        """Declares what may vary, where it takes the data's shape to know that."""


def load_space(path: str | None, dataset: str, arch: str | None = None, *, image_size: int | None = None) -> Space:
    """Returns a space.

    Args:
        path: A Python file (``.py``) or a YAML file (``.yaml``, ``.yml``); None for the built-in space.
        dataset: Name of the data set, by which defaults and augmentation are chosen.
        arch: A network to keep, so that the built-in space varies its training only.
        image_size: Height and width that all images are brought to, if the search does that.

    Raises:
        InputError: The file is missing or wrong, or names a network beside `arch`.
    """
    if path is None:
        from kerasnets.search.built_in_space import BuiltInSpace

        return BuiltInSpace(dataset, arch, image_size=image_size)
    suffix = Path(path).suffix.lower()
    if suffix == ".py":
        from kerasnets.search.python_space import PythonSpace

        if arch is not None:
            raise InputError(f"{path} builds a network of its own. Received: arch {arch!r} beside it. Leave one out.")
        return PythonSpace(path, dataset)
    if suffix in (".yaml", ".yml"):
        from kerasnets.search.yaml_space import YamlSpace

        return YamlSpace(path, dataset, arch)
    raise InputError(f"A space must be a Python file (.py) or a YAML file (.yaml). Received: {path}.")


def hyperparameters(space: Space, image_shape: tuple[int, int, int], num_classes: int) -> keras_tuner.HyperParameters:
    """Finds everything that a space declares, in whatever scope, with default values for what is active.

    Args:
        space: Whose `declare` is called until every conditional scope was active once.
        image_shape: `(height, width, channels)` of the data.
        num_classes: Of the data.

    Raises:
        InputError: The space declares nothing, or never the same.
    """
    found = keras_tuner.HyperParameters()
    hp = found.copy()
    waiting: list[list] = []
    seen: list[list] = []
    for _ in range(_MOST_BUILDS):
        space.declare(hp, image_shape, num_classes)
        found.merge(hp, overwrite=False)
        seen += [scope for scope in hp.active_scopes if scope not in seen]
        waiting += [scope for scope in hp.inactive_scopes if scope not in waiting]
        waiting = [scope for scope in waiting if scope not in seen]
        if not waiting:
            break
        hp = found.copy()
        hp.values = {condition.name: condition.values[0] for condition in waiting[0]}
        _fill(hp)
        # A scope that its own conditions exclude (never true together) is not waited for.
        seen.append(waiting[0])
    else:
        raise InputError(f"{space.name} declares new hyperparameters again and again. Give them fixed names.")
    if not found.space:
        raise InputError(f"{space.name} must let something vary. Received: nothing. Give a setting a range or a list.")
    found.values = {}
    _fill(found)
    return found


def _fill(hp: keras_tuner.HyperParameters) -> None:
    """Gives what is active and has no value its default; keras-tuner's own method draws at random."""
    for one in hp.space:
        if hp.is_active(one) and one.name not in hp.values:
            hp.values[one.name] = one.default
