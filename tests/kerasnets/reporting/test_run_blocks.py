"""The tables of a run, and of runs side by side."""

import numpy as np

from kerasnets.reporting.page import Fold, Matrix, Picture, Table, Text
from kerasnets.reporting.run_blocks import (
    class_comparison,
    confusion_blocks,
    cost_rows,
    mistake_blocks,
    per_class_blocks,
    setting_rows,
    software_rows,
)
from kerasnets.reporting.run_facts import read_run

OTHER = "dataset: digits\narch: lazynet\narch_options:\n  width: 32\nseed: 3\nepochs: 3\ndata_dir: /x\nnesterov: true\n"


def cells(block):
    return [list(map(str, row.cells)) for row in block.rows]


def two_runs(tmp_path, write_run, **second):
    return [read_run(write_run(tmp_path / "a"), 0), read_run(write_run(tmp_path / "b", **second), 1)]


def many_classes(tmp_path, write_run, **arguments):
    names, labels = [f"class {index}" for index in range(40)], np.repeat(np.arange(40, dtype=np.int32), 2)
    predicted = labels.copy()
    predicted[[0, 1, 10]] = [7, 7, 8]
    return read_run(write_run(tmp_path / "many", classes=names, labels=labels, predicted=predicted, **arguments), 0)


def test_settings_one_by_one_and_only_those_that_differ(tmp_path, write_run):
    runs = two_runs(tmp_path, write_run, config=OTHER)
    assert ["arch_options.width", "64"] in setting_rows(runs[:1])
    assert setting_rows(runs, differing=True) == [
        ["arch_options.width", "64", "32"],
        ["learning_rate", "0.1", "-"],
        ["nesterov", "-", "yes"],
    ]


def test_costs_side_by_side(tmp_path, write_run):
    rows = cost_rows(two_runs(tmp_path, write_run, seconds=7200.0))
    assert ["seconds of training", "60.0", "7,200.0"] in rows
    assert ["peak memory", "1.00 GiB", "1.00 GiB"] in rows
    assert ["floating-point operations an image", "1.28 million", "1.28 million"] in rows
    assert ["seconds of compiling", "", ""] in rows


def test_software_without_the_command_that_differs_anyway(tmp_path, write_run):
    rows = software_rows(two_runs(tmp_path, write_run, hardware="another"))
    assert rows == [
        ["keras", "3.15.1", "3.15.1"],
        ["python", "3.11.7", "3.11.7"],
        ["processor", "a processor, 2 cores", "another"],
    ]


def test_few_classes_have_their_matrix_and_many_their_most_frequent_confusions(tmp_path, write_run):
    (matrix,) = confusion_blocks(read_run(write_run(tmp_path / "few"), 0))
    assert isinstance(matrix, Matrix) and matrix.class_names[2] == "<script>alert(1)</script>"
    table, fold = confusion_blocks(many_classes(tmp_path, write_run))
    assert cells(table) == [["class 0", "class 7", "2"], ["class 5", "class 8", "1"]]
    assert isinstance(fold.blocks[0], Picture)


def test_without_a_picture_or_predictions_there_is_none(tmp_path, write_run):
    bare = many_classes(tmp_path, write_run, pictures=False)
    assert len(confusion_blocks(bare)) == 1 and mistake_blocks(bare) == []
    unfinished = read_run(write_run(tmp_path / "unfinished", status="running"), 0)
    assert (confusion_blocks(unfinished), per_class_blocks(unfinished), mistake_blocks(unfinished)) == ([], [], [])


def test_each_class_with_its_interval(tmp_path, write_run):
    (table,) = per_class_blocks(read_run(write_run(tmp_path / "few"), 0))
    assert isinstance(table, Table)
    # Wilson for 2 of 4: (2 + z^2/2) / (4 + z^2) -+ ..., precision 2/3, F1 2 * 2 / (4 + 3)
    assert cells(table)[1] == [
        "dog", "4", "2", "50.00 %", "15.00 to 85.00 %", "66.67 %", "57.14 %", "<script>alert(1)</script> (2)",
    ]  # fmt: skip


def test_of_many_classes_the_worst_come_first(tmp_path, write_run):
    worst, best, fold = per_class_blocks(many_classes(tmp_path, write_run))
    assert [row[0] for row in cells(worst)][:2] == ["class 0", "class 5"] and len(worst.rows) == 10
    assert cells(best)[0][3] == "100.00 %"
    assert isinstance(fold, Fold) and len(fold.blocks[0].rows) == 40


def test_classes_side_by_side(tmp_path, write_run):
    (table,) = class_comparison(two_runs(tmp_path, write_run, predicted=np.repeat(np.int32([0, 1, 2]), 4)))
    assert cells(table)[1] == ["dog", "50.00 %", "100.00 %", "50.00 points"]


def test_different_classes_are_not_put_side_by_side(tmp_path, write_run):
    (text,) = class_comparison(two_runs(tmp_path, write_run, classes=("cat", "dog", "emu")))
    assert isinstance(text, Text) and "different classes" in text.text
    assert class_comparison(two_runs(tmp_path / "more", write_run, status="running")) == []
