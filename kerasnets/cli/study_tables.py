"""What kerasnets-study prints: what a study is, its runs, its verdicts; and the same as rows for --json."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kerasnets.studies.results import CellResult
    from kerasnets.studies.study import Study
    from kerasnets.studies.study_results import StudyResults

# Tables that go epoch by epoch are for the report.
PRINTED_ROWS = 20


def study_facts(study: Study) -> dict[str, Any]:
    """What `list` and `show` say of a study as such."""
    return {
        "study": study.name,
        "question": study.question,
        "dataset": study.dataset,
        "settings": len(study.settings),
        "seeds": study.seeds,
        "rows": len(study.rows),
        "claims": len(study.claims),
        "published_cost": study.published_cost,
    }


def print_study(study: Study, results: list[CellResult], seconds: dict[str, float]) -> None:
    """Prints the settings of a study, what is done of them, its assumptions, and seconds of a run (by cell key)."""
    import pandas as pd

    from kerasnets.cli.tables import print_table
    from kerasnets.studies.report_costs import differences
    from kerasnets.training.progress import format_seconds

    print(f"{study.name}: {study.question}")
    done = sum(result.done for result in results)
    seeds = len({result.cell.seed for result in results})
    print(f"{len(results)} cells with {seeds} {'seed' if seeds == 1 else 'seeds'}; {done} done.\n")
    rows = []
    for setting in study.settings:
        own = [result for result in results if result.cell.setting == setting.name]
        if own:
            row = {"setting": setting.name, "what differs": differences(setting), "epochs": own[0].cell.config.epochs}
            row["done"] = f"{sum(result.done for result in own)} of {len(own)}"
            estimated = seconds.get(own[0].cell.key)
            rows.append(row | ({} if estimated is None else {"time of one": format_seconds(estimated)}))
    print_table(pd.DataFrame(rows))
    print(f"\nHeld against {len(study.rows)} published numbers and {len(study.claims)} claims.")
    if study.published_cost:
        print(f"Published cost: {study.published_cost}")
    if study.assumes:
        print("Assumed:")
        for text in study.assumes:
            print(f"  - {text}")


def cell_row(result: CellResult) -> dict[str, Any]:
    """A run as a row: how far it is, and what it has come to."""
    from kerasnets.studies.study import Measure

    summary = result.summary if result.path.joinpath("summary.json").is_file() else {}
    return {
        "setting": result.cell.setting,
        "seed": result.cell.seed,
        "status": result.status,
        "epochs": f"{summary.get('epochs', 0)} of {result.cell.config.epochs}",
        "test_accuracy": result.value(Measure()),
        "seconds": summary.get("seconds", {}).get("total"),
        "folder": str(result.path),
        "reason": result.reason,
    }


def print_cells(results: list[CellResult]) -> None:
    """Prints one line a run; reasons only where there are any."""
    import pandas as pd

    from kerasnets.cli.tables import print_table

    table = pd.DataFrame([cell_row(result) for result in results])
    if len(table):
        print_table(table if any(table["reason"]) else table.drop(columns="reason"))


def verdicts_of(results: StudyResults) -> dict[str, Any]:
    """The verdicts of claims and published numbers, of JSON types."""
    return {
        "scale": results.scale,
        "claims": [
            {"claim": verdict.claim.text, "verdict": verdict.verdict, "words": verdict.words}
            for verdict in results.claim_verdicts
        ],
        "rows": [
            {
                "setting": verdict.row.setting,
                "quantity": str(verdict.row.measure),
                "published": verdict.row.published,
                "mean": verdict.mean,
                "n": verdict.n,
                "verdict": verdict.verdict,
            }
            for verdict in results.row_verdicts
        ],
    }


def print_verdicts(results: StudyResults, folder: Path) -> None:
    """Prints the verdicts, counted, and where the report is."""
    import pandas as pd

    from kerasnets.cli.tables import print_table

    verdicts = verdicts_of(results)
    if verdicts["claims"]:
        table = pd.DataFrame(verdicts["claims"])
        print_table(table[["words", "claim"]].rename(columns={"words": "verdict"}))
    if 0 < len(verdicts["rows"]) <= PRINTED_ROWS:
        print_table(pd.DataFrame(verdicts["rows"]))
    for name, kind in (("Claims", "claims"), ("Published numbers", "rows")):
        counts = Counter(one["verdict"] for one in verdicts[kind])
        if counts:
            print(f"{name}: {', '.join(f'{count} {verdict}' for verdict, count in counts.items())}")
    print(f"Report: {folder / 'report.html'}")
