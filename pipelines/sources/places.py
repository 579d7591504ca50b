"""Where data sets are looked for on this machine, and the error that says where they may be put.

In this order: the folder given as `data_dir`; the one named by `$KERASNETS_DATA`; the Keras cache
(`$KERAS_HOME/datasets`, else `~/.keras/datasets`); and the folders that torchvision's examples use as `root` (`./data`,
`~/data`, `~/.cache/torch/datasets`, `~/.torch/datasets`). Each may be a folder that holds data sets or the data set's
own folder.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipelines.errors import DataError


def search_roots(data_dir: str | Path | None) -> Iterator[Path]:
    """The existing folders to look in, first come first.

    Raises:
        DataError: `data_dir` or, when its turn comes, `$KERASNETS_DATA` is given and is not a folder.
    """
    for what, value in {"The data folder": data_dir, "$KERASNETS_DATA": os.environ.get("KERASNETS_DATA")}.items():
        if value:
            root = Path(value).expanduser()
            if not root.is_dir():
                raise DataError(f"{what} must be an existing folder. Received: {root}. Make it or correct the path.")
            yield root
    home = Path.home()
    keras_home = Path(os.environ.get("KERAS_HOME") or home / ".keras")
    torch_home = Path(os.environ.get("TORCH_HOME") or home / ".cache" / "torch")
    usual = [
        keras_home / "datasets",
        Path("data"),
        home / "data",
        torch_home / "datasets",
        home / ".torch" / "datasets",
    ]
    yield from (root for root in usual if root.is_dir())


def find_place(
    name: str,
    data_dir: str | Path | None,
    places: Sequence[str],
    files: Sequence[str],
    missing_from: Callable[[Path], Sequence[str]],
) -> Path:
    """The place that a data set is read from: the first search root that holds any of its files decides.

    Args:
        name: The data set, for messages.
        data_dir: See `search_roots`.
        places: Folders and single files below a root, the preferred first; "." is the root itself.
        files: What a complete folder holds. A place that is a file is complete.
        missing_from: Which of `files` a folder lacks; all of them if it belongs to another data set.

    Raises:
        DataError: No root holds the data set, or the first that holds a part of it does not hold it all.
    """
    incomplete = None
    for root in search_roots(data_dir):
        for place in (root / place for place in places):
            missing = [] if place.is_file() else missing_from(place)
            if not missing:
                return place
            if len(missing) < len(files):
                incomplete = incomplete or f"{place} without {', '.join(missing)}"
        if incomplete:
            break
    raise DataError(
        f"Data set '{name}' needs its files {', '.join(files)}. Received: {incomplete or 'none in any place'}. Run "
        f"kerasnets-data fetch {name}; or put {' or '.join(dict.fromkeys(places[:1] + places[-1:]))} into the folder "
        "given by --data-dir or $KERASNETS_DATA, into ~/.keras/datasets or into ./data; or take 'digits', which needs "
        "no files and works at once."
    )
