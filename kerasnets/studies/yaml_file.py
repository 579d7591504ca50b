"""A user's own study out of a YAML file."""

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml

from kerasnets.errors import InputError, closest
from kerasnets.studies.published import STUDIES
from kerasnets.studies.study import Claim, Comparison, Diverges, Equal, Higher, Measure, Point, Row, Setting, Study

EXAMPLE = """\
name: batches
question: Which batch size is best?
dataset: digits
base: {arch: lenet_bn, epochs: 5}
# Every combination becomes a setting; or write settings: [{name: small, config: {batch_size: 4}}, ...].
grid:
  batch_size: [8, 32]
  learning_rate: [0.1, 0.01]
seeds: 3
# What you expect, if anything; quantity is test_accuracy unless another one is named.
rows:
  - {setting: batch_size 32 learning_rate 0.01, published: 0.97, rounding: 0.005}
claims:
  - text: With a rate of 0.01 a batch of 8 is better than one of 32.
    comparisons:
      - {higher: batch_size 8 learning_rate 0.01, than: batch_size 32 learning_rate 0.01}
"""

_STUDY = ("name", "question", "dataset", "base", "settings", "grid", "seeds", "rows", "claims", "assumes")
_STUDY += ("published_cost", "train_images")
_ROW = ("setting", "published", "upper", "rounding", "impossible", "quantity", "epoch", "class_name")
_MEASURE = ("quantity", "epoch", "class_name")


def load_study(path: str | Path) -> Study:
    """Reads a study from a YAML file.

    Args:
        path: The file. Its keys are the fields of `Study`; ``grid`` may stand in place of ``settings`` and maps fields
            of `TrainConfig` to lists of values, of which every combination becomes a setting. A comparison of a claim
            is one of ``{higher: A, than: B, by: 0.01}``, ``{best: A, of: [B, C]}``, ``{equal: [A, B], within: 0.01}``
            and ``{diverges: A}``, where A, B and C are names of settings, with ``quantity`` and ``epoch`` beside them.

    Raises:
        InputError: The file is missing, is no YAML, or something in it is unknown, missing or of the wrong kind; the
            message names the file.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(
            f"A study must be one of the included ones or a YAML file. Received: {path}, which is no file."
        )
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} must be YAML. Received: {str(error).splitlines()[0]}.") from None
    try:
        study = study_from_dict({"name": path.stem} | _mapping("a study", values))
        if study.name in STUDIES:
            raise InputError(f"A study of yours needs a name of its own. Received: {study.name!r}, an included one's.")
        return study
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def study_from_dict(values: dict[str, Any]) -> Study:
    """Builds a study from plain values, as `load_study` describes them.

    Raises:
        InputError: Something is unknown, missing or of the wrong kind.
    """
    _check_keys("a study", values, _STUDY, required=("name", "question", "dataset"))
    if ("settings" in values) == ("grid" in values):
        raise InputError("A study must have either settings or a grid. Received: both or none.")
    fields = {
        key: value for key, value in values.items() if key not in ("settings", "grid", "rows", "claims", "assumes")
    }
    _mapping("base", fields.setdefault("base", {}))
    for key in ("name", "question", "dataset", "published_cost"):
        fields[key] = _text(key, fields.get(key, ""))
    return Study(
        **fields,
        settings=tuple(
            _grid(values["grid"]) if "grid" in values else map(_setting, _list("settings", values["settings"]))
        ),
        rows=tuple(map(_row, _list("rows", values.get("rows", [])))),
        claims=tuple(map(_claim, _list("claims", values.get("claims", [])))),
        assumes=tuple(_text("assumes", text) for text in _list("assumes", values.get("assumes", []))),
    )


def _grid(grid: Any) -> Iterable[Setting]:
    """Every combination of the values, the last field changing fastest; named by its values."""
    columns = [[(name, value) for value in _list(name, values)] for name, values in _mapping("grid", grid).items()]
    for combination in itertools.product(*columns):
        yield Setting(name=" ".join(f"{name} {value}" for name, value in combination), config=dict(combination))


def _setting(values: Any) -> Setting:
    values = _mapping("a setting", values)
    _check_keys("a setting", values, ("name", "config", "note"), required=("name",))
    return Setting(
        name=_text("name", values["name"]),
        config=_mapping("config", values.get("config", {})),
        note=_text("note", values.get("note", "")),
    )


def _row(values: Any) -> Row:
    values = _mapping("a row", values)
    _check_keys("a row", values, _ROW, required=("setting", "published", "rounding"))
    _text("impossible", values.get("impossible", ""))
    return Row(measure=_measure(values), **{key: value for key, value in values.items() if key not in _MEASURE})


def _claim(values: Any) -> Claim:
    values = _mapping("a claim", values)
    _check_keys("a claim", values, ("text", "comparisons"), required=("text", "comparisons"))
    comparisons = [one for item in _list("comparisons", values["comparisons"]) for one in _comparisons(item)]
    return Claim(text=_text("text", values["text"]), comparisons=tuple(comparisons))


def _comparisons(values: Any) -> list[Comparison]:
    values = _mapping("a comparison", values)
    for kind, (others, build) in _COMPARISONS.items():
        if kind in values:
            _check_keys(f"a comparison by {kind}", values, (kind, *others, *_MEASURE), required=(kind,))
            return build(values, _measure(values))
    raise InputError(f"A comparison must be one of {', '.join(_COMPARISONS)}. Received: {values}.")


def _higher(values: dict[str, Any], measure: Measure) -> list[Comparison]:
    _require("a comparison by higher", values, ("than",))
    first, second = (Point(setting=_text(key, values[key]), measure=measure) for key in ("higher", "than"))
    return [Higher(first=first, second=second, by=_number("by", values.get("by", 0.0)))]


def _best(values: dict[str, Any], measure: Measure) -> list[Comparison]:
    _require("a comparison by best", values, ("of",))
    first = Point(setting=_text("best", values["best"]), measure=measure)
    return [
        Higher(first=first, second=Point(setting=_text("of", other), measure=measure))
        for other in _list("of", values["of"])
        if other != first.setting
    ]


def _equal(values: dict[str, Any], measure: Measure) -> list[Comparison]:
    _require("a comparison by equal", values, ("within",))
    names = _list("equal", values["equal"])
    if len(names) != 2:
        raise InputError(f"equal must name two settings. Received: {names}.")
    first, second = (Point(setting=_text("equal", name), measure=measure) for name in names)
    return [Equal(first=first, second=second, margin=_number("within", values["within"]))]


def _diverges(values: dict[str, Any], measure: Measure) -> list[Comparison]:
    return [Diverges(setting=_text("diverges", values["diverges"]))]


_COMPARISONS: dict[str, tuple[tuple[str, ...], Callable[[dict[str, Any], Measure], list[Comparison]]]] = {
    "higher": (("than", "by"), _higher),
    "best": (("of",), _best),
    "equal": (("within",), _equal),
    "diverges": ((), _diverges),
}


def _measure(values: dict[str, Any]) -> Measure:
    if "class_name" in values:
        _text("class_name", values["class_name"])
    return Measure(**{key: values[key] for key in _MEASURE if key in values})


def _check_keys(what: str, values: dict[str, Any], known: Iterable[str], required: Iterable[str]) -> None:
    for key in values:
        if key not in known:
            raise InputError(f"Unknown key {key!r} in {what}. {closest(str(key), known)}")
    _require(what, values, required)


def _require(what: str, values: dict[str, Any], required: Iterable[str]) -> None:
    for key in required:
        if key not in values:
            raise InputError(
                f"{what[0].upper()}{what[1:]} must have {key!r}. Received: {', '.join(values) or 'nothing'}."
            )


def _mapping(what: str, values: Any) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise InputError(f"{what} must be names with values, one 'name: value' a line. Received: {values!r}.")
    return values


def _list(what: str, values: Any) -> list[Any]:
    if not isinstance(values, list):
        raise InputError(f"{what} must be a list. Received: {values!r}.")
    return values


def _text(what: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InputError(f"{what} must be a text. Received: {value!r}. Put it into quotes.")
    return value


def _number(what: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{what} must be a number. Received: {value!r}.")
    return float(value)
