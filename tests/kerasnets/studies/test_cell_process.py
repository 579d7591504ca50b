"""The process of a cell: its exit codes with training made up, what ties it to its parent, and real training."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from kerasnets.errors import InputError
from kerasnets.runs.checkpoint import load_newest
from kerasnets.runs.folder import RunFolder
from kerasnets.studies import cell_process
from kerasnets.studies.cell_process import CellProcess, in_use
from kerasnets.studies.cells import Cell, cell_path
from kerasnets.studies.runner import RunnerSummary, run_study
from kerasnets.training import run_process
from kerasnets.training.config import TrainConfig, config_to_yaml
from kerasnets.training.interrupt import Interrupted
from pipelines.errors import DataError
from pipelines.locks import locked

ROOT = str(Path(__file__).parents[3])
CONFIG = TrainConfig(dataset="digits", arch="lazynet", threads=3)


class FakeTraining:
    """In place of `kerasnets.training.train`, and of what is done before it: no data is read, TensorFlow not started.

    Attributes:
        calls: ("train" or "resume", folder, configuration or None).
        sources: What was trained on, each as the data set's name and the folder that it was looked for in.
        threads: What `use_one_thread_if_small` was asked: configuration, image shape and the environment before.
        outcome: The status that the folder gets, or an exception to raise.
        meanwhile: Called when training begins.
    """

    def __init__(self):
        self.calls, self.sources, self.threads = [], [], []
        self.outcome, self.meanwhile = "finished", lambda: None

    def load_source(self, name, data_dir, reading):
        return SimpleNamespace(facts=(name, data_dir), image_shape=(8, 8, 1))

    def use_one_thread_if_small(self, *asked):
        self.threads.append(asked)

    def train(self, config, *, source, run_path, progress, until):
        assert until is None
        self.calls.append(("train", run_path, config))
        self.sources.append(source.facts)
        return self._run(run_path)

    def resume(self, run_path, *, source, progress, until):
        assert until is None
        self.calls.append(("resume", run_path, None))
        self.sources.append(source.facts)
        return self._run(run_path)

    def _run(self, path):
        self.meanwhile()
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return SimpleNamespace(status=self.outcome)


@pytest.fixture
def training(monkeypatch):
    fake = FakeTraining()
    monkeypatch.setitem(sys.modules, "kerasnets.training.train", fake)
    monkeypatch.setitem(sys.modules, "kerasnets.training.distribute", fake)
    monkeypatch.setattr(cell_process, "load_source", fake.load_source)
    monkeypatch.setattr(cell_process, "stand_back", lambda nice, parent: True)
    before = signal.getsignal(signal.SIGTERM)
    yield fake
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def run(tmp_path, training, monkeypatch):
    """Runs a cell in ``tmp_path/cells/key`` and returns its exit code."""

    def run(path=tmp_path / "cells" / "key", config=CONFIG):
        description = {"config": config.to_dict(), "nice": 10, "parent": os.getppid()}
        monkeypatch.setattr(sys, "stdin", io.StringIO(json.dumps(description)))
        return cell_process.main([str(path)])

    return run


def begin(tmp_path, status=None) -> Path:
    path = tmp_path / "cells" / "key"
    path.mkdir(parents=True)
    (path / "config.yaml").write_text(config_to_yaml(CONFIG))
    if status:
        (path / "summary.json").write_text(json.dumps({"status": status}))
    return path


def test_a_fresh_cell_is_trained_in_exactly_its_folder(tmp_path, run, training):
    assert run() == 0
    assert training.calls == [("train", tmp_path / "cells" / "key", CONFIG)]
    assert training.threads == [(CONFIG, (8, 8, 1), {})]
    assert list((tmp_path / "cells").iterdir()) == []  # the lock beside it has gone


@pytest.mark.parametrize("status", [None, "running", "interrupted"])
def test_a_cell_that_was_begun_goes_on_with_its_own_threads(tmp_path, run, training, status):
    path = begin(tmp_path, status)
    (path / "env.json").write_text('{"intra_op_threads": 1}')
    assert run(config=CONFIG.replace(threads=7)) == 0
    assert training.calls == [("resume", path, None)]
    assert training.threads == [(CONFIG, (8, 8, 1), {"intra_op_threads": 1})]


def test_a_cell_that_was_begun_finds_its_data_where_it_is_now(tmp_path, run, training):
    begin(tmp_path)
    assert run(config=CONFIG.replace(data_dir="/moved")) == 0
    assert training.sources == [("digits", "/moved")]


def test_data_that_is_not_there_is_a_mistake(run, training, monkeypatch, capsys):
    def load_source(name, data_dir, reading):
        raise DataError("no such data")

    monkeypatch.setattr(cell_process, "load_source", load_source)
    assert run() == 2
    assert capsys.readouterr().err == "error: no such data\n"


@pytest.mark.parametrize(("status", "code"), [("finished", 0), ("diverged", 1)])
def test_a_cell_that_is_done_is_left_alone(tmp_path, run, training, status, code):
    begin(tmp_path, status)
    assert run() == code
    assert training.calls == []


@pytest.mark.parametrize(
    ("outcome", "code", "line"),
    [
        ("diverged", 1, ""),
        (InputError("epochs must be\nmore"), 2, "error: epochs must be more\n"),
        (DataError("no data"), 2, "error: no data\n"),
        (OSError(errno.EACCES, "Permission denied", "x"), 2, "error: Permission denied: x\n"),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 74, "error: No space left on device: x\n"),
        (OSError(errno.EFBIG, "File too large"), 74, "error: File too large\n"),
        (OSError("odd"), 2, "error: odd\n"),
        (Interrupted(15, Path("x")), 143, ""),
    ],
)
def test_exit_codes(run, training, capsys, outcome, code, line):
    training.outcome = outcome
    assert run() == code
    assert capsys.readouterr().err == line


def test_a_defect_goes_through_with_its_traceback(run, training):
    training.outcome = ZeroDivisionError("ours")
    with pytest.raises(ZeroDivisionError, match="ours"):
        run()


def test_another_process_runs_the_cell(tmp_path, run, training, capsys):
    path = tmp_path / "cells" / "key"
    path.parent.mkdir()
    with locked(path.with_name(".key.lock")):
        assert in_use(path)
        assert run() == 75
    assert training.calls == []
    assert capsys.readouterr().err == f"error: Another process is training in {path}.\n"
    assert not in_use(path)
    assert run() == 0


def test_the_user_resumes_the_cell_by_hand(tmp_path, run, training):
    path = begin(tmp_path)
    with RunFolder.open(path):
        assert in_use(path)
        assert run() == 75
    assert training.calls == []
    assert not in_use(path)
    assert run() == 0


def test_the_user_takes_the_folder_while_the_cell_starts(tmp_path, run, training):
    path = begin(tmp_path)

    def meet():
        with RunFolder.open(path):
            RunFolder.open(path)

    # The other may have given the lock back since, if it has only looked at it.
    training.meanwhile = meet
    assert run() == 75
    training.meanwhile = lambda: None
    assert run() == 0


@pytest.mark.parametrize("name", [".key.lock", "key/.lock"])
def test_a_look_at_a_lock_stops_no_one(tmp_path, run, training, monkeypatch, name):
    monkeypatch.setattr(run_process, "_LOOK_SECONDS", 0.5)  # so that a busy machine does not matter
    path = begin(tmp_path)
    (path / ".lock").touch()
    looking, looked = threading.Event(), threading.Event()

    def look():
        with locked(path.parent / name):
            looking.set()
            looked.wait(0.03)

    thread = threading.Thread(target=look)
    thread.start()
    looking.wait()
    assert run() == 0
    thread.join()
    assert training.calls == [("resume", path, None)]


def test_another_program_begins_the_cell_meanwhile(tmp_path, run, training):
    training.outcome = InputError("holds a run")
    training.meanwhile = lambda: begin(tmp_path)
    assert run() == 75
    training.meanwhile = lambda: None
    assert run() == 2


DRIVER = """
import json, os, signal, sys, time
import kerasnets.studies.cell_process as process

def work(path, config):
    {work}
    return 0

process.{name} = work
sys.exit(process.main(sys.argv[1:]))
"""


def start(path, work, *, name="_train_or_resume", parent=None, nice=3, **options) -> subprocess.Popen:
    program = DRIVER.format(work=work, name=name)
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": ROOT},
        **options,
    )
    description = {"config": CONFIG.to_dict(), "nice": nice, "parent": os.getpid() if parent is None else parent}
    process.stdin.write(json.dumps(description))
    process.stdin.close()
    return process


def test_it_stands_back(tmp_path):
    work = (
        "print(json.dumps([os.nice(0), sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "
        "open('/proc/self/oom_score_adj').read().strip(), os.environ['TF_CPP_MIN_LOG_LEVEL']]))"
    )
    with start(tmp_path / "cells" / "key", work) as process:
        nice, blocked, score, level = json.loads(process.stdout.read())
    assert process.returncode == 0
    assert nice == min(19, os.nice(0) + 3)
    assert blocked == [signal.SIGHUP, signal.SIGINT]
    assert score == "500"
    assert level == os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")


AUTOGROUP = Path("/proc/self/autogroup")


@pytest.mark.skipif(not AUTOGROUP.exists(), reason="the kernel makes no group of a session")
@pytest.mark.parametrize("own_session", [True, False])
def test_its_session_gives_way_unless_others_are_in_it(tmp_path, own_session):
    before = AUTOGROUP.read_text()
    work = f"print(open({str(AUTOGROUP)!r}).read(), end='')"
    with start(tmp_path / "cells" / "key", work, start_new_session=own_session) as process:
        told = process.stdout.read()
    assert process.returncode == 0
    if own_session:
        assert told.endswith(f" nice {min(19, os.nice(0) + 3)}\n")
    else:
        assert told == before  # which is empty where no session was begun since the system was started
    assert AUTOGROUP.read_text() == before


@pytest.mark.parametrize("refusal", [BlockingIOError, PermissionError])
def test_giving_way_is_tried_again_where_others_do_so_too(refusal, monkeypatch):
    asked = []

    def write(path, text):
        asked.append((str(path), text))
        if len(asked) < 3:
            raise refusal

    monkeypatch.setattr(os, "nice", lambda nice: nice + 1)
    monkeypatch.setattr(os, "getsid", lambda pid: os.getpid())
    monkeypatch.setattr(Path, "write_text", write)
    run_process.give_way(5)
    assert asked == [(str(AUTOGROUP), "6")] * (3 if refusal is BlockingIOError else 1)


def test_giving_way_ends_where_it_is_refused_for_long(monkeypatch):
    monkeypatch.setattr(run_process, "_GROUP_SECONDS", 0.1)
    monkeypatch.setattr(os, "nice", lambda nice: nice)
    monkeypatch.setattr(os, "getsid", lambda pid: os.getpid())
    refusals = iter(range(100))

    def refuse(path, text):
        next(refusals)
        raise BlockingIOError

    monkeypatch.setattr(Path, "write_text", refuse)
    run_process.give_way(5)
    assert 0 < next(refusals) < 100


def test_a_parent_that_is_already_gone(tmp_path):
    with start(tmp_path / "key", "print('worked')", parent=1) as process:
        assert process.stdout.read() == ""
    assert process.returncode == 143


def test_signals_before_and_after_training_has_begun():
    answer = run_process.end_unless(lambda: begun)
    ended = []
    patch = pytest.MonkeyPatch()
    patch.setattr(os, "_exit", ended.append)
    try:
        begun = False
        answer(signal.SIGTERM, None)
        assert ended == [143]
        begun = True
        answer(signal.SIGTERM, None)
        assert ended == [143]
    finally:
        patch.undo()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print('one', flush=True); raise SystemExit('two')", "two"),
        ("import sys; print('error: told'); print('noise'); sys.exit(2)", "told"),
        ("import sys; print('error: told'); print('Error: last'); sys.exit(1)", "Error: last"),
        ("raise SystemExit(9)", "exit code 9, without a word"),
        ("pass", "ended without a result"),
        ("import os; print('x'); os.kill(os.getpid(), 9)", "killed by signal 9 (perhaps out of memory)"),
        ("import os; os.kill(os.getpid(), 11)", "killed by signal 11 (Segmentation fault)"),
        ("raise SystemExit(143)", "stopped by another process (SIGTERM)"),
        ("import os; os.kill(os.getpid(), 15)", "stopped by another process (SIGTERM)"),
        ("raise SystemExit(130)", "stopped by another process (SIGINT)"),
        ("print('a' * 100_000); raise SystemExit(3)", "a" * 300),
        (r"import os; os.write(1, b'\xff\x00\x1b[1mx\t y\n\n'); raise SystemExit(3)", "\ufffd x y"),
    ],
)
def test_reasons(tmp_path, program, reason):
    output = tmp_path / "output" / "a.txt"
    output.parent.mkdir()
    output.write_text("error: of an attempt before\n")
    process = CellProcess([sys.executable, "-I", "-S", "-c", program], {"config": "x" * 1000}, output)
    while process.exit_code() is None:
        time.sleep(0.005)
    assert process.reason() == reason
    assert output.read_text(errors="replace").startswith("error: of an attempt before\n")
    assert process.seconds > 0


def test_a_terminal_s_ctrl_c_does_not_reach_it_and_its_session_is_its_own(tmp_path):
    process = CellProcess([sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)"], {}, tmp_path / "a.txt")
    try:
        assert os.getpgid(process.pid) == os.getsid(process.pid) == process.pid
    finally:
        process.kill()


def test_a_command_that_is_none(tmp_path):
    with pytest.raises(FileNotFoundError):
        CellProcess(["/no/such/program"], {}, tmp_path / "a.txt")


# Weights computed from images before training, moving averages, augmentation and a rate that changes by step: a state
# that must all come back.
REAL = TrainConfig(
    dataset="digits",
    arch="speednet",
    arch_options={"width": 4, "depth": 2},
    epochs=10,
    batch_size=16,
    optimizer="muon",
    learning_rate=0.05,
    schedule="cosine",
    ema=0.9,
    crop_padding=1,
    precision="float32",
    checkpoint_seconds=0.5,
    test_curve=10,
)
RUNNER = """
import json, sys
from kerasnets.studies.cells import Cell
from kerasnets.studies.runner import run_study
from kerasnets.training.config import TrainConfig

folder, output, config = json.loads(sys.argv[1])
sys.exit(run_study(folder, output, [Cell(setting="real", config=TrainConfig(**config))], threads=1, nice=0).exit_code)
"""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    output = tmp_path_factory.mktemp("undisturbed")
    cell = Cell(setting="real", config=REAL)
    summary = run_study(output / "study", output, [cell], threads=1, nice=0)
    assert summary == RunnerSummary(done=1, failed=0, left=0), next(output.glob("study/output/*")).read_text()
    return cell_path(output, cell)


def files_that_count(path) -> dict[str, bytes]:
    return {name: (path / name).read_bytes() for name in ("predictions.npz", "per_class.csv", "results.csv")}


def wait_for(condition):
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["runner", "cell"])
def test_kill_9_in_the_middle_then_run_again_gives_the_same_bits(undisturbed, tmp_path, victim):
    cell = Cell(setting="real", config=REAL)
    path = cell_path(tmp_path, cell)
    words = json.dumps([str(tmp_path / "study"), str(tmp_path), REAL.to_dict()])
    process = subprocess.Popen([sys.executable, "-c", RUNNER, words], env=os.environ | {"PYTHONPATH": ROOT})
    try:
        wait_for(lambda: (path / "results.csv").is_file() and (path / "results.csv").read_text().count("\n") >= 4)
        ledger = (tmp_path / "study" / "ledger.jsonl").read_text().splitlines()
        os.kill(process.pid if victim == "runner" else json.loads(ledger[-1])["pid"], signal.SIGKILL)
        code = process.wait(300)
    finally:
        process.terminate()
    if victim == "cell":
        assert code == 0  # the runner itself has taken it up
    else:
        wait_for(lambda: not in_use(path))  # no orphan goes on, and its checkpoint is written
        assert json.loads((path / "summary.json").read_text())["status"] == "interrupted"
    assert run_study(tmp_path / "study", tmp_path, [cell], nice=0) == RunnerSummary(done=1, failed=0, left=0)
    assert files_that_count(path) == files_that_count(undisturbed)
    _, arrays, meta, _ = load_newest(path / "checkpoints")
    _, expected, expected_meta, _ = load_newest(undisturbed / "checkpoints")
    assert {name: value.tobytes() for name, value in arrays.items()} == {
        name: value.tobytes() for name, value in expected.items()
    }
    assert "resumed" in (path / "log.jsonl").read_text()
    assert "resumed" not in (undisturbed / "log.jsonl").read_text()


@pytest.mark.slow
def test_a_mistake_is_one_line_and_two_tries(tmp_path):
    cell = Cell(setting="odd", config=REAL.replace(dataset="folder:/no/such/folder"))
    assert run_study(tmp_path / "study", tmp_path, [cell]) == RunnerSummary(done=0, failed=1, left=0, exit_code=1)
    first, second = sorted((tmp_path / "study").glob("output/*.txt"))
    for output in (first, second):
        assert "Traceback" not in output.read_text()
        assert output.read_text().splitlines()[-1].startswith("error: A folder of images is needed. Received: /no/such")
    assert not cell_path(tmp_path, cell).exists()
