"""A page as HTML: every block is in it, every text is text, nothing is loaded, and only reports are written over."""

import html.parser
import re

import numpy as np
import pytest

from kerasnets.errors import InputError
from kerasnets.reporting.page import (
    GOOD,
    MARKER,
    OPEN,
    Badge,
    Bullets,
    Code,
    Column,
    Figure,
    Figures,
    Fold,
    Matrix,
    Page,
    Picture,
    Section,
    Table,
    TableRow,
    Tally,
    Text,
    table,
    to_html,
    write_report_file,
)

NASTY = "<script>alert(1)</script>&\"'{{ 7 * 7 }}"
SVG = '<svg xmlns="http://www.w3.org/2000/svg"><text>drawn</text></svg>'


class Reader(html.parser.HTMLParser):
    """What a browser would see: the tags with their attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def named(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def page_of(*blocks, head=()):
    return Page("Title", "Lead", head, [Section("What is there", blocks)])


def read(*blocks, **arguments):
    return Reader(to_html(page_of(*blocks, **arguments)))


EVERY_BLOCK = [
    Text(NASTY, "warning"),
    Bullets([NASTY]),
    Code(NASTY),
    Tally(NASTY, [(3, Badge(NASTY, GOOD)), Badge(NASTY, OPEN)]),
    Table([Column(NASTY), Column("n", number=True)], [TableRow([NASTY, "1"], NASTY)], NASTY),
    Figures([Figure("a", SVG, NASTY)]),
    Picture(b"\x89PNG", NASTY),
    Matrix(np.array([[5, 0], [1, 4]]), [NASTY, "b"]),
    Fold(NASTY, [Text(NASTY)], [Badge(NASTY, OPEN), (2, Badge(NASTY, GOOD))], NASTY),
]


@pytest.mark.parametrize("block", EVERY_BLOCK, ids=lambda block: block.kind)
def test_every_text_stays_text_in_every_block(block):
    seen = read(block)
    assert NASTY in seen.text
    assert seen.named("script") == []


def test_titles_and_leads_stay_text():
    seen = Reader(to_html(Page(NASTY, NASTY, [], [Section(NASTY, [])])))
    assert seen.named("script") == [] and seen.text.count(NASTY) == 5  # title, h1, lead, link, h2
    assert [link["href"] for link in seen.named("a")] == ["#script-alert-1-script-7-7"]


def test_nothing_is_loaded_from_anywhere():
    seen = read(*EVERY_BLOCK)
    addresses = [value for _, attributes in seen.tags for key, value in attributes.items() if key in ("src", "href")]
    assert addresses and all(address.startswith(("data:", "#")) for address in addresses)
    (policy,) = (meta["content"] for meta in seen.named("meta") if meta.get("http-equiv"))
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    assert "@import" not in to_html(page_of()) and "url(" not in to_html(page_of())


def test_a_drawing_is_put_in_as_it_is():
    assert SVG in to_html(page_of(Figures([Figure("a", SVG, "caption")])))


def test_a_verdict_has_a_colour_and_a_word():
    text = to_html(page_of(table({"verdict": False}, [[Badge("HOLDS", GOOD)]])))
    assert '<td><span class="badge good">HOLDS</span></td>' in re.sub(r">\s+<", "><", text)


def test_numbers_stand_to_the_right_and_a_note_spans_the_row():
    text = to_html(page_of(Table([Column("a"), Column("n", number=True)], [TableRow(["x", "1"], "because")])))
    assert '<td class="number">1</td>' in text
    assert '<td colspan="2"><div>because</div></td>' in text


def test_a_fold_is_shut_unless_it_is_open():
    assert [list(fold) for fold in read(Fold("a", []), Fold("b", [], open=True)).named("details")] == [[], ["open"]]


def test_shades_of_a_matrix_are_roots_of_the_shares_of_the_true_class():
    matrix = Matrix(np.array([[3, 1], [0, 0]]), ["a", "b"])
    assert matrix.lines == [("a", [(3, "0.87"), (1, "0.50")]), ("b", [(0, "0.00"), (0, "0.00")])]


def test_the_head_comes_before_the_sections():
    text = to_html(page_of(Text("second"), head=[Text("SCALED", "shout")]))
    assert 0 < text.index('<p class="shout">SCALED</p>') < text.index("<p>second</p>")


def test_only_a_report_is_written_over(tmp_path):
    path = tmp_path / "new" / "report.html"
    write_report_file(path, to_html(page_of(Text("one"))))
    write_report_file(path, to_html(page_of(Text("two"))))
    assert "two" in path.read_text() and MARKER in path.read_text()[:60]
    letter, folder, link = (tmp_path / name for name in ("letter.html", "folder.html", "link.html"))
    letter.write_text("Dear reader")
    folder.mkdir()
    link.symlink_to(tmp_path / "nowhere")
    for other in (letter, folder, link):
        with pytest.raises(InputError, match=re.escape(f"{other} must be free or an older report")):
            write_report_file(other, "x")
    assert letter.read_text() == "Dear reader"
