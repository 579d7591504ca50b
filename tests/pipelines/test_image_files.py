"""Many files to arrays: order, threads and processes, memory used again, and files that cannot be used."""

import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

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


@pytest.fixture
def two_workers():
    workers = image_files._Workers(2, (2, 3, 4, 4, 1))
    yield workers
    workers.close()


def test_a_terminal_s_ctrl_c_does_not_reach_them_and_they_give_way_with_whoever_asks(two_workers):
    for process in two_workers._processes:
        assert os.getpgid(process.pid) == process.pid
        assert os.getsid(process.pid) == os.getsid(0)


def test_work_that_was_not_taken_hides_no_error(tmp_path, two_workers):
    paths = files(tmp_path, 3)
    for process in two_workers._processes:
        process.kill()
        process.wait()
    for _ in range(4):
        with pytest.raises(OSError, match="A process that decodes images was killed") as e:
            two_workers.decode(0, 0, paths, "squash")
        assert type(e.value) is OSError  # commands take a BrokenPipeError for a closed stdout
    two_workers.close()
    assert all(process.stdin.closed and process.stdout.closed for process in two_workers._processes)


def test_a_dead_process_is_asked_once_and_keeps_nobody_waiting(tmp_path, two_workers, monkeypatch):
    paths = files(tmp_path, 3)
    dead, alive = two_workers._processes
    dead.kill()
    dead.wait()
    ask, asked = two_workers._ask, []
    monkeypatch.setattr(two_workers, "_ask", lambda process, work: asked.append(process) or ask(process, work))

    def decode(_):
        try:
            return two_workers.decode(0, 0, paths, "squash")[1]
        except OSError as error:
            return str(error)

    with ThreadPoolExecutor(2) as pool:
        results = list(pool.map(decode, range(12)))
    assert set(results) == {3, "A process that decodes images was killed, perhaps for want of memory"}
    assert alive.poll() is None and asked.count(dead) == 1
    two_workers.close()
    assert alive.poll() is not None


def started_with(monkeypatch, program):
    monkeypatch.setattr(
        image_files,
        "_started",
        lambda *_: subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        ),
    )


CUT = "import os, pickle, time; os.write(1, pickle.dumps(list(range(1000)))[:50]); "


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("raise SystemExit(3)", "A process that decodes images ended with code 3$"),
        (CUT + "raise SystemExit(4)", "A process that decodes images ended with code 4$"),
        (CUT + "os.kill(os.getpid(), 9)", "A process that decodes images was killed"),
        (CUT + "os.close(1); time.sleep(60)", "A process that decodes images gave no answer$"),
    ],
    ids=["no answer", "half an answer", "killed", "hangs"],
)
def test_how_a_process_ended(tmp_path, monkeypatch, program, message):
    if "sleep" in program:
        monkeypatch.setattr(image_files, "_SECONDS_TO_END", 0.05)
    started_with(monkeypatch, program)
    monkeypatch.setattr(image_files, "_FILES_FOR_PROCESSES", 1)
    with pytest.raises(OSError, match=message) as e:
        list(decode_in_parts(files(tmp_path, 3), (4, 4, 1)))
    assert type(e.value) is OSError


def test_if_one_process_cannot_be_started_none_is_left(monkeypatch):
    made, start = [], image_files._started

    def started(*options):
        if made:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        made.append(start(*options))
        return made[0]

    monkeypatch.setattr(image_files, "_started", started)
    with pytest.raises(BlockingIOError, match="Resource temporarily unavailable"):
        image_files._Workers(2, (2, 3, 4, 4, 1))
    assert made[0].poll() is not None


def test_want_of_memory_is_no_fault_of_the_file(tmp_path, monkeypatch):
    def full(*_):
        raise MemoryError

    monkeypatch.setattr(image_files, "decode_bytes", full)
    paths = files(tmp_path, 3)
    with pytest.raises(MemoryError):
        list(decode_in_parts(paths, (4, 4, 1)))
    # A process answers with it,
    answer, memory = io.BytesIO(), os.memfd_create("test")
    os.ftruncate(memory, 48)
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(pickle.dumps((0, 0, paths, "squash")))))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=answer))
    image_files.serve(memory, (1, 3, 4, 4, 1))
    monkeypatch.undo()
    os.close(memory)
    assert isinstance(pickle.loads(answer.getvalue()), MemoryError)
    # and whoever asked it raises it.
    started_with(monkeypatch, f"import os, sys; sys.stdin.buffer.read(9); os.write(1, {answer.getvalue()!r})")
    monkeypatch.setattr(image_files, "_FILES_FOR_PROCESSES", 1)
    with pytest.raises(MemoryError):
        list(decode_in_parts(paths, (4, 4, 1)))


@pytest.mark.parametrize(
    ("shape", "lengths"),
    [((64, 64, 3), [64, 6]), ((256, 256, 3), [64, 6]), ((1024, 1024, 3), [5] * 14), ((4096, 4096, 3), [1] * 70)],
)
def test_parts_of_large_images_hold_fewer(tmp_path, shape, lengths):
    missing = [tmp_path / str(number) for number in range(70)]
    parts = list(decode_in_parts(missing, shape))
    assert [len(part.digests) for part in parts] == lengths
    assert [place for part in parts for place, _, _ in part.bad] == list(range(70))


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
