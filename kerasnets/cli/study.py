"""`kerasnets-study`: which studies there are, what one will cost, running it, how far it is, and what came out."""

from __future__ import annotations

import dataclasses
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from kerasnets.cli.arguments import new_parser, parse
from kerasnets.cli.command import results_on_stdout, run_command
from kerasnets.cli.quiet import import_tensorflow
from kerasnets.cli.study_tables import cell_row, print_cells, print_study, print_verdicts, study_facts, verdicts_of
from kerasnets.cli.verbs import run_verb
from kerasnets.errors import InputError, closest

if TYPE_CHECKING:
    import jsonargparse

    from kerasnets.studies.cells import Cell
    from kerasnets.studies.results import CellResult
    from kerasnets.studies.study import Study
    from kerasnets.studies.study_results import StudyResults

COMMAND = "kerasnets-study"
VERBS = {
    "list": "the included studies",
    "show": "what a study runs, what it assumes and what it will cost on this machine",
    "run": "run what is missing of a study, then report",
    "status": "how far a study is",
    "report": "write the report of a study and print its verdicts",
    "pack": "put the finished runs of a study into one small file, without their checkpoints",
    "unpack": "take the runs out of such a file, to report on them or to go on from there",
}
NAME_HELP = "Name of an included study, or a YAML file with one of your own (README: Studies)."
OUTPUT_HELP = "Folder of all studies: cells/ holds the runs, NAME/ the ledger and the report."
PACK_HELP = "The file; runs that it holds already stay in it."
SCALE_HELP = "Share of the full cost: fewer epochs and images; every number and verdict then says so."
PRECISION_HELP = "float32, as published, or bfloat16; a study of its own, with the name of the format behind its own."


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command.

    Returns:
        0; 1 when a run of the study has failed; 2 after a mistake of the user; 129, 130 or 143 stopped by a signal,
        with a checkpoint in every run.
    """
    return run_command(COMMAND, _run_verb, argv)


def _run_verb(argv: list[str]) -> int:
    handlers = {"list": _list, "show": _show, "run": _run, "status": _status, "report": _report}
    handlers |= {"pack": _pack, "unpack": _unpack}
    return run_verb(COMMAND, VERBS, handlers, argv)


def _parser(verb: str) -> jsonargparse.ArgumentParser:
    words = {"list": "", "pack": " NAME|FILE.yaml FILE.zip", "unpack": " FILE.zip"}.get(verb, " NAME|FILE.yaml")
    usage = f"{COMMAND} {verb}{words} [flags]"
    parser = new_parser(f"{COMMAND} {verb}", usage, f"{VERBS[verb].capitalize()}.")
    parser.add_argument("--json", action="store_true", help="Print the result as one JSON object on stdout.")
    if verb == "list":
        return parser
    parser.add_argument("--output", metavar="DIR", type=str, default="studies", help=OUTPUT_HELP)
    if verb == "unpack":
        parser.add_argument("file", metavar="FILE.zip", type=str, help="What kerasnets-study pack has written.")
        return parser
    parser.add_argument("name", metavar="NAME|FILE.yaml", type=str, help=NAME_HELP)
    if verb == "pack":
        parser.add_argument("file", metavar="FILE.zip", type=str, help=PACK_HELP)
    parser.add_argument("--seeds", metavar="N", type=int | None, help="Seeds a setting, 0 to N - 1.")
    parser.add_argument("--scale", metavar="X", type=float, default=1.0, help=SCALE_HELP)
    parser.add_argument("--precision", metavar="P", type=str, default="float32", help=PRECISION_HELP)
    if verb in ("show", "run"):
        parser.add_argument(
            "--only", metavar="CELL", action="append", help="Only this setting or cell; may be repeated."
        )
        parser.add_argument("--data-dir", metavar="DIR", type=str | None, help="Folder that holds the data set.")
        parser.add_argument("--jobs", metavar="N", type=int, default=1, help="Runs side by side.")
    if verb == "show":
        parser.add_argument("--no-estimate", action="store_true", help="Do not measure how fast this machine is.")
    if verb == "run":
        _add_running(parser)
    return parser


def _add_running(parser: jsonargparse.ArgumentParser) -> None:
    parser.add_argument("--threads", metavar="N", type=int, default=0, help="Threads of a run; 0 shares all out.")
    parser.add_argument("--max-time", metavar="TIME", type=str | None, help="Stop after this time, such as 8h.")
    parser.add_argument("--nice", metavar="N", type=int, default=10, help="How much to give way to other programs.")
    parser.add_argument("--retry-failed", action="store_true", help="Try runs again that were given up.")
    parser.add_argument("--dry-run", action="store_true", help="Say what would be run, and run nothing.")


def _list(argv: list[str]) -> int:
    options = parse(_parser("list"), argv)
    from kerasnets.studies.published import STUDIES

    with results_on_stdout(options.json) as print_json:
        rows = [study_facts(study) for study in STUDIES.values()]
        print_json({"studies": rows})
    if not options.json:
        import pandas as pd

        from kerasnets.cli.tables import print_table

        print_table(pd.DataFrame(rows)[["study", "settings", "seeds", "rows", "claims", "question"]])
        print(f"\n{COMMAND} show NAME tells more. A study of your own is a YAML file: see Studies in the README.")
    return 0


def _show(argv: list[str]) -> int:
    options = parse(_parser("show"), argv)
    from kerasnets.studies.study_folder import read_cells

    study, cells = _study_and_cells(options)
    _check_limits(options, "jobs")
    results = read_cells(options.output, study, cells, options.scale)
    seconds, numbers = {}, {}
    with results_on_stdout(options.json) as print_json:
        if not options.no_estimate:
            from kerasnets.studies.estimate import seconds_together

            seconds = _estimate(cells)
            left = [result.cell for result in results if not result.done]
            numbers["seconds_all"] = seconds_together(cells, seconds, options.jobs)
            numbers["seconds_left"] = seconds_together(left, seconds, options.jobs)
        cell_rows = [cell_row(result) | {"estimated_seconds": seconds.get(result.cell.key)} for result in results]
        print_json(study_facts(study) | {"assumes": list(study.assumes), "cells": cell_rows} | numbers)
    if not options.json:
        print_study(study, results, seconds)
        if numbers:
            from kerasnets.training.progress import format_seconds

            how = "one run after the other" if options.jobs == 1 else f"{options.jobs} runs side by side"
            every, left = (format_seconds(number) for number in numbers.values())
            print(f"Estimated on this machine, {how}: {every} for all, {left} for what is left.")
    return 0


def _estimate(cells: list[Cell]) -> dict[str, float]:
    from kerasnets.cli.live_line import LiveLine
    from kerasnets.studies.estimate import cost_signature, estimate

    import_tensorflow()
    networks = len({cost_signature(cell.config) for cell in cells})
    with LiveLine("Measuring each network", networks) as line:
        return estimate(cells, measured=lambda name: line.advance(1))


def _run(argv: list[str]) -> int:
    options = parse(_parser("run"), argv)
    study, cells = _study_and_cells(options)
    _check_running(options)
    if options.dry_run:
        return _dry_run(options, study, cells)
    from kerasnets.runs.folder import check_output
    from kerasnets.studies.live_table import LiveTable
    from kerasnets.studies.runner import run_study
    from kerasnets.studies.study_folder import read_cells, study_folder
    from kerasnets.training.config import parse_seconds

    check_output(options.output)
    _check_data([result.cell for result in read_cells(options.output, study, cells, options.scale) if not result.done])
    folder = study_folder(options.output, study, options.scale)
    with results_on_stdout(options.json) as print_json:
        outcome = run_study(
            folder,
            Path(options.output),
            cells,
            jobs=options.jobs,
            threads=options.threads,
            nice=options.nice,
            max_seconds=None if options.max_time is None else parse_seconds(options.max_time),
            retry_failed=options.retry_failed,
            display=LiveTable(),
        )
        results = _write_report(options, study)
        report = verdicts_of(results) | {"report": str(folder / "report.html")} if results.done else {}
        print_json(dataclasses.asdict(outcome) | report)
    if outcome.exit_code == 128 + signal.SIGHUP:
        return outcome.exit_code  # the terminal is gone, and nobody reads
    if results.done and not options.json:
        print_verdicts(results, folder)
    if outcome.stopped_because:
        print(f"{COMMAND}: {outcome.stopped_because}", file=sys.stderr)
    if outcome.failed:
        print(f"{outcome.failed} runs were given up; --retry-failed tries them again.", file=sys.stderr)
    if outcome.left:
        print(f"{outcome.left} runs are left. Go on with: {COMMAND} run {shlex.join(argv)}", file=sys.stderr)
    return outcome.exit_code


def _check_limits(options: jsonargparse.Namespace, *names: str) -> None:
    from kerasnets.studies.runner import LIMITS

    for name in names:
        low, high, _ = LIMITS[name]
        if not low <= options[name] <= high:
            raise InputError(f"--{name} must be a whole number from {low} to {high}. Received: {options[name]}.")


def _check_running(options: jsonargparse.Namespace) -> None:
    _check_limits(options, "jobs", "threads", "nice")
    if options.max_time is not None:
        from kerasnets.training.config import parse_seconds

        if parse_seconds(options.max_time) <= 0:
            raise InputError(f"--max-time must be above zero. Received: {options.max_time}. Write 90s, 30m or 8h.")


def _check_data(cells: list[Cell]) -> None:
    """Says before anything runs that a data set is not there, of cells that are to be run; they read it themselves."""
    from pipelines.sources import find_source

    for config in {(cell.config.dataset, cell.config.reading()): cell.config for cell in cells}.values():
        find_source(config.dataset, config.data_dir, config.reading())


def _dry_run(options: jsonargparse.Namespace, study: Study, cells: list[Cell]) -> int:
    with results_on_stdout(options.json) as print_json:
        from kerasnets.studies.study_folder import read_cells

        results = read_cells(options.output, study, cells, options.scale)
        left = [result for result in results if not result.done and (options.retry_failed or result.status != "failed")]
        print_json({"cells": [cell_row(result) for result in left]})
    if not options.json:
        print_cells(left)
        print(f"{len(left)} of {len(cells)} runs would be begun or gone on with.")
    return 0


def _status(argv: list[str]) -> int:
    options = parse(_parser("status"), argv)
    from kerasnets.studies.study_folder import read_cells

    study, cells = _study_and_cells(options)
    with results_on_stdout(options.json) as print_json:
        results = read_cells(options.output, study, cells, options.scale)
        print_json({"study": study.name, "cells": [cell_row(result) for result in results]})
    if not options.json:
        print_cells(results)
        counts = {status: sum(result.status == status for result in results) for status in _STATUSES}
        print(", ".join(f"{count} {status}" for status, count in counts.items() if count))
    return 0


_STATUSES = ("finished", "diverged", "running", "interrupted", "failed", "missing")


def _report(argv: list[str]) -> int:
    options = parse(_parser("report"), argv)
    from kerasnets.studies.study_folder import study_folder

    study, _ = _study_and_cells(options)
    folder = study_folder(options.output, study, options.scale)
    with results_on_stdout(options.json) as print_json:
        results = _write_report(options, study)
        if not results.done:
            raise InputError(
                f"A report needs a run that is done. Received: none of study {study.name!r}. Run it first."
            )
        print_json(verdicts_of(results) | {"report": str(folder / "report.html")})
    if not options.json:
        print_verdicts(results, folder)
    return 0


def _pack(argv: list[str]) -> int:
    options = parse(_parser("pack"), argv)
    from kerasnets.studies.pack import pack_cells

    study, _ = _study_and_cells(options)
    cells = _all_cells(options, study)
    with results_on_stdout(options.json) as print_json:
        packed = pack_cells(cells, options.file)
        print_json({"file": options.file, "packed": packed, "cells": len(cells)})
    if not options.json:
        print(f"{packed} of {len(cells)} runs of {study.name} are in {options.file}.")
    return 0


def _unpack(argv: list[str]) -> int:
    options = parse(_parser("unpack"), argv)
    from kerasnets.runs.folder import check_output
    from kerasnets.studies.pack import unpack_cells

    check_output(options.output)
    with results_on_stdout(options.json) as print_json:
        unpacked = unpack_cells(options.file, options.output)
        print_json(dataclasses.asdict(unpacked))
    if not options.json:
        print(f"{len(unpacked.added)} runs were added to {options.output}, {len(unpacked.kept)} were there already.")
    return 0


def _study_and_cells(options: jsonargparse.Namespace) -> tuple[Study, list[Cell]]:
    from kerasnets.studies.cells import make_cells

    study = _find(options.name).in_precision(options.precision)
    data_dir = options.get("data_dir")
    cells = make_cells(
        study,
        seeds=options.seeds,
        scale=options.scale,
        only=options.get("only") or (),
        data_dir=data_dir and str(Path(data_dir).expanduser().absolute()),
    )
    return study, cells


def _find(name: str) -> Study:
    from kerasnets.studies.published import STUDIES
    from kerasnets.studies.yaml_file import load_study

    if name in STUDIES:
        return STUDIES[name]
    if name.endswith((".yaml", ".yml")) or Path(name).exists():
        return load_study(name)
    raise InputError(f"Unknown study {name!r}. {closest(name, STUDIES)} Or name a YAML file.")


def _all_cells(options: jsonargparse.Namespace, study: Study) -> list[CellResult]:
    """What has come of all runs that there are, those of more seeds than were asked for too."""
    from kerasnets.studies.cells import make_cells
    from kerasnets.studies.study_folder import read_cells, seeds_to_report

    seeds = seeds_to_report(options.output, study, options.scale, options.seeds)
    return read_cells(options.output, study, make_cells(study, seeds=seeds, scale=options.scale), options.scale)


def _write_report(options: jsonargparse.Namespace, study: Study) -> StudyResults:
    """Writes the report on all runs that there are; none is no report."""
    from kerasnets.studies.report import write_study_report
    from kerasnets.studies.study_folder import repeat_command, study_folder
    from kerasnets.studies.study_results import study_results

    output, scale = options.output, options.scale
    cells = _all_cells(options, study)
    seeds = len({result.cell.seed for result in cells})
    command = repeat_command(options.name, study, output=output, scale=scale, seeds=seeds, precision=options.precision)
    results = study_results(study, cells, scale=scale, command=command)
    if results.done:
        write_study_report(results, study_folder(output, study, scale))
    return results
