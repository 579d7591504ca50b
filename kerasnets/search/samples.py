"""`Samples`: random choices from a space, each one new and accepted."""

import hashlib
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kerasnets.errors import InputError

# Why samples cannot be taken is told after so many in a row.
_MOST_REJECTED = 1000
# A space is used up when so many draws in a row give nothing new.
_MOST_SEEN = 1000
# How far a number moves near another one, as a share of its range.
_NEAR = 0.1


class Samples:
    """Draws what has not been drawn before, and remembers what was refused.

    The first choice is the space's own defaults: what is known to work is what all others are compared with.

    Args:
        space: keras-tuner's hyperparameters, each after those that it depends on.
        accept: Asked about each new choice; returns why it cannot be taken, or None.
        seed: Same seed, same draws.

    Attributes:
        rejected: How many choices were refused, by reason.
        exhausted: Whether the space holds no more.
    """

    def __init__(self, space: Sequence[Any], accept: Callable[[dict[str, Any]], str | None], seed: int):
        self.space, self.seed = space, seed
        self.rejected: Counter[str] = Counter()
        self.exhausted = False
        self._accept = accept
        self._drawn = 0
        self._taken: set[str] = set()
        self._refused: set[str] = set()

    def draw(self) -> dict[str, Any] | None:
        """Returns a new choice, which is taken; None if the space holds no more.

        Raises:
            InputError: A thousand in a row are refused, or all that there are.
        """
        seen, refused_before = 0, len(self._refused)
        while seen < _MOST_SEEN and not self.exhausted:
            # Python's own generator: its numbers for a seed are the same in every release, and for every text of one.
            generator = random.Random(f"{self.seed} {self._drawn}")
            values = draw_values(self.space, generator) if self._drawn else default_values(self.space)
            self._drawn += 1
            known = self.is_known(values)
            if self.take(values):
                return values
            seen = seen + 1 if known else 0
            if len(self._refused) - refused_before >= _MOST_REJECTED:
                raise self._nothing_accepted(f"{_MOST_REJECTED:,} samples in a row were not")
        self.exhausted = True
        if self._refused and not self._taken:
            raise self._nothing_accepted("none of the space is")
        return None

    def take(self, values: dict[str, Any]) -> bool:
        """Takes a choice if it is new and accepted; returns whether it is."""
        if self.is_known(values):
            return False
        reason = self._accept(dict(values))
        if reason is None:
            self._taken.add(_key(values))
        else:
            self._refused.add(_key(values))
            self.rejected[reason] += 1
        return reason is None

    def is_known(self, values: dict[str, Any]) -> bool:
        """Whether a choice was taken or refused before."""
        return _key(values) in self._taken or _key(values) in self._refused

    def get_state(self) -> dict[str, Any]:
        """Returns all that changes, of JSON types."""
        return {
            "drawn": self._drawn,
            "taken": sorted(self._taken),
            "refused": sorted(self._refused),
            "rejected": dict(self.rejected),
            "exhausted": self.exhausted,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Goes on from what `get_state` returned."""
        self._drawn, self.exhausted = int(state["drawn"]), bool(state["exhausted"])
        self._taken, self._refused = set(state["taken"]), set(state["refused"])
        self.rejected = Counter(state["rejected"])

    def _nothing_accepted(self, received: str) -> InputError:
        reasons = "; ".join(f"{count:,} times: {reason}" for reason, count in self.rejected.most_common(3))
        return InputError(
            f"Samples that can be trained are needed. Received: {received} ({reasons}). Narrow the space or allow more."
        )


def default_values(space: Iterable[Any]) -> dict[str, Any]:
    """Returns the default of each hyperparameter that is active with those before it."""
    values: dict[str, Any] = {}
    for hp in space:
        if all(condition.is_active(values) for condition in hp.conditions):
            values[hp.name] = hp.default
    return values


def draw_values(
    space: Iterable[Any], generator: random.Random, near: dict[str, Any] | None = None, share: float = 1.0
) -> dict[str, Any]:
    """Returns values for the hyperparameters that are active.

    Args:
        space: The hyperparameters, each after those that it depends on.
        generator: Its state decides the values.
        near: A choice that the values are to resemble.
        share: How many of its values are not kept: numbers are moved a little, or drawn again like all others.
    """
    values: dict[str, Any] = {}
    for hp in space:
        if not all(condition.is_active(values) for condition in hp.conditions):
            continue
        known = near is not None and hp.name in near
        if known and generator.random() >= share:
            values[hp.name] = near[hp.name]
        elif known and hasattr(hp, "sampling") and generator.random() < 0.5:
            moved = hp.value_to_prob(near[hp.name]) + generator.gauss(0.0, _NEAR)
            values[hp.name] = hp.prob_to_value(min(max(moved, 0.0), 1.0 - 1e-9))
        else:
            values[hp.name] = hp.prob_to_value(generator.random())
    return values


def _key(values: dict[str, Any]) -> str:
    text = "\n".join(f"{name}={values[name]!r}" for name in sorted(values))
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:32]
