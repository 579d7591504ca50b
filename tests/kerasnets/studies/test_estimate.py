"""The estimate of what a study costs."""

import dataclasses

import pytest

from kerasnets.studies.cells import make_cells
from kerasnets.studies.estimate import Speed, cost_signature, estimate, measure_speed
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


@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
def test_a_network_of_a_known_data_set_needs_no_files(dataset, monkeypatch, tmp_path):
    monkeypatch.setenv("KERASNETS_DATA", str(tmp_path))
    config = dataclasses.replace(make_cells(STUDY)[0].config, dataset=dataset, batch_size=32)
    speed = measure_speed(config, 0.1)
    # The numbers of images that the data sets' authors state.
    sizes = {"digits": (1_437, 360), "cifar10": (50_000, 10_000)}
    assert (speed.train_images, speed.test_images) == sizes[dataset]
    assert speed.images_per_second > 0 and speed.start_seconds > 0
