"""The cache folder: found again, made anew when anything changed, and never wrong after an accident."""

import json
import os
import shutil
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines import image_cache
from pipelines.decode import decode_image
from pipelines.image_cache import cache_root, cached_images

SHAPE = (4, 4, 3)


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASNETS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def paths(tmp_path):
    generator = np.random.default_rng(0)
    paths = [tmp_path / f"{number}.png" for number in range(5)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path)
    paths[3].write_bytes(b"text")
    return paths


def cached(paths, shape=SHAPE, resize="squash"):
    return cached_images(paths, shape, resize, lambda files: None)


def good(paths, shape=SHAPE, resize="squash"):
    return [decode_image(path, shape, resize) for number, path in enumerate(paths) if number != 3]


def test_made_once_and_found_again(root, paths):
    told = []
    first = cached_images(paths, SHAPE, "squash", told.append)
    assert first.fresh and sum(told) == 5
    np.testing.assert_array_equal(first.images[:], good(paths))
    assert [(place, kind) for place, kind, _ in first.bad] == [(3, "no image")]
    again = cached_images(paths, SHAPE, "squash", told.append)
    assert not again.fresh and again.bad == first.bad and sum(told) == 5
    np.testing.assert_array_equal(again.images[:], good(paths))
    assert len(list(root.glob("images-*"))) == 1 and not list(root.glob(".*"))


def test_every_option_has_an_entry_of_its_own(root, paths):
    for shape, resize in ((SHAPE, "squash"), (SHAPE, "crop"), ((6, 6, 3), "squash"), ((4, 4, 1), "squash")):
        entry = cached(paths, shape, resize)
        assert entry.fresh
        np.testing.assert_array_equal(entry.images[:], good(paths, shape, resize))
    assert len(list(root.glob("images-*"))) == 4


def test_changed_content_is_noticed(paths):
    cached(paths)
    shutil.copy(paths[1], paths[0])
    entry = cached(paths)
    assert entry.fresh
    np.testing.assert_array_equal(entry.images[:], good(paths))
    paths[3].unlink()
    assert [kind for _, kind, _ in cached(paths).bad] == ["missing"]


def test_the_order_of_the_files_counts(paths):
    cached(paths)
    turned = paths[2::-1] + paths[3:]
    np.testing.assert_array_equal(cached(turned).images[:], good(turned))


def test_the_same_content_elsewhere_shares_the_entry(root, paths, tmp_path):
    cached(paths)
    (tmp_path / "copy").mkdir()
    copies = [shutil.copy(path, tmp_path / "copy") for path in paths]
    np.testing.assert_array_equal(cached(copies).images[:], good(paths))
    assert len(list(root.glob("images-*"))) == 1 and not cached(copies).fresh


@pytest.mark.parametrize("damage", ["flip", "cut", "index", "no index", "known"])
def test_a_damaged_entry_is_made_anew(root, paths, damage):
    cached(paths)
    (entry,) = root.glob("images-*")
    if damage == "flip":
        content = bytearray((entry / "pixels").read_bytes())
        content[17] ^= 1
        (entry / "pixels").write_bytes(content)
    elif damage == "cut":
        os.truncate(entry / "pixels", 10)
    elif damage == "index":
        (entry / "index.json").write_text('{"count"')
    elif damage == "no index":
        (entry / "index.json").unlink()
    else:
        (known,) = root.glob("known-*.json")
        known.write_text("[]")
    made_anew = cached(paths)
    assert made_anew.fresh or damage == "known"  # whose entry is whole
    np.testing.assert_array_equal(made_anew.images[:], good(paths))
    assert not cached(paths).fresh


def test_a_killed_writer_leaves_nothing_that_matters(root, paths, tmp_path):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pipelines import image_cache\n"
        "def wait(files):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        "image_cache.cached_images([Path(p) for p in sys.argv[1:]], (4, 4, 3), 'squash', wait)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, *map(str, paths)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        assert len(list(root.glob(".*.partial"))) == 1 and not list(root.glob("images-*"))
        writer.kill()
    entry = cached(paths)
    assert entry.fresh and not list(root.glob(".*"))
    np.testing.assert_array_equal(entry.images[:], good(paths))


def test_a_second_writer_waits_for_the_first(root, paths):
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pipelines import image_cache\n"
        "def wait(files):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(0.5)\n"
        "image_cache.cached_images([Path(p) for p in sys.argv[1:]], (4, 4, 3), 'squash', wait)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, *map(str, paths)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"writing\n"
        start = time.perf_counter()
        entry = cached(paths)
        assert not entry.fresh and time.perf_counter() - start > 0.2
        assert writer.wait() == 0


def test_without_room_or_right_there_is_none(root, paths, monkeypatch, tmp_path):
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    assert cached(paths) is None and not list(root.glob("images-*"))
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASNETS_CACHE", str(tmp_path / "file" / "cache"))
    assert cached(paths) is None


def test_a_disk_that_fills_up_leaves_nothing(root, paths, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_cache, "_to_disk", full)
    assert cached(paths) is None
    assert not list(root.glob("images-*")) and not list(root.glob(".*"))


def test_where_it_lies(monkeypatch, tmp_path):
    monkeypatch.setenv("KERASNETS_CACHE", "~/mine")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_root() == tmp_path / "mine"
    monkeypatch.delenv("KERASNETS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_root() == tmp_path / "xdg" / "kerasnets"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_root() == tmp_path / ".cache" / "kerasnets"


def test_the_index_is_plain_json(root, paths):
    cached(paths)
    (entry,) = root.glob("images-*")
    index = json.loads((entry / "index.json").read_text())
    assert index["count"] == 4 and index["bad"][0][:2] == [3, "no image"] and len(index["checksums"]) == 1


@pytest.mark.parametrize("block", [7, 48, 100, 1000])
def test_checksums_are_those_of_the_blocks(paths, root, monkeypatch, block):
    monkeypatch.setattr(image_cache, "_BLOCK", block)
    monkeypatch.setattr("pipelines.image_files._PART", 1)  # pieces of 48 bytes
    cached(paths)
    (entry,) = root.glob("images-*")
    pixels = (entry / "pixels").read_bytes()
    expected = [zlib.crc32(pixels[start : start + block]) for start in range(0, len(pixels), block)]
    assert json.loads((entry / "index.json").read_text())["checksums"] == expected
    assert not cached(paths).fresh
