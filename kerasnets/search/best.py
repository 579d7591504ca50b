"""``best.yaml``: the winner of a search as settings for `kerasnets-train`, written and read."""

from pathlib import Path
from typing import Any

from kerasnets.recipes import BEST_FILE, read_best
from kerasnets.runs.files import write_text_atomic
from kerasnets.training.config import PLACE_FIELDS, TrainConfig, config_to_yaml

__all__ = ["for_all_images", "read_best", "write_best"]

# Of a trial, and not of what it has found: where it ran, and what it was held against.
_OF_THE_TRIAL = ("validation", "limit_train", "early_stopping", "test_curve")
_SIZES = {"weights": "weights", "flops": "FLOPs an image"}


def for_all_images(config: TrainConfig) -> TrainConfig:
    """The settings of a trial for a run on all training images: none is held out, the last epoch is evaluated.

    Where and how fast the trial ran is forgotten, but for the folder of the data.
    """
    own = [name for name in (*_OF_THE_TRIAL, *PLACE_FIELDS) if name != "data_dir"]
    plain = TrainConfig(dataset=config.dataset, arch=config.arch)
    return config.replace(**{name: getattr(plain, name) for name in own})


def write_best(search_folder: str | Path, config: TrainConfig, facts: dict[str, Any]) -> Path:
    """Writes ``best.yaml``, with which ``kerasnets-train --config`` trains the winner on all training images.

    Args:
        search_folder: Folder of the search.
        config: Of the winner's trial; see `for_all_images` for what is changed.
        facts: Where it comes from, for the head of the file: ``search`` (its name), ``objective``, ``trials`` (of how
            many completed ones it is the best) and, as in its `TrialRecord`, ``trial``, ``score``, ``val_accuracy``,
            ``weights`` and ``flops``. Each may be missing, and others are not used.

    Returns:
        The file.

    Raises:
        OSError: The folder cannot be written.
    """
    path = Path(search_folder, BEST_FILE)
    lines = ["".join(letter if letter.isprintable() else " " for letter in line) for line in _head(path, facts)]
    write_text_atomic(path, "".join(f"# {line}\n" for line in lines) + config_to_yaml(for_all_images(config)))
    return path


def _head(path: Path, facts: dict[str, Any]) -> list[str]:
    trial = f": trial {facts['trial']}" if "trial" in facts else ""
    many = f", of {facts['trials']} that were completed" if "trials" in facts else ""
    lines = [f"The best of search {facts.get('search', path.absolute().parent.name)}{trial}{many}."]
    if facts.get("val_accuracy") is not None:
        share = f"{100 * facts['val_accuracy']:.2f} %"
        lines.append(f"Validation accuracy {share}, which is optimistic: it was chosen by it.")
    if facts.get("objective") is not None and facts.get("score") is not None:
        lines.append(f"Score {facts['score']:.4f} by {facts['objective']}.")
    sizes = [f"{facts[name]:,} {word}" for name, word in _SIZES.items() if facts.get(name) is not None]
    lines += [f"{' and '.join(sizes)}."] if sizes else []
    return [*lines, f"To train it on all training images: kerasnets-train --config {BEST_FILE}"]
