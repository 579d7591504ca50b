"""`kerasnets-evaluate`: the numbers of a run or an exported model on a data set, class by class."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_type_hints

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow
from kerasnets.cli.read_source import read_source
from kerasnets.training.config import TrainConfig, load_config
from pipelines.dataset_names import short_name, whole_path
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
    # Before TensorFlow, so that data that is not there is said at once.
    data_dir = options.data_dir or _data_dir(options.model, options.dataset)
    source = read_source(options.dataset, data_dir, _reading(options.model))
    import_tensorflow()
    from kerasnets.evaluation.evaluate import evaluate
    from kerasnets.export.load import load_predictor
    from kerasnets.training.distribute import set_threads

    with results_on_stdout(options.json) as print_json:
        set_threads(options.threads)
        predictor = load_predictor(options.model)
        if options.split != "test":
            source = _as_in_the_run(source, _config(options.model))
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


def _data_dir(model: str, dataset: str) -> str | None:
    """Where a run found this data set."""
    path = Path(model) / "config.yaml"
    config = load_config(path) if path.is_file() else None
    return config.data_dir if config and config.dataset == whole_path(dataset) else None


def _reading(model: str) -> Reading:
    """How the network wants its images; what is no network is complained of later, when it is loaded."""
    path = Path(model)
    try:
        if (path / "config.yaml").is_file():
            config = load_config(path / "config.yaml").to_dict()
            shape = json.loads((path / "data.json").read_text(encoding="utf-8"))["image_shape"]
        else:
            card = json.loads((path / "card.json").read_text(encoding="utf-8"))
            config, shape = card["config"], card["image_shape"]
        size = shape[0] if shape[0] == shape[1] else None
        return Reading(image_size=size, channels=shape[2], resize=config.get("resize", "squash"), seed=config["seed"])
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return Reading()


def _config(model: str) -> dict[str, Any]:
    """The settings that the network was trained with."""
    from kerasnets.export.load import read_card

    path = Path(model) / "config.yaml"
    return load_config(path).to_dict() if path.is_file() else read_card(model)["config"]


def _as_in_the_run(source: ImageSource, config: dict[str, Any]) -> ImageSource:
    """Train and validation images as the run divided them; those of another data set stay as they are."""
    from pipelines.splits import carve_validation, limit_train

    if source.name != short_name(config["dataset"]):
        return source
    if config["limit_train"] is not None:
        source = limit_train(source, config["limit_train"])
    return carve_validation(source, config["validation"], config["seed"])
