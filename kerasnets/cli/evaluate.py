"""`kerasnets-evaluate`: the numbers of a run or an exported model on a data set, class by class."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_type_hints

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow
from kerasnets.cli.read_source import read_source
from kerasnets.export.card import read_card
from kerasnets.runs.folder import check_model_path
from kerasnets.training.config import TrainConfig, config_from_dict, load_config
from pipelines.dataset_names import whole_path
from pipelines.reading import Reading

if TYPE_CHECKING:
    from pipelines.source import ImageSource

COMMAND = "kerasnets-evaluate"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0, or 2 after a mistake of the user.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    options = parse(_parser(), argv)
    # Before TensorFlow, so that a model or data that is not there is said at once.
    config, image_shape = _settings(Path(options.model))
    same = whole_path(config.dataset) == whole_path(options.dataset)
    data_dir = options.data_dir or (config.data_dir if same else None)
    source = read_source(options.dataset, data_dir, _reading(config, image_shape))
    import_tensorflow()
    from kerasnets.evaluation.evaluate import evaluate
    from kerasnets.export.load import load_predictor
    from kerasnets.training.distribute import set_threads

    with results_on_stdout(options.json) as print_json:
        set_threads(options.threads)
        predictor = load_predictor(options.model)
        if options.split != "test" and same:
            source = _as_in_the_run(source, config)
        evaluation = evaluate(predictor, source, options.split, tta=options.tta)
        print_json({"model": options.model} | evaluation.to_json())
    if not options.json:
        from kerasnets.cli.tables import print_evaluation

        print_evaluation(evaluation)
    return 0


def _parser():
    parser = new_parser(
        COMMAND,
        f"{COMMAND} RUN|SAVED_MODEL DATASET [flags]",
        "Measure a run or an exported model on a data set. Load exported models only from people you trust.",
    )
    parser.add_argument(
        "model", metavar="RUN|SAVED_MODEL", type=str, help="Run folder, or folder of an exported model."
    )
    parser.add_argument("dataset", metavar="DATASET", type=str, help="Name of a data set with the same classes.")
    splits = Literal["test", "validation", "train"]
    parser.add_argument(
        "--split", type=splits, default="test", help="Which images; train and validation as in the run."
    )
    views = get_type_hints(TrainConfig)["tta"]
    parser.add_argument("--tta", type=views, default="none", help="Average over changed copies of each image.")
    parser.add_argument("--data-dir", metavar="DIR", type=str | None, help="Folder that holds the data set.")
    parser.add_argument("--threads", metavar="N", type=int, default=0, help="Processor threads to use; 0 is all.")
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")
    return parser


def _settings(path: Path) -> tuple[TrainConfig, list[int]]:
    """What the network was trained with, and (height, width, channels) of its images."""
    check_model_path(path)
    if (path / "config.yaml").is_file():
        from kerasnets.runs.run import Run

        return load_config(path / "config.yaml"), Run(path).data["image_shape"]
    card = read_card(path)
    return config_from_dict(card["config"]), card["image_shape"]


def _reading(config: TrainConfig, image_shape: list[int]) -> Reading:
    """As the data was read for training, but at the size that the network takes, whatever the data set's own is."""
    if image_shape[0] != image_shape[1]:
        return config.reading()
    return dataclasses.replace(config.reading(), image_size=image_shape[0], channels=image_shape[2])


def _as_in_the_run(source: ImageSource, config: TrainConfig) -> ImageSource:
    """Train and validation images as the run divided them."""
    from pipelines.splits import carve_validation, limit_train

    if config.limit_train is not None:
        source = limit_train(source, config.limit_train)
    return carve_validation(source, config.validation, config.seed)
