"""`kerasnets-report` on run folders: where the page goes, what is printed, what is refused."""

import json
import shutil

import pytest

from kerasnets.cli.report import main


def test_one_run_has_its_page_in_its_folder(capsys, tmp_path, write_run):
    path = write_run(tmp_path / "run")
    for _ in range(2):  # the second time over the first
        assert main([str(path)]) == 0
        assert capsys.readouterr().out == f"Report: {path}/report.html\n"
    assert (path / "report.html").read_text().startswith("<!DOCTYPE html>\n<!-- kerasnets report -->")


def test_several_runs_are_compared_in_the_folder_where_one_is(capsys, tmp_path, write_run, monkeypatch):
    paths = [str(write_run(tmp_path / name)) for name in "ab"]
    monkeypatch.chdir(tmp_path)
    assert main([*paths, "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["report"] == "comparison.html" and (tmp_path / "comparison.html").is_file()
    assert [run["run"] for run in result["runs"]] == paths
    assert result["pairs"][0]["p"] == 1.0


def test_the_page_of_a_real_run(capsys, tmp_path, tiny_run, tiny_summary):
    run = shutil.copytree(tiny_run, tmp_path / "run")
    assert main([str(run), "--output", str(tmp_path / "new" / "page.html"), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["runs"][0]["accuracy"] == tiny_summary["test"]["accuracy"]
    text = (tmp_path / "new" / "page.html").read_text()
    assert f"{tiny_summary['test']['accuracy']:.2%}" in text
    assert text.count("data:image/png;base64,") == 1 and text.count('<td style="--shade:') == 100


MISTAKES = {
    "": "runs must be given. Received: none.",
    "nowhere": "A run folder was expected. Received: nowhere, which is no folder.",
    "RUN RUN": "Each run must be named once.",
    "RUN --output RUN/config.yaml": "must be free or an older report",
    "RUN --ouput x.html": "Unknown flag --ouput. Did you mean --output?",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_answered_in_one_line(capsys, tmp_path, write_run, words):
    path = write_run(tmp_path / "run")
    assert main(words.replace("RUN", str(path)).split()) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    assert MISTAKES[words] in captured.err
