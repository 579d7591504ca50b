"""Checkpoint files: exact round trip, every kind of damage, and the newest that is whole."""

import hashlib
import io
import math
import pickle

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.runs.checkpoint import (
    CheckpointError,
    checkpoint_files,
    load_checkpoint,
    load_newest,
    save_checkpoint,
)

ARRAYS = {
    "model/0000": np.array([[1.5, -0.0], [math.nan, math.inf]], np.float32),
    "optimizer/0000": np.array(2**40, np.int64),
    "empty": np.zeros((0, 3), np.float16),
}
META = {"epoch": 3, "best": -math.inf, "third": 1 / 3, "names": ["é", "a"], "none": None}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "step-000000001.ckpt"
    save_checkpoint(path, ARRAYS, META)
    return path


def test_round_trip_is_exact(path):
    arrays, meta = load_checkpoint(path)
    assert meta == META
    assert arrays.keys() == ARRAYS.keys()
    for name, value in ARRAYS.items():
        assert (arrays[name].dtype, arrays[name].shape) == (value.dtype, value.shape)
        assert arrays[name].tobytes() == value.tobytes()


def test_nan_in_the_description(tmp_path):
    save_checkpoint(tmp_path / "file", {}, {"loss": math.nan})
    arrays, meta = load_checkpoint(tmp_path / "file")
    assert arrays == {} and math.isnan(meta["loss"])


def test_header_names_the_hash_of_the_rest(path):
    header, _, payload = path.read_bytes().partition(b"\n")
    assert header.decode() == f"kerasnets checkpoint 1 sha256 {hashlib.sha256(payload).hexdigest()}"


def test_missing(tmp_path):
    with pytest.raises(CheckpointError, match="A checkpoint was expected at .*gone.ckpt. Received: no such file"):
        load_checkpoint(tmp_path / "gone.ckpt")
    with pytest.raises(InputError, match="no such file"):  # a folder is none either
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("keep", [0.5, 0.99])
def test_truncated(path, keep):
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(CheckpointError, match="is damaged: its sha256 does not match"):
        load_checkpoint(path)


def test_every_flipped_bit_is_noticed(path):
    data = path.read_bytes()
    for place in (0, 20, 40, 93, 94, 200, len(data) // 2, len(data) - 1):
        damaged = bytearray(data)
        damaged[place] ^= 4
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="is damaged|must start as"):
            load_checkpoint(path)


@pytest.mark.parametrize("data", [b"", b"\n", b"PK\x03\x04 a zip file", b"kerasnets checkpoint 2 sha256 " + b"0" * 64])
def test_other_format(path, data):
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match="must start as a kerasnets checkpoint of format 1. Received: "):
        load_checkpoint(path)


def sealed(payload: bytes) -> bytes:
    """A payload behind a header that matches it, as someone would make it who wants it to be read."""
    return b"kerasnets checkpoint 1 sha256 " + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload


def test_object_arrays_are_not_unpickled(path, tmp_path):
    class Harmful:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    buffer = io.BytesIO()
    np.savez(buffer, bad=np.array([Harmful()], object))
    path.write_bytes(sealed(buffer.getvalue()))
    with pytest.raises(
        CheckpointError, match="must hold plain arrays and a description. Received: Object arrays cannot be loaded"
    ):
        load_checkpoint(path)
    assert not (tmp_path / "executed").exists()


def test_pickle_in_place_of_an_archive(path):
    path.write_bytes(sealed(pickle.dumps({"model/0000": 1})))
    with pytest.raises(CheckpointError, match="must hold plain arrays and a description"):
        load_checkpoint(path)


def test_description_missing(path):
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    path.write_bytes(sealed(buffer.getvalue()))
    with pytest.raises(CheckpointError, match="must hold plain arrays and a description"):
        load_checkpoint(path)


def test_failed_write_keeps_the_old(path, monkeypatch):
    before = path.read_bytes()

    def full(fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save_checkpoint(path, {"a": np.ones(5)}, {})
    assert path.read_bytes() == before


def test_files_newest_first(tmp_path):
    for name in ("step-000000002.ckpt", "step-000000010.ckpt", "best-00003.ckpt", ".step-000000011.ckpt.1.partial"):
        (tmp_path / name).touch()
    assert [path.name for path in checkpoint_files(tmp_path)] == ["step-000000010.ckpt", "step-000000002.ckpt"]


def test_newest_whole(tmp_path):
    for step in (1, 2, 3):
        save_checkpoint(tmp_path / f"step-{step:09d}.ckpt", {"a": np.full(3, step)}, {"step": step})
    assert load_newest(tmp_path)[2:] == ({"step": 3}, [])
    (tmp_path / "step-000000003.ckpt").write_bytes(b"")
    path, arrays, meta, damaged = load_newest(tmp_path)
    assert path.name == "step-000000002.ckpt" and meta == {"step": 2}
    np.testing.assert_array_equal(arrays["a"], [2, 2, 2])
    assert len(damaged) == 1 and "step-000000003.ckpt must start as" in damaged[0]


def test_no_whole_one(tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no step-\*.ckpt. Start a new run"):
        load_newest(tmp_path)
    (tmp_path / "step-000000003.ckpt").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="A whole checkpoint was expected in .*Received: b'x'. Start a new run"):
        load_newest(tmp_path)
