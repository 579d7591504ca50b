"""`kerasnets-train`: start a run from flags, a configuration file and the recipe; resume one; list the networks."""

import dataclasses
import sys
import typing
from collections.abc import Sequence
from typing import Any

import docstring_parser
import jsonargparse

from kerasnets.cli.arguments import has_flag, new_parser, parse, with_dashes
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.errors import InputError
from kerasnets.models import MODEL_FACTS, check_options
from kerasnets.recipes import recipe, resolve_arch
from kerasnets.training.config import TrainConfig, config_to_yaml

COMMAND = "kerasnets-train"
USAGE = f"{COMMAND} DATASET [flags] | --resume RUN | --list-archs [PATTERN]"
# Whose recipe --help shows while no data set is named.
EXAMPLE_DATASET = "cifar10"
CONFIG_HELP = "YAML file with any of these settings; flags win over it."
METAVARS = {int: "N", int | None: "N", float: "X", float | None: "X", bool: "true|false", list[float] | None: "LIST"}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0 finished, 1 diverged, 2 mistake of the user, 130 or 143 stopped by a signal, with a checkpoint.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    if not _asks_help(argv) and has_flag(argv, "--resume"):
        return _resume(argv)
    if not _asks_help(argv) and has_flag(argv, "--list-archs"):
        return _list_archs(argv)
    config, options = read_config(argv)
    if options.print_config:
        print(config_to_yaml(config), end="")
        return 0
    from kerasnets.training.train import train

    return _train(lambda progress: train(config, progress=progress), options.json)


def read_config(argv: list[str]) -> tuple[TrainConfig, jsonargparse.Namespace]:
    """Reads a command line into a configuration: a flag wins over --config, and that over the recipe.

    Returns:
        The configuration, and all options (``json`` and ``print_config`` are not part of the configuration).

    Raises:
        InputError: Something in it is unknown, missing, of the wrong kind or out of range.
    """
    argv = _config_first(argv)
    # Data set and network decide on the recipe, whose values are the defaults of all other flags.
    first = parse(_parser(None), [word for word in argv if word not in ("-h", "--help")])
    defaults = recipe(first.dataset or EXAMPLE_DATASET, first.arch)
    options = parse(_parser(defaults), argv)
    if not options.dataset:
        from pipelines.sources import source_names

        raise InputError(f"A data set must be named. Received: none. Known: {', '.join(source_names())}.")
    values = {field.name: options[field.name] for field in dataclasses.fields(TrainConfig)}
    config = TrainConfig(**(values | {"arch": resolve_arch(options.dataset, options.arch)}))
    check_options(config.arch, config.arch_options)
    return config, options


def _parser(defaults: TrainConfig | None) -> jsonargparse.ArgumentParser:
    """A parser with one flag for each field of `TrainConfig`; None has the fields' own defaults."""
    shown = f"{defaults.dataset} with {defaults.arch}" if defaults else ""
    parser = new_parser(
        COMMAND,
        USAGE,
        f"Train a network on a data set. Defaults shown: the recipe of {shown}.",
        _options_help(defaults),
    )
    helps = {item.arg_name: item.description for item in docstring_parser.parse(TrainConfig.__doc__).params}
    hints = typing.get_type_hints(TrainConfig)
    parser.add_argument("dataset", type=str | None, nargs="?", help=helps["dataset"])
    parser.add_argument("--config", metavar="FILE", action=jsonargparse.ActionConfigFile, help=CONFIG_HELP)
    _add_actions(parser)
    for field in dataclasses.fields(TrainConfig):
        if field.name != "dataset":
            default = getattr(defaults, field.name) if defaults else _own_default(field)
            flag, metavar = "--" + field.name.replace("_", "-"), METAVARS.get(hints[field.name], "VALUE")
            metavar = {"data_dir": "DIR", "output": "DIR"}.get(field.name, metavar)
            kind = {} if typing.get_origin(hints[field.name]) is typing.Literal else {"metavar": metavar}
            parser.add_argument(flag, type=hints[field.name], default=default, help=helps[field.name], **kind)
    return parser


def _options_help(defaults: TrainConfig | None) -> str:
    """What the network's own options are, for the end of the help."""
    options = MODEL_FACTS[defaults.arch].options if defaults and defaults.arch in MODEL_FACTS else {}
    lines = [
        f"--arch-options.{name} {'|'.join(option.choices) or 'VALUE'}: {option.help} (default: {option.default})"
        for name, option in options.items()
    ]
    return f"Options of {defaults.arch}: {'; '.join(lines) or 'none'}." if defaults else ""


def _own_default(field: dataclasses.Field) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def _add_actions(parser: jsonargparse.ArgumentParser) -> None:
    """Adds what is done instead of training, or beside it; none of it is a setting of the run."""
    parser.add_argument("--resume", metavar="RUN", help="Go on with the run in this folder, exactly where it was.")
    parser.add_argument("--list-archs", metavar="PATTERN", nargs="?", const="*", help="List the networks and exit.")
    parser.add_argument("--print-config", action="store_true", help="Print all settings, ready for --config, and exit.")
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")


def _config_first(argv: list[str]) -> list[str]:
    """Moves --config FILE to the front, because jsonargparse lets the later word win."""
    front, rest, words = [], [], iter(argv)
    for word in words:
        if word == "--config":
            front += [word, *([value] if (value := next(words, None)) is not None else [])]
        else:
            (front if word.startswith("--config=") else rest).append(word)
    return front + rest


def _asks_help(argv: list[str]) -> bool:
    return "-h" in argv or "--help" in argv


def _resume(argv: list[str]) -> int:
    parser = new_parser(COMMAND, f"{COMMAND} --resume RUN [--threads N] [--json]", "Go on with a run.")
    parser.add_argument("--resume", metavar="RUN", type=str)
    parser.add_argument("--threads", metavar="N", type=int | None, default=None)
    parser.add_argument("--json", action="store_true")
    _allow_only(argv, "--resume", "--threads", "--json")
    options = parse(parser, argv)
    from kerasnets.training.train import resume

    return _train(lambda progress: resume(options.resume, threads=options.threads, progress=progress), options.json)


def _allow_only(argv: list[str], first: str, *others: str) -> None:
    for word in with_dashes(argv):
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in (first, *others):
            raise InputError(
                f"{first} takes only {' and '.join(others)} beside it, because a run goes on with the settings in its "
                f"config.yaml. Received: {flag}. Start a new run to change a setting."
            )


def _list_archs(argv: list[str]) -> int:
    parser = new_parser(COMMAND, f"{COMMAND} --list-archs [PATTERN] [--json]", "List the networks.")
    parser.add_argument("--list-archs", metavar="PATTERN", nargs="?", const="*")
    parser.add_argument("--json", action="store_true")
    options = parse(parser, argv)
    from kerasnets.models import describe_models

    with results_on_stdout(options.json) as print_json:
        table = describe_models(options.list_archs)
        print_json({"archs": table.to_dict("records")})
    if not options.json:
        from kerasnets.cli.tables import print_table

        print_table(table)
    return 0


def _train(start: typing.Callable, as_json: bool) -> int:
    """Runs a training to its end or to a signal, and says what came out."""
    from kerasnets.cli.tables import print_run
    from kerasnets.training.interrupt import Interrupted
    from kerasnets.training.progress import Progress

    with results_on_stdout(as_json) as print_json:
        try:
            run = start(Progress())
        except Interrupted as stop:
            print(f"Stopped with a checkpoint. Go on with: {COMMAND} --resume {stop.run_path}", file=sys.stderr)
            return 128 + stop.signal_number
        print_json(run.summary)
    if not as_json:
        print_run(run)
    return 0 if run.status == "finished" else 1
