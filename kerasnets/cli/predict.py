"""`kerasnets-predict`: the most probable classes of image files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow
from kerasnets.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

COMMAND = "kerasnets-predict"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0, or 2 after a mistake of the user.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    options = parse(_parser(), argv)
    if options.json and options.csv == "-":
        raise InputError("stdout takes one of --json and --csv -. Received: both. Name a file for --csv.")
    import_tensorflow()
    from kerasnets.export.load import load_predictor
    from kerasnets.export.predict import predict
    from kerasnets.training.distribute import set_threads

    with results_on_stdout(options.json) as print_json:
        set_threads(options.threads)
        answers = predict(load_predictor(options.model), options.images, top=options.top)
        if options.csv:
            _write_csv(answers, options.csv)
        print_json({"model": options.model, "predictions": _by_file(answers)})
    if not options.json and options.csv != "-":
        from kerasnets.cli.tables import print_table

        print_table(answers)
    return 0


def _parser():
    parser = new_parser(
        COMMAND,
        f"{COMMAND} RUN|SAVED_MODEL IMAGE... [flags]",
        "Say what is on images. Load exported models only from people you trust.",
    )
    parser.add_argument(
        "model", metavar="RUN|SAVED_MODEL", type=str, help="Run folder, or folder of an exported model."
    )
    parser.add_argument("images", metavar="IMAGE", type=str, nargs="+", help="Image file of any size.")
    parser.add_argument("--top", metavar="N", type=int, default=3, help="Classes for each image.")
    parser.add_argument("--csv", metavar="FILE", type=str | None, help="Write the table there; - is stdout.")
    parser.add_argument("--threads", metavar="N", type=int, default=0, help="Processor threads to use; 0 is all.")
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")
    return parser


def _write_csv(answers: pd.DataFrame, target: str) -> None:
    from kerasnets.runs.files import write_text_atomic

    text = answers.to_csv(index=False, lineterminator="\n")
    if target == "-":
        sys.stdout.write(text)
    elif Path(target).exists() and not Path(target).is_file():
        # A pipe or a device takes the text itself; renaming a file over it would put it away.
        Path(target).write_text(text, encoding="utf-8")
    else:
        write_text_atomic(target, text)


def _by_file(answers: pd.DataFrame) -> list[dict]:
    """One entry an image, with its classes from the most probable on."""
    rows: dict[str, list[dict]] = {}
    for row in answers.to_dict("records"):
        rows.setdefault(row["file"], []).append({"class": row["class"], "probability": row["probability"]})
    return [{"file": file, "classes": classes} for file, classes in rows.items()]
