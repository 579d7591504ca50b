"""The verdicts of a study as tables: claims with their comparisons, published numbers beside ours, class by class."""

from collections import Counter
from collections.abc import Sequence

from kerasnets.evaluation.compare import p_in_words
from kerasnets.reporting.page import (
    BAD,
    GOOD,
    OFF,
    OPEN,
    Badge,
    Block,
    Column,
    Fold,
    Table,
    TableRow,
    Tally,
    Text,
    table,
)
from kerasnets.studies.claims import FAILS, HOLDS, UNDECIDED, ClaimVerdict, ComparisonVerdict
from kerasnets.studies.study import Comparison, Diverges, Equal, Measure
from kerasnets.studies.study_results import StudyResults
from kerasnets.studies.verdicts import (
    ABOVE,
    BELOW,
    IMPOSSIBLE,
    PROTOCOL_DIFFERS,
    REPRODUCED,
    TOO_FEW_RUNS,
    RowVerdict,
    in_words,
    published_in_words,
    size_in_words,
)

TONES = {
    HOLDS: GOOD,
    FAILS: BAD,
    UNDECIDED: OPEN,
    REPRODUCED: GOOD,
    # Not bad in themselves: an accuracy above the published one is not reproduced either.
    ABOVE: OFF,
    BELOW: OFF,
    PROTOCOL_DIFFERS: OPEN,
    TOO_FEW_RUNS: OPEN,
    IMPOSSIBLE: BAD,
}
_CLAIM_RULE = (
    "A claim holds if all its comparisons hold. The probability that a claim is decided wrongly is at most 5 %, each "
    "claim for itself (Holm's correction over its comparisons): of twenty claims one may be wrong by chance. Of one "
    "seed, the verdict is on those very networks and other test images, not on other seeds. The smallest visible "
    "difference is the one that so many runs would have seen with a probability of 80 %."
)
_ROW_RULE = (
    "A number is reproduced if one more run of ours could well have given it: if it differs from our mean by no more "
    "than is allowed, half a 95 % prediction interval (chance of the seed and of the test images) plus the rounding of "
    "the printed number. Each number is judged for itself at 95 %: of so many, about one in twenty differs by chance."
)
# So many numbers of one quantity and setting, such as one an epoch or a class, are folded away.
_FOLDED = 5


def badge(verdict: str, words: str = "") -> Badge:
    """A verdict in its colour, with what is shown of it where that is more."""
    return Badge(words or verdict, TONES[verdict])


def count_verdicts(verdicts: Sequence[str]) -> list[tuple[int, Badge]]:
    """How many there are of each, in the order of `TONES`."""
    counts = Counter(verdicts)
    return [(counts[name], badge(name)) for name in TONES if counts[name]]


def tallies(results: StudyResults) -> list[Block]:
    """How many verdicts there are of each kind."""
    named = {
        "Claims": [verdict.verdict for verdict in results.claim_verdicts],
        "Numbers": [verdict.verdict for verdict in results.row_verdicts],
    }
    return [Tally(name, count_verdicts(verdicts)) for name, verdicts in named.items() if verdicts]


def claim_blocks(verdicts: Sequence[ClaimVerdict]) -> list[Block]:
    """Each claim with its verdict; its comparisons are below it when it is opened."""
    if not verdicts:
        return [Text("The study states no claims.", "muted")]
    folds: list[Block] = [
        Fold(
            verdict.claim.text,
            [_comparison_table(verdict.comparisons)],
            badges=[badge(verdict.verdict, verdict.words)],
            note=verdict.why,
        )
        for verdict in verdicts
    ]
    return [Text(_CLAIM_RULE, "muted"), *folds]


def _comparison_table(verdicts: Sequence[ComparisonVerdict]) -> Table:
    columns = [
        Column("verdict"),
        Column("said"),
        Column("difference", number=True),
        Column("95 % interval", number=True),
        Column("n", number=True),
        Column("p", number=True),
        Column("p, Holm", number=True),
        Column("smallest visible", number=True),
    ]
    return Table(columns, [_comparison_row(verdict) for verdict in verdicts])


def _comparison_row(verdict: ComparisonVerdict) -> TableRow:
    cells: list[str | Badge] = [
        badge(verdict.verdict, verdict.words),
        comparison_in_words(verdict.comparison),
    ]
    if isinstance(verdict.comparison, Diverges):
        cells += ["", "", str(verdict.n), "", "", ""]
    else:
        measure = verdict.comparison.first.measure
        smallest = verdict.smallest_difference
        cells += [
            difference_in_words(verdict.difference, measure),
            _interval_in_words(verdict.interval, measure, sign="+"),
            str(verdict.n),
            p_in_words(verdict.p),
            p_in_words(verdict.p_holm),
            "" if smallest is None else size_in_words(smallest, measure),
        ]
    spent = f" Spent by the first, beside the second: {verdict.spent}." if verdict.spent else ""
    return TableRow(cells, f"{verdict.why} Test: {verdict.test}.{spent}")


def comparison_in_words(comparison: Comparison) -> str:
    """What was said, in symbols: ``test accuracy: 'a' > 'b' + 5.00 points``."""
    if isinstance(comparison, Diverges):
        return f"{comparison.setting!r} diverges or stays at chance"
    first, second = comparison.first, comparison.second
    measure, points = first.measure, (str(first), str(second))
    head = ""
    if measure == second.measure:
        head, points = f"{measure}: ", (repr(first.setting), repr(second.setting))
    if isinstance(comparison, Equal):
        return f"{head}{points[0]} = {points[1]} within {size_in_words(comparison.margin, measure)}"
    by = f" {'+' if comparison.by > 0 else '-'} {size_in_words(comparison.by, measure)}" if comparison.by else ""
    return f"{head}{points[0]} > {points[1]}{by}"


def row_blocks(verdicts: Sequence[RowVerdict]) -> list[Block]:
    """Published numbers beside ours: one table, and a fold for each quantity with many numbers in one setting."""
    if not verdicts:
        return [Text("The study states no published numbers.", "muted")]
    groups: dict[tuple[str, str], list[RowVerdict]] = {}
    for verdict in verdicts:
        groups.setdefault((verdict.row.setting, verdict.row.measure.quantity), []).append(verdict)
    single = [verdict for group in groups.values() if len(group) < _FOLDED for verdict in group]
    blocks: list[Block] = [Text(_ROW_RULE, "muted"), *([_row_table(single)] if single else [])]
    for (setting, quantity), group in groups.items():
        if len(group) >= _FOLDED:
            name = "test accuracy of each class" if quantity == "class_accuracy" else str(Measure(quantity=quantity))
            counts = count_verdicts([verdict.verdict for verdict in group])
            blocks.append(Fold(f"{setting}: {name}", [_row_table(group)], counts, _differences(group)))
    return blocks


def _differences(group: Sequence[RowVerdict]) -> str:
    """Between which differences all numbers of a group are."""
    found = [verdict.difference for verdict in group if verdict.difference is not None]
    if not found:
        return ""
    measure = group[0].row.measure
    return f"differences {difference_in_words(min(found), measure)} to {difference_in_words(max(found), measure)}"


def _row_table(verdicts: Sequence[RowVerdict]) -> Table:
    columns = [
        Column("verdict"),
        Column("setting"),
        Column("quantity"),
        Column("published", number=True),
        Column("ours, mean ± sd", number=True),
        Column("95 % interval", number=True),
        Column("n", number=True),
        Column("difference", number=True),
        Column("allowed", number=True),
        Column("network of"),
    ]
    return Table(columns, [_row(verdict) for verdict in verdicts])


def _row(verdict: RowVerdict) -> TableRow:
    measure = verdict.row.measure
    cells = [
        badge(verdict.verdict),
        verdict.row.setting,
        str(measure),
        published_in_words(verdict.row),
        ours_in_words(verdict),
        _interval_in_words(verdict.interval, measure),
        str(verdict.n),
        difference_in_words(verdict.difference, measure),
        "" if verdict.tolerance is None else f"± {size_in_words(verdict.tolerance, measure)}",
        verdict.selection if verdict.n else "",
    ]
    return TableRow(cells, verdict.why)


def class_table(verdicts: Sequence[RowVerdict]) -> Table | None:
    """Accuracy of each class beside the published one, settings side by side; None where no row names a class."""
    of_classes = {
        (verdict.row.setting, verdict.row.measure.class_name): verdict
        for verdict in verdicts
        if verdict.row.measure.quantity == "class_accuracy"
    }
    if not of_classes:
        return None
    settings = list(dict.fromkeys(setting for setting, _ in of_classes))
    columns = {"class": False}
    for setting in settings:
        columns |= {f"{setting}: published": True, f"{setting}: ours": True}
    rows = []
    for name in dict.fromkeys(name for _, name in of_classes):
        row = [name]
        for setting in settings:
            verdict = of_classes.get((setting, name))
            row += ["", ""] if verdict is None else [_published(verdict), ours_in_words(verdict)]
        rows.append(row)
    return table(columns, rows)


def _published(verdict: RowVerdict) -> str:
    return published_in_words(verdict.row) + (" (impossible)" if verdict.row.impossible else "")


def ours_in_words(verdict: RowVerdict) -> str:
    """Mean and standard deviation: ``"87.10 ± 0.23 %"``, ``"0.4632 ± 0.012"``."""
    if verdict.mean is None:
        return "-"
    return mean_in_words(verdict.mean, verdict.standard_deviation, verdict.row.measure)


def mean_in_words(mean: float, deviation: float | None, measure: Measure) -> str:
    """A mean with its standard deviation, if there is one."""
    if deviation is None:
        return in_words(mean, measure)
    if measure.is_share:
        return f"{100 * mean:.2f} ± {100 * deviation:.2f} %"
    return f"{in_words(mean, measure)} ± {deviation:.2g}"


def _interval_in_words(interval: tuple[float, float] | None, measure: Measure, sign: str = "") -> str:
    if interval is None:
        return ""
    scale, form, unit = (100, ".2f", " %" if not sign else "") if measure.is_share else (1, ".4g", "")
    low, high = (f"{scale * end:{sign}{form}}" for end in interval)
    return f"{low} to {high}{unit}"


def difference_in_words(difference: float | None, measure: Measure) -> str:
    """A difference with its sign: ``"+0.40 points"``, ``"-0.0123"``; empty without one."""
    if difference is None:
        return ""
    return f"{100 * difference:+.2f} points" if measure.is_share else f"{difference:+.3g}"
