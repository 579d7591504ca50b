"""kerasnets-search: its mistakes, and what it says of a winner; whole searches are in tests/kerasnets/search."""

import pytest

from kerasnets.cli.search import _final_words, _reference_words, main

FINAL = {
    "accuracies": [0.71, 0.72, 0.73],
    "n": 10_000,
    "mean": 0.72,
    "interval": [0.69, 0.75],
    "selection": "last epoch",
}


def test_the_winner_has_its_n_seeds_and_interval():
    assert _final_words(FINAL) == (
        "Trained again on all training images: 72.00 % of 10000 test images (71.00, 72.00, 73.00; 3 seeds, "
        "95 % interval 69.00 to 75.00, last epoch)"
    )


def test_a_difference_has_its_interval():
    # Test-time augmentation is no part of what is compared.
    final = FINAL | {"accuracies": [0.8, 0.8, 0.8], "accuracies_alone": FINAL["accuracies"]}
    words = _reference_words(final, {"name": "cifarnet", "accuracies": [0.61, 0.62, 0.63], "mean": 0.62})
    # Welch by hand: standard error (2 * 0.01 ** 2 / 3) ** 0.5 = 0.008165, t with 4 degrees of freedom 2.7764.
    assert words == (
        "Against cifarnet in the same time: 62.00 % of the images alone; the winner less this is +10.00 points "
        "(3 seeds, 95 % interval +7.73 to +12.27)"
    )


def test_one_seed_has_no_interval():
    words = _reference_words(FINAL | {"accuracies": [0.7]}, {"name": "x", "accuracies": [0.75], "mean": 0.75})
    assert words.endswith("the winner less this is -5.00 points (1 seed)")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "A data set must be named. Received: none."),
        (["digits", "--against", "cifarnet", "--final-seeds", "0"], "against must name networks"),
        (["digits", "--chief", "a:1", "--worker", "a:1"], "A process is a chief or a worker."),
        (["digits", "--space", "none.yaml"], "--space must name a Python or YAML file. Received: none.yaml"),
        (["digits", "--trails", "3"], "trials"),
    ],
)
def test_mistakes_are_one_line(capsys, tmp_path, monkeypatch, words, expected):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.count("\n") == 1
    assert expected in printed.err
    assert list(tmp_path.iterdir()) == []
