"""`kerasnets-train` on a folder of thousands of files, some of them bad: what it lists, keeps, and takes of memory."""

import csv
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

COMMAND = Path(sys.executable).parent / "kerasnets-train"
FILES, SIDE, CLASSES = 5_000, 128, 5
KINDS = ("jpeg", "png")
DRAWN = 500  # a multiple of 5 classes times 2 kinds of 25; the others repeat them
# Of each kind; fifty are not more than the hundredth that may be bad.
BAD_OF_A_KIND = 5
PIXELS_MIB = FILES * SIDE * SIDE * 3 / 2**20


def picture(number: int) -> Image.Image:
    """One of any size, mostly of its class's colour."""
    generator = np.random.default_rng(number)
    noise = Image.fromarray(generator.integers(0, 256, (5, 5, 3), dtype=np.uint8))
    size = tuple(generator.integers(20, 200, 2).tolist())
    colour = Image.new("HSV", size, (number % CLASSES * 50, 200, 200)).convert("RGB")
    return Image.blend(colour, noise.resize(size, Image.Resampling.BICUBIC), 0.4)


def write_good(folder: Path, count: int) -> None:
    """JPEG and PNG in turn, every fifth of a class for the test; the last file lies in a folder with a file's name."""
    encoded = [encode(number) for number in range(min(count, DRAWN))]
    for number in range(count):
        split = "test" if number // CLASSES % 5 == 0 else "train"
        file = folder / split / f"class {number % CLASSES}" / f"{number:05}.{KINDS[number // 25 % 2]}"
        if number == count - 1:
            file = file.parent / "looks like a file.jpg" / file.name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(encoded[number % DRAWN])


def encode(number: int) -> bytes:
    content = io.BytesIO()
    picture(number).save(content, KINDS[number // 25 % 2])
    return content.getvalue()


def png_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND", b"")


def write_bad(folder: Path) -> dict[str, tuple[str, str, str]]:
    """Plants files of ten kinds among the good ones; returns each one's (split, class, kind)."""
    jpeg, whole_png = ((folder / "train" / "class 0" / name).read_bytes() for name in ("00005.jpeg", "00030.png"))
    contents = {
        "empty.jpg": (b"", "empty"),
        "text.jpg": (b"<!DOCTYPE html><title>404 Not Found</title>", "no image"),
        "cut off.jpg": (jpeg[: len(jpeg) // 2], "damaged"),
        "cut off.png": (whole_png[: len(whole_png) // 2], "damaged"),
        "header.jpg": (jpeg[:20], "no image"),
        "claims.png": (png(100_000, 100_000, zlib.compress(b"")), "too large"),
        "garbled.png": (png(40, 30, b"\x00" * 500), "damaged"),
    }
    planted = {}
    for number in range(BAD_OF_A_KIND):
        split, name = ("train", "test")[number % 2], f"class {number}"

        def place(file, kind, split=split, name=name):
            path = folder / split / name / f"bad, {file}"
            planted[str(path)] = (split, name, kind)
            return path

        for file, (content, kind) in contents.items():
            place(file, kind).write_bytes(content)
        place("nowhere.png", "missing").symlink_to(folder / "nothing here.png")
        os.mkfifo(place("pipe.jpg", "unreadable"))
        Image.fromarray(np.zeros((9, 9), np.float32)).save(place("floats.png", "damaged"), format="TIFF")
    return planted


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("files") / "photos"
    write_good(path, FILES)
    return path, write_bad(path)


def train(folder: Path, work: Path, *flags) -> subprocess.CompletedProcess:
    """A run with a tiny network, which finds its images in a cache folder of its own."""
    line = [COMMAND, f"folder:{folder}", "--arch", "lazynet", "--epochs", 1, "--image-size", SIDE, "--json"]
    line += ["--cache-bytes", 1_000_000, "--output", work / "runs", *flags]
    environment = os.environ | {"KERASNETS_CACHE": str(work / "cache")}
    return subprocess.run([str(word) for word in line], capture_output=True, text=True, env=environment)


def listed(file: Path) -> list[dict[str, str]]:
    with open(file, encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))


def stored(work: Path) -> dict[int, tuple[int, int]]:
    """The pixels of every entry of the cache: which file it is, when it was written, and its size."""
    files = [file.stat() for file in (work / "cache").glob("images-*/pixels")]
    return {status.st_ino: (status.st_mtime_ns, status.st_size) for status in files}


def test_training_on_files_of_which_some_are_bad(folder, tmp_path):
    path, planted = folder
    assert len(planted) == 10 * BAD_OF_A_KIND

    # What the same run takes with few files; the images of the many would take far more.
    write_good(tmp_path / "few", 200)
    few = train(tmp_path / "few", tmp_path)
    assert few.returncode == 0, few.stderr
    assert json.loads(few.stdout)["bad_files"] == 0

    first = train(path, tmp_path)
    assert first.returncode == 0, first.stderr
    summary = json.loads(first.stdout)
    growth_mib = (summary["peak_memory_bytes"] - json.loads(few.stdout)["peak_memory_bytes"]) / 2**20
    assert growth_mib < PIXELS_MIB / 4, f"{growth_mib:.0f} MiB more than with few files"

    # Exactly those that were planted, each for what it is.
    run = Path(summary["run"])
    rows = listed(run / "bad_files.csv")
    assert {row["file"]: (row["split"], row["class"], row["kind"]) for row in rows} == planted
    assert len(rows) == len(planted) and all(row["reason"] for row in rows)
    assert summary["bad_files"] == json.loads((run / "summary.json").read_text())["bad_files"] == len(planted)
    assert "50 files cannot be used and are left out; the run's bad_files.csv lists them" in first.stderr
    sizes = json.loads((run / "data.json").read_text())["split_sizes"]
    assert sizes == {"train": FILES * 4 // 5, "test": FILES // 5}
    assert summary["test"]["n"] == FILES // 5

    # The second run finds the images where the first left them, and computes the same.
    before = stored(tmp_path)
    assert sum(size for _, size in before.values()) == (FILES + 200) * SIDE * SIDE * 3
    again = train(path, tmp_path)
    assert again.returncode == 0, again.stderr
    assert stored(tmp_path) == before
    second = json.loads(again.stdout)
    assert second["run"] != summary["run"] and second["test"] == summary["test"]
    assert (Path(second["run"]) / "bad_files.csv").read_bytes() == (run / "bad_files.csv").read_bytes()


def test_training_stops_where_too_many_are_bad(folder, tmp_path):
    path, planted = folder
    done = train(path, tmp_path, "--max-bad", 0)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"At most 0 of the {FILES + len(planted):,} files of {path} may be bad. Received: 50" in done.stderr
    assert done.stderr.count("\n") == 1
    file = tmp_path / "runs" / "folder-photos" / "bad_files.csv"
    assert str(file) in done.stderr
    assert {row["file"]: (row["split"], row["class"], row["kind"]) for row in listed(file)} == planted
    assert [entry.name for entry in file.parent.iterdir()] == ["bad_files.csv"]
