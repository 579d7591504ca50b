"""Draws the figures of a run folder from the files in it."""

import io
import json
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from kerasnets.errors import InputError
from kerasnets.evaluation.metrics import confusion_matrix
from kerasnets.reporting.confusion import confusion_figure
from kerasnets.reporting.curves import curves_figure
from kerasnets.reporting.misclassified import misclassified_figure
from kerasnets.runs.files import write_bytes_atomic


def write_figures(run_path: str | Path, images: np.ndarray | None = None) -> list[Path]:
    """Writes ``curves.png``, ``confusion_matrix.png`` and ``misclassified.png`` into a run folder.

    Args:
        run_path: Run folder with ``summary.json``, ``results.csv``, ``data.json`` and, when it was evaluated,
            ``predictions.npz``.
        images: (n, height, width, channels) uint8 images of the evaluated split, in order. Without them
            ``misclassified.png`` is not drawn.

    Returns:
        The files written. A run without ``predictions.npz`` gets its curves only.

    Raises:
        InputError: When a file is missing or damaged, or the images are not those of the predictions.
    """
    run_path = Path(run_path)
    summary = _read(run_path / "summary.json", lambda path: json.loads(path.read_text(encoding="utf-8")))
    results = _read(run_path / "results.csv", pd.read_csv)
    written = [save_figure(curves_figure(results, summary), run_path / "curves.png")]
    if not (run_path / "predictions.npz").exists():
        return written
    class_names = _read(run_path / "data.json", lambda path: json.loads(path.read_text(encoding="utf-8")))[
        "class_names"
    ]
    labels, log_probabilities = _read(run_path / "predictions.npz", _read_predictions)
    counts = confusion_matrix(labels, log_probabilities.argmax(axis=1), len(class_names))
    figure = confusion_figure(counts, class_names, summary)
    written.append(save_figure(figure, run_path / "confusion_matrix.png"))
    if images is not None:
        if len(images) != len(labels):
            raise InputError(
                f"images must be those of the evaluated split of {run_path}: {len(labels)}. "
                f"Received: {len(images)}. Pass the images of the same split, in order."
            )
        figure = misclassified_figure(images, labels, log_probabilities, class_names, summary)
        written.append(save_figure(figure, run_path / "misclassified.png"))
    return written


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Writes a figure as PNG, whole or not at all, with the same bytes for the same figure."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes; the tables hold it in full.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png", metadata={"Software": None})
    write_bytes_atomic(path, buffer.getvalue())
    return Path(path)


def _read_predictions(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with np.load(path, allow_pickle=False) as arrays:
        return arrays["labels"], arrays["log_probabilities"]


def _read(path: Path, reader: Any) -> Any:
    try:
        return reader(path)
    except FileNotFoundError:
        raise InputError(f"a run folder must hold {path.name}. Received: {path}, which does not exist.") from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path} must be the file that training wrote. Received: a damaged one ({reason}).") from None
