"""Where data sets are looked for on this machine, and the error that says where they may be put.

In this order: the folder given as `data_dir`; the one named by `$KERASNETS_DATA`; the Keras cache
(`$KERAS_HOME/datasets`, else `~/.keras/datasets`); and the folders that torchvision's examples use as `root` (`./data`,
`~/data`, `~/.cache/torch/datasets`, `~/.torch/datasets`). Each may be a folder that holds data sets or the data set's
own folder.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from pipelines.errors import DataError


def search_roots(data_dir: str | Path | None) -> list[Path]:
    """The existing folders to look in, first come first.

    Raises:
        DataError: `data_dir` or `$KERASNETS_DATA` is given and is not a folder.
    """
    named = {"The data folder": data_dir, "$KERASNETS_DATA": os.environ.get("KERASNETS_DATA")}
    roots = []
    for what, value in named.items():
        if value:
            root = Path(value).expanduser()
            if not root.is_dir():
                raise DataError(f"{what} must be an existing folder. Received: {root}. Make it or correct the path.")
            roots.append(root)
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
    return roots + [root for root in usual if root.is_dir()]


def candidates(roots: Sequence[Path], names: Sequence[str]) -> Iterator[Path]:
    """Every existing `root / name`; the name "." is the root itself."""
    for root in roots:
        for name in names:
            if (root / name).exists():
                yield root / name


def missing_data(name: str, what: str, layout: str, incomplete: str | None = None) -> DataError:
    """The error for a data set that is not there.

    Args:
        name: The data set.
        what: The files that it needs.
        layout: How they may lie in a folder, for example "cifar-10-batches-py/ or cifar-10-python.tar.gz".
        incomplete: What was found instead, if a part was.
    """
    received = incomplete or "none of them in the places searched"
    return DataError(
        f"Data set '{name}' needs {what}. Received: {received}. Put {layout} into the folder given by "
        "--data-dir or $KERASNETS_DATA, into ~/.keras/datasets or into ./data; or take 'digits', which needs no files and "
        "works at once."
    )
