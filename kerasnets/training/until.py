"""`Until`: where a run is to pause."""

import math
from dataclasses import dataclass

from kerasnets.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Until:
    """Where a run pauses, to be gone on with later; whichever comes first, and with neither at its end.

    Attributes:
        epochs: At the end of this epoch, counted from 1.
        seconds: After this much of the run's own time (``summary["seconds"]["total"]``): at the end of the call of
            steps in which it passes, and of the epoch if that was its last call.

    Raises:
        InputError: A number is not above zero.
    """

    epochs: int | None = None
    seconds: float | None = None

    def __post_init__(self):
        if self.epochs is not None and (type(self.epochs) is not int or self.epochs < 1):
            raise InputError(f"A run pauses after a whole number of epochs above zero. Received: {self.epochs!r}.")
        if self.seconds is not None and not (
            type(self.seconds) in (int, float) and math.isfinite(self.seconds) and self.seconds > 0
        ):
            raise InputError(f"A run pauses after a number of seconds above zero. Received: {self.seconds!r}.")

    def reached(self, epochs: float, seconds: float) -> bool:
        """Whether a run that has come so far is to pause."""
        return (self.epochs is not None and epochs >= self.epochs) or (
            self.seconds is not None and seconds >= self.seconds
        )
