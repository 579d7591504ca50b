"""Cells: order, names by hash, scale, choice."""

import dataclasses
from pathlib import Path

import pytest

from kerasnets.errors import InputError
from kerasnets.studies.cells import cell_key, cell_path, make_cells, scaled
from kerasnets.studies.study import Setting, Study

STUDY = Study(
    name="batches",
    question="?",
    dataset="cifar10",
    base={"arch": "lazynet", "epochs": 50},
    settings=(Setting(name="batch 4", config={"batch_size": 4}), Setting(name="batch 32", config={"batch_size": 32})),
    seeds=2,
    train_images=50_000,
)


def test_all_settings_once_and_then_the_next_seed():
    assert [str(cell) for cell in make_cells(STUDY)] == [
        "batch 4, seed 0",
        "batch 32, seed 0",
        "batch 4, seed 1",
        "batch 32, seed 1",
    ]
    assert len(make_cells(STUDY, seeds=5)) == 10


def test_a_key_names_what_is_computed_and_not_where():
    first = make_cells(STUDY)[0]
    assert len(first.key) == 16 and set(first.key) <= set("0123456789abcdef")
    moved = dataclasses.replace(first.config, data_dir="/elsewhere", output="x", threads=3, checkpoint_seconds=1.0)
    assert cell_key(moved) == first.key
    for change in ({"seed": 1}, {"epochs": 51}, {"learning_rate": 0.02}, {"arch_options": {"a": 1}}, {"test_curve": 1}):
        assert cell_key(dataclasses.replace(first.config, **change)) != first.key


def test_studies_share_cells_that_compute_the_same():
    renamed = dataclasses.replace(STUDY, name="other", settings=(Setting(name="four", config={"batch_size": 4}),))
    assert make_cells(renamed)[0].key == make_cells(STUDY)[0].key
    assert cell_path("studies", make_cells(renamed)[0]) == Path("studies/cells") / make_cells(STUDY)[0].key


def test_settings_that_compute_the_same_are_a_mistake():
    double = dataclasses.replace(STUDY, settings=(*STUDY.settings, Setting(name="four", config={"batch_size": 4})))
    with pytest.raises(InputError, match="must differ in what they compute. Received: 'batch 4' and 'four'"):
        make_cells(double)


def test_scale_shrinks_epochs_and_images_by_its_root():
    config = make_cells(STUDY, scale=0.25)[0].config
    # sqrt(0.25) = 0.5
    assert (config.epochs, config.limit_train, config.test_curve) == (25, 25_000, 25)
    assert make_cells(STUDY, scale=1.0)[0].config.limit_train is None


def test_scale_of_images_that_are_limited_already():
    config = dataclasses.replace(make_cells(STUDY)[0].config, limit_train=1_000)
    assert scaled(config, 0.25, 50_000).limit_train == 500
    assert scaled(config, 0.25, None).limit_train == 500
    assert scaled(config, 0.0001, None).limit_train == 100
    assert scaled(dataclasses.replace(config, limit_train=60, dataset="folder:a"), 0.01, None).limit_train == 60


def test_scale_without_a_number_of_images_shrinks_the_epochs_alone():
    config = dataclasses.replace(make_cells(STUDY)[0].config, test_curve=5, dataset="folder:pets")
    small = scaled(config, 0.1, None)
    assert (small.epochs, small.limit_train, small.test_curve) == (5, None, 5)
    assert scaled(config, 0.001, None).epochs == 1
    assert scaled(config, 0.001, None).test_curve == 1


@pytest.mark.parametrize("scale", [0, -1, 1.5, "half"])
def test_scale_out_of_range(scale):
    with pytest.raises(InputError, match="scale must be above 0 and at most 1"):
        make_cells(STUDY, scale=scale)


@pytest.mark.parametrize("seeds", [0, -1, 1.5])
def test_seeds_out_of_range(seeds):
    with pytest.raises(InputError, match="seeds must be a whole number"):
        make_cells(STUDY, seeds=seeds)


def test_only_some_cells():
    cells = make_cells(STUDY)
    assert [str(cell) for cell in make_cells(STUDY, only=["batch 32"])] == ["batch 32, seed 0", "batch 32, seed 1"]
    assert make_cells(STUDY, only=["batch 4, seed 1"]) == [cells[2]]
    assert make_cells(STUDY, only=[cells[3].key[:6], "batch 4, seed 0"]) == [cells[0], cells[3]]
    with pytest.raises(InputError, match="Received: 'batch 3'.*Did you mean 'batch 32'"):
        make_cells(STUDY, only=["batch 3"])


def test_scale_of_a_standard_data_set_needs_no_number_of_images():
    config = dataclasses.replace(make_cells(STUDY)[0].config, dataset="fashion_mnist")
    # A half of the 60,000 that its authors state; a part of Tiny ImageNet may be there, so its images are left alone.
    assert (scaled(config, 0.25, None).limit_train, scaled(config, 0.25, None).epochs) == (30_000, 25)
    config = dataclasses.replace(config, dataset="tiny_imagenet")
    assert (scaled(config, 0.1, None).limit_train, scaled(config, 0.1, None).epochs) == (None, 5)


def test_a_study_s_own_data_folder_stays():
    own = dataclasses.replace(STUDY, base=STUDY.base | {"data_dir": "/mine"})
    assert {cell.config.data_dir for cell in make_cells(own)} == {"/mine"}
    assert {cell.config.data_dir for cell in make_cells(own, data_dir="/yours")} == {"/yours"}


def test_the_data_folder_travels_into_the_configuration():
    assert make_cells(STUDY, data_dir="/data")[0].config.data_dir == "/data"
