"""What every command does around its work: one line for a mistake, exit codes, stdout kept for JSON."""

import contextlib
import errno
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from kerasnets.errors import InputError
from kerasnets.runs.files import finite_or_null
from pipelines.errors import DataError

MISTAKE = 2
_REMEDIES = {
    errno.EROFS: "Name a folder that can be written.",
    errno.EACCES: "Name one that you may read and write.",
    errno.EPERM: "Name one that you may read and write.",
    errno.ENOTDIR: "A part of that path is a file: name another folder.",
    errno.ENOENT: "Check the path.",
    errno.EISDIR: "Name a file.",
    errno.ENOSPC: "Free some space or name a folder on another disk.",
    errno.EDQUOT: "Free some space or name a folder on another disk.",
    errno.EFBIG: "Free some space or name a folder on another disk.",
}


def run_command(command: str, work: Callable[[list[str]], int], argv: Sequence[str] | None) -> int:
    """Runs one command and returns its exit code.

    Args:
        command: Name to complain under.
        work: Takes the words of the command line and returns the exit code.
        argv: Words of the command line; those of the process when None.

    Returns:
        0, or 2 after a mistake that the user can mend (one line on stderr), or 130 after Ctrl-C. Every other exception
        is a defect of ours and goes through with its traceback.
    """
    try:
        code = work(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        # The reader of our output has gone (| head); Python would complain again when it closes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (InputError, DataError) as error:
        return _complain(command, str(error))
    except OSError as error:
        return _complain(command, _explain(error))
    except KeyboardInterrupt:
        return 130


@contextlib.contextmanager
def results_on_stdout(as_json: bool) -> Iterator[Callable[[Any], None]]:
    """Keeps stdout for the result: with JSON, all that is printed meanwhile (by libraries too) goes to stderr.

    Yields:
        A function that prints its argument as the one JSON object on stdout; NaN becomes null.
    """
    stdout = sys.stdout
    if not as_json:
        yield lambda result: None
        return
    with contextlib.redirect_stdout(sys.stderr):
        yield lambda result: print(json.dumps(finite_or_null(result)), file=stdout)


def _complain(command: str, message: str) -> int:
    print(f"{command}: error: {' '.join(message.split())}", file=sys.stderr)
    return MISTAKE


def _explain(error: OSError) -> str:
    """One line for an error of the file system: what, where, what to do."""
    if error.errno is None:
        return str(error)
    where = f": {error.filename}" if error.filename is not None else ""
    return f"{error.strerror}{where}. {_REMEDIES.get(error.errno, '')}".strip()
