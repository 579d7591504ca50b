"""Arrays to numbers: accuracy intervals, confusion matrix, losses and the table per class. NumPy and pandas only."""

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
import pandas as pd

from kerasnets.errors import InputError, closest

LOSSES = ("cross_entropy", "mse", "cross_entropy_on_probabilities")


def wilson_interval(correct: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of a proportion, sensible near 0 and 1 and for small n.

    Args:
        correct: Number of successes, 0 to n.
        n: Number of trials. 0 gives (nan, nan).
        confidence: Two-sided level in (0, 1).

    Returns:
        (low, high), each in [0, 1].

    Source:
        Wilson 1927, "Probable inference, the law of succession, and statistical inference", without continuity
        correction.
    """
    if n == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = correct / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half_width = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, centre - half_width), min(1.0, centre + half_width)


def confusion_matrix(labels: np.ndarray, predictions: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts examples by true class (row) and predicted class (column).

    Args:
        labels: (n,) integers in 0..num_classes-1.
        predictions: (n,) integers in 0..num_classes-1.
        num_classes: Size of the square matrix.

    Returns:
        (num_classes, num_classes) int64.

    Raises:
        InputError: When the lengths differ or a class index is out of range.
    """
    labels, predictions = np.asarray(labels, np.int64), np.asarray(predictions, np.int64)
    if labels.shape != predictions.shape or labels.ndim != 1:
        raise InputError(
            f"labels and predictions must be two lists of the same length. "
            f"Received shapes: {labels.shape} and {predictions.shape}. Pass one prediction for each label."
        )
    for name, indices in (("labels", labels), ("predictions", predictions)):
        if indices.size and not 0 <= indices.min() <= indices.max() < num_classes:
            raise InputError(
                f"{name} must lie in 0..{num_classes - 1} for {num_classes} classes. "
                f"Received: {indices.min()}..{indices.max()}. Check that they belong to these class names."
            )
    counts = np.bincount(labels * num_classes + predictions, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes).astype(np.int64)


def example_losses(log_probabilities: np.ndarray, labels: np.ndarray, loss: str = "cross_entropy") -> np.ndarray:
    """The loss of each example.

    Args:
        log_probabilities: (n, classes) natural logarithms of the probabilities.
        labels: (n,) integers in 0..classes-1.
        loss: ``cross_entropy`` is -log p(label); ``mse`` is the squared distance of p from the one-hot label, averaged
            over classes; ``cross_entropy_on_probabilities`` is the cross entropy of log_softmax(p), the mistake of
            feeding probabilities where logits belong.

    Returns:
        (n,) float64.

    Raises:
        InputError: For an unknown loss.
    """
    if loss not in LOSSES:
        raise InputError(f"loss must be the name of a known loss. Received: '{loss}'. {closest(loss, LOSSES)}")
    log_p = np.asarray(log_probabilities, np.float64)
    rows = np.arange(len(labels))
    if loss == "mse":
        distance = np.exp(log_p)
        distance[rows, labels] -= 1.0
        return np.square(distance).mean(axis=1)
    if loss == "cross_entropy_on_probabilities":
        p = np.exp(log_p)
        # p is in [0, 1], so the exponential cannot overflow and needs no shift.
        log_p = p - np.log(np.sum(np.exp(p), axis=1, keepdims=True))
    return -log_p[rows, labels]


def mean_loss(log_probabilities: np.ndarray, labels: np.ndarray, loss: str = "cross_entropy") -> float:
    """Mean over examples of `example_losses`, summed in float64; nan when there are no examples.

    Raises:
        InputError: For an unknown loss.
    """
    losses = example_losses(log_probabilities, labels, loss)
    return float(losses.mean()) if len(losses) else math.nan


def per_class_table(labels: np.ndarray, predictions: np.ndarray, class_names: Sequence[str]) -> pd.DataFrame:
    """One row per class: how often it is recognised, how far to trust that, and what it is taken for.

    Args:
        labels: (n,) integers in 0..classes-1.
        predictions: (n,) integers in 0..classes-1.
        class_names: Names in index order.

    Returns:
        DataFrame with the columns class, index, support, correct, accuracy, ci_low, ci_high (95 % Wilson interval),
        precision, recall, f1, most_confused_with. A ratio whose denominator is zero is NaN: accuracy and recall of a
        class without examples, precision of a class that is never predicted. ``most_confused_with`` is, for example,
        ``"cat (31)"``: the class most often predicted for this class's mistakes (the first one of equals), and how
        often; empty without mistakes.
    """
    counts = confusion_matrix(labels, predictions, len(class_names))
    support, predicted, correct = counts.sum(axis=1), counts.sum(axis=0), np.diag(counts)
    intervals = np.array([wilson_interval(int(k), int(n)) for k, n in zip(correct, support, strict=True)])
    recall = _ratio(correct, support)
    return pd.DataFrame(
        {
            "class": list(class_names),
            "index": np.arange(len(class_names)),
            "support": support,
            "correct": correct,
            "accuracy": recall,
            "ci_low": intervals[:, 0],
            "ci_high": intervals[:, 1],
            "precision": _ratio(correct, predicted),
            "recall": recall,
            "f1": _ratio(2 * correct, support + predicted),
            "most_confused_with": _most_confused_with(counts, class_names),
        }
    )


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(whole), np.nan), where=whole > 0)


def _most_confused_with(counts: np.ndarray, class_names: Sequence[str]) -> list[str]:
    mistakes = counts - np.diag(np.diag(counts))
    largest = mistakes.argmax(axis=1)
    return [
        f"{class_names[other]} ({row[other]})" if row[other] else ""
        for row, other in zip(mistakes, largest, strict=True)
    ]
