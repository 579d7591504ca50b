"""`kerasnets-train`: start a run from flags, a configuration file and the recipe; resume one; list the networks."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonargparse

from kerasnets.cli.arguments import add_fields, field_helps, has_flag, new_parser, parse, with_dashes
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow
from kerasnets.cli.read_source import read_source
from kerasnets.errors import InputError
from kerasnets.models import MODEL_FACTS, check_options
from kerasnets.models.options import is_file
from kerasnets.recipes import recipe, resolve_arch
from kerasnets.runs.folder import check_output
from kerasnets.training.config import TrainConfig, config_from_dict, config_to_yaml
from pipelines.dataset_names import whole_path

if TYPE_CHECKING:
    from pipelines.source import ImageSource

COMMAND = "kerasnets-train"
USAGE = f"{COMMAND} DATASET [flags] | --resume RUN | --list-archs [PATTERN]"
# Whose recipe --help shows while no data set is named.
EXAMPLE_DATASET = "cifar10"
CONFIG_HELP = "YAML file with any of these settings; flags win over it."
METAVARS = {"data_dir": "DIR", "output": "DIR", "max_time": "TIME", "devices": "DEVICES", "arch_options": "MAPPING"}


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
    # Before the images are read, which may take long; and these before TensorFlow is imported.
    check_output(config.output)
    sources = [_load(config)]
    import_tensorflow()
    choose_threads(config, sources[0].image_shape, {})
    from kerasnets.training.train import train

    # Handed over, not lent: with a validation split the images are divided, and the undivided ones can go.
    return _train(lambda display: train(config, source=sources.pop(), progress=display), config, options.json)


def choose_threads(config: TrainConfig, image_shape: tuple[int, int, int], begun: dict[str, Any]) -> None:
    """Uses one thread for small steps, before TensorFlow starts; see `use_one_thread_if_small`."""
    from kerasnets.training.distribute import use_one_thread_if_small

    use_one_thread_if_small(config, image_shape, begun)


def _load(config: TrainConfig) -> "ImageSource":
    """Loads the data; if too many files are bad, they are listed beside where the run would be."""
    from pipelines.dataset_names import short_name
    from pipelines.files_source import BadFilesError, bad_files_csv

    try:
        return read_source(config.dataset, config.data_dir, config.reading())
    except BadFilesError as problem:
        from kerasnets.runs.files import write_bytes_atomic

        file = Path(config.output) / short_name(config.dataset) / "bad_files.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(file, bad_files_csv(problem.bad_files))
        raise InputError(f"{problem} All of them are listed in {file}.") from None


def read_config(argv: list[str]) -> tuple[TrainConfig, jsonargparse.Namespace]:
    """Reads a command line into a configuration: a flag wins over --config, and that over the recipe.

    Returns:
        The configuration, and all options (``json`` and ``print_config`` are not part of the configuration).

    Raises:
        InputError: Something in it is unknown, missing, of the wrong kind or out of range.
    """
    argv = _config_first(argv)
    # Data set and network decide on the recipe, whose values are the defaults of all other flags.
    example = recipe(EXAMPLE_DATASET).replace(arch="best")
    first = parse(_parser(example), [word for word in argv if word not in ("-h", "--help")])
    if is_file(first.arch):
        check_options(first.arch, {})
        import_tensorflow()  # which the file will do, and less quietly
    defaults = recipe(first.word or first.dataset or EXAMPLE_DATASET, first.arch)
    options = parse(_parser(defaults), argv)
    values = {field.name: options[field.name] for field in dataclasses.fields(TrainConfig)}
    # A run may be resumed from another folder.
    values["data_dir"] = options.data_dir and str(Path(options.data_dir).expanduser().absolute())
    values["dataset"] = whole_path(options.word or options.dataset or "")
    if not values["dataset"]:
        from pipelines.sources import source_names

        raise InputError(f"A data set must be named. Received: none. Known: {', '.join(source_names())}.")
    config = TrainConfig(**(values | {"arch": resolve_arch(values["dataset"], options.arch)}))
    check_options(config.arch, config.arch_options)
    return config, options


def _parser(defaults: TrainConfig) -> jsonargparse.ArgumentParser:
    """A parser with one flag for each field of `TrainConfig`."""
    about = f"Train a network on a data set. Defaults shown: the recipe of {defaults.dataset} with {defaults.arch}."
    parser = new_parser(COMMAND, USAGE, about, _options_help(defaults.arch))
    about_word = f"{field_helps(TrainConfig)['dataset']} Or --dataset."
    # A word of its own, since argparse lets an absent positional undo what --config says under the same name.
    parser.add_argument("word", metavar="DATASET", type=str | None, nargs="?", help=about_word)
    parser.add_argument("--config", metavar="FILE", action=jsonargparse.ActionConfigFile, help=CONFIG_HELP)
    _add_actions(parser)
    add_fields(parser, TrainConfig, dataclasses.asdict(defaults) | {"dataset": None}, METAVARS)
    return parser


def _options_help(arch: str) -> str:
    """What the network's own options are, for the end of the help."""
    options = MODEL_FACTS[arch].options if arch in MODEL_FACTS else {}
    lines = [
        f"--arch-options.{name} {'|'.join(option.choices) or 'VALUE'}: {option.help} (default: {option.default})"
        for name, option in options.items()
    ]
    return f"Options of {arch}: {'; '.join(lines) or 'none'}."


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
    from kerasnets.runs import Run

    run = Run(options.resume)
    config = config_from_dict(run.config)
    if options.threads is not None:
        config = config.replace(threads=options.threads)
    finished = (run.path / "summary.json").exists() and run.status == "finished"
    sources = [None if finished else _load(config)]
    import_tensorflow()
    if not finished:
        begun = run.environment if (run.path / "env.json").exists() else {}
        choose_threads(config, sources[0].image_shape, begun)
    from kerasnets.training.train import resume

    return _train(
        lambda display: resume(options.resume, source=sources.pop(), threads=options.threads, progress=display),
        config,
        options.json,
    )


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
    import_tensorflow()
    from kerasnets.models import describe_models

    with results_on_stdout(options.json) as print_json:
        table = describe_models(options.list_archs)
        print_json({"archs": table.to_dict("records")})
    if not options.json:
        from kerasnets.cli.tables import print_table

        print_table(table)
    return 0


def _train(start: Callable[[Any], Any], config: TrainConfig, as_json: bool) -> int:
    """Runs a training to its end or to a signal, and says what came out."""
    from kerasnets.training.interrupt import Interrupted
    from kerasnets.training.progress import Display

    with results_on_stdout(as_json) as print_json:
        try:
            run = start(Display(config.epochs, config.batch_size))
        except Interrupted as stop:
            print(f"Stopped with a checkpoint. Go on with: {COMMAND} --resume {stop.run_path}", file=sys.stderr)
            return 128 + stop.signal_number
        print_json(run.summary)
    if not as_json:
        from kerasnets.cli.tables import print_run

        print_run(run)
    return 0 if run.status == "finished" else 1
