"""Reading a data set while a line on the terminal says how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.reading import Reading
    from pipelines.source import ImageSource


def read_source(name: str, data_dir: str | None, reading: Reading) -> ImageSource:
    """Loads a data set as `pipelines.load_source` does, with a live line while image files are read."""
    from kerasnets.cli.live_line import LiveLine
    from pipelines.files_source import read_labelled_files
    from pipelines.labelled_files import LabelledFiles
    from pipelines.resize import fit_source
    from pipelines.sources import find_source

    found = find_source(name, data_dir, reading)
    if not isinstance(found, LabelledFiles):
        return fit_source(found, reading)
    with LiveLine("Reading files", sum(map(len, found.splits.values()))) as line:
        return read_labelled_files(found, reading, line.advance)
