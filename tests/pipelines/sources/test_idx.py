"""MNIST and Fashion-MNIST: tiny IDX files in the official format, plain and gzipped, and Keras's mnist.npz."""

import gzip
import struct

import numpy as np
import pytest

from pipelines import DataError, load_source
from pipelines.sources.idx import read_idx

FILES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")


def arrays(seed=0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    shapes = [(12, 28, 28), (12,), (5, 28, 28), (5,)]
    return [generator.integers(0, 10 if len(shape) == 1 else 256, shape, dtype=np.uint8) for shape in shapes]


def idx_bytes(array: np.ndarray) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def write_files(folder, values=None, *, ending="", names=FILES):
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in zip(names, values or arrays(), strict=True):
        content = idx_bytes(array)
        (folder / f"{name}{ending}").write_bytes(gzip.compress(content) if ending else content)
    return folder


def assert_is(source, values):
    train_images, train_labels, test_images, test_labels = values
    np.testing.assert_array_equal(source.splits["train"].images, train_images[..., None])
    np.testing.assert_array_equal(source.splits["train"].labels, train_labels)
    np.testing.assert_array_equal(source.splits["test"].images, test_images[..., None])
    np.testing.assert_array_equal(source.splits["test"].labels, test_labels)


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    for variable in ("KERASNETS_DATA", "KERAS_HOME", "TORCH_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")


@pytest.mark.parametrize("ending", ["", ".gz"])
@pytest.mark.parametrize(
    "name, folder",
    [
        ("mnist", "mnist"),
        ("mnist", "MNIST/raw"),
        ("mnist", "."),
        ("fashion_mnist", "fashion-mnist"),
        ("fashion_mnist", "fashion_mnist"),
        ("fashion_mnist", "FashionMNIST/raw"),
        ("fashion_mnist", "."),
    ],
)
def test_every_usual_folder_plain_and_gzipped(name, folder, ending, tmp_path):
    root = tmp_path / "root"
    place = write_files(root / folder, ending=ending)
    source = load_source(name, root)
    assert_is(source, arrays())
    assert source.origin == str(place)
    assert source.class_names == (FASHION if name == "fashion_mnist" else tuple("0123456789"))
    assert_is(load_source(name, place), arrays())
    assert_is(load_source(name, place.parent if place.name == "raw" else place), arrays())


def test_file_names_with_a_dot_are_known(tmp_path):
    write_files(tmp_path / "mnist", names=[name.replace("-idx", ".idx") for name in FILES])
    assert_is(load_source("mnist", tmp_path), arrays())


def test_keras_cache_holds_mnist_as_npz_and_fashion_mnist_as_a_folder(tmp_path):
    cache = tmp_path / ".keras" / "datasets"
    write_files(cache / "fashion-mnist", arrays(1), ending=".gz")
    names = ["x_train", "y_train", "x_test", "y_test"]
    np.savez(cache / "mnist.npz", **dict(zip(names, arrays(2), strict=True)))
    assert_is(load_source("mnist"), arrays(2))
    assert load_source("mnist").origin == str(cache / "mnist.npz")
    assert_is(load_source("fashion_mnist"), arrays(1))


@pytest.mark.parametrize(
    "name, folder",
    [
        ("mnist", "fashion-mnist"),
        ("mnist", "FashionMNIST/raw"),
        ("mnist", "KMNIST/raw"),
        ("fashion_mnist", "MNIST/raw"),
    ],
)
def test_a_folder_named_after_another_data_set_is_not_taken(name, folder, tmp_path):
    place = write_files(tmp_path / folder)
    with pytest.raises(DataError, match=f"'{name}' needs its files .* Received: none in any place"):
        load_source(name, place)


def test_the_nearest_name_counts(tmp_path):
    assert_is(load_source("mnist", write_files(tmp_path / "fashion" / "mnist")), arrays())
    assert_is(load_source("fashion_mnist", write_files(tmp_path / "mnist" / "fashion")), arrays())


@pytest.mark.parametrize(
    "name, other, first", [("mnist", "fashion_mnist", [9, 2, 1, 1, 6]), ("fashion_mnist", "mnist", [7, 2, 1, 0, 4])]
)
def test_the_official_files_of_the_other_data_set_are_recognised(name, other, first, tmp_path):
    rest = {"mnist": [1, 4, 9, 5, 9], "fashion_mnist": [1, 4, 6, 5, 7]}[other]
    values = [*arrays()[:2], np.zeros((10, 28, 28), np.uint8), np.array(first + rest, np.uint8)]
    place = write_files(tmp_path / "unnamed", values)
    with pytest.raises(DataError, match=f"must hold the files of '{name}'. Received those of '{other}'"):
        load_source(name, place)
    assert_is(load_source(other, place), values)


def test_missing_data_is_one_line(tmp_path):
    with pytest.raises(DataError, match="'mnist' needs its files .* or put mnist or mnist.npz into"):
        load_source("mnist")
    with pytest.raises(
        DataError, match="'fashion_mnist' needs its files .* or put fashion-mnist or FashionMNIST/raw into"
    ):
        load_source("fashion_mnist", tmp_path)


def test_a_missing_file_is_named(tmp_path):
    place = write_files(tmp_path / "mnist", ending=".gz")
    (place / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match="mnist without t10k-labels-idx1-ubyte"):
        load_source("mnist", tmp_path)


def test_a_damaged_gzip_file_is_named(tmp_path):
    whole = gzip.compress(idx_bytes(arrays()[0]))
    for content in (whole[:-100], b"<html>", whole[:2000] + bytes(50) + whole[2050:]):
        path = tmp_path / "train-images-idx3-ubyte.gz"
        path.write_bytes(content)
        with pytest.raises(DataError, match="train-images-idx3-ubyte.gz must be a complete gzip file"):
            read_idx(path, dimensions=3)


@pytest.mark.parametrize(
    "content", [b"", b"\0\0\x08\x03\0\0", b"\0\0\x09\x03" + bytes(12), idx_bytes(arrays()[1])], ids=range(4)
)
def test_another_kind_of_file_is_refused(content, tmp_path):
    (tmp_path / "images").write_bytes(content)
    with pytest.raises(
        DataError, match="images must be an IDX file of bytes in 3 dimensions. Received one that begins"
    ):
        read_idx(tmp_path / "images", dimensions=3)


@pytest.mark.parametrize("change, received", [(-1, "3"), (+1, "more")])
def test_too_few_or_too_many_bytes_are_refused(change, received, tmp_path):
    content = idx_bytes(np.zeros(4, np.uint8))
    (tmp_path / "labels").write_bytes(content[:-1] if change < 0 else content + b"\0")
    with pytest.raises(DataError, match=f"labels must hold 4 bytes after its header. Received: {received}"):
        read_idx(tmp_path / "labels", dimensions=1)


def test_a_header_that_claims_the_world_is_refused_without_asking_for_the_memory(tmp_path):
    (tmp_path / "images").write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, *[2**32 - 1] * 3))
    with pytest.raises(DataError, match=f"must hold {(2**32 - 1) ** 3} bytes after its header. Received: 0"):
        read_idx(tmp_path / "images", dimensions=3)


def test_a_label_out_of_range_names_the_file(tmp_path):
    values = arrays()
    values[3][2] = 10
    write_files(tmp_path / "mnist", values)
    with pytest.raises(DataError, match=r"Labels in .*t10k-labels-idx1-ubyte must be in 0\.\.9. Received: 10"):
        load_source("mnist", tmp_path)


def test_labels_that_do_not_match_the_images_are_refused(tmp_path):
    values = arrays()
    values[1] = values[1][:-1]
    write_files(tmp_path / "mnist", values)
    with pytest.raises(DataError, match="train-labels-idx1-ubyte must hold one uint8 label for each uint8 image"):
        load_source("mnist", tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "key", "html", "empty", "objects"])
def test_a_damaged_npz_is_named(damage, tmp_path):
    path = tmp_path / "mnist.npz"
    values = dict(zip(["x_train", "y_train", "x_test", "y_test"], arrays(), strict=True))
    if damage == "key":
        del values["y_test"]
    if damage == "objects":
        values["y_test"] = np.array([{}] * 5, object)
    np.savez(path, **values)
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:-500])
    if damage in ("html", "empty"):
        path.write_bytes(b"<html>" if damage == "html" else b"")
    with pytest.raises(DataError, match="mnist.npz must hold the arrays x_train, y_train, x_test and y_test"):
        load_source("mnist", tmp_path)
