"""`LabelledFiles`: image files with labels, before any is opened; what every source of image files hands over."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipelines.errors import DataError


@dataclass(frozen=True, kw_only=True)
class FileSplit:
    """The files and labels of one split.

    Attributes:
        paths: The files, in the order in which their images will stand.
        labels: (n,) int32, positions in the source's `class_names`.
    """

    paths: tuple[Path, ...]
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.paths)


@dataclass(frozen=True, kw_only=True)
class LabelledFiles:
    """Image files of a data set.

    Attributes:
        name: As `ImageSource.name`.
        class_names: The classes in label order.
        splits: "train" and "test", and "validation" where the data set has one of its own.
        origin: The folder or file that lists them.

    Raises:
        DataError: There are fewer than two classes, two of one name, a split without files, a label without a class,
            or a class without a training file.
    """

    name: str
    class_names: tuple[str, ...]
    splits: Mapping[str, FileSplit]
    origin: str

    def __post_init__(self):
        if len(self.class_names) < 2:
            raise DataError(
                f"A data set needs at least two classes. Received: {len(self.class_names)} in {self.origin}. "
                "Add images of another class."
            )
        twice = next((name for name in self.class_names if self.class_names.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"Class names must differ. Received: {twice!r} twice in {self.origin}. Rename one.")
        for key, split in self.splits.items():
            if not len(split):
                raise DataError(
                    f"Split '{key}' of {self.origin} must hold images. Received: none. Add images or remove the split."
                )
            outside = split.labels[(split.labels < 0) | (split.labels >= len(self.class_names))]
            if outside.size:
                raise DataError(
                    f"Labels in {self.origin} must lie in 0..{len(self.class_names) - 1}. Received: {outside[0]} in "
                    f"split '{key}'. Mend the label or name its class."
                )
        self.check_train_classes({key: split.labels for key, split in self.splits.items()}, "no image")

    def check_train_classes(self, labels: Mapping[str, np.ndarray], received: str) -> None:
        """Checks that each class still has a training example.

        Args:
            labels: Of the examples of each split that are left.
            received: What a class without one has, in words.

        Raises:
            DataError: A class has none.
        """
        counts = np.bincount(labels["train"], minlength=len(self.class_names))
        if not counts.all():
            name = self.class_names[int(np.argmin(counts))]
            raise DataError(
                f"Every class needs images to train on. Received: {received} for {name!r} in {self.origin}. "
                "Add images or remove the class."
            )
