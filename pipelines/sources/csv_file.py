"""CSV files that list images: a path and a label in each line, and a split if there are splits."""

import csv
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.dataset_names import SPLIT_NAMES, class_name, settle_splits, short_name
from pipelines.errors import DataError
from pipelines.labelled_files import FileSplit, LabelledFiles, divide_files
from pipelines.reading import Reading

_DELIMITERS = ",;\t"
_HEADER = 10_000  # letters of the first line that are looked at; a file that is no table may be one long line
_NUMBER = re.compile("0|[1-9][0-9]*")


@dataclass(frozen=True)
class _Row:
    line: int
    path: Path
    label: str
    split: str | None


def list_csv(file: str, data_dir: str | Path | None, reading: Reading) -> LabelledFiles:
    """Lists the images that a CSV file names.

    The first line names the columns: path, label and, where there are splits, split, in any order; others are passed
    over. The delimiter is a comma, a semicolon or a tab, the encoding UTF-8. Paths are relative to the folder of the
    file. Labels are the names of the classes, which are sorted, numbers by their value. Splits are train, test, and
    val, valid or validation; with no test split, validation is it, evaluated once after the last epoch. Without a
    column of splits a fifth of the images becomes the test split, see `pipelines.labelled_files.divide_files`.

    Args:
        file: The CSV file; ``~`` is the home folder.
        data_dir: Not used: the path says it all.
        reading: Its `seed` draws the test split where there is none.

    Raises:
        DataError: The file is missing, is no such table, or what it lists does not make a data set.
    """
    table = Path(file).expanduser()
    rows = _read_rows(table)
    _check_paths(rows, table)
    class_names = _sorted_names({row.label for row in rows})
    if all(row.split is None for row in rows):
        splits = divide_files(_split(rows, class_names), class_names, reading.seed, str(table))
    else:
        splits = _given_splits(rows, class_names, table)
    return LabelledFiles(name=short_name(f"csv:{file}"), class_names=class_names, splits=splits, origin=str(table))


def _read_rows(table: Path) -> list[_Row]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as lines:
            return list(_rows(lines, table))
    except UnicodeDecodeError as error:
        raise DataError(f"{table} must be text in UTF-8. Received: {error.reason}. Save it as CSV in UTF-8.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{table} must be a CSV file. Received: {reason}. Correct the path or its rights.") from error


def _rows(lines: Iterator[str], table: Path) -> Iterator[_Row]:
    delimiter, columns = _header(next(lines, ""), table)
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    try:
        for values in reader:
            if values:  # not a blank line
                yield _row(values, columns, 1 + reader.line_num, table)
    except csv.Error as error:
        raise DataError(
            f"{table} must be a CSV file. Received in line {reader.line_num + 1}: {error}. Mend it."
        ) from error


def _header(line: str, table: Path) -> tuple[str, list[str]]:
    """The delimiter and the names of the columns."""
    for delimiter in _DELIMITERS:
        columns = [name.strip().lower() for name in next(csv.reader([line[:_HEADER]], delimiter=delimiter), [])]
        if columns.count("path") == columns.count("label") == 1 and columns.count("split") <= 1:
            return delimiter, columns
    raise DataError(
        f"The first line of {table} must name the columns path and label, each once, and split if there are splits. "
        f"Received: {line.strip()[:80]!r}. Write it as path,label or path,label,split."
    )


def _row(values: Sequence[str], columns: Sequence[str], line: int, table: Path) -> _Row:
    where = f"line {line} of {table}"
    if len(values) != len(columns):
        raise DataError(
            f"Each line must hold the {len(columns)} values that the first line names. Received: {len(values)} in "
            f"{where}. Put quotes around values with delimiters."
        )
    row = dict(zip(columns, values, strict=True))
    if not row["path"].strip() or "\0" in row["path"]:
        raise DataError(f"Each line must hold the path of an image. Received: {row['path']!r} in {where}. Mend it.")
    split = row.get("split")
    if split is not None and split.strip().lower() not in SPLIT_NAMES:
        raise DataError(
            f"The split must be one of {', '.join(SPLIT_NAMES)}. Received: {split!r} in {where}. Mend it, or leave the "
            "column out to have the images divided."
        )
    return _Row(
        line=line,
        path=table.parent / row["path"],
        label=class_name(row["label"].strip(), where),
        split=split and SPLIT_NAMES[split.strip().lower()],
    )


def _check_paths(rows: Sequence[_Row], table: Path) -> None:
    seen = {}
    for row in rows:
        earlier = seen.setdefault(os.path.normpath(row.path), row)
        if earlier is not row:
            what = "twice" if earlier.label == row.label else f"as {earlier.label!r} and as {row.label!r}"
            raise DataError(
                f"Each image must be listed once. Received: {row.path} {what}, in lines {earlier.line} and {row.line} "
                f"of {table}. Remove one of them."
            )


def _sorted_names(labels: set[str]) -> tuple[str, ...]:
    numbers = all(_NUMBER.fullmatch(label) for label in labels)
    return tuple(sorted(labels, key=(lambda label: (len(label), label)) if numbers else None))


def _given_splits(rows: Sequence[_Row], class_names: Sequence[str], table: Path) -> dict[str, FileSplit]:
    found = {}
    for row in rows:
        found.setdefault(row.split, []).append(row)
    found = settle_splits(found, str(table), "Add one, or leave the column split out to have the images divided.")
    known = {row.label for row in found["train"]}
    unknown = next((row for row in rows if row.label not in known), None)
    if unknown is not None:
        raise DataError(
            f"Every class must have images to train on. Received: {unknown.label!r} in line {unknown.line} of {table}, "
            "and none like it in the split train. Add some, or mend the label."
        )
    return {key: _split(own, class_names) for key, own in found.items()}


def _split(rows: Sequence[_Row], class_names: Sequence[str]) -> FileSplit:
    numbers = {name: label for label, name in enumerate(class_names)}
    labels = np.array([numbers[row.label] for row in rows], np.int32)
    return FileSplit(paths=tuple(row.path for row in rows), labels=labels)
