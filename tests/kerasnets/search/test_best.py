"""best.yaml: what `kerasnets-train --config` makes of it, and a head that says where it comes from."""

import pytest
import yaml

from kerasnets.cli.train import read_config
from kerasnets.search.best import for_all_images, read_best, write_best
from kerasnets.search.trial import TrialRecord
from kerasnets.training.config import TrainConfig

TRIAL = {
    "seed": 4, "epochs": 9, "optimizer": "adamw", "learning_rate": 0.002, "validation": 0.1, "limit_train": 500,
    "early_stopping": 3, "output": "searches/a/trials/0007", "threads": 1, "checkpoint_seconds": 5.0,
    "cache_bytes": 10**6, "data_dir": "/data",
}  # fmt: skip


def trial(**changes):
    return TrainConfig(
        **({"dataset": "digits", "arch": "boringnet", "arch_options": {"activation": "relu"}} | TRIAL | changes)
    )


def test_all_training_images_and_nothing_of_where_the_trial_ran():
    whole = {"validation": 0.0, "limit_train": None, "early_stopping": 0, "output": "runs", "threads": 0}
    expected = trial(**whole, checkpoint_seconds=60.0, cache_bytes=None)
    assert for_all_images(trial()) == expected
    assert expected.data_dir == "/data"


def test_the_file_is_a_configuration_of_kerasnets_train(tmp_path):
    path = write_best(tmp_path, trial(), {})
    assert path == tmp_path / "best.yaml"
    config, _ = read_config(["--config", str(path)])
    assert config == for_all_images(trial()) == read_best(tmp_path) == read_best(path)
    assert yaml.safe_load(path.read_text())["arch_options"] == {"activation": "relu"}


def test_the_head_says_where_it_comes_from_and_that_its_score_is_optimistic(tmp_path):
    numbers = {"score": 0.7, "val_accuracy": 0.73125, "weights": 12345, "flops": 6_700_000}
    record = TrialRecord(trial="0031", run="trials/0031", status="completed", budget=9, **numbers)
    facts = record.to_dict() | {"search": "night", "trials": 48, "objective": "accuracy_per_flop"}
    head = [line for line in write_best(tmp_path, trial(), facts).read_text().splitlines() if line.startswith("#")]
    assert head == [
        "# The best of search night: trial 0031, of 48 that were completed.",
        "# Validation accuracy 73.12 %, which is optimistic: it was chosen by it.",
        "# Score 0.7000 by accuracy_per_flop.",
        "# 12,345 weights and 6,700,000 FLOPs an image.",
        "# To train it on all training images: kerasnets-train --config best.yaml",
    ]


def test_without_facts_the_search_is_called_like_its_folder(tmp_path):
    folder = tmp_path / "night"
    folder.mkdir()
    assert (
        write_best(folder, trial(), {"val_accuracy": None}).read_text().startswith("# The best of search night.\n# To")
    )


@pytest.mark.parametrize("name", ["a\nseed: 9", "a\x00b", "a\u2028b", "\udcff"])
def test_no_name_gets_out_of_its_comment(tmp_path, name):
    write_best(tmp_path, trial(), {"search": name, "trial": name})
    assert read_best(tmp_path) == for_all_images(trial())


def test_an_older_winner_is_replaced(tmp_path):
    write_best(tmp_path, trial(), {})
    write_best(tmp_path, trial(epochs=3), {})
    assert read_best(tmp_path).epochs == 3
    assert [file.name for file in tmp_path.iterdir()] == ["best.yaml"]
