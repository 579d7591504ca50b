"""scripts/bench_pipeline.py, run as a command on few images and few files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipelines.augment_examples import usual_augmentations

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "bench_pipeline.py"


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, SCRIPT, *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (["--rounds", 0], "every number must be at least 1"),
        (["--examples", 10], "--examples at least --batch-size"),
        (["--sections", "files", "--files", 99], "--files must be at least 100"),
        (["--sides", 9, 8], "--sides two rising numbers above 0"),
        (["--seconds", 0], "--seconds above 0"),
    ],
)
def test_a_mistake_is_said_and_exits_2(arguments, match):
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert match in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_augmentation_is_timed_beside_keras():
    done = run("--examples", 32, "--batch-size", 16, "--rounds", 1, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["examples"], report["batch_size"], report["threads"], report["rounds"]) == (32, 16, 1, 1)
    rows = {row["name"]: row for row in report["results"]}
    assert len(rows) == 5
    for group in ("augmentation", "stream"):
        ours, keras = (rows[f"{group}: {name}"] for name in ("pipelines", "Keras RandomTranslation"))
        assert ours["times_ours"] == 1
        expected = keras["microseconds_per_image"] / ours["microseconds_per_image"]  # one round: the ratio of the bests
        assert keras["times_ours"] == pytest.approx(expected, rel=0.01)


@pytest.mark.slow
def test_every_operation_is_timed():
    done = run("--sections", "operations", "--examples", 32, "--batch-size", 16, "--rounds", 1, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["examples"], report["threads"]) == (32, 1)
    assert [row["name"] for row in report["results"]] == list(usual_augmentations(32))
    assert all(row["microseconds_per_image"] > 0 for row in report["results"])


@pytest.mark.slow
def test_files_are_timed_beside_keras_and_decoding(tmp_path):
    setting = ["--sections", "files", "--files", 110, 100, "--sides", 20, 30, "--work-dir", tmp_path]
    done = run(*setting, "--rounds", 1, "--seconds", 0.1, "--batch-size", 32, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    rows = {(row["files"], row["name"]): row for row in report["results"]}
    names = ["kerasnets, in memory", "kerasnets, cache folder", "Keras, cache()", "Keras, cache(file)"]
    assert list(rows) == [
        (count, name) for count in (100, 110) for name in ["decoding alone", "decoding and resizing alone", *names]
    ]
    for count in (100, 110):
        assert all(rows[count, name]["first_epoch_per_second"] > 0 for name in names)
    memory, stored, keras, keras_stored = (rows[110, name] for name in names)
    assert report["cached_times_peer"] == memory["cached_per_second"] / keras["cached_per_second"]
    assert report["cache_folder_times_peer"] == stored["cached_per_second"] / keras_stored["cached_per_second"]
    assert report["memory_growth_mib"] == stored["peak_mib"] - rows[100, names[1]]["peak_mib"]
    alone = rows[110, "decoding alone"]["decoded_per_second"]
    assert report["cold_share_of_decoding"] == memory["decoded_per_second"] / alone

    # What it made: a tenth for the test, ten classes, sizes as asked; and nothing else is left.
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "100-files-of-20-to-30-pixels",
        "110-files-of-20-to-30-pixels",
    ]
    small, large = sorted(tmp_path.iterdir())
    for split, count in (("train", 90), ("test", 10)):
        assert len(list((small / split).glob("*/*.jpg"))) == count
        assert len(list((small / split).iterdir())) == 10
    sides = set()
    for file in small.glob("*/*/*.jpg"):
        with Image.open(file) as image:
            sides.update(image.size)
    assert sides == set(range(20, 31))
    same = "train/class 7/000007.jpg"
    assert (small / same).read_bytes() == (large / same).read_bytes()
