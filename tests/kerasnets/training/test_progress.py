"""What a run shows: one live line on a terminal, one line an epoch when piped, a silent one nothing."""

import io

import pytest
from rich.console import Console

from kerasnets.training.loop_state import LoopState
from kerasnets.training.progress import Display, Silent, format_seconds

LOGS = {"loss": 1.23456, "accuracy": 0.5}
ROW = {"epoch": 1, "learning_rate": 0.01, "train_loss": 1.5, "train_accuracy": 0.25}


def display(terminal=False):
    shown = Display(epochs=2, batch_size=32)
    shown.console = Console(file=io.StringIO(), force_terminal=terminal, width=120, highlight=False, soft_wrap=True)
    return shown, shown.console.file


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (10, "10 s"),
        (89, "89 s"),
        (90, "2 min"),
        (720, "12 min"),
        (89.4 * 60, "89 min"),
        (90 * 60, "1 h 30 min"),
        (3900, "65 min"),
        (7500, "2 h 05 min"),
    ],
)
def test_format_seconds(seconds, text):
    assert format_seconds(seconds) == text


def test_piped_shows_one_line_an_epoch():
    shown, out = display()
    state = LoopState(total_steps=20)
    shown.steps(state, 10, LOGS, 1, None, None)  # compiling
    assert out.getvalue() == ""
    for state.step in (2, 3):
        shown.steps(state, 10, LOGS, 1, 0.5, 9.5 - state.step / 4)
    # as it was first told; 32 images in half a second
    assert out.getvalue() == "about 9.0 s of training to go, 64 images/s in the first steps\n"
    shown.epoch(ROW | {"val_loss": 2.0, "val_accuracy": 0.125}, state)
    shown.close()
    lines = out.getvalue().splitlines()
    assert len(lines) == 2
    line = "epoch 1/2  rate 0.01  train loss 1.5000 accuracy 25.00 %  val loss 2.0000 accuracy 12.50 %  "
    assert lines[1].startswith(line)


def test_epoch_with_a_test_curve():
    shown, out = display()
    shown.epoch(ROW | {"test_loss": 2.0, "test_accuracy": 1.0}, None)
    assert "test loss 2.0000 accuracy 100.00 %" in out.getvalue() and "val" not in out.getvalue()


def test_terminal_has_a_live_line():
    shown, out = display(terminal=True)
    state = LoopState(total_steps=20, epoch=1, step=4)
    shown.steps(state, 10, LOGS, 4, 2.0, 12.0)
    assert "epoch 2/2  step 4/10  loss 1.2346  accuracy 50.00 %  16 images/s  12 s left" in out.getvalue()
    assert shown.live is not None
    shown.epoch(ROW, state)
    assert shown.live is None
    shown.steps(state, 10, LOGS, 4, 2.0, 12.0)
    shown.close()
    shown.close()
    assert shown.live is None


def test_message_is_not_read_as_markup():
    shown, out = display()
    shown.message("[bold] stays, and a long line is not broken: " + "x" * 200)
    assert out.getvalue() == "[bold] stays, and a long line is not broken: " + "x" * 200 + "\n"


def test_it_writes_to_standard_error(capsys):
    shown = Display(epochs=1, batch_size=1)
    shown.message("told")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "told\n")


def test_silent(capsys):
    silent = Silent()
    silent.message("text")
    silent.steps(None, 1, LOGS, 1, 1.0, 1.0)
    silent.epoch(ROW, None)
    silent.close()
    assert capsys.readouterr() == ("", "")
