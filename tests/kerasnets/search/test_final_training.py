"""In which order the final runs are made, and what is told of them; `test_search.py` has real ones."""

import pytest

from kerasnets.search import final_training
from kerasnets.search.config import SearchConfig
from kerasnets.search.final_training import train_finally
from kerasnets.search.live_table import Silent
from kerasnets.studies.results import CellResult
from kerasnets.studies.runner import RunnerSummary
from kerasnets.training.config import TrainConfig

WINNER = TrainConfig(dataset="digits", arch="lazynet", epochs=2, validation=0.2)
RIVALS = SearchConfig(dataset="digits", final_seeds=2, against="boringnet,lenet_bn", workers=2)


class Runs:
    """Stands for the runner of studies: every run ends as it is told, at once."""

    def __init__(self, monkeypatch, exit_codes=(0, 0), diverging=()):
        self.calls, self.exit_codes, self.diverging = [], list(exit_codes), diverging
        monkeypatch.setattr(final_training, "run_study", self.run)
        monkeypatch.setattr(final_training, "read_cell", self.read)

    def run(self, folder, output, cells, **options):
        self.calls.append([(cell.setting, cell.seed) for cell in cells])
        self.options = options
        return RunnerSummary(done=len(cells), failed=0, left=0, exit_code=self.exit_codes.pop(0))

    def read(self, output, cell):
        status = "diverged" if cell.setting in self.diverging else "finished"
        result = CellResult(cell=cell, path=output / cell.key, status=status)
        accuracy = {"winner": 0.9, "boringnet": 0.8, "lenet_bn": 0.7}[cell.setting]
        test = {"accuracy": accuracy, "n": 360, "interval": [0.1, 1.0], "selection": "last epoch"}
        test["accuracy_without_tta"] = accuracy
        seconds = {"total": 9.0, "compile": 1.0, "train": 4.0}
        result.__dict__["summary"] = {"test": test, "seconds": seconds}
        return result


def train(config, path):
    return train_finally(config, WINNER, path, None, 100.0, Silent())


def test_the_winner_comes_first_and_then_each_rival_once(monkeypatch, tmp_path):
    runs = Runs(monkeypatch)
    outcome = train(RIVALS, tmp_path)
    assert runs.calls == [
        [("winner", 1), ("winner", 2)],
        [("boringnet", 1), ("lenet_bn", 1), ("boringnet", 2), ("lenet_bn", 2)],
    ]
    assert runs.options["jobs"] == 2
    assert outcome.final["mean"] == 0.9 and outcome.signals == []
    told = [(reference["name"], reference["mean"], reference["train_seconds"]) for reference in outcome.reference]
    assert told == [("boringnet", pytest.approx(0.8), [4.0, 4.0]), ("lenet_bn", pytest.approx(0.7), [4.0, 4.0])]


def test_without_rivals_there_is_the_winner_alone(monkeypatch, tmp_path):
    runs = Runs(monkeypatch)
    assert train(SearchConfig(dataset="digits", final_seeds=1, workers=0), tmp_path).reference == []
    assert runs.calls == [[("winner", 1)]] and runs.options["jobs"] == 1


def test_a_signal_ends_it_before_the_rivals(monkeypatch, tmp_path):
    runs = Runs(monkeypatch, exit_codes=[130])
    outcome = train(RIVALS, tmp_path)
    assert outcome.signals == [2] and len(runs.calls) == 1


def test_without_a_tested_winner_there_is_nothing_to_hold_others_against(monkeypatch, tmp_path):
    runs = Runs(monkeypatch, diverging=("winner",))
    outcome = train(RIVALS, tmp_path)
    assert (outcome.final, outcome.reference, len(runs.calls)) == (None, [], 1)


def test_a_rival_that_diverges_has_no_number(monkeypatch, tmp_path):
    Runs(monkeypatch, diverging=("boringnet",))
    assert [reference["name"] for reference in train(RIVALS, tmp_path).reference] == ["lenet_bn"]
