"""The space that comes with kerasnets: networks of stages of blocks and their training, or one network's training."""

from typing import Any

import keras_tuner

from kerasnets.models import check_options
from kerasnets.recipes import recipe
from kerasnets.search.network_choices import choose_network, poolings_for
from kerasnets.search.recipe_choices import choose_early_sizes, choose_recipe, side_of


class BuiltInSpace:
    """Varies the layout of network `blocks`, of which every published network is a point, and how it is trained.

    Args:
        dataset: Name of the data set, which decides on defaults and augmentation: written digits are not mirrored.
        arch: A network to keep, with the options of its recipe; then only the training varies.
        image_size: Height and width that all images are brought to, if they are.

    Raises:
        InputError: There is no such network.
    """

    name = "built-in"

    def __init__(self, dataset: str, arch: str | None = None, *, image_size: int | None = None):
        self._dataset, self._side = dataset, side_of(dataset, image_size)
        self._kept = None if arch is None else recipe(dataset, arch)
        if self._kept is not None:
            check_options(self._kept.arch, self._kept.arch_options)

    def settings(self, hp: keras_tuner.HyperParameters) -> dict[str, Any]:
        """Returns arch, arch_options and the training for the values of `hp`."""
        if self._kept is not None:
            speednet = self._kept.arch == "speednet"
            network = {"arch": self._kept.arch, "arch_options": self._kept.arch_options}
            return network | choose_recipe(hp, self._dataset, self._side, offsets_only=speednet)
        options = choose_network(hp, self._side)
        offsets_only = options["normalization"] == "batch_no_scale" and not options["logits_bias"]
        settings = choose_recipe(hp, self._dataset, self._side, offsets_only=offsets_only)
        with (
            hp.conditional_scope("poolings", poolings_for(self._side)[1:]),
            hp.conditional_scope("head", ["max", "average"]),  # with any other the weights depend on the size
        ):
            early = choose_early_sizes(hp, self._side, bool(recipe(self._dataset).early_sizes))
        return {"arch": "blocks", "arch_options": options} | settings | early

    def declare(self, hp: keras_tuner.HyperParameters, image_shape: tuple[int, int, int], num_classes: int) -> None:
        """Declares what may vary."""
        self.settings(hp)

    def describe(self) -> dict[str, Any]:
        """The hyperparameters and the data set they are for."""
        hp = keras_tuner.HyperParameters()
        self.settings(hp)
        kept = {} if self._kept is None else {"arch": self._kept.arch, "arch_options": self._kept.arch_options}
        return {"space": self.name, "hyperparameters": hp.get_config()["space"]} | kept
