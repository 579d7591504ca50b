"""Runs in one file: what comes out is what went in, and nothing in an archive is trusted."""

import io
import json
import zipfile

import numpy as np
import pytest
import yaml

from kerasnets.errors import InputError
from kerasnets.studies.pack import pack_cells, unpack_cells
from kerasnets.studies.report import write_study_report
from kerasnets.studies.results import read_cell
from kerasnets.studies.study_results import study_results


@pytest.fixture
def archive(small_results, tmp_path):
    """The small study's five runs that are done, packed."""
    file = tmp_path / "cells.zip"
    assert pack_cells(small_results.cells, file) == 5
    return file


def members(file):
    with zipfile.ZipFile(file) as content:
        return {name: content.read(name) for name in content.namelist()}


def write(file, content):
    with zipfile.ZipFile(file, "w") as target:
        for name, data in content.items():
            target.writestr(name, data)


def again(small_results, output):
    return [
        read_cell(output, result.cell, failed="" if result.done else result.reason) for result in small_results.cells
    ]


def test_answers_are_those_of_the_predictions(small_results, archive, tmp_path):
    unpack_cells(archive, tmp_path)
    for before, after in zip(small_results.cells, again(small_results, tmp_path), strict=True):
        assert (after.status, after.summary if after.done else None) == (
            before.status,
            before.summary if before.done else None,
        )
        if before.answers is None:
            assert after.answers is None
            continue
        with np.load(before.path / "predictions.npz") as arrays:
            labels, log_probabilities = arrays["labels"], arrays["log_probabilities"]
        assert np.array_equal(after.answers.labels, labels)
        assert np.array_equal(after.answers.predicted, log_probabilities.argmax(axis=1))
        if before.cell.config.loss == "cross_entropy":
            expected = -log_probabilities[np.arange(len(labels)), labels]
            np.testing.assert_allclose(after.answers.losses, expected, rtol=1e-6)


def test_the_report_of_unpacked_runs_is_the_same(small_results, archive, tmp_path):
    unpack_cells(archive, tmp_path)
    there = study_results(small_results.study, again(small_results, tmp_path), command=small_results.command)
    for name, results in (("before", small_results), ("after", there)):
        write_study_report(results, tmp_path / name)
    before = (tmp_path / "before" / "report.md").read_text()
    assert "HOLDS" in before and "TOO FEW RUNS" in before  # it does judge
    assert (tmp_path / "after" / "report.md").read_text() == before


def test_it_is_small_and_has_neither_pictures_nor_checkpoints(small_results, archive):
    allowed = {
        "answers.npz", "config.yaml", "data.json", "diagnosis.json", "env.json", "per_class.csv", "results.csv",
        "summary.json",
    }  # fmt: skip
    assert {name.split("/")[2] for name in members(archive)} <= allowed
    assert {name.split("/")[1] for name in members(archive)} == {
        result.cell.key for result in small_results.cells if result.done
    }


def test_the_same_runs_give_the_same_bytes(small_results, archive, tmp_path):
    first = archive.read_bytes()
    pack_cells(small_results.cells, archive)
    assert archive.read_bytes() == first
    unpack_cells(archive, tmp_path)
    pack_cells(again(small_results, tmp_path), tmp_path / "second.zip")
    assert (tmp_path / "second.zip").read_bytes() == first


def test_it_does_not_tell_where_things_lay(small_results, tmp_path):
    unpack_cells(_packed(small_results.cells, tmp_path / "first.zip"), tmp_path)
    result = next(result for result in again(small_results, tmp_path) if result.done)
    config = yaml.safe_load((result.path / "config.yaml").read_text())
    (result.path / "config.yaml").write_text(yaml.safe_dump(config | {"data_dir": "/home/me/my data"}))
    for name, key, place in (
        ("data.json", "origin", "/home/me/my data/cifar-10-batches-py"),
        ("summary.json", "run", "/home/me/studies/cells/abc"),
        ("env.json", "command", "/home/me/cell_process.py /home/me/my studies/cells/abc"),
    ):
        file = result.path / name
        values = json.loads(file.read_text()) if file.exists() else {}
        file.write_text(json.dumps(values | {key: place, "odd": "\udce4"}))  # of a file name that is no UTF-8
    packed = members(_packed([result], tmp_path / "second.zip"))
    assert not any(b"/home" in content for content in packed.values())
    (origin,) = (json.loads(content)["origin"] for name, content in packed.items() if name.endswith("data.json"))
    (command,) = (json.loads(content)["command"] for name, content in packed.items() if name.endswith("env.json"))
    assert (origin, command) == ("cifar-10-batches-py", "cell_process.py")
    assert unpack_cells(tmp_path / "second.zip", tmp_path / "elsewhere").added == (result.cell.key,)


def _packed(results, file):
    pack_cells(results, file)
    return file


def test_runs_that_the_file_holds_stay_in_it(small_results, archive, tmp_path):
    file = tmp_path / "grows.zip"
    for count, result in enumerate((result for result in small_results.cells if result.done), start=1):
        assert pack_cells([result], file) == 1
        assert len({name.split("/")[1] for name in members(file)}) == count
    assert members(file) == members(archive)


def test_a_folder_that_is_there_is_not_touched(small_results, archive, tmp_path):
    key = small_results.cells[0].cell.key
    own = tmp_path / "cells" / key
    own.mkdir(parents=True)
    (own / "mine").write_text("a run on its way")
    unpacked = unpack_cells(archive, tmp_path)
    assert unpacked.kept == (key,) and len(unpacked.added) == 4
    assert [path.name for path in own.iterdir()] == ["mine"]
    assert unpack_cells(archive, tmp_path).added == ()


def test_nothing_is_left_aside(archive, tmp_path):
    unpack_cells(archive, tmp_path / "studies")
    assert [path.name for path in (tmp_path / "studies").iterdir()] == ["cells"]


def test_nothing_done_is_nothing_to_pack(small_results, tmp_path):
    failed = [result for result in small_results.cells if not result.done]
    with pytest.raises(InputError, match="Received: none of this study"):
        pack_cells(failed, tmp_path / "none.zip")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file(tmp_path):
    with pytest.raises(InputError, match=r"An archive of runs was expected. Received: .*none\.zip"):
        unpack_cells(tmp_path / "none.zip", tmp_path)


def changed(name, data):
    return lambda content, key: content | {f"cells/{key}/{name}": data}


BAD = {
    "another configuration": (changed("config.yaml", b"dataset: digits\narch: lazynet\n"), "not the hash"),
    "no configuration": (changed("config.yaml", b"- 1\n"), "cannot be read"),
    "no summary": (lambda content, key: without(content, f"cells/{key}/summary.json"), "without summary.json"),
    "not done": (changed("summary.json", b'{"status": "interrupted"}'), "status 'interrupted'"),
    "half a summary": (changed("summary.json", b'{"stat'), "cannot be read"),
    "a program": (changed("run.sh", b"rm -rf /"), "'run.sh', which no packed run has"),
    "a folder inside": (changed("deep/config.yaml", b""), "'deep', which no packed run has"),
    "a file beside": (lambda content, key: content | {"cells/x": b""}, "x, which is no folder"),
    "a way out": (lambda content, key: content | {"cells/../../x": b""}, "plain relative paths only"),
    "elsewhere": (lambda content, key: content | {"other/x": b""}, "everything in its folder 'cells'"),
}


def without(content, name):
    return {other: data for other, data in content.items() if other != name}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_wrong_is_refused_as_a_whole(small_results, archive, tmp_path, kind):
    change, message = BAD[kind]
    key = next(result.cell.key for result in small_results.cells if result.done)
    write(tmp_path / "bad.zip", change(members(archive), key))
    with pytest.raises(InputError, match=message):
        unpack_cells(tmp_path / "bad.zip", tmp_path / "studies")
    assert list((tmp_path / "studies" / "cells").iterdir()) == []
    before = (tmp_path / "bad.zip").read_bytes()
    with pytest.raises(InputError, match=message):  # nor is it lost by packing into it
        pack_cells(small_results.cells, tmp_path / "bad.zip")
    assert (tmp_path / "bad.zip").read_bytes() == before


def test_no_archive_at_all(small_results, tmp_path):
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(InputError, match="be a zip or tar archive"):
        unpack_cells(tmp_path / "text.zip", tmp_path)


def test_arrays_that_are_programs_are_not_run(small_results, archive, tmp_path):
    key = next(result.cell.key for result in small_results.cells if result.done)
    buffer = io.BytesIO()
    np.savez(buffer, labels=np.array([object()], dtype=object), predicted=[0], losses=[0.0])
    write(tmp_path / "bad.zip", changed("answers.npz", buffer.getvalue())(members(archive), key))
    with pytest.raises(InputError, match="cannot be read"):
        unpack_cells(tmp_path / "bad.zip", tmp_path / "studies")


def test_a_full_disk_leaves_the_old_file(small_results, archive, tmp_path, monkeypatch):
    before = archive.read_bytes()

    def fails(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fails)
    with pytest.raises(OSError, match="No space"):
        pack_cells(small_results.cells[:1], archive)
    monkeypatch.undo()
    assert archive.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["cells.zip"]
