"""A user's own space: a Python file that builds networks from keras-tuner's hyperparameters."""

import hashlib
from pathlib import Path
from typing import Any

import keras_tuner

from kerasnets.errors import InputError
from kerasnets.models.file_network import build_from_file, file_settings, load_file
from kerasnets.models.options import FILE
from kerasnets.recipes import own_network
from kerasnets.training.config import check_keys


class PythonSpace:
    """Varies what the file's `build(hp, image_shape, num_classes)` and, if there is one, `settings(hp)` declare.

    A sample is network ``file:PATH`` with the values that `build` has asked for as its options, and the fields of
    `TrainConfig` that `settings` returns; others are those of the recipe for networks of one's own.

    Args:
        path: The file. It is run: take none from people you do not trust.
        dataset: Name of the data set.

    Raises:
        InputError: There is no such file, it fails, or it has no `build`.
    """

    def __init__(self, path: str, dataset: str):
        self.name = str(path)
        self._path = Path(path).expanduser().absolute()
        load_file(self._path)
        self._dataset = dataset
        self._options: set[str] = set()

    def declare(self, hp: keras_tuner.HyperParameters, image_shape: tuple[int, int, int], num_classes: int) -> None:
        """Builds a network for the values of `hp`, and asks for the settings.

        Raises:
            InputError: The file's functions fail or return something else than they should.
        """
        # Apart, to tell what belongs to the network from what belongs to its training.
        own = keras_tuner.HyperParameters()
        own.values = dict(hp.values)
        build_from_file(self._path, own, image_shape, num_classes)
        self._options |= {one.name for one in own.space}
        hp.merge(own, overwrite=False)
        hp.values = own.values | hp.values
        hp.active_scopes += own.active_scopes
        hp.inactive_scopes += own.inactive_scopes
        self._check(file_settings(self._path, hp))

    def settings(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Returns the network with its options and the training for the values of `hp`, once `declare` was called.

        Raises:
            InputError: `settings` of the file fails.
        """
        options = {name: hp.values[name] for name in sorted(self._options) if hp.is_active(name) and name in hp.values}
        arch = f"{FILE}{self._path}"
        return {"arch": arch, "arch_options": options} | self._training(hp)

    def describe(self) -> dict[str, Any]:
        """The text of the file; what it imports is not followed."""
        return {"space": "python", "sha256": hashlib.sha256(self._path.read_bytes()).hexdigest()}

    def _training(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        usual = own_network(self._dataset)
        del usual["epochs"]
        return usual | self._check(file_settings(self._path, hp))

    def _check(self, settings: dict[str, Any]) -> dict[str, Any]:
        try:
            check_keys(settings)
        except InputError as error:
            raise InputError(f"{self.name}: settings(hp): {error}") from None
        return settings
