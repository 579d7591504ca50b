"""`Study`: a question put to networks: what varies, which published numbers and claims it is held against."""

import dataclasses
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kerasnets.errors import InputError, closest
from kerasnets.models.options import check_options
from kerasnets.recipes import recipe
from kerasnets.training.config import TrainConfig
from pipelines.dataset_names import whole_path

# quantity: (what it is, whether it is a share, printed in per cent)
QUANTITIES: dict[str, tuple[str, bool]] = {
    "test_accuracy": ("test accuracy", True),
    "train_accuracy": ("train accuracy", True),
    "test_loss": ("test loss", False),
    "train_loss": ("train loss", False),
    "test_objective": ("test loss with the L2 penalty", False),
    "gradient_norm": ("norm of the gradient, mean over the steps of an epoch", False),
    "gap": ("train accuracy minus test accuracy", True),
    "late_dip": ("best test accuracy of all epochs minus that of the last", True),
    "train_seconds": ("seconds of training, without set-up and evaluation", False),
    "class_accuracy": ("test accuracy of one class", True),
}
# Those that belong to a run as a whole and not to an epoch of it.
_OF_A_RUN = ("late_dip", "train_seconds", "class_accuracy")
# Fields of `TrainConfig` that a study leaves to whoever runs it.
_OF_THE_COMMAND = ("seed", "output", "threads")
_PUBLISHED_PRECISION = "float32"


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that a run has.

    Attributes:
        quantity: One of `QUANTITIES`.
        epoch: After which epoch, counted from 1; without it after the last, the rule of the published reports.
        class_name: Of which class (``class_accuracy``).
    """

    quantity: str = "test_accuracy"
    epoch: int | None = None
    class_name: str | None = None

    def __post_init__(self):
        if self.quantity not in QUANTITIES:
            raise InputError(f"Unknown quantity {self.quantity!r}. {closest(str(self.quantity), QUANTITIES)}")
        if self.epoch is not None and (type(self.epoch) is not int or self.epoch < 1):
            raise InputError(f"epoch must be a whole number from 1. Received: {self.epoch!r}.")
        if self.epoch is not None and self.quantity in _OF_A_RUN:
            raise InputError(f"{self.quantity} belongs to a whole run. Received: epoch {self.epoch}. Leave it out.")
        if (self.class_name is not None) != (self.quantity == "class_accuracy"):
            raise InputError(f"class_name belongs to class_accuracy, and only to it. Received: {self}.")

    @property
    def is_share(self) -> bool:
        """Whether it is a share between 0 and 1, which is printed in per cent."""
        return QUANTITIES[self.quantity][1]

    def __str__(self) -> str:
        name = f"test accuracy of {self.class_name}" if self.class_name else QUANTITIES[self.quantity][0].split(",")[0]
        return name + (f" after epoch {self.epoch}" if self.epoch else "")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One way to train, that is to say one line of what varies.

    Attributes:
        name: Unique in its study: ``"batch 32"``.
        config: Fields of `TrainConfig` that differ from the study's ``base``.
        note: A known difference from the published protocol; then no row of it can be REPRODUCED.
    """

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """A published number.

    Attributes:
        setting: Name of the setting that it belongs to.
        measure: What was measured.
        published: The number, a share (0.87) where the report prints per cent; the lower end of a range.
        upper: The upper end of a range; without it the number stands alone.
        rounding: Half a unit of its last printed digit: 0.005 for ``"87 %"``.
        impossible: Why the published number cannot be right; then it is reported as such and not compared.
    """

    setting: str
    measure: Measure = field(default_factory=Measure)
    published: float
    upper: float | None = None
    rounding: float
    impossible: str = ""

    def __post_init__(self):
        numbers = (self.published, self.upper if self.upper is not None else self.published, self.rounding)
        good = all(isinstance(number, int | float) and math.isfinite(number) for number in numbers)
        if not good or numbers[1] < numbers[0] or self.rounding < 0:
            raise InputError(
                f"A row must have a published number, a rounding of at least 0 and, if any, an upper end above it. "
                f"Received: {numbers} for {self.setting!r}."
            )


@dataclass(frozen=True, kw_only=True)
class Point:
    """A measure of a setting: what a comparison compares.

    Attributes:
        setting: Name of the setting.
        measure: What of it.
    """

    setting: str
    measure: Measure = field(default_factory=Measure)

    def __str__(self) -> str:
        return f"{self.measure} of {self.setting!r}"


def point(setting: str, quantity: str = "test_accuracy", epoch: int | None = None) -> Point:
    """A measure of a setting, after its last epoch if none is named."""
    return Point(setting=setting, measure=Measure(quantity=quantity, epoch=epoch))


@dataclass(frozen=True, kw_only=True)
class Higher:
    """The first point is higher than the second.

    Attributes:
        first: Said to be higher.
        second: Than this.
        by: By more than this, in the measure's unit (0.01 is a point of accuracy).
    """

    first: Point
    second: Point
    by: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Equal:
    """Two points differ by less than a margin.

    Attributes:
        first: One.
        second: The other.
        margin: Smallest difference that would matter, in the measure's unit.
    """

    first: Point
    second: Point
    margin: float

    def __post_init__(self):
        if not self.margin > 0:
            raise InputError(f"margin must be above 0: nothing is equal within nothing. Received: {self.margin!r}.")


@dataclass(frozen=True, kw_only=True)
class Diverges:
    """Every run of a setting ends without having learned: a loss that is no number, or accuracy at chance.

    Attributes:
        setting: Name of the setting.
    """

    setting: str


Comparison = Higher | Equal | Diverges


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A published sentence, and the comparisons that must all hold if it is true.

    Attributes:
        text: The sentence.
        comparisons: What it says of the settings.
    """

    text: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, kw_only=True)
class Study:
    """A question, the runs that answer it, and what others have published about it.

    Attributes:
        name: Name on the command line, and of its folder.
        question: What it asks, in a sentence.
        dataset: As in `TrainConfig`.
        base: Fields of `TrainConfig` that all settings share, over the recipe of data set and network.
        settings: What varies.
        seeds: How many seeds each setting is run with unless --seeds says so.
        rows: Published numbers.
        claims: Published claims.
        assumes: What the publication leaves open and how it is filled in here.
        published_cost: What the publication says its runs took, in words.
        train_images: How many training images the data set has; --scale takes a share of them, and without this number
            only of the epochs.
    """

    name: str
    question: str
    dataset: str
    base: dict[str, Any] = field(default_factory=dict)
    settings: tuple[Setting, ...]
    seeds: int = 3
    rows: tuple[Row, ...] = ()
    claims: tuple[Claim, ...] = ()
    assumes: tuple[str, ...] = ()
    published_cost: str = ""
    train_images: int | None = None

    def __post_init__(self):
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", self.name) or self.name == "cells" or "-scale-" in self.name:
            raise InputError(
                "A study's name must be letters, digits, '-', '_' and '.', not cells, and without -scale- in it. "
                f"Received: {self.name!r}."
            )
        if type(self.seeds) is not int or self.seeds < 1:
            raise InputError(f"seeds must be a whole number from 1. Received: {self.seeds!r}.")
        if self.train_images is not None and (type(self.train_images) is not int or self.train_images < 1):
            raise InputError(f"train_images must be a whole number from 1. Received: {self.train_images!r}.")
        names = [setting.name for setting in self.settings]
        if not names:
            raise InputError(f"Study {self.name!r} must have at least one setting. Received: none.")
        double = {name for name in names if names.count(name) > 1}
        if double:
            raise InputError(f"Settings of study {self.name!r} must have different names. Received twice: {double}.")
        for name in self._settings_named():
            if name not in names:
                raise InputError(f"Study {self.name!r} has no setting {name!r}. {closest(name, names)}")
        for setting in self.settings:
            self.config(setting, seed=0)

    def _settings_named(self) -> Iterator[str]:
        yield from (row.setting for row in self.rows)
        for comparison in (comparison for claim in self.claims for comparison in claim.comparisons):
            if isinstance(comparison, Diverges):
                yield comparison.setting
            else:
                yield from (comparison.first.setting, comparison.second.setting)

    def config(self, setting: Setting, *, seed: int) -> TrainConfig:
        """Returns the whole configuration of a run.

        Precision is float32 and the test split is evaluated after every epoch, to be plotted and never to choose by,
        unless the study says otherwise.

        Raises:
            InputError: A field is unknown or wrong; the message names the setting.
        """
        values = {"precision": _PUBLISHED_PRECISION} | self.base | setting.config
        try:
            for key in _OF_THE_COMMAND:
                if key in values:
                    raise InputError(f"{key} belongs to the command that runs the study. Received: {values[key]!r}.")
            config = recipe(
                whole_path(values.pop("dataset", self.dataset)), values.pop("arch", "best"), **(values | {"seed": seed})
            )
            # Written out as training writes them out, so that the same network has one name.
            options = check_options(config.arch, config.arch_options)
            test_curve = config.test_curve if "test_curve" in values else config.epochs
            return dataclasses.replace(config, arch_options=options, test_curve=test_curve)
        except InputError as error:
            raise InputError(f"Setting {setting.name!r} of study {self.name!r}: {error}") from None

    def in_precision(self, precision: str) -> "Study":
        """Returns the same study computed in another number format, with a name of its own: ``cifarnet-bfloat16``.

        Args:
            precision: ``"float32"``, which is the study itself, or ``"bfloat16"``.

        Raises:
            InputError: The format is another, or the study says itself in what it is computed.
        """
        if precision not in (_PUBLISHED_PRECISION, "bfloat16"):
            raise InputError(f"--precision must be {_PUBLISHED_PRECISION} or bfloat16. Received: {precision!r}.")
        if precision == _PUBLISHED_PRECISION:
            return self
        if any("precision" in values for values in (self.base, *(setting.config for setting in self.settings))):
            raise InputError(
                f"Study {self.name!r} says itself in which precision it is computed. "
                f"Received: --precision {precision}. Leave the flag out."
            )
        return dataclasses.replace(
            self,
            name=f"{self.name}-{precision}",
            base=self.base | {"precision": precision},
            assumes=(*self.assumes, f"Networks are computed in {precision}, with weights and losses in float32."),
        )

    def setting(self, name: str) -> Setting:
        """Returns the setting of a name.

        Raises:
            InputError: There is none.
        """
        for setting in self.settings:
            if setting.name == name:
                return setting
        raise InputError(
            f"Study {self.name!r} has no setting {name!r}. {closest(name, [s.name for s in self.settings])}"
        )
