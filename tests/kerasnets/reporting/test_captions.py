"""The words on the figures."""

import pytest

from kerasnets.reporting.captions import result_caption, run_caption, shorten

SUMMARY = {"dataset": "cifar10", "arch": "cifarnet", "seed": 3, "limit_train": None, "status": "finished"}
TEST = {"split": "test", "accuracy": 0.87, "interval": [0.8633, 0.8768], "n": 10000, "epoch": 20}


def test_a_run_is_named_by_what_decides_it():
    assert run_caption(SUMMARY) == "cifar10 · cifarnet · seed 3"


def test_a_limited_run_says_so():
    assert run_caption(SUMMARY | {"limit_train": 10000}).endswith("· 10,000 training images")


def test_a_number_carries_its_n_interval_and_rule():
    caption = result_caption(SUMMARY | {"test": TEST | {"selection": "last epoch"}})
    assert caption == "test accuracy 87.00%, 95% interval 86.3% to 87.7%, n = 10,000, epoch 20 (last epoch)"


def test_a_run_without_a_number_says_why():
    assert result_caption(SUMMARY | {"test": None, "status": "diverged"}) == (
        "not evaluated on the test split (run diverged)"
    )


@pytest.mark.parametrize(
    ("name", "length", "expected"),
    [
        ("cat", 3, "cat"),
        ("European fire salamander", 16, "European f…ander"),
        ("two\nlines  of\ttext", 20, "two lines of text"),
    ],
)
def test_long_names_keep_both_ends(name, length, expected):
    assert shorten(name, length) == expected
    assert len(shorten(name, length)) <= length
