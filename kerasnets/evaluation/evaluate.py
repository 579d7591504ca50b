"""A predictor and a data set to an Evaluation: every example once, classes aligned by name."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from kerasnets.errors import InputError, closest
from kerasnets.evaluation.metrics import confusion_matrix, mean_loss, per_class_table, wilson_interval
from kerasnets.evaluation.predictor import BATCH_SIZE, BatchedPredictor
from pipelines.source import ImageSource


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """What one network does on one split.

    Attributes:
        dataset: Name of the image source.
        split: Name of the split.
        n: Number of examples.
        correct: How many of them were classified correctly.
        accuracy: correct / n, in [0, 1].
        loss: Mean loss over examples.
        interval: 95 % Wilson interval of the accuracy.
        per_class: Table of ``metrics.per_class_table``.
        confusion: (classes, classes) int64, rows true, columns predicted.
        class_names: Names in the data set's order, which all arrays here follow.
        labels: (n,) int32.
        log_probabilities: (n, classes) float32.
        tta: Test-time augmentation that was used.
        accuracy_without_tta: Accuracy of the images alone, equal to accuracy when tta is none.
        selection: How the weights were chosen, for example ``last epoch``; None when unknown.
    """

    dataset: str
    split: str
    n: int
    correct: int
    accuracy: float
    loss: float
    interval: tuple[float, float]
    per_class: pd.DataFrame
    confusion: np.ndarray
    class_names: tuple[str, ...]
    labels: np.ndarray
    log_probabilities: np.ndarray
    tta: str
    accuracy_without_tta: float
    selection: str | None

    def to_json(self) -> dict:
        """The numbers as plain JSON values; what is undefined (NaN) becomes null."""
        return {
            "dataset": self.dataset,
            "split": self.split,
            "n": self.n,
            "correct": self.correct,
            "accuracy": _finite_or_none(self.accuracy),
            "loss": _finite_or_none(self.loss),
            "interval": [_finite_or_none(bound) for bound in self.interval],
            "tta": self.tta,
            "accuracy_without_tta": _finite_or_none(self.accuracy_without_tta),
            "selection": self.selection,
            "per_class": [
                {key: _finite_or_none(value) for key, value in row.items()} for row in self.per_class.to_dict("records")
            ],
        }


def evaluate(
    predictor: BatchedPredictor,
    source: ImageSource,
    split: str = "test",
    *,
    tta: str = "none",
    loss: str | None = None,
    selection: str | None = None,
) -> Evaluation:
    """Evaluates a predictor on one split of a source.

    Args:
        predictor: Live, restored or exported network.
        source: Data set with the same class names, in any order.
        split: ``test``, ``validation`` or ``train``.
        tta: Test-time augmentation, see ``BatchedPredictor.log_probabilities``.
        loss: Name of the loss, see ``metrics.mean_loss``; None takes the predictor's own.
        selection: How the weights were chosen; None takes the predictor's own word.

    Returns:
        The evaluation, in the source's class order.

    Raises:
        InputError: When the split is missing, or the class names or image shapes differ.
    """
    if split not in source.splits:
        raise InputError(
            f"split must be one that '{source.name}' has. Received: '{split}'. {closest(split, source.splits)}"
        )
    if source.image_shape != predictor.image_shape:
        raise InputError(
            f"images of '{source.name}' must have the shape that '{predictor.name}' takes: {predictor.image_shape}. "
            f"Received: {source.image_shape}. Use a data set of that shape."
        )
    order = align_classes(predictor.class_names, source.class_names)
    examples = source.splits[split]
    log_probabilities, plain = (
        answer[:, order] for answer in predictor.with_and_without_tta(examples.images, BATCH_SIZE, tta)
    )
    predictions = log_probabilities.argmax(axis=1)
    correct, n = int(np.sum(predictions == examples.labels)), len(examples.labels)
    return Evaluation(
        dataset=source.name,
        split=split,
        n=n,
        correct=correct,
        accuracy=correct / n if n else float("nan"),
        loss=mean_loss(log_probabilities, examples.labels, loss or predictor.loss),
        interval=wilson_interval(correct, n),
        per_class=per_class_table(examples.labels, predictions, source.class_names),
        confusion=confusion_matrix(examples.labels, predictions, source.num_classes),
        class_names=tuple(source.class_names),
        labels=np.asarray(examples.labels, np.int32),
        log_probabilities=log_probabilities,
        tta=tta,
        accuracy_without_tta=float(np.mean(plain.argmax(axis=1) == examples.labels)) if n else float("nan"),
        selection=selection if selection is not None else predictor.selection,
    )


def align_classes(have: Sequence[str], want: Sequence[str]) -> list[int]:
    """For each name in ``want``, its position in ``have``.

    Raises:
        InputError: When the two do not hold the same names, or a name twice in different places.
    """
    have, want = list(have), list(want)
    if have == want:
        return list(range(len(have)))
    missing, unknown = sorted(set(want) - set(have)), sorted(set(have) - set(want))
    if missing or unknown:
        raise InputError(
            f"the data set must have the {len(have)} classes that the network knows. Received: {len(want)} classes, "
            f"{_some(missing)} unknown to the network, {_some(unknown)} missing in the data. "
            f"Use the data set that it was trained for."
        )
    if len(set(have)) < len(have) or len(have) != len(want):
        raise InputError(
            f"class names must differ from each other to be aligned. Received: {len(have)} and {len(want)} names, "
            f"{len(set(have))} different ones. Rename the classes."
        )
    return [have.index(name) for name in want]


def _some(names: list[str], at_most: int = 3) -> str:
    shown = ", ".join(repr(name) for name in names[:at_most])
    return f"{len(names)} ({shown}{', ...' if len(names) > at_most else ''})" if names else "0"


def _finite_or_none(value):
    return None if isinstance(value, float) and not np.isfinite(value) else value
