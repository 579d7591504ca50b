"""Exit codes, the one line for a mistake, and stdout kept for JSON."""

import errno
import json
import os
import subprocess
import sys

import pytest

from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.errors import InputError
from pipelines.errors import DataError


def outcome(capsys, error):
    def work(argv):
        raise error

    code = run_command("kerasnets-tool", work, [])
    return code, capsys.readouterr().err


def test_the_words_reach_the_work_and_its_code_comes_back():
    assert run_command("kerasnets-tool", len, ["a", "b"]) == 2


def test_without_words_those_of_the_process_are_taken(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["kerasnets-tool", "one"])
    assert run_command("kerasnets-tool", lambda argv: 7 if argv == ["one"] else 1, None) == 7


@pytest.mark.parametrize("kind", [InputError, DataError])
def test_a_mistake_is_one_line_and_exit_code_2(capsys, kind):
    assert outcome(capsys, kind("epochs must be\n 1.")) == (2, "kerasnets-tool: error: epochs must be 1.\n")


FILE_ERRORS = {
    errno.EROFS: "Read-only file system: /x/runs. Name a folder that can be written.",
    errno.EACCES: "Permission denied: /x/runs. Name one that you may read and write.",
    errno.ENOSPC: "No space left on device: /x/runs. Free some space or name a folder on another disk.",
    errno.ENOTDIR: "Not a directory: /x/runs. A part of that path is a file: name another folder.",
    errno.ENOENT: "No such file or directory: /x/runs. Check the path.",
    errno.EIO: "Input/output error: /x/runs.",
}


@pytest.mark.parametrize("number", FILE_ERRORS)
def test_an_error_of_the_file_system_says_where_and_what_to_do(capsys, number):
    code, text = outcome(capsys, OSError(number, os.strerror(number), "/x/runs"))
    assert (code, text) == (2, f"kerasnets-tool: error: {FILE_ERRORS[number]}\n")


def test_an_error_of_the_file_system_without_a_number_is_quoted(capsys):
    assert outcome(capsys, OSError("cannot identify image file"))[1] == (
        "kerasnets-tool: error: cannot identify image file\n"
    )


def test_ctrl_c_before_the_work_has_started_is_quiet(capsys):
    assert outcome(capsys, KeyboardInterrupt()) == (130, "")


def test_our_own_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError):
        run_command("kerasnets-tool", lambda argv: 1 // 0, [])


def test_with_json_only_the_object_is_on_stdout(capsys):
    with results_on_stdout(as_json=True) as print_json:
        print("a library talks")
        print_json({"accuracy": 0.5})
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {"accuracy": 0.5}
    assert captured.err == "a library talks\n"


def test_without_json_nothing_is_moved_or_printed(capsys):
    with results_on_stdout(as_json=False) as print_json:
        print("a library talks")
        print_json({"accuracy": 0.5})
    assert capsys.readouterr() == ("a library talks\n", "")


def test_a_reader_that_leaves_early_is_no_error():
    program = "from kerasnets.cli.command import run_command; run_command('t', lambda argv: print('x' * 10**6), [])"
    line = f'{sys.executable} -c "{program}" | true'
    done = subprocess.run(["bash", "-c", line], stderr=subprocess.PIPE, text=True, check=False)
    assert done.stderr == ""
