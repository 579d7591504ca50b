"""Verdicts in tables: words, signs, units, and what is folded."""

import pytest

from kerasnets.reporting.page import Fold, Table
from kerasnets.studies.report_verdicts import (
    TONES,
    claim_blocks,
    class_table,
    comparison_in_words,
    count_verdicts,
    difference_in_words,
    mean_in_words,
    row_blocks,
    tallies,
)
from kerasnets.studies.study import Diverges, Equal, Higher, Measure, Point

SCRIPT = "<script>alert(1)</script>"
LOSS = Measure(quantity="test_loss")


def cells(block):
    return [list(map(str, row.cells)) for row in block.rows]


def test_every_verdict_has_a_tone():
    from kerasnets.studies import claims, verdicts

    words = {
        value
        for module in (claims, verdicts)
        for name, value in vars(module).items()
        if name.isupper() and isinstance(value, str)
    }
    assert words == set(TONES)


def test_verdicts_are_counted_in_order():
    counts = [(n, str(badge)) for n, badge in count_verdicts(["ABOVE", "REPRODUCED", "ABOVE"])]
    assert counts == [(1, "REPRODUCED"), (2, "ABOVE")]


def test_the_head_counts_claims_and_numbers(small_results):
    claims, numbers = tallies(small_results)
    assert (claims.name, sum(n for n, _ in claims.counts)) == ("Claims", 2)
    assert (numbers.name, sum(n for n, _ in numbers.counts)) == ("Numbers", len(small_results.study.rows))


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (Higher(first=Point(setting="a"), second=Point(setting="b")), "test accuracy: 'a' > 'b'"),
        (
            Higher(first=Point(setting="a"), second=Point(setting="b"), by=0.05),
            "test accuracy: 'a' > 'b' + 5.00 points",
        ),
        (
            Higher(first=Point(setting="a"), second=Point(setting="b"), by=-0.01),
            "test accuracy: 'a' > 'b' - 1.00 points",
        ),
        (
            Equal(first=Point(setting="a", measure=LOSS), second=Point(setting="b", measure=LOSS), margin=0.1),
            "test loss: 'a' = 'b' within 0.1",
        ),
        (
            Higher(first=Point(setting="a"), second=Point(setting="a", measure=Measure(epoch=5))),
            "test accuracy of 'a' > test accuracy after epoch 5 of 'a'",
        ),
        (Diverges(setting="a"), "'a' diverges or stays at chance"),
    ],
)
def test_what_was_said(comparison, expected):
    assert comparison_in_words(comparison) == expected


def test_numbers_in_words():
    assert mean_in_words(0.871, 0.0023, Measure()) == "87.10 ± 0.23 %"
    assert mean_in_words(0.871, None, Measure()) == "87.10 %"
    assert mean_in_words(0.4632, 0.012, LOSS) == "0.4632 ± 0.012"
    assert difference_in_words(0.004, Measure()) == "+0.40 points"
    assert difference_in_words(-0.0123, LOSS) == "-0.0123"
    assert difference_in_words(None, LOSS) == ""


def test_a_claim_holds_its_comparisons(small_results):
    _, better, diverge = claim_blocks(small_results.claim_verdicts)
    assert [str(fold.badges[0]) for fold in (better, diverge)] == [
        verdict.words for verdict in small_results.claim_verdicts
    ]
    assert str(better.badges[0]) == "UNDECIDED, protocol differs" and str(diverge.badges[0]) == "HOLDS (1 seed)"
    assert isinstance(better, Fold) and better.headline == f"{SCRIPT} is better."
    (table,) = better.blocks
    higher = cells(table)[0]
    assert higher[1] == f"test accuracy: {SCRIPT!r} > 'plain' + 1.00 points"
    assert higher[2] == "+8.33 points" and higher[4] == "2"
    assert "Test: paired t" in table.rows[0].note or "Test: sign test" in table.rows[0].note
    assert "Spent by the first, beside the second: equal epochs, images and seconds." in table.rows[0].note
    assert cells(diverge.blocks[0])[0][1:5] == ["'wild' diverges or stays at chance", "", "", "1"]


def test_numbers_beside_the_published_ones(small_results):
    table = row_blocks(small_results.row_verdicts)[1]
    assert isinstance(table, Table)
    first = cells(table)[0]
    assert first[1:5] == ["plain", "test accuracy", "75 %", "75.00 ± 0.00 %"]
    assert first[6:8] == ["2", "+0.00 points"] and first[9] == "last epoch"
    assert [column.name for column in table.columns if column.number][0] == "published"


def test_many_numbers_of_a_quantity_are_folded(small_results, monkeypatch):
    assert not any(isinstance(block, Fold) for block in row_blocks(small_results.row_verdicts))
    monkeypatch.setattr("kerasnets.studies.report_verdicts._FOLDED", 3)
    _, _, losses, accuracies, test_losses = row_blocks(small_results.row_verdicts)
    assert losses.headline == "plain: train loss" and len(losses.blocks[0].rows) == 3
    assert losses.note == "differences +0 to +0"
    assert accuracies.note == "differences +0.00 points to +60.00 points"
    assert test_losses.badges[0][0] == 3


def test_classes_stand_beside_the_published_ones(small_results):
    table = class_table(small_results.row_verdicts)
    assert [column.name for column in table.columns] == [
        "class", "plain: published", "plain: ours", f"{SCRIPT}: published", f"{SCRIPT}: ours",
    ]  # fmt: skip
    rows = cells(table)
    assert [row[0] for row in rows] == ["cat", SCRIPT]
    assert rows[0][1] == "80 %" and rows[0][3] == "70 % (impossible)"
    assert rows[1][3:] == ["", ""]


def test_chance_is_told_above_the_tables(small_results):
    assert "at most 5 %, each claim for itself" in claim_blocks(small_results.claim_verdicts)[0].text
    assert "about one in twenty differs by chance" in row_blocks(small_results.row_verdicts)[0].text


def test_a_study_without_rows_or_claims_says_so():
    assert [blocks[0].text for blocks in (claim_blocks([]), row_blocks([]))] == [
        "The study states no claims.",
        "The study states no published numbers.",
    ]
    assert class_table([]) is None
