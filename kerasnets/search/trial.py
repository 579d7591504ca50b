"""`TrialRecord`: what is known of one trial of a search, as it lies in its result file."""

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from kerasnets.errors import InputError

RUNNING, COMPLETED, DIVERGED, FAILED = "running", "completed", "diverged", "failed"


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial: a choice of settings, trained for one budget.

    With Hyperband a promoted choice is a trial of its own that goes on in the run folder of its first one.

    Attributes:
        trial: Its number as keras-tuner counts, such as ``0007``.
        run: Its run folder, below the folder of the search.
        values: What was chosen: the active hyperparameters by name.
        status: ``completed``, ``diverged`` (a loss or gradient was not finite; the score is the worst) or ``failed``.
        score: What the search ranks by, higher is better; None if it failed.
        unit: Unit of the budgets, ``epochs`` or ``seconds``.
        budget: What the run had been given when it ended or paused.
        initial_budget: What it had been given before; 0 for a choice that is tried for the first time.
        bracket: Of Hyperband; None otherwise.
        round: Of Hyperband; None otherwise.
        epochs: Passes over the training images so far; not whole if it paused inside one.
        val_accuracy: Of the validation images when it ended or paused.
        val_loss: Likewise.
        train_loss: Of the last epoch.
        weights: Trainable weights.
        flops: Operations of one image's forward pass.
        train_seconds: Time of the run in training, over all its budgets.
        seconds: Time that this trial took, everything included.
        search_seconds: Age of the search when it ended, the time between two calls left out.
        images_per_second: Training speed.
        peak_memory_bytes: Most memory that its process held.
        worker: Who ran it.
        reason: Why it failed, or diverged.
    """

    trial: str
    run: str
    values: dict[str, Any] = field(default_factory=dict)
    status: str
    score: float | None
    unit: str = "epochs"
    budget: float
    initial_budget: float = 0
    bracket: int | None = None
    round: int | None = None
    epochs: float = 0
    val_accuracy: float | None = None
    val_loss: float | None = None
    train_loss: float | None = None
    weights: int | None = None
    flops: int | None = None
    train_seconds: float | None = None
    seconds: float = 0.0
    search_seconds: float = 0.0
    images_per_second: float | None = None
    peak_memory_bytes: int | None = None
    worker: str = ""
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Every attribute as plain JSON types."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "TrialRecord":
        """The record that `to_dict` has written.

        Raises:
            InputError: An attribute is missing, or one is unknown.
        """
        try:
            return cls(**values)
        except TypeError as error:
            raise InputError(f"A record of a trial was expected. Received: {error}.") from None
