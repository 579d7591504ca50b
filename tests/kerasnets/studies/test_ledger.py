"""The ledger: nothing is lost, half lines are passed over, and who is given up."""

import errno
import json
import os

import pytest

from kerasnets.studies.ledger import Ledger


@pytest.fixture
def ledger(tmp_path):
    return Ledger(tmp_path / "ledger.jsonl")


def fail(ledger, key, reason="no luck", exit_code=3):
    ledger.append("failed", cell=key, reason=reason, exit_code=exit_code)


def test_events_are_lines_of_json_with_a_time(ledger):
    ledger.append("started", cell="a", setting="groß [1]", seed=0, attempt=1, pid=7)
    ledger.append("done", cell="a", exit_code=0, seconds=1.5)
    lines = ledger.path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == ledger.events == Ledger(ledger.path).events
    assert ledger.events[0]["setting"] == "groß [1]"
    assert ledger.events[0]["time"].endswith("+00:00")


def test_nan_and_odd_file_names_do_not_make_an_unreadable_line(ledger):
    ledger.append("failed", cell="a", reason="no such file: \udcff", seconds=float("nan"))
    (event,) = Ledger(ledger.path).events
    assert event["seconds"] is None
    assert event["reason"] == "no such file: \udcff"


@pytest.mark.parametrize("tail", [b'{"event": "fai', b"\x00\x00\x00", b'\xff\xfe"', b'["no", "event"]', b'{"time": 1}'])
def test_what_is_no_event_is_passed_over_and_the_next_one_starts_on_a_line_of_its_own(ledger, tail):
    ledger.append("started", cell="a")
    with open(ledger.path, "ab") as file:
        file.write(tail)
    again = Ledger(ledger.path)
    assert [event["event"] for event in again.events] == ["started"]
    again.append("done", cell="a")
    again.append("ended")
    assert [event["event"] for event in Ledger(ledger.path).events] == ["started", "done", "ended"]


def test_every_place_where_a_write_may_have_been_cut_is_survived(ledger):
    ledger.append("started", cell="a")
    before = ledger.path.read_bytes()
    ledger.append("failed", cell="a", reason="é")
    whole = ledger.path.read_bytes()
    for length in range(len(before), len(whole)):
        ledger.path.write_bytes(whole[:length])
        cut = Ledger(ledger.path)
        cut.append("ended")
        events = [event["event"] for event in Ledger(ledger.path).events]
        assert events in (["started", "ended"], ["started", "failed", "ended"])
        assert (len(events) == 3) == (length == len(whole) - 1)


def test_one_event_is_one_write_flushed_to_the_disk(ledger, monkeypatch):
    written, flushed = [], []
    write, fsync = os.write, os.fsync
    monkeypatch.setattr(os, "write", lambda file, data: written.append(data) or write(file, data))
    monkeypatch.setattr(os, "fsync", lambda file: flushed.append(len(written)) or fsync(file))
    ledger.append("begun")
    assert written == [ledger.path.read_bytes()]
    assert flushed == [1]


def test_a_full_disk_is_an_error_that_says_where(ledger, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, data[:5]))
    with pytest.raises(OSError, match=r"No space left on device: .*ledger\.jsonl") as problem:
        ledger.append("failed", cell="a")
    assert problem.value.errno == errno.ENOSPC
    monkeypatch.undo()
    ledger.append("ended")
    assert [event["event"] for event in Ledger(ledger.path).events] == ["ended"]
    # This process knows what it could not write.
    assert [event["event"] for event in ledger.events] == ["failed", "ended"]


def test_a_cell_is_given_up_after_three_failures(ledger):
    for count in range(3):
        assert ledger.given_up() == {}
        fail(ledger, "a", f"reason {count}")
        fail(ledger, "b") if count == 0 else None
    assert ledger.given_up() == {"a": "reason 2"} == ledger.given_up(["a", "b", "never seen"])
    assert ledger.given_up(["b"]) == {}
    assert [event["reason"] for event in ledger.failures("a")] == ["reason 0", "reason 1", "reason 2"]


def test_the_same_mistake_twice_is_enough(ledger):
    fail(ledger, "same", "batch_size must be", 2)
    fail(ledger, "other", "first", 2)
    fail(ledger, "crash", "first", 3)
    assert ledger.given_up() == {}
    fail(ledger, "same", "batch_size must be", 2)
    fail(ledger, "other", "second", 2)
    fail(ledger, "crash", "first", 3)
    assert ledger.given_up() == {"same": "batch_size must be"}


@pytest.mark.parametrize("event", ["retry", "done"])
def test_failures_before_a_success_or_a_retry_do_not_count(ledger, event):
    for _ in range(3):
        fail(ledger, "a")
    ledger.append(event, cell="a")
    assert ledger.given_up() == {}
    assert ledger.failures("a") == []
    fail(ledger, "a")
    assert len(ledger.failures("a")) == 1


def test_stops_are_no_failures(ledger):
    for event in ("stopped", "in use", "started") * 3:
        ledger.append(event, cell="a")
    assert ledger.given_up() == {}
    assert ledger.attempts("a") == 3


def test_seconds_are_those_that_led_to_the_end(ledger):
    ledger.append("stopped", cell="a", seconds=10.0)
    ledger.append("failed", cell="a", seconds=100.0)
    assert ledger.seconds("a") is None
    ledger.append("done", cell="a", seconds=5.0)
    assert ledger.seconds("a") == 15.0
    assert ledger.seconds("b") is None
