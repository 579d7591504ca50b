"""`kerasnets-export`: a run's network as a SavedModel, compared with the run before it takes its place."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow

COMMAND = "kerasnets-export"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0, or 2 after a mistake of the user.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    options = parse(_parser(), argv)
    import_tensorflow()
    from kerasnets.export.card import read_card
    from kerasnets.export.saved_model import export, test_images
    from kerasnets.runs.folder import check_run_path
    from kerasnets.training.config import load_config

    with results_on_stdout(options.json) as print_json:
        check_run_path(Path(options.run))
        config = load_config(Path(options.run) / "config.yaml")
        images = test_images(config, options.data_dir) if options.data_dir else None
        path = export(options.run, options.to, images=images, force=options.force)
        card = read_card(path)
        print_json({"saved_model": str(path), "card": card})
    if not options.json:
        parity = card["parity"]
        print(
            f"{parity['images_compared']} images compared with the run ({parity['images_from']}): "
            f"largest difference {parity['max_absolute_difference']:.2g}, agreement {parity['agreement']:.2%}."
        )
        print(f"Saved model: {path}")
        dataset = shlex.quote(card["config"]["dataset"])
        print(f"Next: kerasnets-evaluate {path} {dataset}, or kerasnets-predict {path} IMAGE...")
    return 0


def _parser():
    parser = new_parser(COMMAND, f"{COMMAND} RUN [flags]", "Write a run's network as a SavedModel with its card.")
    parser.add_argument("run", metavar="RUN", type=str, help="Run folder.")
    parser.add_argument("--to", metavar="DIR", type=str | None, help="Folder to make; else one in saved_models.")
    parser.add_argument("--force", action="store_true", help="Replace that folder if it exists.")
    parser.add_argument("--data-dir", metavar="DIR", type=str | None, help="Where the test images to compare on are.")
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")
    return parser
