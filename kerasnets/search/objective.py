"""What trials are ranked by: a score of validation accuracy and cost, higher is better."""

# Tan et al. 2019, https://arxiv.org/abs/1807.11626, equations 2 and 3: with this power, twice the cost is worth about
# 5 % more accuracy. The reference scales all scores alike and changes no ranking.
_POWER = -0.07
_REFERENCE_FLOPS = 1e8
WORST = 0.0


def score(objective: str, val_accuracy: float, flops: int) -> float:
    """Returns the score of a trial.

    Args:
        objective: ``val_accuracy``, ``accuracy_at_seconds`` (the same, of trials that had the same time) or
            ``accuracy_per_flop``.
        val_accuracy: Share of the validation images that the last epoch's network gets right.
        flops: Operations of one image's forward pass.
    """
    if objective != "accuracy_per_flop":
        return val_accuracy
    return val_accuracy * (max(1, flops) / _REFERENCE_FLOPS) ** _POWER
