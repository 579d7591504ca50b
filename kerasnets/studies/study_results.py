"""`StudyResults`: a study, its runs and what they say of every published row and claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from kerasnets.studies.claims import ClaimVerdict, judge_claims
from kerasnets.studies.results import CellResult
from kerasnets.studies.study import Setting, Study
from kerasnets.studies.verdicts import RowVerdict, judge_row
from pipelines.catalog import CATALOG


@dataclass(frozen=True, kw_only=True)
class StudyResults:
    """All that the report of a study is made from.

    Attributes:
        study: What was asked.
        cells: What came of each of its runs, also of those that are missing.
        row_verdicts: One for each published number.
        claim_verdicts: One for each published claim.
        scale: Share of the full cost; below 1 nothing here is a published run repeated.
        command: What runs it again.
    """

    study: Study
    cells: Sequence[CellResult]
    row_verdicts: Sequence[RowVerdict]
    claim_verdicts: Sequence[ClaimVerdict]
    scale: float
    command: str

    @cached_property
    def by_setting(self) -> dict[str, list[CellResult]]:
        """The runs of each setting, in the order of the study; settings without any are left out."""
        found = {setting.name: of_setting(self.cells, setting) for setting in self.study.settings}
        return {name: cells for name, cells in found.items() if cells}

    @property
    def done(self) -> list[CellResult]:
        """The runs that came to an end, diverged ones too."""
        return [cell for cell in self.cells if cell.done]


def of_setting(cells: Sequence[CellResult], setting: Setting) -> list[CellResult]:
    """The runs of one setting."""
    return [cell for cell in cells if cell.cell.setting == setting.name]


def study_results(study: Study, cells: Sequence[CellResult], *, scale: float = 1.0, command: str = "") -> StudyResults:
    """Holds the runs of a study against its published rows and claims.

    Args:
        study: What was asked.
        cells: What came of each of its runs.
        scale: Share of the full cost with which they were run; below 1 every row and claim says so.
        command: What runs it again.
    """
    by_setting = {setting.name: of_setting(cells, setting) for setting in study.settings}
    scaled = [] if scale == 1 else [f"scaled to {scale:g}"]
    notes = {
        setting.name: [text for text in (setting.note, part_of_the_data(by_setting[setting.name])) if text] + scaled
        for setting in study.settings
    }
    return StudyResults(
        study=study,
        cells=list(cells),
        row_verdicts=[judge_row(row, by_setting[row.setting], notes=notes[row.setting]) for row in study.rows],
        claim_verdicts=judge_claims(study.claims, by_setting, notes=notes),
        scale=scale,
        command=command,
    )


def part_of_the_data(cells: Sequence[CellResult]) -> str:
    """Says that the data set on this machine is not whole: ``"25,000 of its 100,000 training images"``; else ""."""
    for cell in cells:
        facts = CATALOG.get(cell.cell.config.dataset)
        if cell.done and facts is not None:
            counts = {split: sum(classes) for split, classes in cell.data["class_counts"].items()}
            counts["train"] += counts.get("validation", 0)
            for split, name in (("train", "training"), ("test", "test")):
                if split not in counts:
                    continue
                there, whole = counts[split], facts.num_images[split]
                if there < whole and (split == "test" or cell.cell.config.limit_train is None):
                    return f"trained and tested on a part of the data: {there:,} of its {whole:,} {name} images"
    return ""
