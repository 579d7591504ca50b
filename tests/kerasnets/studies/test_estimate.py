"""The estimate of what a study costs."""

import dataclasses
import sys

import pytest

from kerasnets.errors import InputError
from kerasnets.studies import estimate as module
from kerasnets.studies.cells import make_cells
from kerasnets.studies.estimate import Speed, cost_signature, estimate, measure_speed, seconds_together
from kerasnets.studies.study import Setting, Study

STUDY = Study(
    name="s",
    question="?",
    dataset="cifar10",
    base={"arch": "lazynet", "epochs": 2, "batch_size": 500},
    settings=(Setting(name="slow rate", config={"learning_rate": 0.001}), Setting(name="fast rate")),
    seeds=2,
)


def test_seconds_of_a_run():
    speed = Speed(images_per_second=1_000, start_seconds=3, train_images=50_000, test_images=9_000)
    config = make_cells(STUDY)[0].config
    # 2 epochs of 50,000 images, and 2 + 1 evaluations of 9,000 at three times the speed.
    assert speed.seconds(config) == 3 + 100 + 9
    assert speed.seconds(dataclasses.replace(config, limit_train=5_000, test_curve=0)) == 3 + 10 + 3
    assert speed.seconds(dataclasses.replace(config, limit_train=500_000)) == 3 + 100 + 9


def test_what_costs_the_same():
    config = make_cells(STUDY)[0].config
    same = dataclasses.replace(config, seed=3, epochs=9, learning_rate=1.0, limit_train=9, test_curve=0)
    assert cost_signature(same) == cost_signature(config)
    for change in ({"batch_size": 4}, {"arch": "boringnet"}, {"flip": "random"}, {"precision": "bfloat16"}):
        assert cost_signature(dataclasses.replace(config, **change)) != cost_signature(config)


def test_each_network_is_measured_once():
    measured = []
    cells = make_cells(STUDY)
    seconds = estimate(cells, seconds=0.1, measured=measured.append)
    assert measured == ["slow rate"]
    assert set(seconds) == {cell.key for cell in cells}
    assert len(set(seconds.values())) == 1 and 0 < seconds[cells[0].key] < 600


def test_small_networks_share_the_cores_and_others_take_turns(monkeypatch):
    monkeypatch.setattr(module, "usable_cores", lambda: 2)
    study = dataclasses.replace(
        STUDY,
        base={"epochs": 2, "batch_size": 4},
        settings=(
            Setting(name="small", config={"arch": "lazynet"}),
            Setting(name="large", config={"arch": "cifarnet"}),
        ),
    )
    small, large, again, _ = cells = make_cells(study)
    seconds = {cell.key: {"small": 10.0, "large": 100.0}[cell.setting] for cell in cells}
    assert seconds_together(cells, seconds, 1) == 220
    assert seconds_together(cells, seconds, 2) == 210
    assert seconds_together(cells, seconds, 8) == 210  # two cores
    assert seconds_together([small, large], seconds, 2) == 110  # one run is not shared out
    assert seconds_together([small, again], seconds | {again.key: 30.0}, 2) == 30  # nor the longer one of two
    assert seconds_together([], seconds, 2) == 0


def small_study(**base) -> Study:
    return dataclasses.replace(STUDY, dataset="digits", base={"arch": "lazynet", "batch_size": 50} | base)


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """Returns a function that puts a program in place of the process with one thread."""

    python = sys.executable

    def stand_in(program):
        (tmp_path / "python").write_text(f"#!{python} -IS\n{program}")
        (tmp_path / "python").chmod(0o755)
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))

    return stand_in


def test_small_networks_are_measured_in_a_process_of_their_own(stand_in, monkeypatch):
    # Answers with the batch size as the images of a second.
    stand_in("""
import json, sys
asked = json.load(sys.stdin)
assert asked["seconds"] == 0.5
for config in asked["configs"]:
    print(json.dumps({"images_per_second": config["batch_size"], "start_seconds": 0, "train_images": 10_000,
                      "test_images": 0}))
""")
    speed = Speed(images_per_second=100, start_seconds=0, train_images=10_000, test_images=0)
    monkeypatch.setattr(module, "measure_speed", lambda config, seconds: speed)
    measured = []
    small, smaller, large = (make_cells(small_study(batch_size=size, epochs=1)) for size in (20, 10, 5_000))
    seconds = estimate([*small, *large, *smaller], seconds=0.5, measured=measured.append)
    assert len(measured) == 3
    assert {seconds[cell.key] for cell in small} == {500}
    assert {seconds[cell.key] for cell in smaller} == {1_000}
    assert {seconds[cell.key] for cell in large} == {100}


def test_the_process_says_what_is_wrong(stand_in):
    stand_in("import json; print(json.dumps({'error': 'image_size must be more'}))")
    with pytest.raises(InputError, match="image_size must be more"):
        estimate(make_cells(small_study()))
    stand_in("raise SystemExit('no such thing')")
    with pytest.raises(RuntimeError, match="Nothing was measured:\nno such thing"):
        estimate(make_cells(small_study()))


@pytest.mark.slow
def test_a_small_network_is_really_measured():
    cells = make_cells(small_study())
    seconds = estimate(cells, seconds=0.1)
    assert len(set(seconds.values())) == 1 and 0 < seconds[cells[0].key] < 600


@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
def test_a_network_of_a_known_data_set_needs_no_files(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KERASNETS_DATA", str(tmp_path))
    config = dataclasses.replace(make_cells(STUDY)[0].config, dataset=dataset, batch_size=32)
    speed = measure_speed(config, 0.1)
    # The numbers of images that the data sets' authors state.
    sizes = {"digits": (1_437, 360), "cifar10": (50_000, 10_000)}
    assert (speed.train_images, speed.test_images) == sizes[dataset]
    assert speed.images_per_second > 0 and speed.start_seconds > 0
