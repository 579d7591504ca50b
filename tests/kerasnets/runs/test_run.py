"""The reading side of a run folder: every file back into pandas and plain values."""

import json
import os

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.runs import Run, list_runs

PER_CLASS = """class,index,support,correct,accuracy,most_confused_with
NA,0,2,1,0.5,null
null,1,1,1,1.0,
"""
CONFUSION = "true,NA,null\nNA,1,1\nnull,0,1\n"


def make_run(path, **summary):
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("dataset: digits\nseed: 3\nmax_time: null\n")
    (path / "summary.json").write_text(json.dumps({"status": "finished"} | summary))
    return Run(path)


@pytest.fixture
def run(tmp_path):
    return make_run(tmp_path / "net-s3-00000000", test={"accuracy": 0.75})


def test_values(run):
    (run.path / "env.json").write_text('{"python": "3.12"}')
    (run.path / "data.json").write_text('{"mean": [0.5]}')
    assert run.config == {"dataset": "digits", "seed": 3, "max_time": None}
    assert run.environment == {"python": "3.12"}
    assert run.data == {"mean": [0.5]}
    assert run.summary["test"]["accuracy"] == 0.75
    assert run.status == "finished"
    assert repr(run) == f"Run({str(run.path)!r})"


def test_results(run):
    (run.path / "results.csv").write_text("epoch,train_loss,test_loss\n1,0.30000000000000004,\n2,1e-07,0.5\n")
    results = run.results
    assert results["epoch"].tolist() == [1, 2]
    assert results["train_loss"].tolist() == [0.1 + 0.2, 1e-07]
    np.testing.assert_array_equal(results["test_loss"], [np.nan, 0.5])


def test_classes_that_are_called_na_keep_their_names(run):
    (run.path / "per_class.csv").write_text(PER_CLASS)
    (run.path / "confusion_matrix.csv").write_text(CONFUSION)
    assert run.per_class["class"].tolist() == ["NA", "null"]
    assert run.per_class["most_confused_with"].isna().tolist() == [False, True]
    matrix = run.confusion_matrix
    assert matrix.index.tolist() == matrix.columns.tolist() == ["NA", "null"]
    assert matrix.loc["NA", "null"] == 1 and matrix.loc["null", "NA"] == 0


def test_log_without_the_half_line(run):
    (run.path / "log.jsonl").write_text('{"event": "started"}\n{"event": "epo\n{"event": "resumed", "n": 1}\n')
    assert run.log["event"].tolist() == ["started", "resumed"]


def test_every_file_is_read_when_asked(run):
    (run.path / "summary.json").write_text('{"status": "running"}')
    assert run.status == "running"


@pytest.mark.parametrize(
    ("attribute", "file"),
    [
        ("results", "results.csv"),
        ("per_class", "per_class.csv"),
        ("confusion_matrix", "confusion_matrix.csv"),
        ("environment", "env.json"),
        ("data", "data.json"),
        ("log", "log.jsonl"),
    ],
)
def test_missing_file_names_the_status(run, attribute, file):
    with pytest.raises(InputError, match=f"has no {file}. Received: a run with status finished"):
        getattr(run, attribute)


def test_missing_summary(run):
    (run.path / "summary.json").unlink()
    with pytest.raises(InputError, match="has no summary.json. Received: a run with status unknown"):
        _ = run.status


def test_damaged_json(run):
    (run.path / "summary.json").write_text('{"status": "fini')
    with pytest.raises(InputError, match="summary.json must be JSON. Received: "):
        _ = run.summary
    with pytest.raises(InputError, match="has no results.csv. Received: a run with status unknown"):
        _ = run.results


def test_damaged_configuration(run):
    (run.path / "config.yaml").write_text("dataset: [digits\n")
    with pytest.raises(InputError, match="config.yaml must be YAML. Received: "):
        _ = run.config


def test_no_run(tmp_path):
    with pytest.raises(InputError, match="which is no folder"):
        Run(tmp_path / "nowhere")
    with pytest.raises(InputError, match="which has no config.yaml"):
        Run(tmp_path)


def test_list_runs(tmp_path):
    facts = {"dataset": "digits", "arch": "lazynet", "seed": 0, "epochs": 2}
    make_run(tmp_path / "digits" / "older", **facts, test={"accuracy": 0.5})
    make_run(tmp_path / "digits" / "newer", **facts | {"seed": 1, "status": "interrupted"}, test=None)
    os.utime(tmp_path / "digits" / "older" / "summary.json", (1, 1))
    table = list_runs(tmp_path)
    assert table["run"].tolist() == [str(tmp_path / "digits" / name) for name in ("older", "newer")]
    assert table["status"].tolist() == ["finished", "interrupted"]
    assert table["seed"].tolist() == [0, 1]
    np.testing.assert_array_equal(table["test_accuracy"].astype(float), [0.5, np.nan])


def test_list_of_no_runs(tmp_path):
    table = list_runs(tmp_path)
    columns = ["run", "dataset", "arch", "seed", "status", "epochs", "test_accuracy"]
    assert table.empty and table.columns.tolist() == columns
    with pytest.raises(InputError, match="A folder of runs was expected. Received: .*nowhere, which is no folder"):
        list_runs(tmp_path / "nowhere")


def test_list_runs_goes_on_past_a_damaged_one(tmp_path):
    for name, text in (("good", '{"status": "finished", "dataset": "digits"}'), ("bad", '{"status":')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").write_text("seed: 0\n")
        (tmp_path / name / "summary.json").write_text(text)
    table = list_runs(tmp_path).set_index("run")
    assert table.status[str(tmp_path / "good")] == "finished"
    assert table.status[str(tmp_path / "bad")] == "damaged"
