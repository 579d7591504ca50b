"""A user's own space: a YAML file of ranges over the settings of a training run."""

import hashlib
import json
from pathlib import Path
from typing import Any

import keras_tuner
import yaml

from kerasnets.errors import InputError, closest
from kerasnets.models.options import check_options, model_facts
from kerasnets.recipes import recipe, resolve_arch
from kerasnets.search.yaml_ranges import Range, declare_range, read_range
from kerasnets.training.config import PLACE_FIELDS, TrainConfig

# What belongs to the search and not to its trials.
_NOT_OF_A_SPACE = ("dataset", "seed", "epochs", "max_time", "validation", "limit_train", *PLACE_FIELDS)
EXAMPLE = """\
arch: speednet
arch_options:
  width: [32, 64]
learning_rate: {min: 0.05, max: 0.5, log: true}
schedule: [linear, cosine]
label_smoothing: 0.1
"""


class YamlSpace:
    """Varies any setting of `kerasnets-train`: a list is a choice, ``{min: , max: }`` a range, a single value fixed.

    What the file does not name is as in the recipe of the data set and network. With several networks each has its
    own recipe.

    Args:
        path: The file, such as `EXAMPLE`; ``arch`` may be left out for the best network.
        dataset: Name of the data set.
        arch: A network in place of one that the file does not name.

    Raises:
        InputError: The file is missing or no YAML, or a key or value is wrong; the message names file and key.
    """

    def __init__(self, path: str, dataset: str, arch: str | None = None):
        self.name = str(path)
        self._dataset = dataset
        values = _read(Path(path).expanduser())
        if arch is not None and "arch" in values and values["arch"] != arch:
            raise InputError(
                f"{path} names its network, {values['arch']!r}. Received: arch {arch!r} beside it. Leave one out."
            )
        self._values = {"arch": arch or "best"} | values
        try:
            self._ranges = self._read_ranges()
        except InputError as error:
            raise InputError(f"{path}: {error}") from None

    def settings(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Returns the recipe with what the values of `hp` change."""
        chosen = {name: declare_range(hp, one) for name, one in self._ranges.items()}
        arch = chosen.pop("arch")
        base = recipe(self._dataset, arch)
        options = dict(base.arch_options)
        for name in [name for name in chosen if name.startswith("arch_options.")]:
            options[name.removeprefix("arch_options.")] = chosen.pop(name)
        settings = {name: value for name, value in base.to_dict().items() if name not in _NOT_OF_A_SPACE}
        plain = TrainConfig(dataset=self._dataset, arch=base.arch).to_dict()
        changed = {name: value for name, value in settings.items() if value != plain[name]}
        return changed | {"arch": base.arch, "arch_options": options} | chosen

    def declare(self, hp: keras_tuner.HyperParameters, image_shape: tuple[int, int, int], num_classes: int) -> None:
        """Declares what may vary."""
        self.settings(hp)

    def describe(self) -> dict[str, Any]:
        """The values of the file, whatever their order and layout, and the recipe that they stand on."""
        hp = keras_tuner.HyperParameters()
        base = json.dumps(self.settings(hp), sort_keys=True)
        return {"space": "yaml", "values": self._values, "recipe": hashlib.sha256(base.encode()).hexdigest()[:16]}

    def _read_ranges(self) -> dict[str, Range]:
        ranges = {"arch": self._arch_range()}
        archs = [resolve_arch(self._dataset, arch) for arch in ranges["arch"].choices]
        base = recipe(self._dataset, archs[0])
        for name, value in self._values.items():
            if name == "arch_options":
                ranges |= self._option_ranges(value, archs, base.arch_options)
            elif name != "arch":
                _check_key(name)
                kind = TrainConfig.__dataclass_fields__[name].type

                def check(value: Any, name: str = name) -> None:
                    base.replace(**{name: value})

                ranges[name] = read_range(name, value, kind, getattr(base, name), check)
        return ranges

    def _arch_range(self) -> Range:
        def check(value: Any) -> None:
            check_options(resolve_arch(self._dataset, value), {})

        return read_range("arch", self._values["arch"], str, None, check)

    def _option_ranges(self, values: Any, archs: list[str], usual: dict[str, Any]) -> dict[str, Range]:
        if not isinstance(values, dict):
            raise InputError(
                f"arch_options must be options with values, such as {{width: [32, 64]}}. Received: {values!r}."
            )
        ranges = {}
        for option, value in values.items():

            def check(value: Any, option: str = option) -> None:
                for arch in archs:
                    check_options(arch, {option: value})

            default = usual.get(option)
            fact = model_facts(archs[0]).options.get(option) if not archs[0].startswith("file:") else None
            kind = type(value if fact is None else fact.default)
            name = f"arch_options.{option}"
            ranges[name] = read_range(name, value, kind, default if fact is None or default else fact.default, check)
        return ranges


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise InputError(f"A space must be a file. Received: {path}, which is none.")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} must be YAML. Received: {str(error).splitlines()[0]}.") from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise InputError(f"{path} must hold settings, one 'name: value' a line. Received: {values!r}.")
    return values


def _check_key(name: str) -> None:
    known = [field for field in TrainConfig.__dataclass_fields__ if field not in _NOT_OF_A_SPACE]
    if name in _NOT_OF_A_SPACE:
        raise InputError(
            f"{name} must not be part of a space, it belongs to the search. Received: {name}. Take it out."
        )
    if name not in known:
        raise InputError(f"Unknown setting {name!r}. {closest(name, known)}")
