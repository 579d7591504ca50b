"""`kerasnets-report`: the page of a run, or of several runs side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command

if TYPE_CHECKING:
    import jsonargparse

COMMAND = "kerasnets-report"


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0, or 2 after a mistake of the user.
    """
    return run_command(COMMAND, _run, argv)


def _run(argv: list[str]) -> int:
    options = parse(_parser(), argv)
    from kerasnets.reporting.run_page import write_run_report

    with results_on_stdout(options.json) as print_json:
        report = write_run_report([Path(run) for run in options.runs], _output(options))
        print_json(report.to_json())
    if not options.json:
        print(f"Report: {report.path}")
    return 0


def _parser() -> jsonargparse.ArgumentParser:
    parser = new_parser(
        COMMAND,
        f"{COMMAND} RUN... [flags]",
        "Write the page of a run: curves, confusion matrix, classes, mistakes, costs. Several runs stand side by side.",
    )
    parser.add_argument("runs", metavar="RUN", type=str, nargs="+", help="Run folder.")
    about = "The page; without it report.html in the run folder, and of several runs comparison.html in this one."
    parser.add_argument("--output", metavar="FILE.html", type=str | None, help=about)
    parser.add_argument("--json", action="store_true", help="Print the numbers as one JSON object on stdout.")
    return parser


def _output(options: jsonargparse.Namespace) -> Path:
    if options.output is not None:
        return Path(options.output)
    return Path(options.runs[0]) / "report.html" if len(options.runs) == 1 else Path("comparison.html")
