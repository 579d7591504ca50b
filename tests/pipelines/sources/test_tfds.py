"""Prepared data of TensorFlow Datasets: where it is looked for, how it is read, and that nothing else is tried."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipelines import DataError, load_source
from pipelines.decode import fit_array
from pipelines.reading import Reading
from pipelines.sources import tfds as tfds_source
from pipelines.sources.tfds import load_tfds


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "home")


@pytest.fixture
def not_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow_datasets", None)


def prepare(root, *versions, info="dataset_info.json"):
    """Folders that look like prepared data sets."""
    for version in versions:
        (root / version).mkdir(parents=True, exist_ok=True)
        (root / version / info).write_text("{}")
    return root


def found(name, data_dir=None):
    """The folder that would be read."""
    return tfds_source._find(name, data_dir)


def refused(name, message, data_dir=None):
    with pytest.raises(DataError, match=message) as caught:
        load_tfds(str(name), data_dir, Reading())
    assert "\n" not in str(caught.value)


def test_folders_are_searched_in_order(tmp_path, monkeypatch):
    home = prepare(tmp_path / "home" / "tensorflow_datasets", "toy/1.0.0")
    variable = prepare(tmp_path / "variable", "toy/1.0.0")
    given = prepare(tmp_path / "given", "toy/1.0.0")
    assert found("toy") == home / "toy" / "1.0.0"
    monkeypatch.setenv("TFDS_DATA_DIR", str(variable))
    assert found("toy") == variable / "toy" / "1.0.0"
    assert found("toy", given) == found("toy", str(given)) == given / "toy" / "1.0.0"
    assert found("toy", tmp_path) == variable / "toy" / "1.0.0"


def test_the_newest_complete_version_is_taken_unless_one_is_named(tmp_path):
    root = prepare(tmp_path / "data", "toy/9.0.0", "toy/10.0.1", "toy/10.0.0")
    prepare(root, "toy/11.0.0", info="features.json")  # broken off
    prepare(root, "toy/incomplete.ABC_12.0.0")
    assert found("toy", root) == root / "toy" / "10.0.1"
    assert found("toy:9.0.0", root) == root / "toy" / "9.0.0"
    refused("toy:9.0.1", "'tfds:toy:9.0.1' must have been prepared", root)


def test_configurations(tmp_path):
    root = prepare(tmp_path / "data", "one/small/1.0.0", "two/small/1.0.0", "two/large-2/1.0.0", "two/large-2/2.0.0")
    assert found("one", root) == found("one/small:1.0.0", root) == root / "one/small/1.0.0"
    assert found("two/large-2", root) == root / "two/large-2/2.0.0"
    refused(
        "two", r"configuration of 'two' must be named. Received: .* with large-2, small. Give tfds:two/large-2", root
    )


def test_a_path_leads_to_a_version_or_to_what_holds_it(tmp_path):
    root = prepare(tmp_path / "data", "toy/1.0.0", "toy/2.0.0")
    assert found(str(root / "toy/1.0.0")) == root / "toy/1.0.0"
    assert found(str(root / "toy")) == root / "toy/2.0.0"
    prepare(tmp_path / "home", "toy/3.0.0")
    assert found("~/toy") == tmp_path / "home/toy/3.0.0"


def test_data_that_is_not_there_is_answered_at_once_without_the_package(not_installed, tmp_path):
    start = time.monotonic()
    refused("cifar10", r"must have been prepared .*nothing complete of it in .*Prepare it once.*tfds.load\('cifar10'\)")
    assert time.monotonic() - start < 1
    refused("cifar10", f"in {tmp_path} or .*/home/tensorflow_datasets", tmp_path)


@pytest.mark.parametrize("name", ["/no/where", "~/nowhere", "./nowhere", "no/where/at/all", "a b/c"])
def test_a_path_that_is_not_there(not_installed, name):
    refused(name, "must be a name or a folder. Received: no folder .*where.*|no folder a b/c")


def test_a_data_folder_that_is_not_there(tmp_path):
    refused("toy", "The data folder must be an existing folder. Received: .*/none", tmp_path / "none")


def test_class_folders_alone_belong_to_folder(not_installed, tmp_path):
    (tmp_path / "pets" / "cat").mkdir(parents=True)
    refused(tmp_path / "pets", "or by a folder that holds train/CLASS/IMAGE. Received: .* Give folder:.*/pets, which")


def test_a_missing_package_is_named(not_installed, tmp_path):
    root = prepare(tmp_path / "data", "toy/1.0.0")
    refused(
        "toy", "needs TensorFlow Datasets .*Received: .*tensorflow_datasets.*pip install tensorflow-datasets imp", root
    )


def image_folder(root):
    """Three images of each of two classes for training, one of each for the test, of several sizes."""
    for split, count in (("train", 3), ("test", 1)):
        for label, name in enumerate(("cat", "dog")):
            (root / split / name).mkdir(parents=True)
            for number in range(count):
                image = Image.new("RGB", (9 + number, 7), (100 * label, 20 * number, 5))
                image.save(root / split / name / f"{number}.png")
    return root


def test_a_folder_of_images_is_read_by_its_image_folder(tmp_path):
    root = image_folder(tmp_path / "pets")
    source = load_source(f"tfds:{root}", None, Reading(image_size=4))
    assert (source.name, source.class_names, source.origin) == ("tfds-pets", ("cat", "dog"), str(root))
    assert source.split_sizes == {"train": 6, "test": 2} and source.image_shape == (4, 4, 3)
    train = source.splits["train"]
    np.testing.assert_array_equal(train.images[:, 0, 0, 0], train.labels * 100)  # its order is its own
    assert sorted(train.images[:, 3, 3, 1].tolist()) == [0, 0, 20, 20, 40, 40]


def test_a_damaged_file_of_a_folder(tmp_path):
    root = image_folder(tmp_path / "pets")
    (root / "train" / "cat" / "0.png").write_bytes(b"no image")
    refused(root, "must hold readable images .*Received: Unknown image file format.*Give folder:.*/pets, which leaves")


def pixels(number):
    return np.random.default_rng(number).integers(0, 256, (6 + number % 3, 8, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Prepared by the library itself: images of several sizes, of one size, and training data alone."""
    import tensorflow_datasets as tfds

    root = tmp_path_factory.mktemp("tensorflow_datasets")
    names = ["cat", "dog"]

    def make(builder_name, shape, splits, examples, extra=(), dtype=np.uint8):
        features = {
            "image": tfds.features.Image(shape=shape, dtype=dtype),
            "label": tfds.features.ClassLabel(names=names),
        }
        features |= dict(extra)

        class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
            VERSION = tfds.core.Version("1.0.0")
            name = builder_name

            def _info(self):
                return tfds.core.DatasetInfo(
                    builder=self,
                    features=tfds.features.FeaturesDict(features),
                    supervised_keys=None if extra else ("image", "label"),
                )

            def _split_generators(self, _):
                return {split: self._generate_examples(offset) for split, offset in splits.items()}

            def _generate_examples(self, offset):
                return examples(offset)

        Builder(data_dir=root).download_and_prepare()

    def uneven(offset):
        return ((n, {"image": pixels(n + offset), "label": n % 2}) for n in range(6))

    def even(offset):
        return ((n, {"image": np.full((5, 4, 1), n + offset, np.uint8), "label": n % 2}) for n in range(20))

    def unlabelled(offset):
        return ((n, {"image": pixels(n), "label": n % 2, "second": 0}) for n in range(2))

    def floats(offset):
        return ((n, {"image": np.zeros((5, 4, 1), np.float32), "label": n % 2}) for n in range(2))

    make("uneven", (None, None, 3), {"train": 0, "validation": 100}, uneven)
    make("even", (5, 4, 1), {"train": 0, "test": 100, "extra": 200}, even)
    make("alone", (5, 4, 1), {"train": 0}, even)
    make("two_labels", (None, None, 3), {"train": 0}, unlabelled, {"second": tfds.features.ClassLabel(num_classes=2)})
    make("floats", (5, 4, 1), {"train": 0}, floats, dtype=np.float32)
    return root


def ordered(split):
    """The images as a sorted list of their bytes: preparing shuffles them."""
    return sorted(image.tobytes() for image in split.images)


@pytest.mark.slow
def test_images_of_many_sizes_are_brought_to_one(prepared):
    for resize in ("squash", "pad"):
        source = load_source("tfds:uneven", prepared, Reading(image_size=4, resize=resize))
        assert (source.name, source.class_names) == ("tfds-uneven", ("cat", "dog"))
        assert source.origin == str(prepared / "uneven" / "1.0.0")
        assert source.split_sizes == {"train": 6, "test": 6}  # its validation split
        for key, offset in (("train", 0), ("test", 100)):
            expected = {fit_array(pixels(n + offset), (4, 4, 3), resize).tobytes(): n % 2 for n in range(6)}
            assert ordered(source.splits[key]) == sorted(expected)
            labels = [expected[image.tobytes()] for image in source.splits[key].images]
            assert source.splits[key].labels.tolist() == labels


@pytest.mark.slow
def test_images_of_one_size_keep_it(prepared):
    source = load_source("tfds:even:1.0.0", prepared)
    assert source.image_shape == (5, 4, 1) and source.split_sizes == {"train": 20, "test": 20}
    assert sorted(source.splits["test"].images[:, 0, 0, 0].tolist()) == list(range(100, 120))
    again = load_source("tfds:even", prepared, Reading(image_size=8, channels=3))
    assert again.image_shape == (8, 8, 3)
    np.testing.assert_array_equal(again.splits["train"].images[:, 0, 0, 0], source.splits["train"].images[:, 0, 0, 0])


@pytest.mark.slow
def test_a_training_split_alone_is_divided(prepared):
    splits = [load_tfds("alone", prepared, Reading(seed=seed)).splits for seed in (0, 0, 1)]
    assert [len(splits[0][key]) for key in ("train", "test")] == [16, 4]
    assert ordered(splits[0]["test"]) == ordered(splits[1]["test"]) != ordered(splits[2]["test"])


@pytest.mark.slow
def test_examples_that_are_no_classification(prepared):
    refused("two_labels", "one image and one class label. Received: image, label, second. Take", prepared)
    refused("floats", "Images in .* must be uint8. Received: .*float32", prepared)


@pytest.mark.slow
def test_a_cap_on_memory(prepared, monkeypatch):
    monkeypatch.setattr(tfds_source, "MAX_BYTES", 799)
    refused("even", "must have at most 799 bytes as they are kept. Received: 800. Choose a smaller", prepared)


@pytest.mark.slow
def test_damaged_records(prepared, tmp_path):
    source, target = prepared / "even" / "1.0.0", tmp_path / "even" / "1.0.0"
    target.mkdir(parents=True)
    for file in source.iterdir():
        content = file.read_bytes()
        (target / file.name).write_bytes(
            content[:200] + bytes(50) + content[250:] if "-train" in file.name else content
        )
    refused("even", "even/1.0.0 must hold readable images .*Received: corrupted record at .*Prepare it again", tmp_path)
    (target / "dataset_info.json").write_text("{")
    refused("even", "even/1.0.0 must hold readable images .*Prepare it again", tmp_path)


@pytest.mark.slow
def test_the_dependency_that_its_package_forgets_is_not_needed_and_no_address_is_asked_for(prepared):
    program = f"""
import socket, sys
sys.modules["importlib_resources"] = None
def refuse(*_):
    raise AssertionError("the network was asked")
socket.getaddrinfo = socket.create_connection = refuse
from pipelines.reading import Reading
from pipelines.sources.tfds import load_tfds
print(load_tfds("even", {str(prepared)!r}, Reading()).split_sizes)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=Path(__file__).parents[3], capture_output=True, text=True
    )
    assert done.stdout.strip() == "{'train': 20, 'test': 20}", done.stderr
