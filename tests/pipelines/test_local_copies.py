"""A data set is said to be where its loader would read it from, and no file is read to find out."""

from pathlib import Path

import pytest

from pipelines.errors import DataError
from pipelines.local_copies import local_copy
from pipelines.sources import source_names

IDX = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
CIFAR10 = ("batches.meta", "test_batch", *(f"data_batch_{number}" for number in range(1, 6)))
FILES = {
    "cifar-10-batches-py": CIFAR10,
    "cifar-100-python": ("meta", "train", "test"),
    "mnist": IDX,
    "fashion-mnist": IDX,
    "tiny-imagenet-200": ("wnids.txt", "words.txt", "val/val_annotations.txt", "train/x", "val/images/x"),
}


@pytest.fixture(autouse=True)
def nothing_elsewhere(tmp_path, monkeypatch):
    for name in ("HOME", "KERAS_HOME", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    monkeypatch.delenv("KERASNETS_DATA", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def full(tmp_path):
    """A folder with the names of all files, and nothing in them."""
    for folder, files in FILES.items():
        for file in files:
            path = tmp_path / "full" / folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return tmp_path / "full"


def test_every_data_set_is_found(full):
    folders = dict(zip(["cifar10", "cifar100", "mnist", "fashion_mnist", "tiny_imagenet"], FILES, strict=True))
    assert {name: local_copy(name, full) for name in folders} == {
        name: str(full / folder) for name, folder in folders.items()
    }


def test_what_needs_no_files_is_always_there():
    assert local_copy("digits") == "scikit-learn"


@pytest.mark.parametrize("name", [name for name in source_names() if name != "digits"])
def test_nothing_is_found_where_nothing_is_or_a_part_is_missing(name, full, tmp_path):
    assert local_copy(name, tmp_path) is None
    found = Path(local_copy(name, full))
    next(path for path in sorted(found.rglob("*")) if path.is_file()).unlink()
    if name == "tiny_imagenet":
        (found / "words.txt").unlink(missing_ok=True)
    assert local_copy(name, full) is None


def test_an_archive_is_found_and_left_alone(tmp_path):
    for archive in ("tiny-imagenet-200.zip", "cifar-10-python.tar.gz"):
        (tmp_path / archive).touch()
    before = sorted(tmp_path.iterdir())
    assert local_copy("tiny_imagenet", tmp_path) == str(tmp_path / "tiny-imagenet-200.zip")
    assert local_copy("cifar10", tmp_path) == str(tmp_path / "cifar-10-python.tar.gz")
    assert sorted(tmp_path.iterdir()) == before


def test_a_data_folder_that_does_not_exist_is_named():
    with pytest.raises(DataError, match="The data folder must be an existing folder. Received: nowhere"):
        local_copy("mnist", "nowhere")
