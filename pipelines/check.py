"""Every image file of a data set read to its last pixel: which are bad, and which images are there more than once."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.duplicates import Duplicates, find_duplicates, image_digests
from pipelines.files_source import BadFile
from pipelines.image_files import decode_in_parts
from pipelines.labelled_files import LabelledFiles
from pipelines.reading import Reading


@dataclass(frozen=True, kw_only=True)
class FilesCheck:
    """What reading every file of a data set came to.

    Attributes:
        files: The data set.
        bad_files: What cannot be used, in the order of the files.
        good: For each split which of its files can be used, (files,) bool.
        duplicates: Images that are equal once they are read. Positions are those among the good files of a split.
    """

    files: LabelledFiles
    bad_files: tuple[BadFile, ...]
    good: dict[str, np.ndarray]
    duplicates: Duplicates

    @property
    def split_sizes(self) -> dict[str, int]:
        """Files of each split, good and bad."""
        return {key: len(split) for key, split in self.files.splits.items()}

    def bad_by_kind(self) -> dict[str, int]:
        """Bad files of each kind, most first."""
        return dict(Counter(file.kind for file in self.bad_files).most_common())

    def bad_by_class(self) -> dict[str, int]:
        """Bad files of each class that has any, most first."""
        return dict(Counter(file.class_name for file in self.bad_files).most_common())

    def classes_without_images(self) -> list[str]:
        """Classes of which every training file is bad, with which training cannot begin."""
        counts = np.bincount(
            self.files.splits["train"].labels[self.good["train"]], minlength=len(self.files.class_names)
        )
        return [name for name, count in zip(self.files.class_names, counts, strict=True) if not count]

    def image_name(self, split: str, position: int) -> tuple[str, str]:
        """An image's file and class, for the rows of `duplicates`."""
        place = np.flatnonzero(self.good[split])[position]
        own = self.files.splits[split]
        return str(own.paths[place]), self.files.class_names[own.labels[place]]

    def to_json(self) -> dict[str, Any]:
        """Everything in plain values."""
        return {
            "dataset": self.files.name,
            "origin": self.files.origin,
            "images": self.split_sizes,
            "bad": len(self.bad_files),
            "bad_by_kind": self.bad_by_kind(),
            "bad_by_class": self.bad_by_class(),
            "classes_without_images": self.classes_without_images(),
            "bad_files": [
                {
                    "file": str(file.path),
                    "split": file.split,
                    "class": file.class_name,
                    "kind": file.kind,
                    "reason": file.reason,
                }
                for file in self.bad_files
            ],
            "duplicates": self.duplicates.to_json(self.image_name),
        }


def check_files(
    files: LabelledFiles, reading: Reading, progress: Callable[[int], None] = lambda files: None
) -> FilesCheck:
    """Reads every file of a data set; only few images are in memory at any time.

    Args:
        files: The data set.
        reading: The shape in which images are compared.
        progress: Told how many more files have been read.
    """
    bad_files, good, digests = [], {}, {}
    for key, split in files.splits.items():
        good[key], parts = np.ones(len(split), bool), []
        for part in decode_in_parts(split.paths, reading.file_shape, reading.resize):
            parts.append(image_digests(part.images))
            for place, kind, reason in part.bad:
                good[key][place] = False
                bad_files.append(BadFile.listed(files, key, place, kind, reason))
            progress(len(part.images) + len(part.bad))
        digests[key] = np.concatenate(parts)
    return FilesCheck(files=files, bad_files=tuple(bad_files), good=good, duplicates=find_duplicates(digests))
