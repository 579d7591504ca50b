"""What the runs of a study cost, where they were made, and what came of those that failed."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from kerasnets.reporting.page import BAD, OPEN, Badge, Block, Bullets, Column, Table, TableRow, Text, table
from kerasnets.runs.run import Run
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Setting
from kerasnets.studies.study_results import StudyResults

_UNFINISHED = {
    "missing": "not run yet",
    "running": "begun and not at its end: it is running, or was killed and goes on when the study is run again",
    "interrupted": "stopped on request; it goes on when the study is run again",
}


def time_in_words(seconds: float) -> str:
    """A time with three digits or so: ``"85.2 s"``, ``"12.3 min"``, ``"2.1 h"``."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def cost_blocks(results: StudyResults) -> list[Block]:
    """Seconds, images a second and memory of each setting's runs, with the published cost."""
    done = results.done
    blocks: list[Block] = []
    if results.study.published_cost:
        blocks.append(Text(f"Published: {results.study.published_cost.rstrip('.')}."))
    total = sum(cell.summary["seconds"]["total"] for cell in done)
    runs = "the one run that is" if len(done) == 1 else f"the {len(done)} runs that are"
    text = f"Ours: {time_in_words(total)} for {runs} done, the sum of their own times (runs side by side share the "
    blocks.append(Text(f"{text}processor), on {' and on '.join(hardware(done))}."))
    if len(hardware(done)) > 1:
        blocks.append(Text(DIFFERENT_HARDWARE, "warning"))
    columns = {"setting": False, "runs": True, "epochs": True, "training images": True, "training, a run": True}
    columns |= {"shortest to longest": True, "a whole run": True, "images/s": True, "peak memory": True}
    columns |= {"precision": False} | ({"hardware": False} if len(hardware(done)) > 1 else {})
    rows = []
    for name, cells in results.by_setting.items():
        own = [cell.summary for cell in cells if cell.done]
        if own:
            rows.append([name, *_costs(own), *([" and ".join(_different(own, "hardware"))] * ("hardware" in columns))])
    return [*blocks, table(columns, rows)]


DIFFERENT_HARDWARE = (
    "The runs were made on different hardware: times, images a second and memory of one setting are not to be held "
    "against another's where the hardware differs."
)


def _costs(summaries: Sequence[dict[str, Any]]) -> list[str]:
    training = [summary["seconds"]["train"] for summary in summaries]
    whole = [summary["seconds"]["total"] for summary in summaries]
    speeds = [summary["images_per_second"] for summary in summaries if summary.get("images_per_second")]
    memory = max((summary.get("peak_memory_bytes") or 0) for summary in summaries)
    images = {summary["train_images"] for summary in summaries if summary.get("train_images")}
    epochs = sorted({summary["epochs"] for summary in summaries})
    return [
        str(len(summaries)),
        str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]} to {epochs[-1]}",
        " or ".join(f"{count:,}" for count in sorted(images)),
        time_in_words(float(np.mean(training))),
        "" if len(training) == 1 else f"{time_in_words(min(training))} to {time_in_words(max(training))}",
        time_in_words(float(np.mean(whole))),
        f"{np.mean(speeds):,.0f}" if speeds else "",
        f"{memory / 2**30:.2f} GiB" if memory else "",
        " and ".join(_different(summaries, "precision")),
    ]


def _different(summaries: Sequence[dict[str, Any]], key: str) -> list[str]:
    return list(dict.fromkeys(str(summary[key]) for summary in summaries if summary.get(key)))


def hardware(cells: Sequence[CellResult]) -> list[str]:
    """The processors that the runs were made on, each once."""
    return _different([cell.summary for cell in cells], "hardware") or ["unknown hardware"]


def failure_blocks(results: StudyResults) -> list[Block]:
    """Runs that failed, diverged or are missing, with the reason; alike ones on one line."""
    groups: dict[tuple[str, str, str], list[CellResult]] = {}
    for cell in results.cells:
        if cell.status != "finished":
            groups.setdefault((cell.status, cell.cell.setting, reason(cell)), []).append(cell)
    if not groups:
        return [Text("Nothing failed, diverged or is missing.")]
    columns = [Column("what"), Column("setting"), Column("seeds"), Column("folder")]
    order = ("failed", "diverged", "running", "interrupted", "missing")
    rows = []
    for (status, setting, why), cells in sorted(groups.items(), key=lambda group: order.index(group[0][0])):
        badge = Badge(status.upper(), BAD if status in ("failed", "diverged") else OPEN)
        seeds = ", ".join(str(cell.cell.seed) for cell in cells)
        folders = ", ".join(f"cells/{cell.cell.key}" for cell in cells)
        rows.append(TableRow([badge, setting, seeds, folders], why))
    return [Table(columns, rows)]


def reason(cell: CellResult) -> str:
    """Why a run has no whole result."""
    if cell.status == "diverged":
        file = cell.path / "diagnosis.json"
        if not file.is_file():
            return "its loss or gradient was not finite; counted as a network that guesses"
        diagnosis = json.loads(file.read_text(encoding="utf-8"))
        where = f"epoch {diagnosis['epoch']}, step {diagnosis['step_in_epoch']}"
        return f"{where}: {diagnosis['cause']} Counted as a network that guesses."
    return cell.reason or _UNFINISHED.get(cell.status, "")


def environment_blocks(cells: Sequence[CellResult]) -> list[Block]:
    """Seeds, software and hardware of the runs, from each run's own record; what differs is counted."""
    seeds = sorted({cell.cell.seed for cell in cells})
    values: dict[str, dict[str, int]] = {}
    for cell in cells:
        if (cell.path / "env.json").is_file():
            for name, value in _facts(Run(cell.path).environment).items():
                counts = values.setdefault(name, {})
                counts[value] = counts.get(value, 0) + 1
    rows = [[name, value, str(count)] for name, counts in values.items() for value, count in counts.items()]
    several = [name for name, counts in values.items() if len(counts) > 1]
    blocks: list[Block] = [table({"": False, "value": False, "runs": True}, [["seeds", _listed(seeds), ""], *rows])]
    if several:
        blocks.append(Text(f"Not the same for all runs: {', '.join(several)}.", "warning"))
    return blocks


def _facts(environment: dict[str, Any]) -> dict[str, str]:
    packages = {name: str(version) for name, version in environment.get("packages", {}).items() if version}
    others = ("python", "platform", "processor", "intra_op_threads", "precision", "commit")
    facts = {name: str(environment[name]) for name in others if environment.get(name) is not None}
    if facts.get("intra_op_threads") == "0":
        facts["intra_op_threads"] = "0 (all)"
    return facts | packages


def _listed(seeds: list[int]) -> str:
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def setting_table(results: StudyResults) -> Table:
    """What was run: each setting, what it changes, and its known difference from what was published."""
    columns = [Column("setting"), Column("what differs"), Column("network"), Column("epochs", True)]
    columns += [Column("batch", True), Column("runs done", True)]
    rows = []
    for setting in results.study.settings:
        cells = results.by_setting.get(setting.name, [])
        config = cells[0].cell.config if cells else results.study.config(setting, seed=0)
        done = f"{sum(cell.done for cell in cells)} of {len(cells)}"
        row = [setting.name, differences(setting), config.arch, str(config.epochs), str(config.batch_size), done]
        rows.append(TableRow(row, setting.note and f"Not as published: {setting.note}."))
    return Table(columns, rows)


def differences(setting: Setting) -> str:
    """What a setting changes: ``"batch_size 32, activation relu"``."""
    parts = []
    for key, value in setting.config.items():
        inner = value.items() if isinstance(value, dict) else [(key, value)]
        parts += [f"{name} {item}" for name, item in inner]
    return ", ".join(parts) or "nothing"


def assumption_blocks(results: StudyResults) -> list[Block]:
    """What the publication leaves open, as the study fills it in."""
    return [Bullets(results.study.assumes)] if results.study.assumes else [Text("None is stated.")]
