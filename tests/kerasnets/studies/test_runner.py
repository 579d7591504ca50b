"""The runner, with light processes in place of training: each does what its setting's name says."""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kerasnets.errors import InputError
from kerasnets.runs.folder import RunFolder
from kerasnets.studies import runner
from kerasnets.studies.cells import Cell, cell_path
from kerasnets.studies.ledger import Ledger
from kerasnets.studies.live_table import Silent
from kerasnets.studies.runner import RunnerSummary, run_study
from kerasnets.studies.stalled import StallWatch
from kerasnets.training.config import TrainConfig

# Writes a run folder as training does, and "setting seed what" into starts.txt. Settings: good; bad (no result);
# mistake (exit code 2); odd (a traceback); kill N (the first N times); hang (for ever, the first time); full (no room);
# locked N (in use, the first N times); stopped N (exit code N, the first time); terminated (by SIGTERM, the first
# time); slow (until told by a file "go"; a checkpoint on SIGTERM); deaf (the same, but does not listen); wait (until
# another process runs beside it); diverged.
CELL = r"""
import json, os, signal, sys, time
path, setting = sys.argv[1:]
root = os.path.dirname(os.path.dirname(os.path.dirname(path)))
description = json.load(sys.stdin)
config, kind = description["config"], setting.split()[0]
log = os.path.join(root, "starts.txt")

def note(what):
    with open(log, "a") as file:
        file.write(f"{setting}, seed {config['seed']} {what}\n")

def write(name, value):
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "w") as file:
        json.dump(value, file)

note("start")
before = open(log).read().count(f"{setting}, seed {config['seed']} start") - 1
count = int("".join(filter(str.isdigit, setting)) or 0)
write("config.yaml", config)
print("working", flush=True)
if kind == "bad":
    sys.exit("no such thing\n\x1b[31mas this")
if kind == "mistake":
    print("error: batch_size must be something else", file=sys.stderr)
    print("noise of a library", file=sys.stderr)
    sys.exit(2)
if kind == "odd":
    raise RuntimeError("unheard of")
if kind == "kill" and before < count:
    os.kill(os.getpid(), signal.SIGKILL)
if kind == "hang" and not before:
    time.sleep(600)
if kind == "full" and not os.path.exists(os.path.join(root, "go")):
    print("error: No space left on device: x.ckpt", file=sys.stderr)
    sys.exit(74)
if kind == "locked" and before < count:
    sys.exit(75)
if kind == "stopped" and not before:
    sys.exit(count)
if kind == "terminated" and not before:
    os.kill(os.getpid(), signal.SIGTERM)
if kind == "wait":
    end = time.time() + 20
    while open(log).read().count("start") < 2 and time.time() < end:
        time.sleep(0.01)
    note("together" if time.time() < end else "alone")
if kind in ("slow", "deaf"):
    def stop(number, frame):
        note("checkpoint" if kind == "slow" else "deaf")
        write("summary.json", {"status": "interrupted"})
        if kind == "slow":
            sys.exit(143)
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note("ready")
    end = time.time() + 60
    while not os.path.exists(os.path.join(root, "go")) and time.time() < end:
        time.sleep(0.01)
status = "diverged" if kind == "diverged" else "finished"
write("summary.json", {"status": status, "seconds": {"total": 2.0}, "test": {"accuracy": 0.5}})
note("end")
sys.exit(int(status == "diverged"))
"""


def make_cell(setting, seed=0, **settings) -> Cell:
    # The name is only the study's: another network's width makes cells of different settings different runs.
    options = {"width": sum(ord(letter) * (place + 1) for place, letter in enumerate(setting))}
    config = TrainConfig(dataset="digits", arch="lazynet", arch_options=options, seed=seed, **settings)
    return Cell(setting=setting, config=config)


def make_cells(*settings, seeds=1) -> list[Cell]:
    return [make_cell(setting, seed) for seed in range(seeds) for setting in settings]


class Told(Silent):
    """Remembers what it is told; ``on_show`` is called with every progress."""

    def __init__(self, on_show=lambda progress: None):
        self.messages, self.results, self.failures, self.on_show = [], [], [], on_show

    def message(self, text):
        self.messages.append(text)

    def done(self, result, seconds):
        self.results.append((str(result.cell), result.status))

    def failed(self, cell, reason, *, given_up):
        self.failures.append((str(cell), reason, given_up))

    def show(self, progress):
        self.on_show(progress)


class Study:
    """A folder in which fake cells are run."""

    def __init__(self, path: Path):
        self.path, self.folder, self.output = path, path / "studies" / "test", path / "studies"
        self.script = path / "cell.py"
        self.script.write_text(CELL)
        self.display = Told()
        self.processes: list[subprocess.Popen] = []

    def command(self, cell, path):
        return [sys.executable, "-I", "-S", str(self.script), str(path), cell.setting]

    def run(self, cells, **options) -> RunnerSummary:
        options = {"display": self.display, "command": self.command, "nice": 0} | options
        return run_study(self.folder, self.output, cells, **options)

    def starts(self, what="start") -> list[str]:
        """Which cells have come so far, in order."""
        file = self.path / "starts.txt"
        lines = file.read_text().splitlines() if file.exists() else []
        return [line.removesuffix(f" {what}") for line in lines if line.endswith(f" {what}")]

    def events(self) -> list[str]:
        return [event["event"] for event in Ledger(self.folder / "ledger.jsonl").events]

    def go(self):
        (self.path / "go").touch()


@pytest.fixture
def study(tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(runner, "_SHOW_SECONDS", 0.02)
    monkeypatch.setattr(runner, "_SECONDS_TO_PUT_OFF", 0.05)
    study = Study(tmp_path)
    yield study
    for process in study.processes:  # of a test that failed
        process.kill()
        process.wait()


def test_in_the_order_given_and_then_nothing_is_left(study):
    cells = make_cells("good a", "good b", "diverged", seeds=2)
    assert study.run(cells) == RunnerSummary(done=6, failed=0, left=0)
    assert study.starts() == [str(cell) for cell in cells]
    assert [name for name, _ in study.display.results] == study.starts()
    assert study.display.results[2] == ("diverged, seed 0", "diverged")
    assert study.events() == ["begun", *["started", "done"] * 6, "ended"]
    events = Ledger(study.folder / "ledger.jsonl").of(cells[2].key)
    assert {key: events[1][key] for key in ("cell", "setting", "seed", "attempt", "exit_code", "status")} == {
        "cell": cells[2].key,
        "setting": "diverged",
        "seed": 0,
        "attempt": 1,
        "exit_code": 1,
        "status": "diverged",
    }
    assert events[0]["pid"] != os.getpid()
    assert (study.folder / "output" / f"{cells[0].key}-1.txt").read_text() == "working\n"
    # A second time nothing is started.
    assert study.run(cells) == RunnerSummary(done=6, failed=0, left=0)
    assert len(study.starts()) == 6
    assert study.display.messages[-1] == "6 of 6 runs are done already"


def test_only_what_is_missing_is_run_and_the_folder_decides(study):
    cells = make_cells("good a", "good b", "good c")
    study.run(cells)
    (cell_path(study.output, cells[1]) / "summary.json").unlink()
    assert study.run(cells).done == 3
    assert study.starts() == ["good a, seed 0", "good b, seed 0", "good c, seed 0", "good b, seed 0"]
    # Without the ledger nothing is run twice either.
    (study.folder / "ledger.jsonl").unlink()
    assert study.run(cells).done == 3
    assert len(study.starts()) == 4


def test_two_studies_share_a_cell(study):
    study.run(make_cells("good a"))
    study.folder = study.output / "other"
    assert study.run(make_cells("good a", "good b")).done == 2
    assert study.starts() == ["good a, seed 0", "good b, seed 0"]


def test_a_cell_that_fails_three_times_is_given_up_and_the_study_goes_on(study):
    cells = make_cells("bad", "good a", "good b", "good c", seeds=2)
    summary = study.run(cells)
    assert summary == RunnerSummary(done=6, failed=2, left=0, exit_code=1)
    # Again after two others, so that what was wrong may pass.
    assert study.starts()[:5] == ["bad, seed 0", "good a, seed 0", "good b, seed 0", "bad, seed 0", "good c, seed 0"]
    assert study.starts().count("bad, seed 0") == 3
    assert study.display.failures[0] == ("bad, seed 0", "as this", False)
    assert study.display.failures[-1][2]
    assert [path.name[-5:] for path in sorted(study.folder.glob(f"output/{cells[0].key}-*"))] == [
        "1.txt",
        "2.txt",
        "3.txt",
    ]
    assert Ledger(study.folder / "ledger.jsonl").given_up() == {
        cells[0].key: "as this",
        cells[4].key: "as this",
    }
    # It stays given up until it is allowed again.
    assert study.run(cells) == summary
    assert study.starts().count("bad, seed 0") == 3
    assert study.display.messages[-1] == "6 of 8 runs are done already, 2 were given up (--retry-failed)"
    study.run(cells, retry_failed=True)
    assert study.starts().count("bad, seed 0") in (5, 6)


def test_failures_before_a_kill_of_the_runner_count(study):
    (cell,) = make_cells("bad")
    study.folder.mkdir(parents=True)
    for _ in range(2):
        Ledger(study.folder / "ledger.jsonl").append("failed", cell=cell.key, reason="once", exit_code=1)
    assert study.run([cell]).failed == 1
    assert len(study.starts()) == 1


@pytest.mark.parametrize(
    ("setting", "tries", "reason"),
    [
        ("mistake", 2, "batch_size must be something else"),
        ("odd", 3, "RuntimeError: unheard of"),
        ("kill 3", 3, "killed by signal 9 (perhaps out of memory)"),
    ],
)
def test_reasons(study, setting, tries, reason):
    assert study.run(make_cells(setting)) == RunnerSummary(done=0, failed=1, left=0, exit_code=1)
    assert study.display.failures == [(f"{setting}, seed 0", reason, tries == n) for n in range(1, tries + 1)]


def test_a_process_without_a_result_or_a_word_has_failed(study):
    silent = {"command": lambda cell, path: [sys.executable, "-I", "-S", "-c", f"raise SystemExit({cell.setting})"]}
    study.run(make_cells("0", "5"), **silent)
    assert study.display.failures[0] == ("0, seed 0", "ended without a result", False)
    assert study.display.failures[1] == ("5, seed 0", "exit code 5, without a word", False)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the processor time of others")
def test_a_process_that_hangs_is_ended_and_tried_again(study, monkeypatch):
    monkeypatch.setattr(runner, "StallWatch", lambda group: StallWatch(group, patience_seconds=2.0))
    summary = study.run(make_cells("hang", "good a"))
    assert (summary.done, summary.exit_code) == (2, 0)
    assert study.starts().count("hang, seed 0") == 2
    [(cell, reason, given_up)] = study.display.failures
    assert cell == "hang, seed 0"
    assert reason.startswith("hung: it used no processor time")
    assert not given_up


def test_a_killed_cell_is_taken_up_again(study):
    cells = make_cells("kill 2", "good a")
    assert study.run(cells) == RunnerSummary(done=2, failed=0, left=0)
    assert study.starts().count("kill 2, seed 0") == 3
    assert [failed[2] for failed in study.display.failures] == [False, False]


@pytest.mark.parametrize("before", [[], ["good a"]])
def test_five_failures_in_a_row_stop_the_study(study, before):
    broken = ["bad", "odd", "kill 9", "bad b", "bad c", "bad d"]
    summary = study.run(make_cells(*before, *broken, "good b"))
    assert summary.stopped_because.startswith("5 attempts in a row failed, of 3 cells; the last: RuntimeError: unheard")
    assert (summary.done, summary.failed, summary.left, summary.exit_code) == (len(before), 0, 7, 1)
    assert "good b, seed 0" not in study.starts()


def test_what_failed_on_a_broken_machine_is_tried_again_by_the_next_call(study):
    cells = make_cells("mistake a", "mistake b", "mistake c", "good a")
    for call in (1, 2):
        summary = study.run(cells)
        assert summary.stopped_because.startswith("5 attempts in a row failed, of 3 cells; the last: batch_size must")
        # Two were given up before the fifth failure.
        assert (summary.done, summary.failed, summary.left, summary.exit_code) == (0, 0, 4, 1)
        assert [given_up for _, _, given_up in study.display.failures].count(True) == 2 * call
        assert study.events()[-4:] == ["retry", "retry", "retry", "ended"]
    assert Ledger(study.folder / "ledger.jsonl").given_up() == {}
    study.script.write_text(CELL.replace('if kind == "mistake":', "if False:"))
    assert study.run(cells) == RunnerSummary(done=4, failed=0, left=0)


def test_what_was_given_up_before_the_machine_broke_stays_so(study):
    given_up = make_cells("mistake z")
    assert study.run(given_up).failed == 1
    summary = study.run(given_up + make_cells("mistake a", "mistake b", "mistake c"))
    assert (summary.failed, summary.left) == (1, 3)
    assert set(Ledger(study.folder / "ledger.jsonl").given_up()) == {given_up[0].key}


@pytest.mark.parametrize(
    ("setting", "name"), [("stopped 143", "SIGTERM"), ("stopped 130", "SIGINT"), ("terminated", "SIGTERM")]
)
def test_a_cell_that_another_process_stops_has_not_failed_and_is_gone_on_with_later(study, setting, name):
    assert study.run(make_cells(setting, "good a")) == RunnerSummary(done=2, failed=0, left=0)
    assert study.starts() == [f"{setting}, seed 0", "good a, seed 0", f"{setting}, seed 0"]
    assert study.events()[1:3] == ["started", "stopped"]
    assert study.display.failures == []
    assert study.display.messages == [
        f"{setting}, seed 0  stopped by another process ({name}), it is looked at again later"
    ]


def test_one_cell_alone_says_nothing_about_the_machine(study, monkeypatch):
    monkeypatch.setattr("kerasnets.studies.ledger.ATTEMPTS", 7)
    assert study.run(make_cells("bad")) == RunnerSummary(done=0, failed=1, left=0, exit_code=1)
    assert len(study.starts()) == 7


def test_cells_that_can_never_work_do_not_stop_the_others(study):
    summary = study.run(make_cells("good a", "good b", "bad", "odd", seeds=3))
    assert summary == RunnerSummary(done=6, failed=6, left=0, exit_code=1)


def test_jobs_run_side_by_side_with_threads_shared_out(study, monkeypatch):
    monkeypatch.setattr(runner, "usable_cores", lambda: 7)
    cells = make_cells("wait a", "wait b")
    assert study.run(cells, jobs=2).done == 2
    assert study.starts("together") and not study.starts("alone")
    configs = [json.loads((cell_path(study.output, cell) / "config.yaml").read_text()) for cell in cells]
    assert [config["threads"] for config in configs] == [3, 3]


def test_never_more_than_jobs(study):
    seen = []
    study.display.on_show = lambda progress: seen.append(len(progress.running))
    study.run(make_cells(*(f"good {n}" for n in range(7))), jobs=3)
    starts = (study.path / "starts.txt").read_text().split("\n")
    running, most = 0, 0
    for line in starts:
        running += line.endswith("start") - line.endswith("end")
        most = max(most, running)
    assert most <= 3
    assert max(seen) <= 3


def test_progress_tells_of_epochs(study):
    seen = []

    def look(progress):
        if study.starts("ready") and not seen:
            (path,) = study.output.glob("cells/*")
            event = {"event": "epoch", "epoch": 2, "seconds": {"train": 6.0, "setup": 9.0}}
            (path / "log.jsonl").write_text(json.dumps(event) + "\n")
        if progress.running and progress.running[0].epoch:
            seen.append(progress)
            study.go()

    study.display.on_show = look
    study.run(make_cells("slow", "good a"))
    (running,) = seen[0].running
    assert (running.epoch, running.epoch_seconds, seen[0].waiting, seen[0].study) == (2, 3.0, 1, "test")
    assert running.seconds_left == 18 * 3.0
    assert seen[0].seconds_left == pytest.approx(18 * 3.0 + 20 * 3.0)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_signal_lets_cells_write_a_checkpoint(study, number, code):
    handler = signal.getsignal(number)
    study.display.on_show = lambda progress: study.starts("ready") and os.kill(os.getpid(), number)
    summary = study.run(make_cells("good a", "slow", "good b"))
    assert summary == RunnerSummary(
        done=1, failed=0, left=2, stopped_because=f"stopped by {number.name}", exit_code=code
    )
    assert study.starts("checkpoint") == ["slow, seed 0"]
    assert signal.getsignal(number) == handler
    assert study.events()[-2:] == ["stopped", "ended"]
    study.go()
    study.display.on_show = lambda progress: None
    assert study.run(make_cells("good a", "slow", "good b")).done == 3
    assert study.starts() == ["good a, seed 0", "slow, seed 0", "slow, seed 0", "good b, seed 0"]


def test_a_cell_that_ends_before_the_runner_has_seen_the_signal_is_stopped_too(study):
    def stop_both(progress):
        if study.starts("ready"):
            pid = Ledger(study.folder / "ledger.jsonl").events[-1]["pid"]
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text())
            os.kill(os.getpid(), signal.SIGTERM)

    study.display.on_show = stop_both
    assert study.run(make_cells("slow", "good a")).exit_code == 143
    assert study.events() == ["begun", "started", "stopped", "ended"]
    assert study.display.failures == []


def test_a_terminal_that_is_closed_keeps_nothing_from_ending_in_order(study):
    class Closed(Told):
        def tell(self, *words, **more):
            if not study.starts("ready"):
                return
            if not (study.path / "go").exists():
                os.kill(os.getpid(), signal.SIGHUP)
                study.go()
            raise OSError(5, "Input/output error")

        message = done = failed = show = close = tell

    study.display = Closed()
    # It ends by itself while the study stops, and the display would be told.
    assert study.run(make_cells("deaf", "good b")) == RunnerSummary(
        done=1, failed=0, left=1, stopped_because="stopped by SIGHUP", exit_code=129
    )
    assert study.events() == ["begun", "started", "done", "ended"]


def test_a_second_signal_kills(study):
    study.display.on_show = lambda progress: (
        study.starts("ready") and [os.kill(os.getpid(), signal.SIGINT) for _ in range(2)]
    )
    summary = study.run(make_cells("deaf"))
    assert (summary.left, summary.exit_code) == (1, 130)
    event = Ledger(study.folder / "ledger.jsonl").events[-2]
    assert (event["event"], event["exit_code"]) == ("stopped", -9)


def test_a_cell_that_does_not_listen_is_killed_in_the_end(study, monkeypatch):
    monkeypatch.setattr(runner, "_SECONDS_TO_STOP", 0.2)
    study.display.on_show = lambda progress: study.starts("ready") and os.kill(os.getpid(), signal.SIGINT)
    assert study.run(make_cells("deaf")).left == 1
    assert study.starts("deaf") == ["deaf, seed 0"]


def test_a_signal_that_was_ignored_stays_ignored(study):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        study.display.on_show = lambda progress: (
            study.starts("ready") and (os.kill(os.getpid(), signal.SIGHUP), study.go())
        )
        assert study.run(make_cells("slow")).done == 1
    finally:
        signal.signal(signal.SIGHUP, before)


def test_when_the_time_is_up_cells_write_a_checkpoint_and_none_is_started(study, monkeypatch):
    clock, ahead = time.monotonic, []
    monkeypatch.setattr(runner.time, "monotonic", lambda: clock() + sum(ahead))
    study.display.on_show = lambda progress: study.starts("ready") and not ahead and ahead.append(3600.0)
    summary = study.run(make_cells("good a", "slow", "good b"), max_seconds=3600.0)
    assert summary.stopped_because == "the time of 60 min was used up"
    assert (summary.done, summary.left, summary.exit_code) == (1, 2, 0)
    assert study.starts("checkpoint") == ["slow, seed 0"]
    study.go()
    assert study.run(make_cells("good a", "slow", "good b"), max_seconds=3600.0).done == 3


def test_no_cell_is_started_that_could_not_begin(study, monkeypatch):
    monkeypatch.setattr(runner, "_SECONDS_TO_BEGIN", 1e9)  # a tenth of a short time
    now = [0.0]
    monkeypatch.setattr(runner.time, "monotonic", lambda: now[0])
    study.display.done = lambda result, seconds: now.append(now.pop() + 8.0)
    # The first ends at 8 s, the second at 16. After 15.3, when a tenth of the time is left, none is started.
    summary = study.run(make_cells("good a", "good b", "good c", "good d"), max_seconds=17.0)
    assert summary.done == 2
    assert summary.stopped_because == "the time of 17 s was used up"


def test_a_second_runner_is_refused(study):
    messages = []

    def other(progress):
        if study.starts("ready") and not messages:
            with pytest.raises(
                InputError, match="one process at a time. Received: .*test, which another one runs"
            ) as p:
                Study.run(study, make_cells("good b"), display=None)
            messages.append(str(p.value))
            study.go()

    study.display.on_show = other
    assert study.run(make_cells("slow", "good b")).done == 2
    assert messages


def test_a_cell_in_use_is_put_back_without_counting(study):
    assert study.run(make_cells("locked 3", "good a")) == RunnerSummary(done=2, failed=0, left=0)
    assert study.starts()[:2] == ["locked 3, seed 0", "good a, seed 0"]
    assert len(study.starts()) == 5
    assert "in use" in study.events()
    assert study.display.failures == []


def test_a_locked_folder_is_not_even_started(study):
    cells = make_cells("good a", "good b")
    path = cell_path(study.output, cells[0])
    path.parent.mkdir(parents=True)
    folder = RunFolder.create_at(path, json.dumps(cells[0].config.to_dict()))
    seen = []

    def look(progress):
        seen.append(study.starts())
        if len(seen) == 15:
            folder.close()

    study.display.on_show = look
    assert study.run(cells).done == 2
    assert study.starts() == ["good b, seed 0", "good a, seed 0"]
    assert ["good b, seed 0"] in seen
    assert len([text for text in study.display.messages if "another process" in text]) == 1


def test_what_another_process_has_finished_meanwhile_is_not_run(study):
    first, second = make_cells("slow", "good b")

    def finish_the_other(progress):
        if study.starts("ready") and not (study.path / "go").exists():
            path = cell_path(study.output, second)
            path.mkdir()
            (path / "config.yaml").write_text(json.dumps(second.config.to_dict()))
            (path / "summary.json").write_text(json.dumps({"status": "finished", "seconds": {"total": 1.0}}))
            study.go()

    study.display.on_show = finish_the_other
    assert study.run([first, second]).done == 2
    assert study.starts() == ["slow, seed 0"]


def test_a_folder_with_another_configuration_is_left_alone_and_the_study_goes_on(study):
    first, second = make_cells("good a", "good b")
    study.run([first])
    cell_path(study.output, first).rename(cell_path(study.output, second))
    (cell_path(study.output, second) / "summary.json").unlink()
    assert study.run([second, first]) == RunnerSummary(done=1, failed=1, left=0, exit_code=1)
    assert study.starts() == ["good a, seed 0", "good a, seed 0"]
    ((name, reason, given_up),) = study.display.failures
    assert (name, given_up) == ("good b, seed 0", True)
    assert "holds another config.yaml than it is named by. Move the folder away" in reason
    # Once the folder is moved away it is run like any other.
    cell_path(study.output, second).rename(study.path / "elsewhere")
    assert study.run([second, first]).done == 2


def test_no_room_for_a_cell_stops_the_study_and_nothing_counts(study):
    cells = make_cells("good a", "full", "good b")
    summary = study.run(cells)
    assert (summary.done, summary.failed, summary.left, summary.exit_code) == (1, 0, 2, 1)
    assert summary.stopped_because == (
        "No space left on device: x.ckpt. Nothing is lost: mend that, and run the study again."
    )
    study.go()
    assert study.run(cells) == RunnerSummary(done=3, failed=0, left=0)


@pytest.mark.parametrize("event", ["begun", "started", "done"])
def test_no_room_for_the_ledger(study, monkeypatch, event):
    append = Ledger.append

    def full(ledger, name, **values):
        if name == event and not (study.path / "go").exists():
            limits = resource.getrlimit(resource.RLIMIT_FSIZE)
            size = ledger.path.stat().st_size if ledger.path.exists() else 0
            resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
            try:
                append(ledger, name, **values)
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        append(ledger, name, **values)

    monkeypatch.setattr(Ledger, "append", full)
    cells = make_cells("slow" if event == "started" else "good a", "good b")
    summary = study.run(cells)
    assert summary.stopped_because.startswith(("No space left on device: ", "File too large: "))
    assert summary.stopped_because.count("\n") == 0
    assert summary.done + summary.left == 2
    assert summary.exit_code == 1
    study.go()
    assert study.run(cells) == RunnerSummary(done=2, failed=0, left=0)


def test_no_room_for_the_output(study, monkeypatch):
    cells = make_cells("slow", "good b")
    (study.folder / "output").mkdir(parents=True)
    (study.folder / "output" / f"{cells[1].key}-1.txt").mkdir()  # cannot be opened, as if there were no room
    summary = study.run(cells, jobs=2)
    assert summary.stopped_because.startswith("Is a directory: ")
    assert (summary.left, summary.exit_code) == (2, 1)
    assert study.starts("end") == []


def test_an_error_of_our_own_leaves_no_process_behind(study):
    def fail(progress):
        if study.starts("ready"):
            raise ZeroDivisionError

    study.display.on_show = fail
    with pytest.raises(ZeroDivisionError):
        study.run(make_cells("slow"))
    assert study.starts("checkpoint") == ["slow, seed 0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jobs": 0}, "jobs must be a whole number from 1 to 1024. Received: 0"),
        ({"threads": -1}, "threads must be a whole number from 0 to 4096"),
        ({"nice": 20}, "nice must be a whole number from 0 to 19. Received: 20"),
        ({"max_seconds": 0}, "max_seconds must be above 0. Received: 0"),
    ],
)
def test_numbers_out_of_range(study, options, message):
    with pytest.raises(InputError, match=message):
        study.run([], **options)


def test_a_study_folder_that_cannot_be_written(study):
    study.output.write_text("a file")
    with pytest.raises(InputError, match="is a file"):
        study.run([])


RUNNER = """
import json, sys
from pathlib import Path
from kerasnets.studies import runner
from kerasnets.studies.cells import Cell
from kerasnets.training.config import TrainConfig

folder, output, script, cells = json.loads(sys.argv[1])
cells = [Cell(setting=name, config=TrainConfig(**config)) for name, config in cells]
command = lambda cell, path: [sys.executable, "-c", script, str(path), cell.setting]
summary = runner.run_study(folder, output, cells, command=command, nice=0)
sys.exit(summary.exit_code)
"""
# The real process of a cell, which trains by waiting for a file "go".
TIED = f"""
import sys
import kerasnets.studies.cell_process as process

def work(path, config):
    import io, json, os
    stdin, argv = sys.stdin, sys.argv
    sys.stdin = io.StringIO(json.dumps({{"config": config.to_dict()}}))
    exec(compile({CELL!r}, "cell", "exec"), {{"__name__": "cell"}})

process._train_or_resume = work
sys.exit(process.main(sys.argv[1:2]))
"""


def start_runner(study, cells, script=TIED, **options) -> subprocess.Popen:
    cells = [(cell.setting, cell.config.to_dict()) for cell in cells]
    words = json.dumps([str(study.folder), str(study.output), script, cells])
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen([sys.executable, "-c", RUNNER, words], env=os.environ | {"PYTHONPATH": root}, **options)
    study.processes.append(process)
    return process


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_kill_9_of_the_runner_leaves_no_orphan_and_run_again_does_what_is_missing(study):
    cells = make_cells("good a", "slow", "good b")
    process = start_runner(study, cells)
    wait_for(lambda: study.starts("ready"))
    pid = Ledger(study.folder / "ledger.jsonl").events[-1]["pid"]
    os.kill(pid, 0)
    process.kill()
    process.wait()
    wait_for(lambda: not Path(f"/proc/{pid}").exists() or "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text())
    assert study.starts("checkpoint") == ["slow, seed 0"]
    study.go()
    assert study.run(cells) == RunnerSummary(done=3, failed=0, left=0)
    assert study.starts() == ["good a, seed 0", "slow, seed 0", "slow, seed 0", "good b, seed 0"]


def test_ctrl_c_on_a_terminal_while_a_cell_starts_is_no_failure(study):
    process = start_runner(study, make_cells("slow", "good b"), start_new_session=True)
    ledger = study.folder / "ledger.jsonl"
    wait_for(lambda: "started" in [event["event"] for event in Ledger(ledger).events])
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    assert study.events() == ["begun", "started", "stopped", "ended"]
    # It was asked to stop by the runner alone.
    assert Ledger(ledger).events[2]["exit_code"] in (143, -signal.SIGTERM)


def test_ctrl_c_that_reaches_all_and_the_checkpoint_is_written(study):
    cells = make_cells("slow", "good b")
    process = start_runner(study, cells)
    wait_for(lambda: study.starts("ready"))
    pid = Ledger(study.folder / "ledger.jsonl").events[-1]["pid"]
    os.kill(pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    assert process.wait(30) == 130
    assert study.starts("checkpoint") == ["slow, seed 0"]
