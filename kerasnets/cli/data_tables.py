"""What kerasnets-data prints: the catalog, a data set in numbers, its bad files, its duplicates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from kerasnets.cli.tables import print_table
from pipelines.reading import Reading

if TYPE_CHECKING:
    from pipelines.catalog import DataSetFacts
    from pipelines.check import FilesCheck
    from pipelines.describe import SourceDescription
    from pipelines.duplicates import Duplicates

# Rows of a long table; --json has them all.
SHOWN = 20


def print_catalog(catalog: Mapping[str, DataSetFacts], places: Mapping[str, str | None]) -> None:
    """Prints the standard data sets, one a line, and below them their pages, licences and places.

    Args:
        catalog: Facts by name.
        places: Where on this machine each of them is.
    """
    import pandas as pd

    rows = []
    for name, facts in catalog.items():
        height, width, channels = facts.image_shape
        row = {"name": name, "classes": facts.num_classes} | facts.num_images
        row |= {"image": f"{height}x{width}x{channels}", "download": _megabytes(facts.download_bytes)}
        rows.append(row | {"on this machine": "yes" if places[name] else "no"})
    print_table(pd.DataFrame(rows))
    print()
    for name, facts in catalog.items():
        print(f"{name}: {facts.title}, {facts.page}\n  licence: {facts.licence}")
        if places[name]:
            print(f"  found: {_printable(places[name])}")


def print_description(description: SourceDescription) -> None:
    """Prints the counts of each split and class, the channel statistics and the duplicates."""
    import pandas as pd

    source = description.source
    height, width, channels = source.image_shape
    shape, origin = f"{height}x{width}x{channels}", _printable(source.origin)
    print(f"{source.name}: {source.num_classes:,} classes, images {shape}, from {origin}\n")
    splits = [
        {"split": split, "images": counts.sum(), "fewest of a class": counts.min(), "most of a class": counts.max()}
        | {"mean": f"{counts.mean():,.1f}"}
        for split, counts in description.class_counts.items()
    ]
    print_table(pd.DataFrame(splits))
    print()
    _print_head(pd.DataFrame({"class": source.class_names} | description.class_counts))
    mean, std = _numbers(description.mean), _numbers(description.std)
    print(f"\nTrain images, where white is 1: mean {mean}; standard deviation {std}.")
    print_duplicates(description.duplicates, description.image_name)
    if source.bad_files:
        print(f"{len(source.bad_files):,} bad files were left out; kerasnets-data check lists them.")


def print_check(check: FilesCheck, seconds: float) -> None:
    """Prints how many files are bad, by kind and class, and the first of them."""
    import pandas as pd

    total, bad, origin = sum(check.split_sizes.values()), check.bad_files, _printable(check.files.origin)
    print(f"{check.files.name}: {total:,} files of {origin} read, {total / seconds:,.0f} a second.")
    if bad:
        print(f"Bad files: {len(bad):,} ({len(bad) / total:.2%}).\n")
        for what, counts in {"kind": check.bad_by_kind(), "class": check.bad_by_class()}.items():
            _print_head(pd.DataFrame({what: counts.keys(), "bad files": counts.values()}))
            print()
        for file in bad[:SHOWN]:  # no table: it would cut paths off
            print(f"{_printable(file.path)}: {file.kind}, {_printable(file.reason)}")
        print(f"and {len(bad) - SHOWN:,} more\n" if len(bad) > SHOWN else "")
        limit = Reading().max_bad
        print(f"Training {'stops over them' if len(bad) > limit * total else 'leaves them out'} (--max-bad {limit}).")
        if none_left := check.classes_without_images():
            print(f"Training stops, because no image is left of {', '.join(map(repr, none_left[:SHOWN]))}.")
    else:
        print("No bad files.")
    print_duplicates(check.duplicates, check.image_name)


def print_duplicates(duplicates: Duplicates, image_name: Callable[[str, int], tuple[Any, str]]) -> None:
    """Prints how many images are there more than once, and the first of them.

    Args:
        duplicates: What was found.
        image_name: See `Duplicates.rows`.
    """
    if not duplicates.pairs:
        print("No image repeats another pixel for pixel.")
        return
    across = [f"{count:,} of {second} are in {first}" for (first, second), count in duplicates.across.items() if count]
    within = [f"{count:,} in {split}" for split, count in duplicates.within.items() if count]
    print(f"Images that repeat another pixel for pixel: {', '.join(across + within)}. The first of them:")
    for row in duplicates.rows(image_name):
        print(f"  {row['split']} {_printable(row['image'])} ({row['class']})", end=" ")
        print(f"= {row['equals_split']} {_printable(row['equals_image'])} ({row['equals_class']})")


def _print_head(table: Any) -> None:
    print_table(table.head(SHOWN))
    if len(table) > SHOWN:
        print(f"and {len(table) - SHOWN:,} more, which --json shows")


def _printable(value: Any) -> str:
    """The value, with escapes in a file's name for what a terminal would obey or cannot show."""
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in str(value))


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size else "none"


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:.4f}" for value in values)
