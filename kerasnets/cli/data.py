"""`kerasnets-data`: which data sets there are, what is in one, fetching one, and reading every file of one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.read_source import read_source
from kerasnets.cli.verbs import run_verb
from kerasnets.errors import InputError

if TYPE_CHECKING:
    import jsonargparse

    from pipelines.catalog import DataSetFacts
    from pipelines.labelled_files import LabelledFiles
    from pipelines.reading import Reading
    from pipelines.source import ImageSource

COMMAND = "kerasnets-data"
VERBS = {
    "list": "the data sets, and whether they are on this machine",
    "show": "what is in a data set, and a sheet of its images",
    "fetch": "download a data set",
    "check": "read every file of a data set and list the bad ones",
}
KINDS = {
    "folder:PATH": "a folder of image files: a folder for each class, in train and test or alone",
    "csv:FILE": "a table of image files: path, label and, if there are splits, split",
    "npz:FILE": "NumPy arrays: x_train, y_train, x_test and y_test, or images and labels",
    "tfds:NAME": "what TensorFlow Datasets has prepared on this machine, if it is installed",
}
NOTHING_TO_FETCH = {
    "folder": "it is a folder of yours",
    "csv": "it is a file of yours",
    "npz": "it is a file of yours",
    "tfds": "TensorFlow Datasets prepares it, with the command tfds build",
}
DATA_DIR_HELP = {
    "list": "Folder to look in first.",
    "show": "Folder that holds the data set.",
    "fetch": "Folder to put it in. Without it $KERASNETS_DATA, or else ~/.keras/datasets.",
    "check": "Folder that holds the data set.",
}
# The verbs that read images.
OUTPUT_HELP = {"show": "Folder for the sheets of images.", "check": "Folder for bad_files.csv."}
NAME_HELP = "Name of a data set, such as cifar10, or folder:PATH, csv:FILE, npz:FILE or tfds:NAME."
_BAD_FILES_HEAD = b"file,split,class,kind,reason\n"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0; 1 when check has found bad files; 2 after a mistake of the user.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    return run_verb(COMMAND, VERBS, {"list": _list, "show": _show, "fetch": _fetch, "check": _check}, argv)


def _parser(verb: str) -> jsonargparse.ArgumentParser:
    usage = f"{COMMAND} {verb}{'' if verb == 'list' else ' NAME'} [flags]"
    parser = new_parser(f"{COMMAND} {verb}", usage, f"{VERBS[verb].capitalize()}.")
    if verb != "list":
        parser.add_argument("name", metavar="NAME", type=str, help=NAME_HELP)
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")
    parser.add_argument("--data-dir", metavar="DIR", type=str | None, help=DATA_DIR_HELP[verb])
    if verb in OUTPUT_HELP:
        _add_reading(parser)
        parser.add_argument("--output", metavar="DIR", type=str, default=".", help=OUTPUT_HELP[verb])
    if verb == "show":
        about = "Draw a sheet of one image under each augmentation."
        parser.add_argument("--augmented", action="store_true", help=about)
    return parser


def _add_reading(parser: jsonargparse.ArgumentParser) -> None:
    """Adds how images are read, as for training."""
    parser.add_argument("--image-size", metavar="N", type=int | None, help="Height and width of all images.")
    resizes = Literal["squash", "crop", "pad"]
    parser.add_argument("--resize", type=resizes, default="squash", help="How images get that size.")
    parser.add_argument("--channels", metavar="N", type=int | None, help="1 makes images grey, 3 colours them.")
    parser.add_argument("--seed", metavar="N", type=int, default=0, help="Draws the test split where there is none.")


def _reading(options: jsonargparse.Namespace) -> Reading:
    from pipelines.reading import Reading

    # Whoever looks at data wants to see what is good of it, however much is bad.
    fields = {field: options[field] for field in ("image_size", "resize", "channels", "seed")}
    return Reading(**fields, max_bad=1.0)


def _list(argv: list[str]) -> int:
    options = parse(_parser("list"), argv)
    from pipelines.catalog import CATALOG
    from pipelines.local_copies import local_copy

    with results_on_stdout(options.json) as print_json:
        places = {name: local_copy(name, options.data_dir) for name in CATALOG}
        rows = [{"dataset": name, "place": places[name]} | _facts(facts) for name, facts in CATALOG.items()]
        print_json({"datasets": rows, "kinds": [{"name": name, "about": about} for name, about in KINDS.items()]})
    if not options.json:
        from kerasnets.cli.data_tables import print_catalog

        print_catalog(CATALOG, places)
        print()
        for name, about in KINDS.items():
            print(f"{name:<13}{about}")
    return 0


def _facts(facts: DataSetFacts) -> dict[str, Any]:
    """What the catalog knows, in plain values."""
    return {
        "title": facts.title,
        "num_classes": facts.num_classes,
        "images": facts.num_images,
        "image_shape": list(facts.image_shape),
        "download_bytes": facts.download_bytes,
        "licence": facts.licence,
        "page": facts.page,
        "citation": facts.citation,
    }


def _show(argv: list[str]) -> int:
    options = parse(_parser("show"), argv)
    from kerasnets.runs.folder import check_output

    with results_on_stdout(options.json) as print_json:
        # Before the images are read, which may take long.
        check_output(options.output)
        source = read_source(options.name, options.data_dir, _reading(options))
        Path(options.output).mkdir(parents=True, exist_ok=True)
        from pipelines.describe import describe_source

        sheets = _contact_sheets(source, Path(options.output))
        if options.augmented:
            sheets.append(_augmentation_sheet(source, options.seed, Path(options.output)))
        description = describe_source(source)
        print_json(description.to_json() | {"sheets": [str(path) for path in sheets]})
    if not options.json:
        from kerasnets.cli.data_tables import print_description

        print_description(description)
        print("\n".join(f"Sheet: {path}" for path in sheets))
    return 0


def _contact_sheets(source: ImageSource, output: Path) -> list[Path]:
    from kerasnets.reporting.contact_sheet import contact_sheets, save_sheet

    train = source.splits["train"]
    sheets = contact_sheets(train.images, train.labels, source.class_names, f"{source.name} · train")
    names = (f"{source.name}-contact-sheet{f'-{number}' if number > 1 else ''}.png" for number in itertools.count(1))
    return [save_sheet(figure, output / name) for figure, name in zip(sheets, names, strict=False)]


def _augmentation_sheet(source: ImageSource, seed: int, output: Path) -> Path:
    from kerasnets.cli.quiet import import_tensorflow

    import_tensorflow()
    from kerasnets.reporting.contact_sheet import IMAGES_PER_ROW, augmentation_sheet, save_sheet
    from pipelines.augment_examples import augmentation_examples

    images = source.splits["train"].images
    place = seed % len(images)
    # Half the data set away is most often another class.
    partner = images[(place + len(images) // 2) % len(images)]
    examples = augmentation_examples(images[place], partner, seed % 2**60, IMAGES_PER_ROW)
    title = f"{source.name} · train image {place} under each augmentation"
    figure = augmentation_sheet(images[place], partner, examples, title)
    return save_sheet(figure, output / f"{source.name}-augmented.png")


def _fetch(argv: list[str]) -> int:
    options = parse(_parser("fetch"), argv)
    from pipelines.catalog import CATALOG, fetch_data_set
    from pipelines.dataset_names import split_kind

    kind, _ = split_kind(options.name)
    if kind or (options.name in CATALOG and not CATALOG[options.name].files):
        why = NOTHING_TO_FETCH.get(kind, "it comes with scikit-learn")
        with results_on_stdout(options.json) as print_json:
            print_json({"dataset": options.name, "place": None})
            print(f"There is nothing to fetch for {options.name}: {why}.")
        return 0
    from kerasnets.cli.live_line import LiveLine

    with results_on_stdout(options.json) as print_json:
        with LiveLine(f"Fetching {options.name}", of_bytes=True) as line:
            started = False

            def progress(file_name: str, received: int, total: int | None) -> None:
                nonlocal started
                if not started:
                    size = CATALOG[options.name].download_bytes / 1e6
                    line.message(f"Fetching {options.name}, {size:,.1f} MB.")
                    started = True
                line.update(received, total, file_name)

            place = fetch_data_set(options.name, options.data_dir, progress)
        print_json({"dataset": options.name, "place": str(place)})
    if not options.json:
        print(f"{options.name} is in {place}")
    return 0


def _check(argv: list[str]) -> int:
    options = parse(_parser("check"), argv)
    from pipelines.labelled_files import LabelledFiles
    from pipelines.sources import find_source

    with results_on_stdout(options.json) as print_json:
        found = find_source(options.name, options.data_dir, _reading(options))
        check = _check_files if isinstance(found, LabelledFiles) else _check_arrays
        return check(found, options, print_json)


def _check_files(files: LabelledFiles, options: jsonargparse.Namespace, print_json: Callable[[Any], None]) -> int:
    from kerasnets.cli.data_tables import print_check
    from kerasnets.cli.live_line import LiveLine
    from kerasnets.runs.files import write_bytes_atomic
    from kerasnets.runs.folder import check_output
    from pipelines.check import check_files
    from pipelines.files_source import bad_files_csv

    target = Path(options.output) / "bad_files.csv"
    check_output(options.output)
    _complain_of_another_file(target)
    started = time.perf_counter()
    with LiveLine("Reading files", sum(map(len, files.splits.values()))) as line:
        check = check_files(files, _reading(options), line.advance)
    seconds = time.perf_counter() - started
    if check.bad_files:
        target.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(target, bad_files_csv(check.bad_files))
    print_json(check.to_json() | {"bad_files_csv": str(target) if check.bad_files else None, "seconds": seconds})
    if not options.json:
        print_check(check, seconds)
        if check.bad_files:
            print(f"List: {target}")
        elif target.exists():
            print(f"{target} is the list of an earlier check.")
    return 1 if check.bad_files else 0


def _complain_of_another_file(path: Path) -> None:
    """Raises `InputError` if the list of bad files would be written over something else."""
    if path.is_file():
        with path.open("rb") as file:
            if file.read(len(_BAD_FILES_HEAD)) == _BAD_FILES_HEAD:
                return
    if path.exists():
        raise InputError(
            f"{path} must be free or a list of bad files, to be written over. Received: something else. Move it away "
            "or name another folder with --output."
        )


def _check_arrays(source: ImageSource, options: jsonargparse.Namespace, print_json: Callable[[Any], None]) -> int:
    """Says that loading, which has been done, has checked everything; compares the images."""
    from pipelines.describe import describe_source

    description = describe_source(source)
    everything = description.to_json()
    kept = {key: everything[key] for key in ("dataset", "origin", "images", "duplicates")}
    print_json(kept | {"bad": 0, "bad_files": [], "bad_files_csv": None})
    if not options.json:
        from kerasnets.cli.data_tables import print_duplicates

        print(
            f"{source.name}: {sum(source.split_sizes.values()):,} images in arrays from {source.origin}, loaded and "
            "verified: nothing is bad."
        )
        print_duplicates(description.duplicates, description.image_name)
    return 0
