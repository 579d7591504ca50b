"""The cache folder: found again, made anew when anything changed, and never wrong after an accident."""

import errno
import fcntl
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


def slow_writer(paths, seconds):
    """Another process that makes the entry, and says so and waits when the files are decoded."""
    program = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from pipelines import image_cache\n"
        "def wait(files):\n"
        "    print('writing', flush=True)\n"
        f"    time.sleep({seconds})\n"
        "image_cache.cached_images([Path(p) for p in sys.argv[1:]], (4, 4, 3), 'squash', wait)\n"
    )
    return subprocess.Popen([sys.executable, "-c", program, *map(str, paths)], stdout=subprocess.PIPE)


def test_a_killed_writer_leaves_nothing_that_matters(root, paths, tmp_path):
    with slow_writer(paths, 60) as writer:
        assert writer.stdout.readline() == b"writing\n"
        assert len(list(root.glob(".*.partial"))) == 1 and not list(root.glob("images-*"))
        writer.kill()
    entry = cached(paths)
    assert entry.fresh and not list(root.glob(".*"))
    np.testing.assert_array_equal(entry.images[:], good(paths))


def test_a_second_writer_waits_for_the_first(root, paths):
    with slow_writer(paths, 0.5) as writer:
        assert writer.stdout.readline() == b"writing\n"
        start = time.perf_counter()
        entry = cached(paths)
        assert not entry.fresh and time.perf_counter() - start > 0.2
        assert writer.wait() == 0


def test_left_overs_are_removed_before_the_room_is_measured(root, paths, monkeypatch):
    cached(paths[:2])
    (known,) = root.glob("known-*.json")
    shutil.rmtree(next(root.glob("images-*")))
    own = root / f".{known.stem.removeprefix('known-')}.a.partial"
    others, held = root / f".{'e' * 32}.b.partial", root / f".{'f' * 32}.c.partial"
    for left_over in (own, others, held):
        left_over.mkdir()
        (left_over / "pixels").write_bytes(b"123")

    def usage(_):
        return shutil._ntuple_diskusage(1 << 40, 0, 0 if own.exists() or others.exists() else 1 << 40)

    monkeypatch.setattr(image_cache.shutil, "disk_usage", usage)
    with open(root / f"{'f' * 32}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert cached(paths[:2]).fresh
        assert [path.name for path in root.glob(".*")] == [held.name]


def test_what_is_there_needs_no_room(paths, monkeypatch):
    cached(paths)
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    assert not cached(paths).fresh


def test_a_file_that_cannot_be_read_now_is_tried_again(root, paths, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pipelines.decode.open", denied, raising=False)  # root may read everything
    assert [kind for _, kind, _ in cached(paths).bad] == ["unreadable"] * 5
    monkeypatch.delattr("pipelines.decode.open")
    again = cached(paths)
    assert [kind for _, kind, _ in again.bad] == ["no image"]
    np.testing.assert_array_equal(again.images[:], good(paths))
    assert not cached(paths).fresh


def renames_meanwhile(root, monkeypatch, change):
    """Another process gives its entry of the same contents its name between our look and our rename."""
    chmod, locks = os.chmod, []

    def other(aside, mode):
        monkeypatch.setattr(os, "chmod", chmod)
        key = next(iter({path.stem for path in root.glob("*.lock")} - {aside.name.split(".")[1]}))
        with open(root / f"{key}.lock", "w") as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        locks.append(key)
        shutil.copytree(aside, root / f"images-{key}")
        change(root / f"images-{key}" / "pixels")
        chmod(aside, mode)

    monkeypatch.setattr(image_cache.os, "chmod", other)
    return locks


def test_only_what_was_seen_to_be_damaged_is_removed(root, paths, monkeypatch):
    rmtree, removed = shutil.rmtree, []
    monkeypatch.setattr(shutil, "rmtree", lambda path, **_: removed.append(path.name[:7]) or rmtree(path, **_))
    cached(paths)
    assert "images-" not in removed
    os.truncate(next(root.glob("images-*")) / "pixels", 3)
    cached(paths)
    assert removed.count("images-") == 1


def test_another_that_was_quicker_is_used(root, paths, monkeypatch):
    locks = renames_meanwhile(root, monkeypatch, lambda pixels: None)
    entry = cached(paths)
    assert locks and not entry.fresh and [kind for _, kind, _ in entry.bad] == ["no image"]
    np.testing.assert_array_equal(entry.images[:], good(paths))
    monkeypatch.undo()
    monkeypatch.setenv("KERASNETS_CACHE", str(root))
    assert not cached(paths).fresh and not list(root.glob(".*"))


def test_another_that_was_quicker_and_is_damaged_is_not_removed(root, paths, monkeypatch):
    renames_meanwhile(root, monkeypatch, lambda pixels: os.truncate(pixels, 3))
    assert cached(paths) is None
    assert len(list(root.glob("images-*"))) == 1 and not list(root.glob(".*"))


def test_without_room_or_right_there_is_none(root, paths, monkeypatch, tmp_path):
    monkeypatch.setattr(image_cache.shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(9, 9, 0))
    assert cached(paths) is None and not list(root.glob("images-*"))
    monkeypatch.undo()
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file" / "cache", tmp_path / "file"):
        monkeypatch.setenv("KERASNETS_CACHE", str(place))
        assert cached(paths) is None


def raising(code):
    def raises(*_, **__):
        raise OSError(code, os.strerror(code))

    return raises


@pytest.mark.parametrize("step", ["_write_all", "_to_disk", "fcntl.flock", "tempfile.mkdtemp"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG])
def test_a_folder_that_takes_no_more_is_left_as_it_was(root, paths, monkeypatch, step, code):
    monkeypatch.setattr(f"pipelines.image_cache.{step}", raising(code))
    assert cached(paths) is None
    assert not list(root.glob("images-*")) and not list(root.glob(".*"))


def test_a_disk_that_is_full_in_earnest(root, paths):
    program = (
        "import resource, sys\n"
        "from pathlib import Path\n"
        "from pipelines import image_cache\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
        "print(image_cache.cached_images([Path(p) for p in sys.argv[1:]], (4, 4, 3), 'squash', lambda files: None))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *map(str, paths)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("None\n", "")
    assert not list(root.glob("images-*")) and not list(root.glob(".*"))


def test_other_trouble_with_the_disk_is_no_lack_of_room(root, paths, monkeypatch):
    monkeypatch.setattr(image_cache, "_to_disk", raising(errno.EIO))
    with pytest.raises(OSError, match="Input/output error"):
        cached(paths)
    assert not list(root.glob("images-*")) and not list(root.glob(".*"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.ENOMEM])
def test_what_goes_wrong_in_decoding_goes_through(root, paths, monkeypatch, code):
    def parts(*_):
        raise OSError(code, "while decoding")
        yield

    monkeypatch.setattr(image_cache, "decode_in_parts", parts)
    with pytest.raises(OSError, match="while decoding"):
        cached(paths)
    assert not list(root.glob(".*"))


def test_an_entry_that_cannot_be_opened_now_is_not_removed(root, paths, monkeypatch):
    cached(paths)
    monkeypatch.setattr(image_cache, "_checksums", raising(errno.EMFILE))
    with pytest.raises(OSError, match="Too many open files"):
        cached(paths)
    monkeypatch.setattr(image_cache, "_checksums", raising(errno.EACCES))
    assert cached(paths) is None
    monkeypatch.undo()
    monkeypatch.setenv("KERASNETS_CACHE", str(root))
    assert not cached(paths).fresh


def test_a_write_may_be_short():
    written = []

    class Short:
        def write(self, content):
            written.extend(content[:3])
            return min(3, len(content))

    image_cache._write_all(Short(), np.arange(10, dtype=np.uint8))
    assert written == list(range(10))


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
