"""What the catalog says, and that what it fetches is where the sources look for it."""

import dataclasses
import gzip
import hashlib
import importlib.util
import io
import os
import pickle
import shutil
import struct
import subprocess
import sys
import tarfile
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pipelines import catalog
from pipelines.archives import extract
from pipelines.catalog import CATALOG, fetch_data_set
from pipelines.errors import DataError
from pipelines.sources import SOURCES, load_source

FETCHED = [name for name, facts in CATALOG.items() if facts.files]
GENERATOR = np.random.default_rng(0)


def cifar_archive(name):
    folder, labels_key, names_key = {
        "cifar10": ("cifar-10-batches-py", b"labels", b"label_names"),
        "cifar100": ("cifar-100-python", b"fine_labels", b"fine_label_names"),
    }[name]
    batches = {"cifar10": [f"data_batch_{number}" for number in range(1, 6)] + ["test_batch"]}.get(
        name, ["train", "test"]
    )
    batch = {b"data": np.zeros((2, 3072), np.uint8), labels_key: [0, 1]}
    names = {names_key: [str(number).encode() for number in range(CATALOG[name].num_classes)]}
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as tar:
        for file, value in [*((file, batch) for file in batches), ("batches.meta", names), ("meta", names)]:
            data = pickle.dumps(value, protocol=2)
            info = tarfile.TarInfo(f"{folder}/{file}")
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return content.getvalue()


def idx_file(name):
    count, shape = 12, (12, 28, 28) if "images" in name else (12,)
    values = GENERATOR.integers(0, 10, count * 784 if len(shape) == 3 else count, np.uint8)
    return gzip.compress(struct.pack(f">I{len(shape)}I", 0x800 + len(shape), *shape) + values.tobytes())


def tiny_imagenet_archive():
    jpeg = io.BytesIO()
    Image.new("RGB", (64, 64)).save(jpeg, "JPEG")
    root = "tiny-imagenet-200"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.mkdir(root)
        packed.writestr(f"{root}/wnids.txt", "n01\nn02\n")
        packed.writestr(f"{root}/words.txt", "n01\tgoldfish\nn02\tcrane\n")
        packed.writestr(f"{root}/val/val_annotations.txt", "val_0.JPEG\tn02\t0\t0\t63\t63\n")
        for file in ("train/n01/images/n01_0.JPEG", "train/n02/images/n02_0.JPEG", "val/images/val_0.JPEG"):
            packed.writestr(f"{root}/{file}", jpeg.getvalue())
    return content.getvalue()


def content_of(name, path):
    if name.startswith("cifar"):
        return cifar_archive(name)
    return tiny_imagenet_archive() if name == "tiny_imagenet" else idx_file(path)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        content = self.server.contents.get(self.path)
        self.server.seen.append(self.path)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        self.end_headers()
        self.wfile.write(content or b"")

    def log_message(self, *words):
        pass


@pytest.fixture(autouse=True)
def empty_machine(tmp_path, monkeypatch):
    """No data anywhere, no proxy."""
    for name in list(os.environ):
        if name in ("KERASNETS_DATA", "KERAS_HOME", "TORCH_HOME") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")


@pytest.fixture
def server(monkeypatch):
    """Serves small data sets of the official layout, at which the catalog's addresses point."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.contents, server.seen = {}, []
    for name in FETCHED:
        files = []
        for file in CATALOG[name].files:
            content = content_of(name, file.path)
            server.contents[f"/{file.path}"] = content
            url = f"http://127.0.0.1:{server.server_port}/{file.path}"
            sha256 = hashlib.sha256(content).hexdigest()
            files.append(dataclasses.replace(file, urls=(url,), size=len(content), sha256=sha256, unpacked_size=1000))
        monkeypatch.setitem(CATALOG, name, dataclasses.replace(CATALOG[name], files=tuple(files)))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data" / "sets"


def test_every_source_by_name_is_in_the_catalog():
    assert list(CATALOG) == list(SOURCES)


@pytest.mark.parametrize("name", CATALOG)
def test_the_facts_are_complete(name):
    facts = CATALOG[name]
    assert facts.title and facts.licence and facts.citation and facts.page.startswith("http")
    assert facts.num_classes >= 10 and set(facts.num_images) == {"train", "test"} and len(facts.image_shape) == 3
    assert facts.download_bytes == sum(file.size for file in facts.files)
    for file in facts.files:
        assert len(bytes.fromhex(file.sha256)) == 32 and file.sha256 == file.sha256.lower() and file.size > 1000
        assert len(file.urls) == 2 and all(url.startswith(("https://", "http://")) for url in file.urls)
        assert {url.rsplit("/", 1)[1] for url in file.urls} == {Path(file.path).name}
        assert not Path(file.path).is_absolute() and ".." not in file.path


def test_the_facts_of_digits_are_those_of_the_source():
    source, facts = load_source("digits"), CATALOG["digits"]
    assert {split: len(part) for split, part in source.splits.items()} == facts.num_images
    assert source.image_shape == facts.image_shape and source.num_classes == facts.num_classes


@pytest.mark.parametrize(
    ("name", "package", "path"),
    [
        ("cifar10", "keras", "src/datasets/cifar10.py"),
        ("cifar100", "keras", "src/datasets/cifar100.py"),
        ("fashion_mnist", "tensorflow_datasets", "url_checksums/fashion_mnist.txt"),
        ("mnist", "tensorflow_datasets", "url_checksums/mnist.txt"),
    ],
)
def test_the_hashes_are_those_that_other_packages_pin(name, package, path):
    text = (Path(importlib.util.find_spec(package).origin).parent / path).read_text(encoding="utf-8")
    for file in CATALOG[name].files:
        assert file.sha256 in text
        assert package == "keras" or f"/{Path(file.path).name}\t{file.size}\t{file.sha256}\t" in text


@pytest.mark.parametrize("name", FETCHED)
def test_what_is_fetched_is_found_and_fetched_once(name, server, root):
    calls = []
    place = fetch_data_set(name, root, lambda *call: calls.append(call))
    source = load_source(name, root)
    assert Path(source.origin) == place and place.is_relative_to(root)
    assert source.image_shape == CATALOG[name].image_shape
    files = {Path(file.path).name: file.size for file in CATALOG[name].files}
    assert {call for call in calls if call[0] in files and call[1] == call[2]} == {(f, s, s) for f, s in files.items()}
    assert [path for path in root.iterdir() if path.name.startswith(".")] == []  # no lock, nothing partial
    assert fetch_data_set(name, root) == place
    assert len(server.seen) == len(files)


def test_tiny_imagenet_is_unpacked_with_progress_and_the_archive_removed(server, root):
    calls = []
    fetch_data_set("tiny_imagenet", root, lambda *call: calls.append(call))
    assert os.listdir(root) == ["tiny-imagenet-200"]
    file_name, written, total = calls[-1]
    assert file_name == "tiny-imagenet-200" and written == total > 1000


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({}, "home/.keras/datasets"),
        ({"KERAS_HOME": "{tmp}/keras"}, "keras/datasets"),
        ({"KERAS_HOME": "{tmp}/keras", "KERASNETS_DATA": "~/chosen"}, "home/chosen"),
    ],
)
def test_the_default_folder(server, tmp_path, monkeypatch, variables, folder):
    for name, value in variables.items():
        monkeypatch.setenv(name, value.format(tmp=tmp_path))
    assert fetch_data_set("mnist") == tmp_path / folder / "mnist"
    assert load_source("mnist").origin == str(tmp_path / folder / "mnist")


def test_what_is_anywhere_is_not_fetched_unless_a_folder_is_given(server, tmp_path, root):
    fetch_data_set("mnist", tmp_path / "home" / "data")
    assert fetch_data_set("mnist") == tmp_path / "home" / "data" / "mnist" and len(server.seen) == 4
    assert fetch_data_set("mnist", root) == root / "mnist" and len(server.seen) == 8


def test_an_own_folder_that_holds_the_data_is_enough(server, root):
    fetch_data_set("tiny_imagenet", root)
    assert fetch_data_set("tiny_imagenet", root / "tiny-imagenet-200") == root / "tiny-imagenet-200"
    assert len(server.seen) == 1


def test_a_damaged_file_is_replaced_and_the_good_ones_kept(server, root):
    fetch_data_set("mnist", root)
    damaged = root / "mnist" / "t10k-labels-idx1-ubyte.gz"
    damaged.write_bytes(b"damaged")
    fetch_data_set("mnist", root)
    assert server.seen[4:] == ["/mnist/t10k-labels-idx1-ubyte.gz"]
    assert damaged.read_bytes() == server.contents[server.seen[-1]]


def test_an_archive_that_lies_there_is_checked_and_unpacked(server, root):
    root.mkdir(parents=True)
    whole = server.contents["/tiny-imagenet-200.zip"]
    for content, requests in [(whole, 0), (whole[:-9], 1)]:
        (root / "tiny-imagenet-200.zip").write_bytes(content)
        fetch_data_set("tiny_imagenet", root)
        assert os.listdir(root) == ["tiny-imagenet-200"] and len(server.seen) == requests
        shutil.rmtree(root / "tiny-imagenet-200")


def test_an_incomplete_folder_in_the_way_is_named_before_anything_is_fetched(server, root):
    (root / "tiny-imagenet-200").mkdir(parents=True)
    with pytest.raises(
        DataError, match="tiny-imagenet-200 must hold all of 'tiny_imagenet' or not exist yet. Received: "
    ):
        fetch_data_set("tiny_imagenet", root)
    assert server.seen == [] and os.listdir(root) == ["tiny-imagenet-200"]


def test_damaged_files_that_are_read_first_are_named(server, root):
    fetch_data_set("cifar10", root)
    extract(root / "cifar-10-python.tar.gz", root / "whole", max_bytes=10**6, max_members=100)
    (root / "whole" / "cifar-10-batches-py").rename(root / "cifar-10-batches-py")
    (root / "cifar-10-batches-py" / "data_batch_3").write_bytes(b"damaged")
    with pytest.raises(
        DataError, match="Nothing in .* must stand before .*: .*data_batch_3 .* Remove those."
    ) as caught:
        fetch_data_set("cifar10", root)
    assert "\n" not in str(caught.value)


def test_two_at_once_fetch_it_once(server, root):
    places, calls = [], []

    def fetch():
        places.append(fetch_data_set("tiny_imagenet", root, lambda *call: calls.append(call)))

    threads = [threading.Thread(target=fetch) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert places == [root / "tiny-imagenet-200"] * 3 and len(server.seen) == 1
    assert os.listdir(root) == ["tiny-imagenet-200"]


def test_who_waits_sees_how_far_the_other_is(server, root):
    half, waited, calls = threading.Event(), threading.Event(), []

    def first(*call):
        if call[1] == call[2]:
            half.set()
            waited.wait(30)

    def second(*call):
        calls.append(call)
        waited.set()

    thread = threading.Thread(target=fetch_data_set, args=("cifar100", root, first))
    thread.start()
    half.wait(30)
    fetch_data_set("cifar100", root, second)
    thread.join()
    size = CATALOG["cifar100"].files[0].size
    assert calls[0] == ("cifar-100-python.tar.gz", size, size) and len(server.seen) == 1


def test_the_room_on_the_disk_is_looked_at_first(server, root, monkeypatch):
    file = dataclasses.replace(CATALOG["tiny_imagenet"].files[0], size=4_000_000, unpacked_size=300_000_000)
    monkeypatch.setitem(CATALOG, "tiny_imagenet", dataclasses.replace(CATALOG["tiny_imagenet"], files=(file,)))
    monkeypatch.setattr(catalog.shutil, "disk_usage", lambda path: SimpleNamespace(free=303_000_000))
    with pytest.raises(DataError, match="The disk of .* must have 304 MB free. Received: 303 MB. Make room or choose"):
        fetch_data_set("tiny_imagenet", root)
    assert server.seen == [] and os.listdir(root) == []
    for name in (".tiny-imagenet-200.zip.partial", "tiny-imagenet-200.zip"):
        (root / name).write_bytes(bytes(1_000_000 if "partial" in name else 4_000_000))  # their room is taken already
        with pytest.raises(DataError, match="must be fetched from one of its addresses"):
            fetch_data_set("tiny_imagenet", root)
        (root / name).unlink()


def test_a_failed_download_leaves_no_lock(server, root):
    server.contents.clear()
    with pytest.raises(DataError, match="cifar-10-python.tar.gz must be fetched .* the answer 404 Not Found"):
        fetch_data_set("cifar10", root)
    assert os.listdir(root) == []


def test_a_name_that_is_not_to_be_fetched_is_refused():
    with pytest.raises(DataError, match="Data sets to fetch are cifar10, .*. Received: 'mnits'. Did you mean 'mnist'?"):
        fetch_data_set("mnits")
    with pytest.raises(DataError, match="Received: 'folder:pets'.$"):
        fetch_data_set("folder:pets")
    with pytest.raises(DataError, match="must have files. Received: 'digits', which needs no files: use it at once."):
        fetch_data_set("digits")


def test_a_data_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(
        DataError, match="The data folder must be a folder that can be written. Received: .*/file/data: "
    ):
        fetch_data_set("mnist", tmp_path / "file" / "data")


def test_looking_at_the_catalog_needs_no_array_library():
    code = "import sys, pipelines.catalog; print([name for name in ('numpy', 'tensorflow') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
