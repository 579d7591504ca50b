"""A user's study out of a YAML file, and what is answered to a wrong one."""

import pytest
import yaml

from kerasnets.errors import InputError
from kerasnets.studies.study import Diverges, Equal, Higher, Measure, Point
from kerasnets.studies.yaml_file import EXAMPLE, load_study, study_from_dict

GIVEN = {
    "name": "mine",
    "question": "?",
    "dataset": "digits",
    "base": {"arch": "lazynet"},
    "settings": [{"name": "a"}, {"name": "b", "config": {"batch_size": 32}, "note": "rounded"}],
}


def read(tmp_path, text):
    (tmp_path / "sweep.yaml").write_text(text, encoding="utf-8")
    return load_study(tmp_path / "sweep.yaml")


def test_the_example(tmp_path):
    study = read(tmp_path, EXAMPLE)
    assert (study.name, study.dataset, study.seeds) == ("batches", "digits", 3)
    assert [setting.name for setting in study.settings] == [
        "batch_size 8 learning_rate 0.1",
        "batch_size 8 learning_rate 0.01",
        "batch_size 32 learning_rate 0.1",
        "batch_size 32 learning_rate 0.01",
    ]
    config = study.config(study.settings[2], seed=1)
    assert (config.arch, config.epochs, config.batch_size, config.learning_rate) == ("lenet_bn", 5, 32, 0.1)
    assert study.rows[0].published == 0.97
    (claim,) = study.claims
    assert claim.comparisons == (
        Higher(first=Point(setting=study.settings[1].name), second=Point(setting=study.settings[3].name)),
    )


def test_the_name_is_that_of_the_file_if_it_has_none(tmp_path):
    text = yaml.safe_dump({key: value for key, value in GIVEN.items() if key != "name"})
    assert read(tmp_path, text).name == "sweep"


def test_settings_with_notes():
    study = study_from_dict(GIVEN)
    assert [(setting.name, setting.note) for setting in study.settings] == [("a", ""), ("b", "rounded")]


def test_rows_with_measures():
    row = {"setting": "a", "published": 0.5, "upper": 0.6, "rounding": 0.05, "quantity": "train_loss", "epoch": 3}
    (read_row,) = study_from_dict(GIVEN | {"rows": [row]}).rows
    assert read_row.measure == Measure(quantity="train_loss", epoch=3)
    assert (read_row.published, read_row.upper, read_row.rounding) == (0.5, 0.6, 0.05)


@pytest.mark.parametrize(
    ("comparison", "expected"),
    [
        (
            {"higher": "a", "than": "b", "by": 0.01},
            [Higher(first=Point(setting="a"), second=Point(setting="b"), by=0.01)],
        ),
        ({"best": "a", "of": ["a", "b"]}, [Higher(first=Point(setting="a"), second=Point(setting="b"))]),
        (
            {"equal": ["a", "b"], "within": 0.02},
            [Equal(first=Point(setting="a"), second=Point(setting="b"), margin=0.02)],
        ),
        ({"diverges": "b"}, [Diverges(setting="b")]),
    ],
)
def test_comparisons(comparison, expected):
    study = study_from_dict(GIVEN | {"claims": [{"text": "t", "comparisons": [comparison]}]})
    assert list(study.claims[0].comparisons) == expected


def test_comparisons_of_another_quantity():
    comparison = {"higher": "a", "than": "b", "quantity": "test_loss", "epoch": 2}
    (found,) = study_from_dict(GIVEN | {"claims": [{"text": "t", "comparisons": [comparison]}]}).claims[0].comparisons
    assert found.first.measure == found.second.measure == Measure(quantity="test_loss", epoch=2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sedes": 3}, "Unknown key 'sedes' in a study. Known: .* Did you mean 'seeds'"),
        ({"grid": {"seed": [1]}}, "either settings or a grid. Received: both or none"),
        ({"settings": None}, "settings must be a list. Received: None"),
        ({"settings": ["a"]}, "a setting must be names with values.*Received: 'a'"),
        ({"settings": [{"config": {}}]}, "A setting must have 'name'. Received: config"),
        ({"settings": [{"name": 4}]}, "name must be a text. Received: 4. Put it into quotes"),
        ({"settings": [{"name": "a", "config": 3}]}, "config must be names with values"),
        ({"settings": [{"name": "a", "confg": {}}]}, "Unknown key 'confg' in a setting.*'config'"),
        ({"base": [1]}, "base must be names with values"),
        ({"rows": [{"setting": "a", "published": 1}]}, "A row must have 'rounding'"),
        ({"rows": [{"setting": "a", "published": "x", "rounding": 0}]}, "A row must have a published number"),
        ({"rows": {}}, "rows must be a list"),
        ({"claims": [{"text": "t"}]}, "A claim must have 'comparisons'. Received: text"),
        (
            {"claims": [{"text": "t", "comparisons": [{"greater": "a"}]}]},
            "A comparison must be one of higher, best, equal",
        ),
        ({"claims": [{"text": "t", "comparisons": [{"higher": "a"}]}]}, "A comparison by higher must have 'than'"),
        ({"claims": [{"text": "t", "comparisons": [{"best": "a"}]}]}, "A comparison by best must have 'of'"),
        ({"claims": [{"text": "t", "comparisons": [{"equal": ["a"], "within": 1}]}]}, "equal must name two settings"),
        (
            {"claims": [{"text": "t", "comparisons": [{"equal": ["a", "b"]}]}]},
            "A comparison by equal must have 'within'",
        ),
        (
            {"claims": [{"text": "t", "comparisons": [{"higher": "a", "than": "b", "by": "x"}]}]},
            "by must be a number. Received: 'x'",
        ),
        (
            {"claims": [{"text": "t", "comparisons": [{"higher": "a", "than": "b", "within": 1}]}]},
            "Unknown key 'within' in a comparison by higher",
        ),
        ({"name": 3}, "name must be a text"),
        ({"published_cost": 2}, "published_cost must be a text. Received: 2"),
        ({"train_images": "many"}, "train_images must be a whole number"),
        ({"rows": [{"setting": "a", "published": 1, "rounding": 0, "impossible": True}]}, "impossible must be a text"),
        ({"rows": [{"setting": "a", "published": 1, "rounding": 0, "class_name": 3}]}, "class_name must be a text"),
    ],
)
def test_mistakes(change, message):
    with pytest.raises(InputError, match=message):
        study_from_dict(GIVEN | change)


def test_the_name_of_an_included_study_is_taken(tmp_path):
    with pytest.raises(InputError, match="needs a name of its own. Received: 'lenet-bn', an included one's"):
        read(tmp_path, EXAMPLE.replace("name: batches", "name: lenet-bn"))


def test_mistakes_name_the_file(tmp_path):
    with pytest.raises(InputError, match="sweep.yaml: A study must have 'question'"):
        read(tmp_path, "dataset: digits\n")
    with pytest.raises(InputError, match="sweep.yaml must be YAML"):
        read(tmp_path, "a: [")
    with pytest.raises(InputError, match="sweep.yaml: a study must be names with values"):
        read(tmp_path, "- a\n")
    with pytest.raises(InputError, match="Received: .*none.yaml, which is no file"):
        load_study(tmp_path / "none.yaml")
