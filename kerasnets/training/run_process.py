"""A run in a process of its own: how it stands back, trains or goes on in its folder, and ends with a telling code."""

import contextlib
import ctypes
import errno
import fcntl
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from kerasnets.errors import InputError
from kerasnets.runs.run import Run
from kerasnets.training.config import TrainConfig, load_config
from kerasnets.training.progress import Display
from kerasnets.training.until import Until
from pipelines.errors import DataError
from pipelines.locks import locked
from pipelines.source import ImageSource

FINISHED, DIVERGED, MISTAKE = 0, 1, 2
CRASHED, NO_ROOM, IN_USE = 70, 74, 75
# Ended by Ctrl-C or SIGTERM: by our own answer, or by the signal itself before Python had one.
STOPPED = (128 + signal.SIGINT, 128 + signal.SIGTERM, -signal.SIGINT, -signal.SIGTERM)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_PR_SET_PDEATHSIG = 1
_REASON_LENGTH = 300
# How long `in_use` may hold a lock for its look at it, with much to spare.
_LOOK_SECONDS = 0.1
# How long to try to give way, where others are at it too.
_GROUP_SECONDS = 2.0
_HELD = "Another process is training in "  # how `RunFolder` begins to say so
_TERMINAL_CODE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class _InUse(Exception):
    """Another process works in the folder."""


class _Told(Display):
    """Prints an epoch a line, and knows whether training has begun.

    Args:
        config: What is trained.
    """

    def __init__(self, config: TrainConfig):
        super().__init__(config.epochs, config.batch_size)
        self.begun = False

    def steps(self, *told) -> None:
        """Is told of steps."""
        self.begun = True
        super().steps(*told)


def give_way(nice: int) -> None:
    """Lets other programs go first, for the process that leads a session of its own and for all that it starts.

    A nice value counts among the processes of one autogroup only, which is what Linux makes of a session. Every group
    gets an equal share of the cores unless it has a nice value too. Source: sched(7), The autogroup feature.

    Args:
        nice: From 0 to 19, which gives way most.
    """
    level = os.nice(nice)
    if os.getsid(0) != os.getpid():  # the terminal and whatever runs in it would give way too
        return
    patience = time.monotonic() + _GROUP_SECONDS
    with contextlib.suppress(OSError):  # a system without such groups, or one that does not let us
        while time.monotonic() < patience:
            try:
                Path("/proc/self/autogroup").write_text(str(level))
                return
            except BlockingIOError:  # without root's rights, the whole system is allowed ten such changes a second
                time.sleep(0.02)


def stand_back(nice: int, parent: int) -> bool:
    """Gives way to other processes and ties this one to its parent; returns whether the parent is still there."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    give_way(nice)
    # Ctrl-C and a closed window may be told to every process. The parent answers them, and asks this one to stop.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # where memory runs out this process is to die, not the parent
            Path("/proc/self/oom_score_adj").write_text("500")
        # A parent that is killed leaves no orphan: the kernel then sends SIGTERM, which writes a checkpoint and ends.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    return os.getppid() == parent  # else it died before the line above


def run_alone(path: Path, work: Callable[[], int]) -> int:
    """Does the work on a run folder unless another process is at it, and answers with an exit code.

    Args:
        path: The folder, which need not exist yet.
        work: Returns an exit code.

    Returns:
        That code; 2 after a mistake of the user (one line on stderr), 74 for no room on the disk, 75 if another process
        works in the folder.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The lock of a run folder comes with the folder, late; this one lies beside it and is taken before any work.
        lock = _lock_beside(path)
        patience = time.monotonic() + _LOOK_SECONDS

        def wait_a_little():
            if time.monotonic() > patience:
                raise _InUse

        with locked(lock, waiting=wait_a_little):
            try:
                return work()
            finally:
                lock.unlink(missing_ok=True)
    except _InUse:
        return complain(f"{_HELD}{path}.", IN_USE)
    except (InputError, DataError) as error:
        return complain(str(error), MISTAKE)
    except OSError as error:
        return complain(explain(error), NO_ROOM if error.errno in FULL else MISTAKE)


def explain(error: OSError) -> str:
    """One line for an error of the operating system: what, and where."""
    if error.errno is None:
        return str(error)
    return f"{error.strerror}: {error.filename}" if error.filename else str(error.strerror)


def complain(message: str, code: int) -> int:
    """Prints one line that `why_ended` finds, and returns the code."""
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return code


def train_or_resume(
    path: Path, config: TrainConfig, load: Callable[[], ImageSource], *, until: Until | None = None
) -> int:
    """Trains in exactly this folder, or goes on with what was begun there.

    Args:
        path: The run folder.
        config: What to do; a run that was begun goes on with its own.
        load: Returns the data set, from where it is now, which need not be where the run began with it.
        until: Where to pause.

    Returns:
        0 finished or paused, 1 diverged, 130 and 143 stopped by a signal, with a checkpoint. The process may end with
        143 before it has come to training.

    Raises:
        InputError, DataError, OSError: As `kerasnets.train`.
    """
    begun = (path / "config.yaml").is_file()
    if begun and (path / "summary.json").is_file() and Run(path).status in ("finished", "diverged"):
        return _code(Run(path))
    if begun and _is_held(path / ".lock"):
        raise _InUse
    progress = _Told(config)
    signal.signal(signal.SIGTERM, end_unless(lambda: progress.begun))
    sources = [load()]  # missing data is told before TensorFlow starts
    from kerasnets.training.distribute import use_one_thread_if_small
    from kerasnets.training.interrupt import Interrupted
    from kerasnets.training.train import resume, train

    # Going on with the threads that it began with: another number of them would change the last bits.
    config = load_config(path / "config.yaml") if begun else config
    recorded = Run(path).environment if (path / "env.json").is_file() else {}
    use_one_thread_if_small(config, sources[0].image_shape, recorded)
    try:
        # Popped, so that the images as they were read need not stay beside what training makes of them.
        if begun:
            run = resume(path, source=sources.pop(), progress=progress, until=until)
        else:
            run = train(config, source=sources.pop(), run_path=path, progress=progress, until=until)
    except Interrupted as stop:
        return 128 + stop.signal_number
    except InputError as error:
        # The user resumes it by hand, has begun it meanwhile, or another process has only looked at the lock.
        if str(error).startswith(_HELD) or (not begun and (path / "config.yaml").is_file()):
            raise _InUse from None
        raise
    return _code(run)


def end_unless(training: Callable[[], bool]) -> Callable:
    """Returns what answers a SIGTERM that training does not: one before it begins, or one after that was answered.

    The second is not to keep a checkpoint from being written: it may come from the runner where all processes of a
    terminal, or of a service, were sent the first.
    """

    def answer(number, frame) -> None:
        if not training():
            os._exit(128 + number)

    return answer


def _code(run: Run) -> int:
    return DIVERGED if run.status == "diverged" else FINISHED


def in_use(path: Path) -> bool:
    """Whether a process works in a run folder: one of ours, or one that the user has started by hand."""
    return _is_locked(_lock_beside(path)) or _is_locked(path / ".lock")


def _lock_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.lock")


def _is_held(file: Path) -> bool:
    """Whether a process holds the lock for longer than a look at it takes."""
    if not _is_locked(file):
        return False
    time.sleep(_LOOK_SECONDS)
    return _is_locked(file)


def _is_locked(file: Path) -> bool:
    try:
        with open(file, "rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def why_ended(code: int, output: Path, begin: int) -> str:
    """Why a process has failed, in one line: the signal that killed it, or the last words of its output.

    Args:
        code: Its exit code, -N if signal N killed it.
        output: File that it has written to.
        begin: How long the file was before.
    """
    if code == -signal.SIGKILL:
        return "killed by signal 9 (perhaps out of memory)"
    if code in STOPPED:
        return f"stopped by another process ({signal.Signals(-code if code < 0 else code - 128).name})"
    if code < 0:
        return f"killed by signal {-code} ({signal.strsignal(-code)})"
    if code == FINISHED:
        return "ended without a result"
    return _last_line(output, begin, code) or f"exit code {code}, without a word"


def _last_line(output: Path, begin: int, code: int) -> str:
    with open(output, "rb") as file:
        file.seek(max(begin, file.seek(0, os.SEEK_END) - 10_000))
        lines = _TERMINAL_CODE.sub("", file.read().decode(errors="replace")).splitlines()
    lines = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in lines]
    # Libraries may write more as the process ends, after our own word.
    own = [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]
    own = own if code in (MISTAKE, CRASHED, NO_ROOM, IN_USE) else []
    return (own or [line for line in lines if line] or [""])[-1][:_REASON_LENGTH]
