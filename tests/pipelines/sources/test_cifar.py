"""CIFAR's python batches: tiny files in the official format, as folders and as archives."""

import gzip
import io
import pickle
import tarfile

import numpy as np
import pytest

from pipelines import DataError, load_source

NAMES = {"cifar10": [f"class{i}" for i in range(10)], "cifar100": [f"fine{i}" for i in range(100)]}
FOLDER = {"cifar10": "cifar-10-batches-py", "cifar100": "cifar-100-python"}
ARCHIVE = {"cifar10": "cifar-10-python.tar.gz", "cifar100": "cifar-100-python.tar.gz"}


def official_files(name: str) -> dict[str, dict]:
    """The contents of every file, with 4 training images in each batch and 3 for testing."""
    generator = np.random.default_rng(0)

    def batch(size):
        data = generator.integers(0, 256, (size, 3072), dtype=np.uint8)
        labels = generator.integers(0, len(NAMES[name]), size).tolist()
        if name == "cifar10":
            return {"data": data, "labels": labels, "batch_label": "x", "filenames": ["f"] * size}
        return {"data": data, "fine_labels": labels, "coarse_labels": [0] * size}

    if name == "cifar10":
        files = {f"data_batch_{i}": batch(4) for i in range(1, 6)}
        return {**files, "test_batch": batch(3), "batches.meta": {"label_names": NAMES[name], "num_vis": 3072}}
    return {"train": batch(4), "test": batch(3), "meta": {"fine_label_names": NAMES[name], "coarse_label_names": ["c"]}}


def write_folder(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in files.items():
        (folder / file).write_bytes(content if isinstance(content, bytes) else pickle.dumps(content, protocol=2))


def write_archive(path, folder, files):
    with tarfile.open(path, "w:gz") as tar:
        for file, content in files.items():
            content = content if isinstance(content, bytes) else pickle.dumps(content, protocol=2)
            member = tarfile.TarInfo(f"{folder}/{file}")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))


def assert_is(source, name, files):
    train = [files[key] for key in files if key.startswith(("data_batch", "train"))]
    test = files["test_batch" if name == "cifar10" else "test"]
    key = "labels" if name == "cifar10" else "fine_labels"
    assert source.name == name
    assert source.class_names == tuple(NAMES[name])
    for split, batches in (("train", train), ("test", [test])):
        planes = np.concatenate([batch["data"] for batch in batches])
        images = source.splits[split].images
        assert images.shape == (len(planes), 32, 32, 3)
        for row, column, channel in [(0, 0, 0), (0, 31, 1), (17, 5, 2), (31, 31, 2)]:
            np.testing.assert_array_equal(
                images[:, row, column, channel], planes[:, channel * 1024 + row * 32 + column]
            )
        assert source.splits[split].labels.tolist() == sum((batch[key] for batch in batches), [])


@pytest.fixture(params=["cifar10", "cifar100"])
def name(request):
    return request.param


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    for variable in ("KERASNETS_DATA", "KERAS_HOME", "TORCH_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def test_folder_below_the_data_folder_and_the_folder_itself(name, tmp_path):
    files = official_files(name)
    write_folder(tmp_path / "d" / FOLDER[name], files)
    for data_dir in (tmp_path / "d", tmp_path / "d" / FOLDER[name]):
        source = load_source(name, data_dir)
        assert_is(source, name, files)
        assert source.origin == str(tmp_path / "d" / FOLDER[name])


@pytest.mark.parametrize("below", ["", "NAME/"])
def test_archive_is_read_without_unpacking(name, below, tmp_path):
    files, folder = official_files(name), tmp_path / "d" / below.replace("NAME", name)
    folder.mkdir(parents=True)
    write_archive(folder / ARCHIVE[name], FOLDER[name], files)
    source = load_source(name, tmp_path / "d")
    assert_is(source, name, files)
    assert source.origin == str(folder / ARCHIVE[name])
    assert [path.name for path in folder.iterdir()] == [ARCHIVE[name]]


@pytest.mark.parametrize("place", [".keras/datasets/{0}-target/{0}", ".keras/datasets/{0}", "data/{0}"])
def test_keras_cache_and_torchvision_root_are_found(name, place, tmp_path):
    files = official_files(name)
    write_folder(tmp_path / place.format(FOLDER[name]), files)
    assert_is(load_source(name), name, files)


def test_the_variable_is_found(name, tmp_path, monkeypatch):
    write_folder(tmp_path / "v" / FOLDER[name], official_files(name))
    monkeypatch.setenv("KERASNETS_DATA", str(tmp_path / "v"))
    assert load_source(name).origin == str(tmp_path / "v" / FOLDER[name])


def test_byte_keys_and_byte_names_are_read_as_text(tmp_path):
    files = official_files("cifar10")
    meta = {b"label_names": [name.encode() for name in NAMES["cifar10"]]}
    rewritten = {
        key: {inner.encode(): value for inner, value in content.items()}
        for key, content in files.items()
        if "batch_" in key
    }
    write_folder(tmp_path / FOLDER["cifar10"], {**files, **rewritten, "batches.meta": meta})
    assert_is(load_source("cifar10", tmp_path), "cifar10", files)


def test_missing_data_is_one_line(name, tmp_path):
    (tmp_path / "d").mkdir()
    with pytest.raises(DataError, match=f"'{name}' needs its files .* or put {FOLDER[name]} or {ARCHIVE[name]} into"):
        load_source(name, tmp_path / "d")


def test_a_missing_file_is_named(tmp_path):
    files = official_files("cifar10")
    del files["data_batch_3"], files["batches.meta"]
    write_folder(tmp_path / FOLDER["cifar10"], files)
    with pytest.raises(DataError, match="cifar-10-batches-py without data_batch_3, batches.meta"):
        load_source("cifar10", tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    files = official_files("cifar10")
    write_folder(tmp_path, {**files, "data_batch_2": pickle.dumps(files["data_batch_2"])[:5000]})
    with pytest.raises(DataError, match="data_batch_2 must be a pickle of NumPy arrays. Received a damaged"):
        load_source("cifar10", tmp_path)


@pytest.mark.parametrize("label", [10, -1, "cat", 1.0])
def test_a_label_out_of_range_names_the_file(label, tmp_path):
    files = official_files("cifar10")
    files["test_batch"]["labels"][1] = label
    write_folder(tmp_path, files)
    with pytest.raises(DataError, match=rf"Labels in .*test_batch must be in 0\.\.9. Received: {label!r}"):
        load_source("cifar10", tmp_path)


@pytest.mark.parametrize(
    "data, received",
    [
        (None, "NoneType"),
        (np.zeros((4, 3071), np.uint8), r"uint8 of shape \(4, 3071\)"),
        (np.zeros((4, 3072)), "float64"),
        (np.zeros(3072, np.uint8), r"uint8 of shape \(3072,\)"),
    ],
)
def test_images_of_another_form_are_refused(data, received, tmp_path):
    files = official_files("cifar10")
    files["data_batch_1"]["data"] = data
    write_folder(tmp_path, files)
    with pytest.raises(
        DataError, match=rf"data_batch_1 must hold 'data', uint8 of shape \(n, 3072\). Received: {received}"
    ):
        load_source("cifar10", tmp_path)


@pytest.mark.parametrize("labels, received", [([0] * 5, "5 of them"), (None, "NoneType")])
def test_another_number_of_labels_is_refused(labels, received, tmp_path):
    files = official_files("cifar10")
    files["data_batch_1"]["labels"] = labels
    write_folder(tmp_path, files)
    with pytest.raises(DataError, match=f"data_batch_1 must list 4 labels under 'labels'. Received: {received}"):
        load_source("cifar10", tmp_path)


@pytest.mark.parametrize("meta", [{"num_vis": 3072}, {"label_names": []}])
def test_a_meta_file_without_names_is_refused(meta, tmp_path):
    write_folder(tmp_path, {**official_files("cifar10"), "batches.meta": meta})
    with pytest.raises(DataError, match="batches.meta must list the class names under 'label_names'"):
        load_source("cifar10", tmp_path)


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.9])
def test_a_truncated_archive_is_named(keep, tmp_path):
    path = tmp_path / ARCHIVE["cifar10"]
    write_archive(path, FOLDER["cifar10"], official_files("cifar10"))
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(DataError, match="cifar-10-python.tar.gz must be a complete tar archive. Received a truncated"):
        load_source("cifar10", tmp_path)


def test_an_archive_with_flipped_bytes_is_named(tmp_path):
    path = tmp_path / ARCHIVE["cifar10"]
    write_archive(path, FOLDER["cifar10"], official_files("cifar10"))
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 64] = bytes(64)
    path.write_bytes(content)
    with pytest.raises(DataError, match="cifar-10-python.tar.gz must be a complete tar archive"):
        load_source("cifar10", tmp_path)


def test_another_file_under_the_archives_name_is_refused(tmp_path):
    (tmp_path / ARCHIVE["cifar10"]).write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match="must be a complete tar archive"):
        load_source("cifar10", tmp_path)


def test_an_archive_without_a_file_names_it(tmp_path):
    files = official_files("cifar10")
    del files["test_batch"]
    write_archive(tmp_path / ARCHIVE["cifar10"], FOLDER["cifar10"], files)
    with pytest.raises(DataError, match="cifar-10-python.tar.gz must hold .* Missing: test_batch"):
        load_source("cifar10", tmp_path)


def test_a_member_too_large_to_be_official_is_refused_before_it_is_read(tmp_path):
    member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
    member.size = 1 << 40
    with gzip.open(tmp_path / ARCHIVE["cifar10"], "wb") as file:
        file.write(member.tobuf())
    with pytest.raises(
        DataError, match=r"data_batch_1 in .*tar.gz must have at most \d+ bytes. Received: 1099511627776"
    ):
        load_source("cifar10", tmp_path)
