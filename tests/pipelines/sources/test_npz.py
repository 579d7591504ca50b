"""NumPy archives in every form, and what is refused, by the headers alone where they tell."""

import io
import zipfile

import numpy as np
import pytest

from pipelines import DataError, load_source
from pipelines.reading import Reading
from pipelines.sources import npz
from pipelines.sources.npz import load_npz


def images(n, *shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, *(shape or (4, 5, 3))), dtype=np.uint8)


X, Y = images(6), np.array([0, 1, 2, 2, 1, 0])
KERAS = {"x_train": X, "y_train": Y, "x_test": images(3, seed=1), "y_test": np.array([0, 2, 1])}
MEDICAL = {f"{key}_{what}": array for key in ("train", "test", "val") for what, array in (("images", X), ("labels", Y))}


def load(folder, arrays, save=np.savez, seed=0):
    save(folder / "a.npz", **arrays)
    return load_npz(str(folder / "a.npz"), None, Reading(seed=seed))


def refused(folder, arrays, message, **options):
    with pytest.raises(DataError, match=message) as caught:
        load(folder, arrays, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_the_form_of_keras(tmp_path, save):
    source = load(tmp_path, KERAS, save)
    assert (source.name, source.class_names, source.origin) == ("npz-a", ("0", "1", "2"), str(tmp_path / "a.npz"))
    assert list(source.splits) == ["train", "test"]
    for key in ("train", "test"):
        np.testing.assert_array_equal(source.splits[key].images, KERAS[f"x_{key}"])
        np.testing.assert_array_equal(source.splits[key].labels, KERAS[f"y_{key}"])


def test_the_form_of_medmnist_with_grey_images_and_columns_of_labels(tmp_path):
    arrays = {
        "train_images": images(4, 28, 28),
        "train_labels": np.array([[1], [0], [1], [0]], np.uint8),
        "val_images": images(2, 28, 28, seed=1),
        "val_labels": np.array([[1], [1]], np.uint8),
        "test_images": images(1, 28, 28, seed=2),
        "test_labels": np.array([[0]], np.uint8),
    }
    source = load(tmp_path, arrays)
    assert {key: split.images.shape for key, split in source.splits.items()} == {
        "train": (4, 28, 28, 1),
        "test": (1, 28, 28, 1),
        "validation": (2, 28, 28, 1),
    }
    assert source.splits["train"].labels.tolist() == [1, 0, 1, 0]
    np.testing.assert_array_equal(source.splits["validation"].images[..., 0], arrays["val_images"])


def test_validation_is_the_test_split_unless_there_is_one(tmp_path):
    arrays = {"x_train": X, "y_train": Y, "x_val": X[:2], "y_val": Y[:2]}
    assert load(tmp_path, arrays).split_sizes == {"train": 6, "test": 2}
    assert load(tmp_path, {**KERAS, **arrays}).split_sizes == {"train": 6, "test": 3, "validation": 2}


def test_images_alone_are_divided_by_content(tmp_path):
    arrays = {"images": np.repeat(images(40), 2, axis=0), "labels": np.repeat(np.arange(40) % 4, 2)}
    source = load(tmp_path, arrays)
    assert source.split_sizes == {"train": 64, "test": 16} and source.class_counts("test").tolist() == [4] * 4
    train, test = ({image.tobytes() for image in source.splits[key].images} for key in ("train", "test"))
    assert len(train) == 32 and len(test) == 8 and not train & test
    again, other = (load(tmp_path, arrays, seed=seed).splits["test"].images for seed in (0, 1))
    np.testing.assert_array_equal(source.splits["test"].images, again)
    assert not np.array_equal(again, other)


@pytest.mark.parametrize("names", [np.array(["Katze", "<b>", "鳥"]), np.array([b"Katze", b"<b>", "鳥".encode()])])
def test_class_names_may_be_given(tmp_path, names):
    assert load(tmp_path, {**KERAS, "class_names": names}).class_names == ("Katze", "<b>", "鳥")


def test_other_arrays_are_not_even_looked_at(tmp_path):
    source = load(tmp_path, {**KERAS, "notes": np.array([{"a": 1}], object)})
    assert source.split_sizes == {"train": 6, "test": 3}


def test_any_order_of_bytes_and_axes(tmp_path):
    source = load(tmp_path, {**KERAS, "x_train": np.asfortranarray(X), "y_train": Y.astype(">i8")})
    np.testing.assert_array_equal(source.splits["train"].images, X)
    assert source.splits["train"].labels.tolist() == Y.tolist()


def without(*names):
    return {name: array for name, array in KERAS.items() if name not in names}


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"a": X}, "must hold x_train, y_train, .*; or images and labels. Received: a. Rename the arrays"),
        ({}, "must hold x_train, .*Received: no array"),
        (without("y_test"), "must hold an array 'y_test'. Received: x_test, x_train, y_train. Add it"),
        ({"labels": Y}, "must hold an array 'images'. Received: labels"),
        (without("x_test", "y_test"), "'test' or 'val' beside 'train'. Received: train alone. Add x_test, or name"),
        (without("x_train", "y_train"), "must have a split 'train'. Received: test"),
        (
            {**KERAS, "x_train": X / 255},
            "x_train of .* must be uint8. Received: float64. Multiply values in 0..1 by 255",
        ),
        ({**KERAS, "x_train": X * np.nan}, "must be uint8. Received: float64"),
        ({**KERAS, "x_test": X.astype(int)}, "x_test of .*Received: int64. If all values are in 0..255, convert"),
        ({**KERAS, "x_train": X.reshape(6, -1)}, r"\(n, height, width, 1 or 3\). Received: \(6, 60\). Reshape it"),
        ({**KERAS, "x_train": images(6, 4, 4, 2)}, r"Received: \(6, 4, 4, 2\)"),
        (
            {**KERAS, "x_train": images(6, 3, 4, 4)},
            r"Received: \(6, 3, 4, 4\). Move the channels to the end: transpose",
        ),
        ({**KERAS, "x_train": images(6, 0, 4, 3)}, r"Received: \(6, 0, 4, 3\)"),
        ({**KERAS, "y_train": Y.astype(float)}, "y_train of .* must be integers. Received: float64"),
        ({**KERAS, "y_train": Y > 0}, "must be integers. Received: bool"),
        (
            {**KERAS, "y_train": np.eye(3, dtype=int)[Y]},
            r"\(n,\) or \(n, 1\). Received: \(6, 3\). .*take argmax\(axis=1\)",
        ),
        ({**KERAS, "y_train": Y[:5]}, "one label for each image. Received: 6 in x_train, 5 in y_train"),
        ({**KERAS, "y_train": Y.astype(object)}, "y_train of .* must be numbers or text. Received: Python objects"),
        ({**KERAS, "x_test": X[:0], "y_test": Y[:0]}, "Split 'test' of .* must hold images. Received: none"),
        ({**KERAS, "x_test": images(3, 5, 5, 3)}, "must share one image shape"),
        ({**KERAS, "y_train": Y - 1}, "must be 0, 1, 2, ... without a gap. Received: -1 and none of 0"),
        ({**KERAS, "y_train": Y * 2}, "without a gap. Received: 4 and none of 3. Mend them, or name all classes"),
        ({**KERAS, "y_test": np.array([0, 2, 3])}, "Every class needs images to train on. Received: no image for '3'"),
        ({**KERAS, "y_train": Y * 0, "y_test": np.zeros(3, int)}, "at least two classes. Received: 1"),
        (
            {**KERAS, "class_names": np.array(["a", "b"])},
            r"Labels in .* must lie in 0..1. Received: 2 in split 'train'",
        ),
        ({**KERAS, "class_names": np.array(["a", "b", "b"])}, "Class names must differ. Received: 'b' twice"),
        ({**KERAS, "class_names": np.array(list("abcd"))}, "Received: no image for 'd' in"),
        ({**KERAS, "class_names": np.array(["a", "b", ""])}, "must be text in one line.* Received: ''"),
        ({**KERAS, "class_names": np.array([b"a", b"b", b"\xff"])}, r"must be text .*, in UTF-8. Received: '\\udcff'"),
        (
            {**KERAS, "class_names": np.arange(3)},
            r"must be text of shape \(classes,\). Received: int64 of shape \(3,\)",
        ),
        ({**KERAS, "class_names": np.array([["a", "b", "c"]])}, r"Received: <U1 of shape \(1, 3\)"),
        ({"images": X, "labels": Y % 2 * 0}, "at least two classes. Received: 1"),
        ({"images": X[:3], "labels": Y[:3]}, "at least two different images .* Received: 1 for '0'"),
    ],
)
def test_arrays_that_make_no_data_set(tmp_path, arrays, message):
    refused(tmp_path, arrays, message)


def test_labels_of_unlike_types_are_compared_as_numbers(tmp_path):
    refused(
        tmp_path, {**KERAS, "y_test": np.array([0, 1, 2**64 - 1], np.uint64)}, "Received: 18446744073709551615 and none"
    )


def test_a_file_that_is_no_archive(tmp_path):
    path = tmp_path / "a.npz"
    for name, message in (("none.npz", "No such file or directory"), ("", "Is a directory"), ("nul\0", "null byte")):
        with pytest.raises(DataError, match=f"must be an archive as numpy.savez writes it. Received: .*{message}"):
            load_npz(str(tmp_path / name), None, Reading())
    np.save(tmp_path / "a.npy", X)
    for content in (b"", b"text", (tmp_path / "a.npy").read_bytes()):
        path.write_bytes(content)
        with pytest.raises(DataError, match="Received: File is not a zip file"):
            load_npz(str(path), None, Reading())


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_archive(tmp_path, save):
    save(tmp_path / "whole.npz", **{**KERAS, "x_train": images(6, 64, 64, 3)})
    whole = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "bad.npz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="must be an archive"):
        load_npz(str(tmp_path / "bad.npz"), None, Reading())
    (tmp_path / "bad.npz").write_bytes(whole[:5000] + bytes(100) + whole[5100:])  # inside the pixels
    with pytest.raises(DataError, match="must be an archive .*Received: (Bad CRC-32|Error -3)"):
        load_npz(str(tmp_path / "bad.npz"), None, Reading())


def test_a_bomb_is_refused_by_its_headers(tmp_path, monkeypatch):
    monkeypatch.setattr(npz, "_read", lambda *_: pytest.fail("was read"))
    monkeypatch.setattr(npz, "MAX_BYTES", 500)
    refused(tmp_path, KERAS, r"must have at most 500 bytes. Received: 6[0-9][0-9]\. Store fewer")


@pytest.mark.parametrize("length", [10, 10**15])
def test_a_header_that_does_not_tell_the_length_of_the_array(tmp_path, length):
    np.savez(tmp_path / "a.npz", **without("x_train"))
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|u1", "fortran_order": False, "shape": (length, 4, 5, 3)})
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        archive.writestr("x_train.npy", header.getvalue() + X.tobytes())
    with pytest.raises(DataError, match=f"x_train of .* must have the {60 * length:,} bytes .* Received: 360. Write"):
        load_npz(str(tmp_path / "a.npz"), None, Reading())


def test_it_is_loaded_by_name_and_resized(tmp_path):
    np.savez(tmp_path / "my set.npz", **KERAS)
    source = load_source(f"npz:{tmp_path / 'my set.npz'}", None, Reading(image_size=8, channels=1))
    assert source.name == "npz-my_set" and source.image_shape == (8, 8, 1)
