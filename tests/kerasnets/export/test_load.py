"""What comes in through the door: the right weights, and nothing that is damaged or foreign."""

import json
import shutil

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import Predictor
from kerasnets.export.card import read_card
from kerasnets.export.load import load_predictor
from kerasnets.export.saved_model import export
from kerasnets.models import build_model


@pytest.fixture(scope="session")
def direct(by_hand, images):
    """The answers of a network that never went through a file, by the seed of its weights."""
    model = build_model("lenet_bn", by_hand.shape, len(by_hand.names))
    mean, std = by_hand.data["mean"], by_hand.data["std"]
    live = Predictor(model, class_names=by_hand.names, image_shape=by_hand.shape, mean=mean, std=std, name="live")

    def answers(seed):
        model.set_weights(by_hand.random_weights(seed))
        return live.log_probabilities(images)

    return answers


@pytest.fixture(scope="module")
def exported(tmp_path_factory, by_hand, images):
    folder = tmp_path_factory.mktemp("exported")
    return export(by_hand.write_run(folder / "run"), folder / "saved", images=images)


@pytest.fixture
def saved(exported, tmp_path):
    return shutil.copytree(exported, tmp_path / "saved")


def test_a_run_answers_with_its_newest_weights(run, images, by_hand, direct):
    loaded = load_predictor(run)
    np.testing.assert_array_equal(loaded.log_probabilities(images), direct(1))
    assert (loaded.class_names, loaded.image_shape, loaded.selection) == (
        tuple(by_hand.names),
        by_hand.shape,
        "last epoch",
    )


def test_the_moving_average_wins_where_there_is_one(tmp_path, images, by_hand, direct):
    loaded = load_predictor(by_hand.write_run(tmp_path / "run", ema=by_hand.random_weights(5)))
    np.testing.assert_array_equal(loaded.log_probabilities(images), direct(5))


def test_weights_that_validation_chose_are_the_selected_ones(tmp_path, images, by_hand, direct):
    run = by_hand.write_run(tmp_path / "run", best=by_hand.random_weights(7))
    for which, seed, rule in (
        ("selected", 7, "best validation accuracy"), ("best", 7, "best validation accuracy"), ("last", 1, "last epoch")
    ):  # fmt: skip
        loaded = load_predictor(run, which)
        np.testing.assert_array_equal(loaded.log_probabilities(images), direct(seed))
        assert loaded.selection == rule


def test_an_unfinished_run_says_so(tmp_path, by_hand):
    loaded = load_predictor(by_hand.write_run(tmp_path / "run", status="interrupted"))
    assert loaded.selection == "last checkpoint of a run that is interrupted, 2 epochs done"


def test_a_run_knows_its_loss(tmp_path, by_hand):
    assert load_predictor(by_hand.write_run(tmp_path / "run", loss="mse")).loss == "mse"


def test_bfloat16_runs_compute_in_bfloat16(run):
    (run / "env.json").write_text(json.dumps({"precision": "bfloat16"}))
    assert {layer.compute_dtype for layer in load_predictor(run).model.layers} >= {"bfloat16"}


def test_an_export_answers_as_the_run(exported, images, by_hand, direct):
    loaded = load_predictor(exported)
    np.testing.assert_array_equal(loaded.log_probabilities(images), direct(1))
    assert (loaded.class_names, loaded.image_shape, loaded.selection) == (
        tuple(by_hand.names),
        by_hand.shape,
        "last epoch",
    )
    for tta in ("flip", "flip+shift"):
        assert np.isfinite(loaded.log_probabilities(images, tta=tta)).all()


def test_unknown_weights_name_the_closest(run):
    with pytest.raises(InputError, match="Received: 'latest'. Known: best, last, selected. Did you mean 'last'"):
        load_predictor(run, "latest")


@pytest.mark.parametrize("what", ["missing", "file", "empty"])
def test_what_is_neither_is_refused(tmp_path, what):
    path = tmp_path / "thing"
    if what == "file":
        path.write_text("no run")
    elif what == "empty":
        path.mkdir()
    reason = "has neither config.yaml nor saved_model.pb" if what == "empty" else "is no folder"
    with pytest.raises(InputError, match=f"A run folder or an exported network was expected.*{reason}") as caught:
        load_predictor(path)
    assert "\n" not in str(caught.value)


def test_a_run_without_checkpoint_is_refused(run):
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(InputError, match="which has none yet"):
        load_predictor(run)


def test_a_run_without_validation_has_no_best(run):
    with pytest.raises(InputError, match="has no best weights"):
        load_predictor(run, "best")


def test_a_damaged_checkpoint_is_not_replaced_by_an_older_one(run):
    file = run / "checkpoints" / "step-000000020.ckpt"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(InputError, match="is damaged"):
        load_predictor(run)


@pytest.mark.parametrize(("name", "key"), [("data.json", "mean"), ("env.json", "precision")])
def test_a_run_that_lacks_a_fact_is_refused(run, name, key):
    values = json.loads((run / name).read_text())
    (run / name).write_text(json.dumps({k: v for k, v in values.items() if k != key}))
    with pytest.raises(InputError, match=f"{name} must say {key}"):
        load_predictor(run)


@pytest.mark.parametrize("name", ["data.json", "env.json", "summary.json"])
def test_a_run_with_a_damaged_file_is_refused(run, name):
    (run / name).write_text("{")
    with pytest.raises(InputError, match=f"{name} must be JSON"):
        load_predictor(run)


def test_weights_of_another_network_are_refused(run, by_hand):
    values = json.loads((run / "data.json").read_text())
    (run / "data.json").write_text(json.dumps(values | {"class_names": [*by_hand.names, "frog"]}))
    with pytest.raises(InputError, match="written by another network"):
        load_predictor(run)


def test_an_export_has_only_its_selected_weights(saved):
    with pytest.raises(InputError, match="has only its selected weights"):
        load_predictor(saved, "last")


def test_a_foreign_saved_model_is_refused(saved):
    (saved / "card.json").unlink()
    with pytest.raises(InputError, match=r"has a card.json. Received: .* which has none"):
        load_predictor(saved)


@pytest.mark.parametrize("name", ["saved_model.pb", "variables/variables.data-00000-of-00001"])
def test_a_changed_file_of_an_export_is_refused(saved, name):
    data = bytearray((saved / name).read_bytes())
    data[len(data) // 2] ^= 1
    (saved / name).write_bytes(data)
    with pytest.raises(InputError, match="which has changed since the export"):
        load_predictor(saved)


def test_a_missing_file_of_an_export_is_refused(saved):
    (saved / "variables" / "variables.index").unlink()
    with pytest.raises(InputError, match="which is missing since the export"):
        load_predictor(saved)


def test_a_damaged_card_is_refused(saved):
    (saved / "card.json").write_text("{")
    with pytest.raises(InputError, match="card.json must be JSON") as caught:
        read_card(saved)
    assert "\n" not in str(caught.value)
    (saved / "card.json").write_text(json.dumps({"name": "x", "loss": "mse"}))
    with pytest.raises(InputError, match="must say class_names, image_shape, selection, config, sha256"):
        read_card(saved)
