"""`kerasnets-search`: find a network and a recipe, alone or as chief and workers on several machines."""

from __future__ import annotations

import dataclasses
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kerasnets.cli.arguments import add_fields, field_helps, new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow
from kerasnets.errors import InputError
from kerasnets.search.config import SearchConfig
from pipelines.dataset_names import whole_path

if TYPE_CHECKING:
    import jsonargparse

    from kerasnets.search.search import SearchSummary

COMMAND = "kerasnets-search"
USAGE = f"{COMMAND} DATASET [flags]"
ABOUT = (
    "Search a network and its recipe with keras-tuner, train the winner on all training images and test it. The same "
    "command goes on where a search was stopped or killed."
)
METAVARS = {
    "data_dir": "DIR",
    "output": "DIR",
    "max_time": "TIME",
    "trial_time": "TIME",
    "space": "FILE",
    "against": "NAMES",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0 found, 1 trouble, or no trial has a score, 2 mistake of the user, 129, 130 or 143 stopped by a signal, to be
        gone on with.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    options = parse(_parser(), argv)
    config = _config(options)
    if options.chief and options.worker:
        raise InputError("A process is a chief or a worker. Received: --chief and --worker. Leave one of them out.")
    _check_data(config)
    from kerasnets.search.early_server import EarlyServer
    from kerasnets.search.live_table import LiveTable

    server = EarlyServer(config)
    import_tensorflow()
    with results_on_stdout(options.json) as print_json:
        if options.worker:
            from kerasnets.search.worker import run_worker

            return run_worker(config, options.worker, display=LiveTable(), server=server)
        from kerasnets.search.search import run_search

        command = shlex.join([COMMAND, *argv])
        summary = run_search(config, chief_address=options.chief, display=LiveTable(), command=command, server=server)
        print_json(_to_json(summary))
    if summary.exit_code == 128 + signal.SIGHUP:
        return summary.exit_code  # the terminal is gone, and nobody reads
    if not options.json:
        _print(summary, config)
    if summary.because:
        print(f"{COMMAND}: {summary.because}", file=sys.stderr)
    if summary.status == "stopped":
        print(f"Nothing is lost. Go on with: {command}", file=sys.stderr)
    return summary.exit_code


def _parser() -> jsonargparse.ArgumentParser:
    parser = new_parser(COMMAND, USAGE, ABOUT)
    # A word of its own, since argparse lets an absent positional undo what a flag says under the same name.
    about = f"{field_helps(SearchConfig)['dataset']} Or --dataset."
    parser.add_argument("word", metavar="DATASET", type=str | None, nargs="?", help=about)
    defaults = {field.name: field.default for field in dataclasses.fields(SearchConfig)} | {"dataset": None}
    add_fields(parser, SearchConfig, defaults, METAVARS)
    about = "Lead workers on other machines, who ask for trials here; they must see the same --output folder."
    parser.add_argument("--chief", metavar="HOST:PORT", type=str | None, help=about)
    about = "Work for the chief at this address, with the same other flags as it has."
    parser.add_argument("--worker", metavar="HOST:PORT", type=str | None, help=about)
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")
    return parser


def _config(options: jsonargparse.Namespace) -> SearchConfig:
    values = {field.name: options[field.name] for field in dataclasses.fields(SearchConfig)}
    values["dataset"] = whole_path(options.word or options.dataset or "")
    if not values["dataset"]:
        from pipelines.sources import source_names

        raise InputError(f"A data set must be named. Received: none. Known: {', '.join(source_names())}.")
    values["data_dir"] = options.data_dir and str(Path(options.data_dir).expanduser().absolute())
    return SearchConfig(**values)


def _check_data(config: SearchConfig) -> None:
    """Says before TensorFlow is imported that the data set, or the file of the space, is not there."""
    from pipelines.sources import find_source

    find_source(config.dataset, config.data_dir, config.reading())
    if config.space is not None and not Path(config.space).is_file():
        raise InputError(f"--space must name a Python or YAML file. Received: {config.space}, which is no file.")


def _to_json(summary: SearchSummary) -> dict[str, Any]:
    values = dataclasses.asdict(summary)
    return values | {"report": None if summary.report is None else str(summary.report)}


def _print(summary: SearchSummary, config: SearchConfig) -> None:
    best = summary.best
    if best is None:
        print(f"No trial has a score, of {summary.trials} that have ended.", file=sys.stderr)
    else:
        print(
            f"{summary.trials} trials. The best is {best.trial}: {100 * best.val_accuracy:.2f} % of the validation "
            "images, which is optimistic, since it was chosen by them"
        )
    if summary.final:
        print(_final_words(summary.final))
        for reference in summary.reference:
            print(_reference_words(summary.final, reference))
    if best is not None:
        print(f"Train it:  kerasnets-train --config {config.folder / 'best.yaml'}")
        print(f"Elsewhere: kerasnets-train DATASET --arch search:{config.folder}")
    if summary.report is not None:
        print(f"Report:    {summary.report}")


def _final_words(final: dict[str, Any]) -> str:
    seeds = len(final["accuracies"])
    low, high = final["interval"]
    every = ", ".join(f"{100 * accuracy:.2f}" for accuracy in final["accuracies"])
    return (
        f"Trained again on all training images: {100 * final['mean']:.2f} % of {final['n']} test images ({every}; "
        f"{seeds} {'seed' if seeds == 1 else 'seeds'}, 95 % interval {100 * low:.2f} to {100 * high:.2f}, "
        f"{final['selection']})"
    )


def _reference_words(final: dict[str, Any], reference: dict[str, Any]) -> str:
    from kerasnets.evaluation.compare import difference_of_means
    from kerasnets.search.report_tables import alone

    ours, theirs = alone(final), alone(reference)
    difference, interval = difference_of_means(ours, theirs)
    ends = "" if interval is None else f", 95 % interval {100 * interval[0]:+.2f} to {100 * interval[1]:+.2f}"
    seeds = f"{len(theirs)} {'seed' if len(theirs) == 1 else 'seeds'}"
    return (
        f"Against {reference['name']} in the same time: {100 * sum(theirs) / len(theirs):.2f} % of the images alone; "
        f"the winner less this is {100 * difference:+.2f} points ({seeds}{ends})"
    )
