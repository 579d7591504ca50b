"""A page as Markdown, with its drawings in files of their own."""

import re
from html import escape

from kerasnets.reporting.page import (
    MARKER,
    Badge,
    Block,
    Bullets,
    Code,
    Figures,
    Fold,
    Page,
    Table,
    Tally,
    Text,
)


def to_markdown(page: Page, figures: str) -> str:
    """The page as GitHub's Markdown.

    All text stays text: what Markdown or HTML would read as a sign is escaped.

    Args:
        page: Of texts, lists, commands, tables, drawings and folds; pictures are for HTML alone.
        figures: Folder of the drawings, relative to the file; each is ``NAME.svg`` there.
    """
    parts = [MARKER, f"# {plain(page.title)}", _line(page.lead)]
    parts += [_block(block, figures) for block in page.head]
    for section in page.sections:
        parts += [f"## {plain(section.title)}", *(_block(block, figures) for block in section.blocks)]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    """Text on one line, in which nothing is Markdown or HTML any more."""
    text = " ".join(str(text).split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    text = re.sub(r"([\\`*\[\]|$~])", r"\\\1", text)
    # Between letters, as in test_accuracy, an underscore is no sign.
    return re.sub(r"(?<!\w)_|_(?!\w)", r"\\_", text)


def _line(text: str) -> str:
    """Text that stands at the start of a line, where a sign could begin a list or a headline."""
    return re.sub(r"^(\d*)([-+#.)])", r"\1\\\2", plain(text))


def _block(block: Block, figures: str) -> str:
    if isinstance(block, Text):
        return {"shout": f"# {plain(block.text)}", "warning": f"> **{plain(block.text)}**"}.get(
            block.tone, _line(block.text)
        )
    if isinstance(block, Bullets):
        return "\n".join(f"- {_line(item)}" for item in block.items)
    if isinstance(block, Code):
        return "\n".join(f"    {line}" for line in block.text.splitlines())
    if isinstance(block, Tally):
        return f"{plain(block.name)}: {_counts(block.counts)}"
    if isinstance(block, Table):
        return _table(block)
    if isinstance(block, Figures):
        pictures = " ".join(f"![{plain(figure.caption)}]({figures}/{figure.name}.svg)" for figure in block.figures)
        return f"{pictures}\n\n{_line(' · '.join(figure.caption for figure in block.figures))}"
    assert isinstance(block, Fold), f"no Markdown for {type(block).__name__}"
    # A summary is HTML, in which Markdown's signs are none.
    summary = " · ".join(filter(None, (_counts(block.badges), block.headline, block.note)))
    inner = "\n\n".join(_block(inner, figures) for inner in block.blocks)
    return f"<details><summary>{escape(' '.join(summary.split()))}</summary>\n\n{inner}\n\n</details>"


def _counts(items) -> str:
    return ", ".join(str(item) if isinstance(item, Badge) else f"{item[0]} {item[1]}" for item in items)


def _table(block: Table) -> str:
    notes = any(row.note for row in block.rows)
    head = [plain(column.name) for column in block.columns] + ["why"] * notes
    lines = [
        "| " + " | ".join(head) + " |",
        "|" + "|".join(["---:" if column.number else "---" for column in block.columns] + ["---"] * notes) + "|",
    ]
    for row in block.rows:
        cells = [f"**{cell}**" if isinstance(cell, Badge) else plain(cell) for cell in row.cells]
        lines.append("| " + " | ".join(cells + [plain(row.note)] * notes) + " |")
    return "\n".join(([f"**{plain(block.caption)}**\n"] if block.caption else []) + lines)
