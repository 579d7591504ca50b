"""Processes of trials: with training made up, what becomes of them when anything dies; then real training."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from kerasnets.errors import InputError
from kerasnets.runs.checkpoint import load_newest
from kerasnets.search import trial_process
from kerasnets.search.trial_process import TrialServer
from kerasnets.training.config import TrainConfig
from kerasnets.training.until import Until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="what ties processes together is Linux's")
ROOT = str(Path(__file__).parents[3])
# A server that imports no TensorFlow, and whose trials do what the configuration's option says.
FAKE = """
import json, os, signal, sys, time, types
from pathlib import Path
from kerasnets.errors import InputError
from kerasnets.search import trial_server

def read(config):
    exec(config.arch_options.get("read", ""))
    return "source", {"class_names": ["a", "b"], "image_shape": [8, 9, 1], "class_counts": {"train": [1, 2]},
                      "mean": [0.5], "std": [0.25], "origin": "here"}

def train_or_resume(path, config, load, until):
    def note(text):
        path.mkdir(parents=True, exist_ok=True)
        (path / "note").write_text(text)
    def wait():
        signal.signal(signal.SIGTERM, stop)
        note("waits")
        time.sleep(60)
    def stop(*signal):
        time.sleep(0.3)
        note("checkpoint")
        os._exit(143)
    scope = {**globals(), **locals()}
    exec(config.arch_options["do"], scope)
    return scope.get("code", 0)

sys.modules["kerasnets.training.train"] = types.ModuleType("train")
trial_server.read, trial_server.train_or_resume = read, train_or_resume
sys.exit(trial_server.main())
"""


def config(do="", **options) -> TrainConfig:
    return TrainConfig(dataset="digits", arch="lazynet", arch_options={"do": do, **options})


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def code_of(process) -> int:
    wait_for(lambda: process.exit_code() is not None)
    return process.exit_code()


def gone(pid) -> bool:
    """Neither living nor a zombie."""
    return not Path(f"/proc/{pid}").exists()


def children(pid) -> list[str]:
    """Processes whose parent it is, zombies among them."""
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


@pytest.fixture(scope="module", autouse=True)
def fake():
    patch = pytest.MonkeyPatch()
    patch.setattr(trial_process, "_COMMAND", [sys.executable, "-c", FAKE])
    patch.setenv("PYTHONPATH", ROOT)
    yield patch
    patch.undo()


@pytest.fixture(scope="module")
def server():
    with TrialServer(config(), nice=3) as server:
        yield server
        assert children(server.pid) == []
    assert gone(server.pid)


@pytest.fixture
def start(server, tmp_path):
    def start(do, path="run", server=server, until=None):
        return server.start(
            config(do), tmp_path / path, until=until or Until(epochs=1), threads=2, output=tmp_path / "out" / "a.txt"
        )

    return start


def test_what_a_server_says_of_the_data(server):
    assert (server.image_shape, server.num_classes) == ((8, 9, 1), 2)
    assert server.data["class_counts"] == {"train": [1, 2]}


def test_what_a_trial_is_told(start, server, tmp_path):
    facts = (
        "print(json.dumps([str(path), load(), until.epochs, until.seconds, config.threads, os.nice(0), sys.argv, "
        "sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), Path('/proc/self/oom_score_adj').read_text().strip(), "
        "os.getpid() == os.getpgid(0), os.getsid(0)]))"
    )
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.txt").write_text("before\n")
    process = start(facts, until=Until(epochs=3, seconds=1.5))
    assert code_of(process) == 0
    before, told = (tmp_path / "out" / "a.txt").read_text().splitlines()
    nice = min(19, os.nice(0) + 3)
    blocked = [signal.SIGHUP, signal.SIGINT]
    assert before == "before"
    assert json.loads(told) == [
        str(tmp_path / "run"), "source", 3, 1.5, 2, nice, sys.argv, blocked, "500", True, server.pid
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("do", "code", "reason"),
    [
        ("code = 1; print('nan')", 1, "nan"),
        ("raise InputError('epochs must be\\nmore')", 2, "epochs must be more"),
        ("raise OSError(28, 'No space left on device', 'x')", 74, "No space left on device: x"),
        ("raise ZeroDivisionError('ours\\nmore')", 70, "ZeroDivisionError: ours"),
        ("raise MemoryError", 70, "MemoryError"),
        ("sys.exit('bye')", 70, "SystemExit: bye"),
        ("os.kill(os.getpid(), 9)", -9, "killed by signal 9 (perhaps out of memory)"),
        ("os.kill(os.getpid(), 11)", -11, "killed by signal 11 (Segmentation fault)"),
        ("os.kill(os.getpid(), 15)", -15, "stopped by another process (SIGTERM)"),
        ("pass", 0, "ended without a result"),
    ],
)
def test_how_trials_end(start, server, do, code, reason):
    process = start(do)
    assert code_of(process) == code
    assert process.reason() == reason
    seconds = process.seconds
    assert 0 < seconds == process.seconds
    assert gone(process.pid)


def test_a_crash_leaves_its_traceback_in_the_output(start, tmp_path):
    code_of(start("raise ZeroDivisionError('ours')"))
    assert "Traceback (most recent call last)" in (tmp_path / "out" / "a.txt").read_text()


def test_two_at_one_folder(start, tmp_path):
    first = start("wait()")
    wait_for((tmp_path / "run" / "note").exists)
    second = start("wait()")
    assert code_of(second) == 75
    assert second.reason() == f"Another process is training in {tmp_path / 'run'}."
    first.kill()
    assert first.exit_code() == -9
    assert code_of(start("pass")) == 0


def test_a_trial_that_is_asked_to_stop_writes_its_checkpoint(start, tmp_path):
    process = start("wait()")
    wait_for((tmp_path / "run" / "note").exists)
    assert process.exit_code() is None and process.reason() == "still running"
    process.stop()
    assert code_of(process) == 143
    assert (tmp_path / "run" / "note").read_text() == "checkpoint"
    process.stop()
    process.kill()  # it has ended: nobody is hit
    assert process.exit_code() == 143


def test_trials_side_by_side_end_in_any_order(start):
    slow, quick = start("time.sleep(0.5); code = 1", path="a"), start("pass", path="b")
    assert code_of(quick) == 0
    assert slow.exit_code() is None
    assert code_of(slow) == 1


def test_an_output_that_cannot_be_written(server, tmp_path):
    (tmp_path / "out").mkdir()
    process = server.start(config(), tmp_path / "run", until=Until(), threads=1, output=tmp_path / "out")
    assert (process.exit_code(), process.pid) == (70, None)
    assert process.reason() == f"Is a directory: {tmp_path / 'out'}"
    process.stop()


def test_a_trial_that_hangs_is_killed(start, tmp_path, monkeypatch):
    monkeypatch.setattr(trial_process, "_PATIENCE_SECONDS", 1.0)
    process = start("wait()")
    assert code_of(process) == -9
    assert process.reason() == "hung: it used no processor time for 1 s, and was ended"
    assert gone(process.pid)


@pytest.mark.parametrize(
    ("number", "why"), [(signal.SIGKILL, "killed by signal 9 (Killed)"), (signal.SIGTERM, "exit code 0")]
)
def test_a_server_that_dies_takes_its_trials_along_in_order(start, tmp_path, number, why):
    with TrialServer(config(), nice=0) as server:
        trials = [start("wait()", path=name, server=server) for name in "ab"]
        wait_for(lambda: all((tmp_path / name / "note").exists() for name in "ab"))
        before = server.pid
        os.kill(before, number)
        for trial, name in zip(trials, "ab", strict=True):
            assert code_of(trial) == 143
            assert (tmp_path / name / "note").read_text() == "checkpoint"
            wait_for(lambda trial=trial: gone(trial.pid))  # who has adopted it may take a moment to notice
        if number == signal.SIGKILL:  # else the server could still tell how they ended
            assert trials[0].reason() == f"the process that starts trials has ended: {why}"
        wait_for(lambda: server._server.is_dead())
        assert server._server.why_dead() == why
        again = start("code = 1", server=server)
        assert code_of(again) == 1
        assert server.pid != before
        assert trials[0].exit_code() == 143  # what is known stays known
        after = server.pid
    assert gone(before) and gone(after)
    assert not {str(before), str(after)} & set(children(os.getpid()))


def test_trials_of_a_dead_server_are_waited_for_while_another_works(start, tmp_path):
    with TrialServer(config(), nice=0) as server:
        wait_long = "while not (path / 'done').exists(): time.sleep(0.01)"
        trial = start(f"signal.signal(15, lambda *_: None); note('')\n{wait_long}", path="a", server=server)
        wait_for((tmp_path / "a" / "note").exists)
        os.kill(server.pid, signal.SIGKILL)
        assert code_of(start("pass", path="b", server=server)) == 0
        assert trial.exit_code() is None
        (tmp_path / "a" / "done").touch()
        assert code_of(trial) == 143


def test_close_lets_trials_write_their_checkpoints(start, tmp_path):
    server = TrialServer(config(), nice=0)
    trial = start("wait()", server=server)
    wait_for((tmp_path / "run" / "note").exists)
    server.close()
    assert trial.exit_code() == 143
    assert (tmp_path / "run" / "note").read_text() == "checkpoint"
    assert gone(server.pid)
    server.close()


SEARCH = """
import json, sys, time
from kerasnets.search import trial_process
from kerasnets.training.config import TrainConfig
from kerasnets.training.until import Until

fake, path = sys.argv[1:]
trial_process._COMMAND = [sys.executable, "-c", fake]
config = TrainConfig(dataset="digits", arch="lazynet", arch_options={"do": "wait()"})
server = trial_process.TrialServer(config, nice=0)
trial = server.start(config, path, until=Until(epochs=1), threads=1, output=path + ".txt")
print(json.dumps([server.pid, trial.pid]), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_search_that_dies_leaves_nothing_behind(tmp_path, number):
    words = [sys.executable, "-c", SEARCH, FAKE, str(tmp_path / "run")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as search:
        server, trial = json.loads(search.stdout.readline())
        assert os.getpgid(server) == server and os.getpgid(trial) == trial  # no Ctrl-C of a terminal reaches them
        wait_for((tmp_path / "run" / "note").exists)
        os.kill(search.pid, number)
    wait_for(lambda: gone(server) and gone(trial))
    assert (tmp_path / "run" / "note").read_text() == "checkpoint"


def test_a_thread_that_ends_ends_no_server():
    """The kernel takes the end of the thread that started a process for that of its parent."""
    servers = []
    thread = threading.Thread(target=lambda: servers.append(TrialServer(config(), nice=0)))
    thread.start()
    thread.join()
    time.sleep(0.2)
    with servers[0] as server:
        assert not server._server.is_dead()


@pytest.mark.parametrize(
    ("read", "message"),
    [
        ("raise InputError('no such data')", "^no such data$"),
        ("raise OSError(13, 'Permission denied', 'x')", "^Permission denied: x$"),
        ("raise ZeroDivisionError('ours')", "reads the data must stay. Received: ZeroDivisionError: ours. Is there"),
        ("os.kill(os.getpid(), 9)", r"reads the data must stay. Received: killed by signal 9 \(Killed\). Is there"),
    ],
)
def test_data_that_cannot_be_read(read, message):
    before = children(os.getpid())
    with pytest.raises(InputError, match=message):
        TrialServer(config(read=read), nice=0)
    assert children(os.getpid()) == before


def test_other_data_under_the_same_search(start):
    with TrialServer(config(), nice=0) as server:
        server.data["std"] = [0.5]  # as if it had been another when the search began
        os.kill(server.pid, signal.SIGKILL)
        wait_for(server._server.is_dead)
        with pytest.raises(InputError, match="images that it began with. Received: another std, from here."):
            start("pass", server=server)


def test_a_server_that_dies_again_and_again(start, monkeypatch):
    with TrialServer(config(), nice=0) as server:
        monkeypatch.setattr(trial_process._Connection, "_send", lambda self, message: self.process.kill())
        monkeypatch.setattr(server, "_living", lambda: server._server)
        with pytest.raises(InputError, match="must stay. Received: 3 that ended, the last killed by signal 9"):
            start("pass", server=server)


# Moving averages, augmentation, muon and a rate that changes by step: a state that must all come back.
REAL = TrainConfig(
    dataset="digits",
    arch="speednet",
    arch_options={"width": 4, "depth": 2},
    epochs=6,
    batch_size=16,
    validation=0.2,
    optimizer="muon",
    learning_rate=0.05,
    schedule="cosine",
    ema=0.9,
    crop_padding=1,
    precision="float32",
    threads=1,
)
ALONE = """
import json, sys
from kerasnets.search.trial_server import read
from kerasnets.training.config import TrainConfig
from kerasnets.training.train import train

config = TrainConfig(**json.loads(sys.argv[1]))
train(config, source=read(config)[0], run_path=sys.argv[2])
"""


@pytest.fixture(scope="module")
def real(fake):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trial_process, "_COMMAND", [sys.executable, "-m", "kerasnets.search.trial_server"])
        with TrialServer(REAL, nice=0) as server:
            yield server


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The same run in a process of its own that nothing was forked from."""
    path = tmp_path_factory.mktemp("alone") / "run"
    words = [sys.executable, "-c", ALONE, json.dumps(REAL.to_dict()), str(path)]
    subprocess.run(words, check=True, env=os.environ | {"PYTHONPATH": ROOT}, capture_output=True)
    return path


def assert_same(path, expected):
    assert (path / "results.csv").read_bytes() == (expected / "results.csv").read_bytes()
    arrays, others = (load_newest(each / "checkpoints")[1] for each in (path, expected))
    assert {name: value.tobytes() for name, value in arrays.items()} == {
        name: value.tobytes() for name, value in others.items()
    }


def go_on(server, path, epochs):
    return server.start(REAL, path, until=Until(epochs=epochs), threads=1, output=path.with_suffix(".txt"))


@pytest.mark.slow
def test_a_promoted_trial_equals_a_run_that_was_never_forked_nor_paused(real, alone, tmp_path):
    path = tmp_path / "run"
    for epochs in (2, 4, 6):
        assert code_of(go_on(real, path, epochs)) == 0, path.with_suffix(".txt").read_text()
        summary = json.loads((path / "summary.json").read_text())
        assert summary["status"] == ("finished" if epochs == 6 else "paused")
        assert summary["pause"]["epochs"] == epochs
    assert_same(path, alone)
    assert json.loads((path / "data.json").read_text()) == real.data
    assert "test" not in real.data["class_counts"]


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["trial", "server"])
def test_kill_9_in_the_middle_then_on_gives_the_same_bits(real, alone, tmp_path, victim):
    path = tmp_path / "run"
    assert code_of(go_on(real, path, 2)) == 0
    trial = go_on(real, path, 6)
    wait_for(lambda: (path / "results.csv").read_text().count("\n") >= 4)
    os.kill(trial.pid if victim == "trial" else real.pid, signal.SIGKILL)
    assert code_of(trial) in ((-9, 0) if victim == "trial" else (143, 0))
    assert code_of(go_on(real, path, 6)) == 0
    assert_same(path, alone)


@pytest.mark.slow
def test_a_mistake_in_the_settings_is_one_line(real, tmp_path):
    config = REAL.replace(arch="nonet", arch_options={})
    trial = real.start(config, tmp_path / "run", until=Until(epochs=1), threads=1, output=tmp_path / "a.txt")
    assert code_of(trial) == 2
    assert trial.reason().startswith("Unknown") and "nonet" in trial.reason()
    assert not (tmp_path / "run").exists()


def resident_bytes(pid) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.slow
def test_memory_is_flat_over_twenty_trials(real, tmp_path):
    config = TrainConfig(dataset="digits", arch="lazynet", epochs=1, batch_size=500, limit_train=500, validation=0.2)
    sizes = []
    for number in range(20):
        path = tmp_path / str(number)
        trial = real.start(config, path, until=Until(epochs=1), threads=1, output=tmp_path / "a.txt")
        assert code_of(trial) == 0, (tmp_path / "a.txt").read_text()
        sizes.append(resident_bytes(real.pid))
        assert gone(trial.pid) and children(real.pid) == []
    assert max(sizes) - sizes[4] < 1 << 20, sizes
