"""A page as Markdown: tables and links that GitHub reads, and names that it leaves alone."""

import numpy as np
import pytest

from kerasnets.reporting.markdown import plain, to_markdown
from kerasnets.reporting.page import (
    GOOD,
    Badge,
    Bullets,
    Code,
    Column,
    Figure,
    Figures,
    Fold,
    Matrix,
    Page,
    Section,
    Table,
    TableRow,
    Tally,
    Text,
)


def written(*blocks):
    text = to_markdown(Page("Title", "Lead", [], [Section("Part", blocks)]), "figures")
    head = "<!-- kerasnets report -->\n\n# Title\n\nLead\n\n## Part\n\n"
    assert text.startswith(head)
    return text.removeprefix(head)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("a|b", r"a\|b"),
        ("*x* `y` [z](u) ~~w~~ $m$", r"\*x\* \`y\` \[z\](u) \~\~w\~\~ \$m\$"),
        ("test_accuracy", "test_accuracy"),
        ("_x_", r"\_x\_"),
        ("two\n\nlines", "two lines"),
        ("a & b", "a &amp; b"),
        ("\\", "\\\\"),
    ],
)
def test_text_stays_text(text, expected):
    assert plain(text) == expected


@pytest.mark.parametrize(("text", "expected"), [("# x", r"\# x"), ("- x", r"\- x"), ("1. x", r"1\. x"), ("1 x", "1 x")])
def test_no_text_begins_a_list_or_a_headline(text, expected):
    assert written(Text(text)) == f"{expected}\n"
    assert written(Bullets([text])) == f"- {expected}\n"


def test_a_table_with_notes_has_a_column_for_them():
    columns = [Column("verdict"), Column("n", number=True)]
    assert written(Table(columns, [TableRow([Badge("HOLDS", GOOD), "3"], "a|b"), TableRow(["x", "4"])])) == (
        "| verdict | n | why |\n|---|---:|---|\n| **HOLDS** | 3 | a\\|b |\n| x | 4 |  |\n"
    )
    assert (
        written(Table(columns, [TableRow(["x", "4"])], "All")) == "**All**\n\n| verdict | n |\n|---|---:|\n| x | 4 |\n"
    )


def test_drawings_are_links_to_their_files():
    drawings = Figures([Figure("loss", "<svg/>", "Loss [1]"), Figure("rate", "<svg/>", "Rate")])
    assert written(drawings) == ("![Loss \\[1\\]](figures/loss.svg) ![Rate](figures/rate.svg)\n\nLoss \\[1\\] · Rate\n")


def test_a_fold_is_html_around_markdown():
    fold = Fold("a < b", [Text("inside")], [Badge("HOLDS", GOOD), (2, Badge("FAILS", GOOD))], "note")
    assert written(fold) == ("<details><summary>HOLDS, 2 FAILS · a &lt; b · note</summary>\n\ninside\n\n</details>\n")


def test_the_other_blocks():
    blocks = [
        Text("SCALED", "shout"),
        Text("Beware.", "warning"),
        Code("a --b\nc"),
        Tally("Runs", [(3, Badge("OK", GOOD))]),
    ]
    assert written(*blocks) == "# SCALED\n\n> **Beware.**\n\n    a --b\n    c\n\nRuns: 3 OK\n"


def test_pictures_are_for_html_alone():
    with pytest.raises(AssertionError, match="no Markdown for Matrix"):
        written(Matrix(np.eye(2), ["a", "b"]))
