"""What is in a data set: examples of each class, channel statistics, images that are there more than once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipelines.duplicates import Duplicates, find_duplicates, image_digests
from pipelines.source import ImageSource


@dataclass(frozen=True, kw_only=True)
class SourceDescription:
    """A data set in numbers.

    Attributes:
        source: The data set.
        class_counts: For each split the examples of each class, (classes,) int64.
        mean: Of each channel over all pixels of the train split, where white is 1.
        std: Standard deviation, likewise.
        duplicates: Images that are there more than once.
    """

    source: ImageSource
    class_counts: dict[str, np.ndarray]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    duplicates: Duplicates

    def image_name(self, split: str, position: int) -> tuple[int, str]:
        """An image's position and class, for the rows of `duplicates`."""
        return position, self.source.class_names[self.source.splits[split].labels[position]]

    def to_json(self) -> dict[str, Any]:
        """Everything but the images and labels, in plain values."""
        source = self.source
        counts = {split: [int(count) for count in own] for split, own in self.class_counts.items()}
        return {
            "dataset": source.name,
            "origin": source.origin,
            "image_shape": list(source.image_shape),
            "num_classes": source.num_classes,
            "images": source.split_sizes,
            "classes": [
                {"class": name, "images": {split: own[label] for split, own in counts.items()}}
                for label, name in enumerate(source.class_names)
            ],
            "mean": list(self.mean),
            "std": list(self.std),
            "bad_files": len(source.bad_files),
            "duplicates": self.duplicates.to_json(self.image_name),
        }


def describe_source(source: ImageSource) -> SourceDescription:
    """Counts, measures and compares all images of a data set.

    Raises:
        DataError: There is no train split, or it is empty.
    """
    mean, std = source.channel_statistics("train")
    return SourceDescription(
        source=source,
        class_counts={split: source.class_counts(split) for split in source.splits},
        mean=mean,
        std=std,
        duplicates=find_duplicates({key: image_digests(split.images) for key, split in source.splits.items()}),
    )
