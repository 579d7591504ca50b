"""kerasnets-export on a real run, and its mistakes."""

import json

import pytest

from kerasnets.cli.export import main


def test_the_place_and_the_card_are_said_in_json(capsys, tiny_run, tiny_summary, tmp_path):
    target = tmp_path / "models" / "mine"
    assert main([str(tiny_run), "--to", str(target), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["saved_model"] == str(target)
    assert result["card"] == json.loads((target / "card.json").read_text())
    assert result["card"]["result"]["accuracy"] == tiny_summary["test"]["accuracy"]
    assert (target / "saved_model.pb").is_file()


def test_without_a_place_it_is_named_after_data_network_and_seed(capsys, tiny_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main([str(tiny_run)]) == 0
    text = capsys.readouterr().out
    assert "256 images compared with the run" in text
    assert "agreement 100.00%" in text
    assert "Saved model: saved_models/digits-lazynet-s0\n" in text
    assert (tmp_path / "saved_models" / "digits-lazynet-s0" / "card.json").is_file()


def test_an_existing_folder_is_replaced_only_by_force(capsys, tiny_run, tmp_path):
    target = tmp_path / "taken"
    target.mkdir()
    (target / "precious.txt").write_text("x")
    assert main([str(tiny_run), "--to", str(target)]) == 2
    assert "which exists. Use --to NAME or --force." in capsys.readouterr().err
    assert (target / "precious.txt").is_file()
    assert main([str(tiny_run), "--to", str(target), "--force"]) == 0
    assert not (target / "precious.txt").exists()


MISTAKES = {
    "": "run must be given. Received: none.",
    "nowhere": "nowhere",
    "RUN --too x": "Unknown flag --too. Did you mean --to?",
    "RUN --to /dev/null/x": "/dev/null",
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_answered_in_one_line(capsys, tiny_run, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    code = main(words.replace("RUN", str(tiny_run)).split())
    captured = capsys.readouterr()
    assert code == 2
    assert captured.out == ""
    assert captured.err.startswith("kerasnets-export: error: ")
    assert MISTAKES[words] in captured.err
    assert captured.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
