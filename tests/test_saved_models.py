"""The networks that come with the project are whole, small, and answer at once."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from kerasnets.export.load import load_predictor

SAVED_MODELS = Path(__file__).resolve().parents[1] / "saved_models"
NAMES = sorted(card.parent.name for card in SAVED_MODELS.glob("*/card.json"))


def test_there_is_one_to_try():
    assert "cifar10-speednet-s0" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_its_files_are_those_of_its_card(name):
    folder = SAVED_MODELS / name
    card = json.loads((folder / "card.json").read_text())
    for file, digest in card["sha256"].items():
        assert hashlib.sha256((folder / file).read_bytes()).hexdigest() == digest
    assert sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) < 10e6
    assert card["name"] == name and card["result"]["n"] == sum(card["data"]["class_counts"]["test"])


@pytest.mark.parametrize("name", NAMES)
def test_it_answers(name):
    predictor = load_predictor(SAVED_MODELS / name)
    images = np.random.default_rng(0).integers(0, 256, (3, *predictor.image_shape), dtype=np.uint8)
    answers = np.exp(predictor.log_probabilities(images))
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-4)
    assert answers.shape == (3, len(predictor.class_names)) and np.ptp(answers) > 0.01
