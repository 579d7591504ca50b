"""An export is complete, equal to the live network, usable by plain TensorFlow, and never half there."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from kerasnets.errors import InputError
from kerasnets.export import saved_model
from kerasnets.export.load import load_predictor
from kerasnets.export.saved_model import export
from kerasnets.training.config import TrainConfig
from pipelines.errors import DataError
from pipelines.sources import load_source

DIGITS = TrainConfig(dataset="digits", arch="lazynet")


@pytest.fixture(scope="module")
def made(tmp_path_factory, by_hand, images):
    """(run, export, card) of one export that several tests read."""
    folder = tmp_path_factory.mktemp("made")
    run = by_hand.write_run(folder / "run")
    path = export(run, folder / "saved_models" / "tiny", images=images)
    return run, path, json.loads((path / "card.json").read_text())


def test_the_card_tells_what_the_network_is(made, by_hand):
    _, _, card = made
    assert (card["name"], card["class_names"], card["image_shape"]) == ("tiny", by_hand.names, list(by_hand.shape))
    assert card["result"] == by_hand.result
    assert card["selection"] == "last epoch"
    assert card["config"]["arch"] == "lenet_bn"
    assert card["data"]["class_counts"] == {"test": [3, 3, 3]}
    assert card["run"] == {"name": "run", "status": "finished", "limit_train": 100}
    assert card["versions"]["trained"] == {"keras": "3.15.1"}
    assert card["versions"]["exported"]["tensorflow"] == tf.__version__


def test_the_card_keeps_places_to_itself(made):
    assert "/home/someone" not in json.dumps(made[2])


def test_the_card_tells_of_the_comparison(made, images):
    assert made[2]["parity"] == {
        "images_from": "given",
        "images_compared": len(images),
        "max_absolute_difference": 0.0,
        "agreement": 1.0,
        "encoded_images_compared": 16,
    }


def test_the_card_holds_the_sha256_of_every_file(made):
    _, path, card = made
    files = {str(file.relative_to(path)) for file in path.rglob("*") if file.is_file()}
    assert set(card["sha256"]) == files - {"card.json"}
    for name, digest in card["sha256"].items():
        assert hashlib.sha256((path / name).read_bytes()).hexdigest() == digest


def test_every_weight_is_written_once(made):
    run, path, _ = made
    written = sum(
        np.prod(shape) for _, shape in tf.train.list_variables(str(path / "variables" / "variables")) if shape
    )
    assert written == load_predictor(run).model.count_params()


def test_nothing_is_left_aside(made):
    assert [path.name for path in made[1].parent.iterdir()] == ["tiny"]


def test_plain_tensorflow_in_a_fresh_process_gets_the_same_numbers(made, images, tmp_path, by_hand):
    run, path, _ = made
    np.save(tmp_path / "images.npy", images)
    program = """
import sys, numpy as np, tensorflow as tf
archive = tf.saved_model.load(sys.argv[1])
images = np.load(sys.argv[2])
padded = np.concatenate([images, np.zeros((250 - len(images), *images.shape[1:]), np.uint8)])
answer = archive.serve(tf.constant(padded))
encoded = tf.constant([tf.io.encode_png(image).numpy() for image in padded])
again = archive.serve_bytes(encoded)
assert not any(name.startswith("kerasnets") for name in sys.modules)
answer.update({"bytes_" + name: value for name, value in again.items()})
np.savez(sys.argv[3], **{name: value.numpy() for name, value in answer.items()})
"""
    result = tmp_path / "answers.npz"
    subprocess.run([sys.executable, "-c", program, path, tmp_path / "images.npy", result], check=True)
    # Strings come back as Python objects, in a file that this test has just written.
    answers = np.load(result, allow_pickle=True)
    live = load_predictor(run).log_probabilities(images)
    for prefix in ("", "bytes_"):
        np.testing.assert_array_equal(answers[prefix + "log_probabilities"][: len(images)], live)
        np.testing.assert_allclose(answers[prefix + "probabilities"][: len(images)], np.exp(live), atol=1e-7)
        assert len(set(live.argmax(axis=1))) > 1, "one label for all would prove little"
        labels = [by_hand.names[index].encode() for index in live.argmax(axis=1)]
        assert answers[prefix + "label"][: len(images)].tolist() == labels


def test_any_batch_size_is_served(made, images):
    archive = tf.saved_model.load(str(made[1]))
    whole = archive.serve(tf.constant(images))["probabilities"].numpy()
    for size in (1, 7):
        few = archive.serve(tf.constant(images[:size]))["probabilities"].numpy()
        np.testing.assert_allclose(few, whole[:size], atol=1e-6)


def test_a_network_that_ends_in_probabilities_is_exported(tmp_path, images, by_hand):
    run = by_hand.write_run(tmp_path / "run", arch="scratch_mlp", loss="mse")
    exported = load_predictor(export(run, tmp_path / "saved", images=images))
    np.testing.assert_array_equal(exported.log_probabilities(images), load_predictor(run).log_probabilities(images))
    assert exported.loss == load_predictor(run).loss


def test_an_existing_folder_is_kept_unless_forced(run, tmp_path, images):
    target = tmp_path / "mine"
    target.mkdir()
    (target / "note.txt").write_text("keep me")
    with pytest.raises(InputError, match="which exists. Use --to NAME or --force"):
        export(run, target, images=images)
    assert [path.name for path in target.iterdir()] == ["note.txt"]
    export(run, target, images=images, force=True)
    assert not (target / "note.txt").exists()
    assert load_predictor(target).name == "mine"
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "digits"}


def test_no_images_to_compare_on_are_refused(run, tmp_path, images):
    with pytest.raises(InputError, match="At least one image"):
        export(run, tmp_path / "saved", images=images[:0])


def test_an_export_that_answers_otherwise_is_not_kept(run, tmp_path, images, monkeypatch):
    right = saved_model.make_serve
    monkeypatch.setattr(
        saved_model, "make_serve", lambda function, names: right(lambda x: tf.reverse(function(x), [1]), names)
    )
    with pytest.raises(RuntimeError, match="must answer as the live one does"):
        export(run, tmp_path / "saved_models" / "wrong", images=images)
    assert list((tmp_path / "saved_models").iterdir()) == []


def test_a_write_that_fails_leaves_nothing(run, tmp_path, images, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(saved_model, "write_json_atomic", full)
    with pytest.raises(OSError, match="No space left"):
        export(run, tmp_path / "saved_models" / "tiny", images=images)
    assert list((tmp_path / "saved_models").iterdir()) == []


class Like:
    """As much of a predictor as choosing the images takes."""

    def __init__(self, shape):
        self.image_shape = shape


def test_the_test_split_is_compared_on_where_it_is_at_hand():
    images, origin = saved_model._parity_images(DIGITS, Like((8, 8, 1)), None)
    assert origin == "test split"
    np.testing.assert_array_equal(images, load_source("digits").splits["test"].images[:256])


def test_without_it_images_are_random_but_always_the_same(monkeypatch, by_hand):
    def missing(*_):
        raise DataError("not here")

    monkeypatch.setattr(saved_model, "find_source", missing)
    first, origin = saved_model._parity_images(DIGITS, Like(by_hand.shape), None)
    again, _ = saved_model._parity_images(DIGITS, Like(by_hand.shape), None)
    assert (origin, first.shape, first.dtype) == ("random", (256, *by_hand.shape), np.uint8)
    np.testing.assert_array_equal(first, again)


def test_the_default_name_tells_data_network_and_seed(run, tmp_path, images, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(export(run, images=images)) == "saved_models/digits-lenet_bn-s0"
