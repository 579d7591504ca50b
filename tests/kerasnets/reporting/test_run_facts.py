"""What is read from a run folder, whole, unfinished or damaged."""

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.reporting.run_facts import read_run


def test_a_whole_run(tmp_path, write_run):
    run = read_run(write_run(tmp_path / "run"), 1)
    assert (run.letter, run.name) == ("B", "B: run")
    assert run.test["accuracy"] == pytest.approx(8 / 12)
    np.testing.assert_array_equal(run.confusion, [[3, 1, 0], [0, 2, 2], [1, 0, 3]])
    assert run.per_class["accuracy"].tolist() == [0.75, 0.5, 0.75]
    assert run.correct.sum() == 8
    assert run.picture("misclassified.png").startswith(b"\x89PNG")


def test_a_run_on_its_way_has_its_curve(tmp_path, write_run):
    run = read_run(write_run(tmp_path / "run", status="running"), 0)
    assert (run.labels, run.confusion, run.per_class, run.correct, run.test) == (None, None, None, None, {})
    assert len(run.curve) == 3 and run.picture("misclassified.png") is None
    for name in ("results.csv", "env.json", "data.json"):
        (run.path / name).unlink()
    run = read_run(run.path, 0)
    assert (len(run.curve), run.environment, run.class_names, run.diagnosis) == (0, {}, [], None)


def test_the_27th_run_has_a_number(tmp_path, write_run):
    path = write_run(tmp_path / "run")
    assert [read_run(path, place).letter for place in (0, 25, 26)] == ["A", "Z", "27"]


def test_what_is_missing_or_damaged_is_named(tmp_path, write_run):
    path = write_run(tmp_path / "run")
    (path / "predictions.npz").write_bytes(b"PK half a file")
    with pytest.raises(InputError, match=r"predictions.npz must be the file that training wrote. Received: a damaged"):
        read_run(path, 0)
    np.savez(path / "predictions.npz", labels=np.zeros(3))
    with pytest.raises(InputError, match="a damaged one .*log_probabilities"):
        read_run(path, 0)
    (path / "diagnosis.json").write_text("{")
    (path / "predictions.npz").unlink()
    with pytest.raises(InputError, match="diagnosis.json must be JSON. Received: "):
        read_run(path, 0)
    other = write_run(tmp_path / "other")
    (other / "data.json").unlink()
    with pytest.raises(InputError, match="other must have data.json beside predictions.npz"):
        read_run(other, 0)
    with pytest.raises(InputError, match="which is no folder"):
        read_run(tmp_path / "nowhere", 0)
