import json
import multiprocessing
import time

import pytest

from kerasnets.errors import InputError
from kerasnets.search.config import SearchConfig
from kerasnets.search.folder import Clock, SearchFolder, settled
from kerasnets.search.trial import TrialRecord
from kerasnets.training import precision

SPACE = {"name": "built-in", "width": {"choices": [8, 16]}}
DATA = {
    "class_names": ["a", "b"],
    "image_shape": [8, 8, 1],
    "class_counts": {"train": [3, 4]},
    "mean": [0.5],
    "std": [1.0],
}


def config(tmp_path, **settings) -> SearchConfig:
    return SearchConfig(**({"dataset": "digits", "output": str(tmp_path), "name": "one"} | settings))


def folder(tmp_path, **settings) -> SearchFolder:
    made = SearchFolder(config(tmp_path, **settings).folder)
    made.path.mkdir(exist_ok=True)
    return made


def test_the_same_search_goes_on_with_more_trials_and_another_place_of_the_data(tmp_path):
    files = folder(tmp_path)
    files.claim(config(tmp_path, trials=3), SPACE)
    files.claim(config(tmp_path, trials=9, data_dir="/elsewhere", max_time="1h"), SPACE)
    files.check(config(tmp_path), SPACE)
    assert "trials: 9" in (files.path / "search.yaml").read_text()


def test_another_search_under_the_same_name_is_refused(tmp_path):
    files = folder(tmp_path)
    files.claim(config(tmp_path), SPACE)
    with pytest.raises(InputError, match=r"one holds a search with another epochs\. Received: 5 instead of 9\."):
        files.claim(config(tmp_path, epochs=5), SPACE)
    with pytest.raises(InputError, match="another seed"):
        files.check(config(tmp_path, seed=1), SPACE)


@pytest.mark.parametrize("other", [{"choices": [8]}, None])
def test_another_space_under_the_same_name_is_refused(tmp_path, other):
    files = folder(tmp_path)
    files.claim(config(tmp_path), SPACE)
    with pytest.raises(InputError, match=r'another space: width\. Received: (null|\{"choices": \[8\]\}) instead of'):
        files.claim(config(tmp_path), {"name": "built-in"} | ({"width": other} if other else {}))
    assert json.loads((files.path / "identity.json").read_text())["space"] == SPACE


def test_other_images_are_refused(tmp_path):
    files = folder(tmp_path)
    files.check_data(DATA)
    files.check_data(DATA | {"origin": "moved"})
    with pytest.raises(InputError, match="goes on with the images that it began with. Received: another class counts"):
        files.check_data(DATA | {"class_counts": {"train": [3, 5]}})


def test_a_worker_needs_a_search_that_was_begun(tmp_path):
    with pytest.raises(InputError, match="A worker needs the folder of a search that its chief has begun"):
        folder(tmp_path).check(config(tmp_path), SPACE)


def test_a_damaged_identity_is_told(tmp_path):
    files = folder(tmp_path)
    (files.path / "identity.json").write_text("{")
    with pytest.raises(InputError, match=r"identity\.json must be JSON"):
        files.claim(config(tmp_path), SPACE)


def test_the_users_space_is_copied(tmp_path):
    space = tmp_path / "mine.yaml"
    space.write_text("arch: lazynet\n")
    files = folder(tmp_path)
    files.claim(config(tmp_path, space=str(space)), SPACE)
    assert (files.path / "space.yaml").read_text() == "arch: lazynet\n"


def hold(path, held, done):
    with SearchFolder(path).alone():
        held.set()
        done.wait(30)


def test_one_process_leads_a_search(tmp_path):
    context = multiprocessing.get_context("spawn")
    held, done = context.Event(), context.Event()
    process = context.Process(target=hold, args=(tmp_path / "one", held, done))
    process.start()
    try:
        assert held.wait(30)
        with (
            pytest.raises(InputError, match="A search is led by one process at a time"),
            SearchFolder(tmp_path / "one").alone(),
        ):
            pass
    finally:
        done.set()
        process.join()
    with SearchFolder(tmp_path / "one").alone():  # the other one has ended
        pass


def test_a_record_is_read_back_and_a_damaged_one_is_none(tmp_path):
    files = folder(tmp_path)
    record = TrialRecord(trial="0003", run="trials/0001", status="completed", score=0.5, budget=3, values={"width": 8})
    files.write_record(record)
    assert files.record("0003") == record
    assert files.record("0004") is None
    (files.results / "0003.json").write_text('{"trial": "0003"')
    assert files.record("0003") is None


def test_the_age_of_a_search_counts_on(tmp_path):
    clock = Clock(tmp_path / "clock.json")
    time.sleep(0.02)
    clock.tick()  # too early to be written
    assert not clock.path.exists()
    clock.tick(now=True)
    kept = json.loads(clock.path.read_text())["seconds"]
    assert kept >= 0.02
    assert Clock(clock.path).seconds >= kept
    clock.path.write_text("nonsense")
    assert Clock(clock.path).before == 0


def test_the_number_format_is_settled_once(tmp_path, monkeypatch):
    files, answers = folder(tmp_path), iter(["bfloat16", "float32"])
    monkeypatch.setattr(precision, "choose_precision", lambda requested: (next(answers), "measured"))
    assert settled(config(tmp_path), files).precision == "bfloat16"
    assert settled(config(tmp_path), files).precision == "bfloat16"
    (files.path / "precision.json").write_text("{")
    assert settled(config(tmp_path), files).precision == "float32"
