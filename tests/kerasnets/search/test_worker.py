"""A chief and three workers on 127.0.0.1, with real trials on few images of digits."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

SPACE = """
arch: lazynet
learning_rate: {min: 0.001, max: 0.1, log: true}
batch_size: [16, 32]
"""
FLAGS = ["--epochs", "3", "--factor", "2", "--limit-train", "200", "--final-seeds", "1", "--nice", "0"]
TRIALS = 8  # two brackets of Hyperband with 3 epochs: 3 and 2 promoted, then 3
# A level that is set already would have TensorFlow's own lines shown.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
MAIN = "import sys; from kerasnets.cli.search import main; sys.exit(main())"


class Crew:
    """Starts the processes of a search and ends those that are left."""

    def __init__(self, path: Path):
        self.path = path
        (path / "space.yaml").write_text(SPACE)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = f"127.0.0.1:{free.getsockname()[1]}"
        self.folder = path / "searches" / "digits-hyperband-s0"
        self.processes: list[subprocess.Popen] = []

    def start(self, name: str, *flags: str) -> subprocess.Popen:
        command = [sys.executable, "-c", MAIN, "digits", "--space", "space.yaml", *FLAGS, *flags]
        with open(self.path / f"{name}.txt", "ab") as output:
            process = subprocess.Popen(command, cwd=self.path, env=ENVIRONMENT, stdout=output, stderr=output)
        self.processes.append(process)
        return process

    def chief(self) -> subprocess.Popen:
        process = self.start("chief", "--workers", "0", "--chief", self.address)
        self.wait_for(
            lambda: "Workers: the same command" in self.said("chief") and (self.folder / "oracle.json").exists()
        )
        return process

    def worker(self, number: int) -> subprocess.Popen:
        return self.start(f"worker{number}", "--worker", self.address)

    def said(self, name: str) -> str:
        file = self.path / f"{name}.txt"
        return file.read_text() if file.exists() else ""

    def records(self) -> list[dict]:
        return [json.loads(file.read_text()) for file in sorted((self.folder / "results").glob("*.json"))]

    def ongoing(self) -> dict[str, str]:
        return json.loads((self.folder / "oracle.json").read_text())["oracle"]["ongoing_trials"]

    def wait_for(self, condition, seconds: float = 120.0) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, {name.name: name.read_text()[-2000:] for name in self.path.glob("*.txt")}
            time.sleep(0.05)


@pytest.fixture
def crew(tmp_path):
    made = Crew(tmp_path)
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.kill()
        process.wait()


def test_the_trial_of_a_killed_worker_is_handed_on_and_all_of_them_end(crew):
    chief = crew.chief()
    workers = [crew.worker(number) for number in range(3)]
    crew.wait_for(lambda: len(crew.records()) >= 1 and len(crew.ongoing()) == 3)
    victim = workers[0]
    name = next(owner for owner in crew.ongoing() if f"-{victim.pid}-" in owner)
    # Stopped first, so that it cannot just have ended the trial that is looked up.
    victim.send_signal(signal.SIGSTOP)
    time.sleep(1)  # the signal and a message to the chief that is under way
    trial = crew.ongoing().get(name)
    if any(record["trial"] == trial for record in crew.records()):
        trial = None  # its record is written, and only the chief has not been told
    victim.kill()
    killed = time.monotonic()
    crew.wait_for(lambda: trial is None or any(record["trial"] == trial for record in crew.records()))
    assert time.monotonic() - killed < 75  # silent for 30 s, and the trial itself
    assert chief.wait(240) == 0, crew.said("chief")
    assert [worker.wait(60) for worker in workers[1:]] == [0, 0]
    table = pd.read_csv(crew.folder / "trials.csv", dtype={"trial": str})
    assert len(table) == TRIALS
    assert set(table["status"]) == {"completed"}
    if trial is not None:
        assert str(victim.pid) not in table.set_index("trial").loc[trial, "worker"]
    assert table["worker"].nunique() >= 2  # the victim may have ended none
    assert json.loads((crew.folder / "summary.json").read_text())["final"]["n"] == 360


def test_a_chief_that_is_killed_and_started_again_goes_on(crew):
    chief = crew.chief()
    workers = [crew.worker(number) for number in range(3)]
    crew.wait_for(lambda: len(crew.records()) >= 2)
    chief.kill()
    chief.wait()
    before = len(crew.records())
    time.sleep(3)
    assert all(worker.poll() is None for worker in workers)
    again = crew.chief()
    assert again.wait(240) == 0, crew.said("chief")
    assert [worker.wait(60) for worker in workers] == [0, 0, 0]
    records = crew.records()
    assert before < len(records) == TRIALS
    assert {record["status"] for record in records} == {"completed"}


def test_a_worker_without_a_search_is_told_so(crew):
    worker = crew.worker(0)
    assert worker.wait(60) == 2
    said = crew.said("worker0")
    assert "A worker needs the folder of a search that its chief has begun" in said
    assert len(said.splitlines()) == 1


def test_a_worker_that_is_stopped_leaves_at_once(crew):
    crew.chief()
    worker = crew.worker(0)
    crew.wait_for(lambda: len(crew.ongoing()) == 1)
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(30) == 143
    assert "Traceback" not in crew.said("worker0")
