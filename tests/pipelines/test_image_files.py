"""Many files to arrays: order, threads and processes, memory used again, and files that cannot be used."""

import hashlib
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipelines import image_files
from pipelines.decode import decode_image
from pipelines.image_files import decode_in_parts


def files(folder, count):
    generator = np.random.default_rng(0)
    paths = [folder / f"{number}.png" for number in range(count)]
    for path in paths:
        Image.fromarray(generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)).save(path)
    return paths


@pytest.fixture(params=["threads", "processes"])
def way(request, monkeypatch):
    if request.param == "processes":
        monkeypatch.setattr(image_files, "_FILES_FOR_PROCESSES", 1)
    return request.param


def test_every_file_is_decoded_in_its_place(tmp_path, way):
    paths = files(tmp_path, 150)  # no multiple of the files in a part
    for resize in ("squash", "crop"):
        images = [image for part in decode_in_parts(paths, (4, 4, 3), resize) for image in part.images.copy()]
        np.testing.assert_array_equal(images, [decode_image(path, (4, 4, 3), resize) for path in paths])


def test_more_parts_than_there_is_memory_for(tmp_path, way, monkeypatch):
    monkeypatch.setattr(image_files, "_PART", 2)
    monkeypatch.setattr(image_files, "_PARTS_AHEAD", 3)
    paths = files(tmp_path, 41)
    starts, images = [], []
    for part in decode_in_parts(paths, (4, 4, 3)):
        starts.append(part.start)
        images += list(part.images.copy())
    assert starts == list(range(0, 41, 2))
    np.testing.assert_array_equal(images, [decode_image(path, (4, 4, 3)) for path in paths])


def test_bad_files_are_listed_in_order_and_left_out(tmp_path, way):
    paths = files(tmp_path, 140)
    paths[3].write_bytes(b"")
    paths[139].write_bytes(b"text")
    paths[70].unlink()
    parts = [(part.start, len(part.images), part.bad) for part in decode_in_parts(paths, (4, 4, 1))]
    assert [part[:2] for part in parts] == [(0, 63), (64, 63), (128, 11)]
    bad = [file for _, _, bad in parts for file in bad]
    assert [(place, kind) for place, kind, _ in bad] == [(3, "empty"), (70, "missing"), (139, "no image")]
    assert bad[0][2] == "it holds 0 bytes"


def test_digests_are_those_of_the_content(tmp_path, way):
    paths = files(tmp_path, 3)
    paths[1].write_bytes(paths[0].read_bytes())
    paths[2].unlink()
    (part,) = decode_in_parts(paths, (4, 4, 1))
    own = hashlib.blake2b(paths[0].read_bytes(), digest_size=16).digest()
    assert part.digests == [own, own, b""]


def test_the_system_is_asked_for_all_files_of_a_part_before_the_first_is_read(tmp_path, monkeypatch):
    events, paths = [], files(tmp_path, 3)
    read = image_files.read_image_file
    monkeypatch.setattr(image_files, "read_ahead", lambda path: events.append(("ahead", path)))
    monkeypatch.setattr(image_files, "read_image_file", lambda path: events.append(("read", path)) or read(path))
    list(decode_in_parts(paths, (4, 4, 1)))
    assert events == [("ahead", path) for path in paths] + [("read", path) for path in paths]


def test_no_file_at_all():
    assert list(decode_in_parts([], (4, 4, 1))) == []


def test_relative_paths(tmp_path, way, monkeypatch):
    files(tmp_path, 2)
    monkeypatch.chdir(tmp_path)
    (part,) = decode_in_parts(["0.png", "1.png"], (4, 4, 1))
    assert len(part.images) == 2 and not part.bad


def test_whoever_stops_early_leaves_no_process(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "_FILES_FOR_PROCESSES", 1)
    made = []
    monkeypatch.setattr(
        image_files.subprocess, "Popen", lambda *a, **k: made.append(subprocess_popen(*a, **k)) or made[-1]
    )
    parts = decode_in_parts(files(tmp_path, 200), (4, 4, 1))
    next(parts)
    parts.close()
    assert made and all(process.poll() is not None for process in made)


subprocess_popen = subprocess.Popen


def test_a_killed_process_is_an_error_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "_FILES_FOR_PROCESSES", 1)
    monkeypatch.setattr(image_files, "_PARTS_AHEAD", 1)
    made = []
    monkeypatch.setattr(
        image_files.subprocess, "Popen", lambda *a, **k: made.append(subprocess_popen(*a, **k)) or made[-1]
    )
    parts = decode_in_parts(files(tmp_path, 400), (4, 4, 1))
    next(parts)
    for process in made:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    with pytest.raises(OSError, match="A process that decodes images was killed, perhaps for want of memory"):
        list(parts)


def test_a_script_is_not_run_again_by_the_processes(tmp_path):
    files(tmp_path, 3)
    (tmp_path / "script.py").write_text(
        "print('begins')\n"
        "from pathlib import Path\n"
        "from pipelines import image_files\n"
        "image_files._FILES_FOR_PROCESSES = 1\n"
        "parts = image_files.decode_in_parts(sorted(Path('.').glob('*.png')), (4, 4, 1))\n"
        "print(sum(len(part.images) for part in parts))\n"
    )
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("begins\n3\n", "")
