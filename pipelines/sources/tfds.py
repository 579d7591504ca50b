"""Data sets that TensorFlow Datasets has prepared on this machine, and its `ImageFolder`; nothing is downloaded."""

import os
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pipelines.dataset_names import SPLIT_NAMES, class_name, settle_splits, short_name
from pipelines.decode import fit_array
from pipelines.errors import DataError
from pipelines.labelled_files import check_labels, check_train_classes
from pipelines.reading import Reading
from pipelines.source import ImageSource, Split
from pipelines.splits import divide_split

MAX_BYTES = 16 << 30  # of all images, as they are kept
# NAME, NAME/CONFIG, and either with :VERSION, as TensorFlow Datasets has them.
_NAME = re.compile(r"(?P<folders>\w+(/[\w.+-]+)?)(:(?P<version>\d+\.\d+\.\d+))?")
_VERSION = re.compile(r"\d+\.\d+\.\d+")
# Where in its graph TensorFlow met an error.
_TENSORFLOW_PLACE = re.compile(r"^\{\{.*?\}\} (Error in user-defined function .*? iterator: \S+ )?")
_INFO = "dataset_info.json"  # written last: without it the data set is not complete


def load_tfds(name: str, data_dir: str | Path | None, reading: Reading) -> ImageSource:
    """Loads a data set that TensorFlow Datasets has prepared before, or that its `ImageFolder` reads.

    Only what is on this machine is looked at: the code that would fetch a data set is never reached. Images that are
    all of one size keep it, others get the one of `reading.file_shape`. With no test split, validation is it, evaluated
    once after the last epoch; a training split alone is divided, see `pipelines.splits.draw_test`. Other splits are
    passed over.

    Args:
        name: NAME or NAME/CONFIG, of the newest version there is unless :VERSION follows; or the path of such a folder;
            or of one with train/CLASS/IMAGE and test/CLASS/IMAGE, which `tfds.folder_dataset.ImageFolder` reads: JPEG
            and PNG only, in an order of its own.
        data_dir: The folder that holds prepared data sets. `$TFDS_DATA_DIR` and ~/tensorflow_datasets come next.
        reading: Image size and channels, and the seed.

    Raises:
        DataError: There is no such data, it is no image classification, it is damaged, or a package is missing.
    """
    folder = _find(name, data_dir)
    prepared = (folder / _INFO).is_file()
    try:
        import tensorflow_datasets as tfds  # here, because it takes seconds, and few need it

        builder = tfds.builder_from_directory(folder) if prepared else tfds.folder_dataset.ImageFolder(str(folder))
        class_names, splits = _read(tfds, builder, folder, reading)
    except DataError:
        raise
    except ImportError as error:
        raise DataError(
            f"'tfds:{name}' needs TensorFlow Datasets and what it imports. Received: {error}. Install them with pip "
            "install tensorflow-datasets importlib_resources."
        ) from error
    # Its readers, TensorFlow's among them, have exceptions of many kinds; none of them is survived.
    except Exception as error:
        remedy = "Prepare it again" if prepared else f"Give folder:{folder}, which leaves damaged files out"
        raise DataError(
            f"{folder} must hold readable images with labels. Received: {_first_line(error)}. {remedy}."
        ) from error
    labels = {key: split.labels for key, split in splits.items()}
    check_labels(labels, class_names, str(folder))
    if len(splits) == 1:
        splits = divide_split(splits["train"], class_names, reading.seed, str(folder))
    check_train_classes(splits["train"].labels, class_names, str(folder), "no image")
    return ImageSource(name=short_name(f"tfds:{name}"), class_names=class_names, splits=splits, origin=str(folder))


def _find(name: str, data_dir: str | Path | None) -> Path:
    """The folder of one version of a prepared data set, or a folder for `ImageFolder`."""
    roots = _roots(data_dir)
    parts = _NAME.fullmatch(name)
    if parts:
        for root in roots:
            folder = _newest(root / parts["folders"], parts["version"])
            if folder is not None:
                return folder
    path = Path(name).expanduser()
    if path.is_dir():
        return _image_folder(path)
    if "/" in name and not parts or name.startswith(("/", "~", ".")):
        raise DataError(f"'tfds:{name}' must be a name or a folder. Received: no folder {path}. Correct the path.")
    raise DataError(
        f"'tfds:{name}' must have been prepared by TensorFlow Datasets. Received: nothing complete of it in "
        f"{' or '.join(map(str, roots))}. Prepare it once, with a network: tfds.load({name!r}); or give the folder "
        "that holds it by --data-dir."
    )


def _roots(data_dir: str | Path | None) -> list[Path]:
    roots = [Path(data_dir).expanduser()] if data_dir else []
    if roots and not roots[0].is_dir():
        raise DataError(
            f"The data folder must be an existing folder. Received: {roots[0]}. Make it or correct the path."
        )
    variable = os.environ.get("TFDS_DATA_DIR")
    return [*roots, *([Path(variable).expanduser()] if variable else []), Path.home() / "tensorflow_datasets"]


def _newest(folder: Path, version: str | None = None) -> Path | None:
    """The newest complete version in a data set's folder, or in that of its only configuration."""
    if not folder.is_dir():
        return None
    below = sorted(path for path in folder.iterdir() if path.is_dir())
    versions = [path for path in below if _VERSION.fullmatch(path.name) and (path / _INFO).is_file()]
    if version:
        versions = [path for path in versions if path.name == version]
    if versions:
        return max(versions, key=lambda path: [int(number) for number in path.name.split(".")])
    configurations = [path for path in below if not _VERSION.fullmatch(path.name) and any(path.glob(f"*/{_INFO}"))]
    if len(configurations) > 1:
        raise DataError(
            f"A configuration of '{folder.name}' must be named. Received: {folder} with "
            f"{', '.join(path.name for path in configurations)}. Give tfds:{folder.name}/{configurations[0].name}, for "
            "example."
        )
    return _newest(configurations[0], version) if configurations else None


def _image_folder(path: Path) -> Path:
    if (path / _INFO).is_file():
        return path
    folder = _newest(path)
    if folder is not None:
        return folder
    if not any(child.name in SPLIT_NAMES for child in path.iterdir()):
        raise DataError(
            f"'tfds:' must be followed by prepared data or by a folder that holds train/CLASS/IMAGE. Received: {path} "
            f"without either. Give folder:{path}, which divides class folders."
        )
    return path


def _read(tfds: ModuleType, builder: Any, folder: Path, reading: Reading) -> tuple[tuple[str, ...], dict[str, Split]]:
    """The classes and the splits that are used: "train" may stand alone."""
    image_key, label_key = _keys(tfds, builder.info, folder)
    found = {SPLIT_NAMES[key]: key for key in builder.info.splits if key in SPLIT_NAMES}
    if set(found) != {"train"}:
        found = settle_splits(found, str(folder), "")
    feature = builder.info.features[image_key]
    if feature.np_dtype != np.uint8:
        raise DataError(f"Images in {folder} must be uint8. Received: {feature.np_dtype}. Convert them to files first.")
    shape = _shape(feature.shape, reading)
    counts = {key: builder.info.splits[split].num_examples for key, split in found.items()}
    size = sum(counts.values()) * int(np.prod(shape))
    if size > MAX_BYTES:
        raise DataError(
            f"The images of {folder} must have at most {MAX_BYTES:,} bytes as they are kept. Received: {size:,}. "
            "Choose a smaller --image-size."
        )
    names = tuple(class_name(name, str(folder)) for name in builder.info.features[label_key].names)
    splits = {}
    for key, split in found.items():
        images, labels = np.zeros((counts[key], *shape), np.uint8), np.zeros(counts[key], np.int32)
        # Its cache would hold every image a second time.
        read_config = tfds.ReadConfig(try_autocache=False)
        examples = builder.as_dataset(split=split, shuffle_files=False, read_config=read_config)
        pairs = examples.map(lambda example: (example[image_key], example[label_key]))
        for place, (image, label) in enumerate(pairs.as_numpy_iterator()):
            images[place] = image if image.shape == shape else fit_array(image, shape, reading.resize)
            labels[place] = label
        splits[key] = Split(images=images, labels=labels)
    return names, splits


def _keys(tfds: ModuleType, info: Any, folder: Path) -> tuple[str, str]:
    """The names of the image and of its label in each example."""
    features = info.features
    images = [key for key in features if isinstance(features[key], tfds.features.Image)]
    labels = [key for key in features if isinstance(features[key], tfds.features.ClassLabel)]
    keys = info.supervised_keys
    if keys and len(keys) == 2 and keys[0] in images and keys[1] in labels:
        return keys
    if len(images) == len(labels) == 1:
        return images[0], labels[0]
    raise DataError(
        f"Examples in {folder} must have one image and one class label. Received: {', '.join(sorted(features))}. "
        "Take a data set of image classification."
    )


def _shape(stored: tuple[int | None, ...], reading: Reading) -> tuple[int, int, int]:
    """The shape that images of a stored shape are kept in; where sizes or channels differ, None is stored."""
    height, width, channels = stored
    size = (height, width) if height and width else reading.file_shape[:2]
    return *size, channels if channels in (1, 3) else reading.file_shape[2]


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return _TENSORFLOW_PLACE.sub("", line)[:300]
