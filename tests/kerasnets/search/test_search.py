"""Whole searches, with real trials on few images of digits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from kerasnets.runs import Run

pytestmark = pytest.mark.slow

SPACE = """
arch: lazynet
learning_rate: {min: 0.001, max: 0.1, log: true}
batch_size: [16, 32]
"""
FLAGS = ["--epochs", "3", "--factor", "3", "--limit-train", "200", "--final-seeds", "2", "--tuner", "hyperband"]
WHAT = ["trial", "run", "status", "score", "budget", "val_loss", "train_loss", "hp.learning_rate", "hp.batch_size"]


def command(path: Path, *flags: str) -> list[str]:
    (path / "space.yaml").write_text(SPACE)
    main = "import sys; from kerasnets.cli.search import main; sys.exit(main())"
    return [sys.executable, "-c", main, "digits", "--space", "space.yaml", "--nice", "0", *FLAGS, *flags]


# A level that is set already would have TensorFlow's own lines shown.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


def search(path: Path, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        command(path, *flags), cwd=path, env=ENVIRONMENT, capture_output=True, text=True, timeout=500, check=False
    )


def trials(path: Path, name: str = "digits-hyperband-s0") -> pd.DataFrame:
    return pd.read_csv(path / "searches" / name / "trials.csv", dtype={"trial": str})


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    path = tmp_path_factory.mktemp("undisturbed")
    done = search(path, "--json")
    assert done.returncode == 0, done.stderr
    return path, json.loads(done.stdout)


def test_a_search_ends_in_a_winner_that_is_tested(undisturbed):
    path, result = undisturbed
    table = trials(path)
    assert result["status"] == "finished"
    assert set(table["status"]) == {"completed"}
    best = table.sort_values("score", ascending=False).iloc[0]
    assert result["best"]["trial"] == best["trial"]
    final = result["final"]
    assert (final["seeds"], final["n"], final["selection"]) == ([1, 2], 360, "last epoch")
    assert final["mean"] == pytest.approx(sum(final["accuracies"]) / 2)
    for run in final["runs"]:
        config = Run(path / run).config
        assert (config["limit_train"], config["validation"], config["epochs"]) == (None, 0.0, 3)
        assert config["learning_rate"] == pytest.approx(best["hp.learning_rate"])


def test_promoted_trials_go_on_in_the_run_of_their_first(undisturbed):
    table = trials(undisturbed[0])
    later = table[table["round"] > 0]
    assert len(later)
    assert (later["initial_budget"] > 0).all()
    for _, one in later.iterrows():
        first = table[(table["run"] == one["run"]) & (table["initial_budget"] == 0)].iloc[0]
        assert first["hp.learning_rate"] == one["hp.learning_rate"]
        folder = undisturbed[0] / "searches" / "digits-hyperband-s0" / one["run"]
        assert len(Run(folder).results) == table[table["run"] == one["run"]]["epochs"].max()


def test_no_trial_has_seen_a_test_image(undisturbed):
    runs = sorted((undisturbed[0] / "searches" / "digits-hyperband-s0" / "trials").iterdir())
    assert runs
    for run in runs:
        assert Run(run).summary["test"] is None
        assert Run(run).results.filter(like="test_").isna().all(axis=None)
        assert not (run / "predictions.npz").exists()


def test_best_yaml_trains_and_the_network_goes_anywhere(undisturbed, tmp_path):
    folder = undisturbed[0] / "searches" / "digits-hyperband-s0"
    main = [sys.executable, "-c", "import sys; from kerasnets.cli.train import main; sys.exit(main())"]
    for words in (["--config", str(folder / "best.yaml")], ["digits", "--arch", f"search:{folder}"]):
        done = subprocess.run(
            [*main, *words, "--epochs", "1", "--json"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["arch"] == "lazynet"


def test_the_same_command_again_has_nothing_to_do(undisturbed):
    path, first = undisturbed
    again = search(path, "--json")
    assert again.returncode == 0, again.stderr
    result = json.loads(again.stdout)
    assert result["final"]["accuracies"] == first["final"]["accuracies"]
    assert len(trials(path)) == first["trials"]


def test_networks_beside_the_winner_have_its_seeds_and_time(undisturbed):
    path, first = undisturbed
    done = search(path, "--against", "boringnet", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["final"]["accuracies"] == first["final"]["accuracies"]
    (reference,) = result["reference"]
    assert (reference["name"], reference["seeds"], reference["n"]) == ("boringnet", [1, 2], 360)
    spent = [Run(path / run).summary["seconds"] for run in result["final"]["runs"]]
    mean = sum(seconds["compile"] + seconds["train"] for seconds in spent) / 2
    for run in reference["runs"]:
        config = Run(path / run).config
        assert (config["arch"], config["max_time"]) == ("boringnet", f"{mean:.1f}s")
    assert "boringnet" in (path / "searches" / "digits-hyperband-s0" / "search.html").read_text()


def test_an_unknown_network_beside_the_winner_is_told_before_anything_runs(tmp_path):
    done = search(tmp_path, "--against", "lazynut")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "Did you mean 'lazynet'" in done.stderr
    assert not list(tmp_path.glob("searches/*/trials/*"))


def test_killed_in_the_middle_it_goes_on_to_the_same_trials_and_scores(undisturbed, tmp_path):
    process = subprocess.Popen(
        command(tmp_path, "--final-seeds", "0"), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    results = tmp_path / "searches" / "digits-hyperband-s0" / "results"
    wait_for(lambda: len(list(results.glob("*.json"))) >= 2, process)
    time.sleep(0.7)  # inside the next trial
    process.kill()
    process.wait()
    assert len(list(results.glob("*.json"))) < len(trials(undisturbed[0]))
    done = search(tmp_path, "--final-seeds", "0")
    assert done.returncode == 0, done.stderr
    pd.testing.assert_frame_equal(trials(tmp_path)[WHAT], trials(undisturbed[0])[WHAT], check_exact=True)


def test_ctrl_c_stops_it_and_the_same_command_goes_on(undisturbed, tmp_path):
    process = subprocess.Popen(command(tmp_path), cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    results = tmp_path / "searches" / "digits-hyperband-s0" / "results"
    wait_for(lambda: len(list(results.glob("*.json"))) >= 1, process)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Nothing is lost. Go on with: kerasnets-search digits" in said
    assert "Traceback" not in said
    assert search(tmp_path, "--final-seeds", "0").returncode == 0
    pd.testing.assert_frame_equal(trials(tmp_path)[WHAT], trials(undisturbed[0])[WHAT], check_exact=True)


def test_a_trial_that_is_killed_is_tried_again(tmp_path):
    process = subprocess.Popen(
        command(tmp_path, "--trials", "2", "--final-seeds", "0"), cwd=tmp_path, stderr=subprocess.PIPE, text=True
    )
    folder = tmp_path / "searches" / "digits-hyperband-s0"
    wait_for(lambda: (folder / "trials" / "0000" / "config.yaml").exists(), process)
    for pid in running_in(folder / "trials" / "0000"):
        os.kill(pid, signal.SIGKILL)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert "Trial 0000 failed, it is tried again: killed by signal 9" in said
    assert list(trials(tmp_path)["status"]) == ["completed", "completed"]


def test_other_settings_under_the_same_name_are_refused(undisturbed):
    path, _ = undisturbed
    done = search(path, "--epochs", "5")
    assert done.returncode == 2
    assert "holds a search with another epochs. Received: 5 instead of 3" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def wait_for(condition, process: subprocess.Popen, seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, "the search has ended already"
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.02)


def running_in(path: Path) -> list[int]:
    """Processes that hold a file below the folder open, such as the lock of a run folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/fd"):
        try:
            targets = [os.readlink(file) for file in entry.iterdir()]
        except OSError:
            continue
        if any(target.startswith(str(path)) for target in targets):
            found.append(int(entry.parent.name))
    return found
