"""The card of an exported network: what it is, where it comes from, and what its files must be."""

import json
from pathlib import Path
from typing import Any

from kerasnets.errors import InputError

CARD = "card.json"
_KEYS = ("name", "class_names", "image_shape", "selection", "loss", "config", "sha256")


def read_card(path: str | Path) -> dict[str, Any]:
    """Reads the ``card.json`` of an exported network.

    Raises:
        InputError: There is none, or it is damaged.
    """
    card = Path(path) / CARD
    if not card.is_file():
        raise InputError(
            f"An exported network has a {CARD}. Received: {path}, which has none. "
            f"Use tf.saved_model.load for a SavedModel of another maker, if you trust it."
        )
    try:
        values = json.loads(card.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{card} must be JSON. Received: {error}. Export the run again.") from None
    missing = [key for key in _KEYS if not isinstance(values, dict) or key not in values]
    if missing:
        raise InputError(f"{card} must say {', '.join(missing)}. Received: a card without it. Export the run again.")
    return values
