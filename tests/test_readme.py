"""What the README shows is real: its Python runs, its commands have the flags that it names."""

import importlib
import re
import shlex
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = "\n".join(re.findall(r"```python\n(.*?)```", README, re.DOTALL))
COMMANDS = sorted(set(re.findall(r"^kerasnets-(\w+ .+?)(?: +#.*)?$", README, re.MULTILINE)))
# Commands that begin with a verb, each with flags of its own.
WITH_VERBS = ("data", "study")


def test_the_python_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(compile(PYTHON, "README.md", "exec"), names)
    assert names["run"].status == "finished"
    assert names["evaluation"].accuracy == names["run"].summary["test"]["accuracy"]
    assert (tmp_path / names["saved_model"] / "card.json").is_file()


def test_there_are_commands_to_check():
    assert len(COMMANDS) > 8


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_of_the_readme_is_understood(line, tmp_path, monkeypatch):
    """Its flags are read as the command reads them; nothing is loaded or trained."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("dataset: digits\n")
    found = tmp_path / "searches" / "digits-hyperband-s0"
    found.mkdir(parents=True)
    (found / "best.yaml").write_text("dataset: digits\narch: blocks\nepochs: 9\n")
    verb, *words = shlex.split(line.partition(" > ")[0])
    module = importlib.import_module(f"kerasnets.cli.{verb}")
    if verb in WITH_VERBS:
        assert module.parse(module._parser(words[0]), words[1:])
    elif verb != "train":
        assert module.parse(module._parser(), words)
    elif not words[0].startswith(("--resume", "--list-archs")):
        assert module.read_config(words)


def test_scripts_and_files_that_the_readme_names_exist():
    for name in re.findall(r"\b(?:scripts|tests)/[\w./]+", README):
        assert (ROOT / name.rstrip(".")).is_file(), name
