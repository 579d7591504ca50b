"""How flags are read, and every sentence that answers a wrong one."""

from typing import Any, Literal

import jsonargparse
import pytest

from kerasnets.cli.arguments import has_flag, new_parser, parse, with_dashes
from kerasnets.errors import InputError


@pytest.fixture
def parser():
    parser = new_parser("tool", "tool NAME [flags]", "A tool.")
    parser.add_argument("name", type=str)
    parser.add_argument("--config", action=jsonargparse.ActionConfigFile, help="A file.")
    parser.add_argument("--batch-size", type=int, default=64, help="Images in one step.")
    parser.add_argument("--rate", type=float | None, default=None)
    parser.add_argument("--mode", type=Literal["zero", "reflect"], default="zero")
    parser.add_argument("--mean", type=list[float] | None, default=None)
    parser.add_argument("--arch-options", type=dict[str, Any], default={})
    parser.add_argument("--nesterov", type=bool, default=False)
    return parser


def test_dashes_and_underscores_are_the_same_flag(parser):
    assert parse(parser, ["x", "--batch-size", "3"]).batch_size == 3
    assert parse(parser, ["x", "--batch_size=3"]).batch_size == 3


def test_only_the_flag_name_is_rewritten():
    words = ["--data_dir=/a_b", "--arch_options.use_bias", "no_change", "-x_y"]
    assert with_dashes(words) == ["--data-dir=/a_b", "--arch-options.use_bias", "no_change", "-x_y"]


def test_a_network_option_is_read_with_its_own_type(parser):
    options = parse(parser, ["x", "--arch-options.width", "200", "--arch_options.use_bias", "false"])
    assert options.arch_options == {"width": 200, "use_bias": False}


@pytest.mark.parametrize("word", ["--resume", "--resume=there"])
def test_has_flag_finds_both_forms(word):
    assert has_flag(["cifar10", word], "--resume")
    assert not has_flag(["--resumed", "resume"], "--resume")


WRONG = {
    "--batch 3": r"Unknown flag --batch\. Did you mean --batch-size\?",
    "--batchsize=3": r"Unknown flag --batchsize\. Did you mean --batch-size\?",
    "--qqqq": r"Unknown flag --qqqq\. See tool --help\.",
    "more": r"Nothing more was expected\. Received: 'more'\. See tool --help\.",
    "--batch-size": r"--batch-size needs a value: a whole number\. Received: none\. For example: --batch-size 64\.",
    "--batch-size 3.5": r"--batch-size must be a whole number\. Received: 3\.5\. For example: --batch-size 64\.",
    "--batch_size many": r"--batch-size must be a whole number\. Received: many\.",
    "--rate fast": r"--rate must be a number or null\. Received: fast\. See tool --help\.",
    "--mode none": r"--mode must be one of zero, reflect\. Received: none\. For example: --mode zero\.",
    "--mean 0.5": r"--mean must be a list such as \[0\.5, 0\.5\] or null\. Received: 0\.5\.",
    "--arch-options 3": r"--arch-options must be names with values, such as \{width: 200\}\. Received: 3\.",
    "--nesterov maybe": r"--nesterov must be true or false\. Received: maybe\.",
    "--config nowhere.yaml": r"--config must name a file that can be read\. Received: .*nowhere\.yaml \(File",
}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_flag_is_answered_in_one_line(parser, words):
    with pytest.raises(InputError, match=WRONG[words]) as error:
        parse(parser, ["x", *words.split()])
    assert "\n" not in str(error.value)


def test_a_missing_word_is_named(parser):
    with pytest.raises(InputError, match=r"name must be given\. Received: none\. See tool --help\."):
        parse(parser, [])


CONFIGS = {
    "batchsize: 3": r"Unknown setting batchsize in the file of --config\. Did you mean batch_size\?",
    "batch_size: many": r"--batch-size must be a whole number\. Received: many\.",
    "a: [\n": r"--config must be a YAML file with one 'name: value' a line\. Received: .*line 2",
    "- 1\n- 2": r"--config must be a YAML file with one 'name: value' a line\.",
    "just words": r"--config must be a YAML file with one 'name: value' a line\.",
}


@pytest.mark.parametrize("text", CONFIGS)
def test_a_wrong_file_is_answered_in_one_line(parser, tmp_path, text):
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=CONFIGS[text]) as error:
        parse(parser, ["x", "--config", str(path)])
    assert "\n" not in str(error.value)


def test_help_says_defaults_and_no_python_types(parser, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(parser, ["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert stop.value.code == 0
    assert "--batch-size BATCH_SIZE Images in one step. (default: 64)" in text
    assert "type:" not in text
