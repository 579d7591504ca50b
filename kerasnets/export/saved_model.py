"""`export`: a run's network as a SavedModel with preprocessing, class names and card, compared before it is used."""

import datetime
import os
import shutil
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

import kerasnets
from kerasnets.errors import InputError
from kerasnets.evaluation.predictor import Predictor, serve_log_probabilities
from kerasnets.export.card import CARD
from kerasnets.export.endpoints import make_serve, make_serve_bytes
from kerasnets.export.load import exported_predictor, load_predictor, sha256
from kerasnets.models.options import short_arch
from kerasnets.runs.files import write_json_atomic
from kerasnets.runs.run import Run
from kerasnets.training.config import PLACE_FIELDS, TrainConfig, load_config
from pipelines.errors import DataError
from pipelines.files_source import first_images
from pipelines.labelled_files import LabelledFiles
from pipelines.resize import fit_source
from pipelines.sources import find_source, short_name

PARITY_IMAGES = 256
_BYTES_IMAGES = 16
# The same graph on the same machine gives the same bits; this leaves room for a processor that orders sums anew.
_TOLERANCE = 1e-5


def export(
    run_path: str | Path, to: str | Path | None = None, *, images: np.ndarray | None = None, force: bool = False
) -> Path:
    """Writes a run's selected network as a SavedModel.

    It is written aside, loaded again, compared with the live network and only then renamed to its place.
    ``card.json`` in it tells configuration, data, result, versions, the comparison, and the sha256 of every file.

    Args:
        run_path: Run folder.
        to: Folder to make; by default ``saved_models/<dataset>-<arch>-s<seed>``.
        images: (n, height, width, channels) uint8 to compare on, of which the first 256 are used. By default the test
            split, or random images when the data is not at hand.
        force: Replace an existing folder.

    Returns:
        The folder. Its endpoints are ``serve``, from (batch, height, width, channels) uint8, and ``serve_bytes``, from
        (batch,) encoded images; both give ``label``, ``probabilities`` and ``log_probabilities``.

    Raises:
        InputError: It is no run, the run is damaged, or the folder exists.
        OSError: The disk is full or cannot be written.
        RuntimeError: The exported network does not answer as the live one does.
    """
    run, config = Run(run_path), load_config(Path(run_path) / "config.yaml")
    target = (
        Path(to)
        if to is not None
        else Path("saved_models") / f"{short_name(config.dataset)}-{short_arch(config.arch)}-s{config.seed}"
    )
    if target.exists() and not force:
        raise InputError(f"An export needs a new folder. Received: {target}, which exists. Use --to NAME or --force.")
    predictor = load_predictor(run_path)
    images, origin = _parity_images(config, predictor, images)
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        _write_archive(predictor, aside)
        card = _card(run, config, predictor, target.name)
        card["parity"] = {"images_from": origin} | _compare(predictor, aside, card, images)
        card["sha256"] = {str(file.relative_to(aside)): sha256(file) for file in _files(aside)}
        write_json_atomic(aside / CARD, card)
        _rename(aside, target)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return target


def _parity_images(config: Any, predictor: Predictor, images: np.ndarray | None) -> tuple[np.ndarray, str]:
    if images is not None:
        if not len(images):
            raise InputError("At least one image to compare on was expected. Received: none. Leave images out.")
        return images[:PARITY_IMAGES], "given"
    try:
        images = test_images(config, config.data_dir)
        if images.shape[1:] == predictor.image_shape:
            return images, "test split"
    except DataError:
        pass  # the comparison needs images, not these images; the card says which it had
    shape = (PARITY_IMAGES, *predictor.image_shape)
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8), "random"


def test_images(config: TrainConfig, data_dir: str | None) -> np.ndarray:
    """The first images of the test split that a run had, as many as are compared; other image files are not decoded.

    Raises:
        DataError: They are not there.
    """
    reading = config.reading()
    found = find_source(config.dataset, data_dir, reading)
    if isinstance(found, LabelledFiles):
        return first_images(found, "test", PARITY_IMAGES, reading)
    return fit_source(found, reading).splits["test"].images[:PARITY_IMAGES]


def _write_archive(predictor: Predictor, path: Path) -> None:
    log_probabilities = serve_log_probabilities(predictor.model, predictor.mean, predictor.std)
    serve = make_serve(log_probabilities, predictor.class_names)
    serve_bytes = make_serve_bytes(serve, predictor.image_shape, predictor.resize)
    archive = keras.export.ExportArchive()
    # The variables come in with the functions that use them. Tracking the model as well would write all of them twice.
    archive.add_endpoint("serve", serve, [tf.TensorSpec((None, *predictor.image_shape), tf.uint8, name="images")])
    archive.add_endpoint("serve_bytes", serve_bytes, [tf.TensorSpec((None,), tf.string, name="encoded")])
    archive.write_out(str(path), verbose=False)


def _compare(predictor: Predictor, path: Path, card: dict[str, Any], images: np.ndarray) -> dict[str, Any]:
    """Loads the export and compares all of its answers with the live network's."""
    archive = tf.saved_model.load(str(path))
    live = predictor.log_probabilities(images)
    exported = exported_predictor(archive, card).log_probabilities(images)
    difference = float(np.abs(np.exp(live) - np.exp(exported)).max())
    agreement = float(np.mean(live.argmax(axis=1) == exported.argmax(axis=1)))
    # Encoded without loss, the same images must get the same answers.
    few = images[:_BYTES_IMAGES]
    direct = archive.serve(tf.constant(few))
    encoded = archive.serve_bytes(tf.constant([tf.io.encode_png(image).numpy() for image in few]))
    labels = [predictor.class_names[index].encode() for index in exported[: len(few)].argmax(axis=1)]
    same_bytes = np.array_equal(direct["log_probabilities"], encoded["log_probabilities"])
    if difference > _TOLERANCE or agreement < 1 or not same_bytes or encoded["label"].numpy().tolist() != labels:
        raise RuntimeError(
            f"The exported network must answer as the live one does. Received: largest difference {difference:.3g}, "
            f"agreement {agreement:.2%}, encoded images {'equal' if same_bytes else 'different'}. Nothing was written."
        )
    return {
        "images_compared": len(images),
        "max_absolute_difference": difference,
        "agreement": agreement,
        "encoded_images_compared": len(few),
    }


def _card(run: Run, config: Any, predictor: Predictor, name: str) -> dict[str, Any]:
    summary, environment = run.summary, run.environment
    # Where it happened says nothing about the network, and is nobody's business.
    settings = {key: value for key, value in config.to_dict().items() if key not in PLACE_FIELDS}
    return {
        "name": name,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "class_names": list(predictor.class_names),
        "image_shape": list(predictor.image_shape),
        "endpoints": {
            "serve": "uint8 images (batch, height, width, channels)",
            "serve_bytes": "encoded images (batch,): JPEG, PNG, BMP or GIF; EXIF orientation is not read",
        },
        "result": summary.get("test"),
        "selection": predictor.selection,
        "loss": predictor.loss,
        "run": {"name": run.path.name, "status": summary["status"], "limit_train": summary.get("limit_train")},
        "config": settings,
        "data": {key: value for key, value in run.data.items() if key != "origin"},
        "precision": environment["precision"],
        "versions": {
            "trained": environment.get("packages"),
            "exported": {
                "kerasnets": kerasnets.__version__,
                "tensorflow": tf.__version__,
                "keras": keras.__version__,
                "numpy": np.__version__,
            },
        },
    }


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file())


def _rename(aside: Path, target: Path) -> None:
    for file in _files(aside):
        with open(file, "rb") as opened:
            os.fsync(opened.fileno())
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    aside.rename(target)
    shutil.rmtree(old, ignore_errors=True)
