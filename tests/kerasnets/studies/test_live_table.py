"""What is shown of a running study: estimates by hand, lines when piped, a table on a terminal."""

import io
import json
import os

import pytest
from rich.console import Console

from kerasnets.studies.cells import Cell
from kerasnets.studies.live_table import EpochLog, LiveTable, RunningCell, StudyProgress, seconds_left
from kerasnets.studies.results import CellResult
from kerasnets.training.config import TrainConfig


def cell(setting="a", seed=0, epochs=10) -> Cell:
    return Cell(setting=setting, config=TrainConfig(dataset="digits", arch="lazynet", seed=seed, epochs=epochs))


def running(setting="a", seconds=30.0, epoch=0, epoch_seconds=None) -> RunningCell:
    return RunningCell(cell=cell(setting), seconds=seconds, epoch=epoch, epoch_seconds=epoch_seconds)


def result(path, **summary) -> CellResult:
    (path / "summary.json").write_text(json.dumps(summary))
    (path / "config.yaml").write_text("{}")
    return CellResult(cell=cell("batch [32]", 1), path=path, status=summary["status"])


def terminal(width=100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=24, color_system=None)


def test_nothing_is_known_at_first():
    assert seconds_left([cell()], [running()], {}, 1) is None
    assert seconds_left([cell()], [], {}, 1) is None


@pytest.mark.parametrize(
    ("waiting", "now", "took", "jobs", "expected"),
    [
        # Two that wait, of a setting whose finished ones took 100 and 140 s.
        (["a", "a"], [], {"a": [100.0, 140.0]}, 1, 240.0),
        # 4 of 10 epochs of 5 s to go.
        ([], [("a", 40.0, 6, 5.0)], {}, 1, 20.0),
        # ... and one that waits takes what the running one takes: 40 + 20.
        (["a"], [("a", 40.0, 6, 5.0)], {}, 1, 80.0),
        # One that went on where another process had done 6 epochs: 20 s to go, and 10 x 5 s for the next.
        (["a"], [("a", 2.0, 6, 5.0)], {}, 1, 70.0),
        # A setting that nobody knows is as long as the average of 60 and 120.
        (["c"], [], {"a": [60.0], "b": [120.0]}, 1, 90.0),
        # Before its first epoch a running one has the average of its setting, less what it has run.
        ([], [("a", 30.0, 0, None)], {"a": [100.0]}, 1, 70.0),
        ([], [("a", 130.0, 0, None)], {"a": [100.0]}, 1, 0.0),
        # Side by side: 400 s of work for two, but one of 300 alone.
        (["a", "b"], [], {"a": [300.0], "b": [100.0]}, 2, 300.0),
        (["a", "b", "b", "b"], [], {"a": [300.0], "b": [100.0]}, 2, 300.0),
        (["a", "a"], [], {"a": [300.0]}, 2, 300.0),
    ],
)
def test_seconds_left(waiting, now, took, jobs, expected):
    now = [running(*one) for one in now]
    assert seconds_left([cell(name) for name in waiting], now, took, jobs) == pytest.approx(expected)


def test_piped_lines(tmp_path):
    console = Console(file=io.StringIO(), width=40)
    table = LiveTable(console)
    table.show(StudyProgress(study="s", done=0, running=[running()], waiting=1))
    table.done(result(tmp_path, status="finished", test={"accuracy": 0.61234}), 45.2)
    table.done(result(tmp_path, status="finished", test=None), None)
    table.done(result(tmp_path, status="diverged", test=None), 3.0)
    table.failed(cell(), "killed by signal 9", given_up=False)
    table.failed(cell(), "killed by signal 9, and again, and at great length", given_up=True)
    table.message("[bold]no markup[/bold]")
    table.close()
    assert console.file.getvalue().splitlines() == [
        "batch [32], seed 1  test accuracy 61.23 %  45 s",
        "batch [32], seed 1  finished",
        "batch [32], seed 1  diverged  3.0 s",
        "a, seed 0  failed, is tried again: killed by signal 9",
        "a, seed 0  given up: killed by signal 9, and again, and at great length",
        "[bold]no markup[/bold]",
    ]


def test_table_on_a_terminal(tmp_path):
    console = terminal()
    table = LiveTable(console)
    table.show(
        StudyProgress(
            study="lenet-bn",
            done=3,
            running=[running("[b]", 40.0, 6, 5.0), running("c", 12.0), running("d", 50.0, 10, 5.0)],
            waiting=4,
            failed=[(cell("e"), "killed [by] signal 9")],
            seconds_left=3900.0,
        )
    )
    text = " ".join(console.file.getvalue().split())
    for words in (
        "lenet-bn: 3 of 11 done, 3 running, 1 failed, about 65 min left",
        "[b], seed 0 epoch 7/10 5.0 s an epoch 20 s left",
        "c, seed 0 epoch 1/10 12 s so far",
        "d, seed 0 last evaluation",
        "given up: e, seed 0: killed [by] signal 9",
    ):
        assert words in text
    table.close()


def test_the_table_fits_on_a_small_terminal():
    console = terminal(width=50)
    table = LiveTable(console)
    many = [running(f"a setting with a long name, number {n}", 1.0) for n in range(30)]
    failed = [(cell(f"f{n}"), "a reason " * 30) for n in range(30)]
    table.show(StudyProgress(study="s", done=0, running=many, waiting=0, failed=failed))
    shown = console.file.getvalue()
    assert shown.count("\n") < 24
    assert "f29" in shown
    assert "f3," not in shown
    table.close()


def write_epochs(file, *epochs, tail=""):
    seconds = {"setup": 50.0, "compile": 20.0}
    lines = [
        json.dumps({"event": "epoch", "epoch": n, "seconds": seconds | {"train": 3.0 * n, "evaluation": 1.0 * n}})
        for n in epochs
    ]
    file.write_text('{"event": "started"}\n' + "".join(line + "\n" for line in lines) + tail)


def test_epoch_log(tmp_path):
    log = EpochLog(tmp_path / "log.jsonl")
    log.look()
    assert (log.epoch, log.epoch_seconds) == (0, None)
    write_epochs(log.path)
    log.look()
    assert (log.epoch, log.epoch_seconds) == (0, None)
    write_epochs(log.path, 1, 2, 3, tail='{"event": "epoch", "epoch": 4, "sec')
    os.utime(log.path, ns=(1, 1))
    log.look()
    assert (log.epoch, log.epoch_seconds) == (3, 4.0)
    # After a kill a run goes on from an epoch before.
    write_epochs(log.path, 1, 2, 3, 2, tail='{"event": "resumed"}\n')
    os.utime(log.path, ns=(2, 2))
    log.look()
    assert log.epoch == 2


def test_epoch_log_is_read_only_when_it_has_changed(tmp_path):
    log = EpochLog(tmp_path / "log.jsonl")
    write_epochs(log.path, 1)
    os.utime(log.path, ns=(1, 1))
    log.look()
    write_epochs(log.path, 1, 2)
    os.utime(log.path, ns=(1, 1))
    log.look()
    assert log.epoch == 1
    os.utime(log.path, ns=(2, 2))
    log.look()
    assert log.epoch == 2


def test_the_end_of_a_long_log_is_enough(tmp_path):
    log = EpochLog(tmp_path / "log.jsonl")
    write_epochs(log.path, *range(1, 2001))
    log.look()
    assert log.epoch == 2000
