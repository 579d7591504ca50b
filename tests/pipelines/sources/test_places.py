"""Where data is looked for, in which order, and what is said when it is not there."""

from pathlib import Path

import pytest

from pipelines import DataError
from pipelines.sources.places import find_place, search_roots


@pytest.fixture(autouse=True)
def empty_home(tmp_path, monkeypatch):
    """A machine without data: no home, no variables, an empty working folder."""
    for name in ("KERASNETS_DATA", "KERAS_HOME", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "home").mkdir()
    (tmp_path / "work").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "work")


def find(data_dir=None):
    def missing_from(folder):
        return [file for file in ("a", "b") if not (folder / file).is_file()]

    return find_place("toy", data_dir, ("toy-files", ".", "toy.tar.gz"), ("a", "b"), missing_from)


def fill(folder, *files):
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file).write_bytes(b"")
    return folder


def test_an_empty_machine_has_no_roots():
    assert list(search_roots(None)) == []


def test_roots_come_in_the_documented_order(tmp_path, monkeypatch):
    home = tmp_path / "home"
    for folder in (".keras/datasets", "data", ".cache/torch/datasets", ".torch/datasets"):
        fill(home / folder)
    fill(tmp_path / "work" / "data")
    given, variable = fill(tmp_path / "given"), fill(tmp_path / "variable")
    monkeypatch.setenv("KERASNETS_DATA", str(variable))
    usual = [
        home / ".keras/datasets",
        Path("data"),
        home / "data",
        home / ".cache/torch/datasets",
        home / ".torch/datasets",
    ]
    assert list(search_roots(given)) == list(search_roots(str(given))) == [given, variable, *usual]


def test_the_caches_move_with_their_variables_and_tilde_is_home(tmp_path, monkeypatch):
    keras, torch = fill(tmp_path / "k" / "datasets"), fill(tmp_path / "t" / "datasets")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "k"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "t"))
    mine = fill(tmp_path / "home" / "mine")
    assert list(search_roots("~/mine")) == [mine, keras, torch]


def test_a_data_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(DataError, match="The data folder must be an existing folder. Received: .*nowhere"):
        list(search_roots(tmp_path / "nowhere"))


def test_a_variable_that_names_no_folder_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASNETS_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"\$KERASNETS_DATA must be an existing folder"):
        list(search_roots(None))
    assert find(fill(tmp_path / "given", "a", "b")) == tmp_path / "given"  # what comes first is found all the same


def test_folder_root_and_archive_are_found_in_the_order_of_preference(tmp_path):
    root = fill(tmp_path / "root", "toy.tar.gz")
    assert find(root) == root / "toy.tar.gz"
    fill(root, "a", "b")
    assert find(root) == root
    fill(root / "toy-files", "a", "b")
    assert find(root) == root / "toy-files"


def test_the_first_root_that_holds_the_data_decides(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASNETS_DATA", str(fill(tmp_path / "variable", "a", "b")))
    assert find(fill(tmp_path / "given")) == tmp_path / "variable"
    assert find(fill(tmp_path / "given", "a", "b")) == tmp_path / "given"


def test_a_complete_archive_beside_an_incomplete_folder_is_taken(tmp_path):
    root = fill(tmp_path / "root", "toy.tar.gz")
    fill(root / "toy-files", "a")
    assert find(root) == root / "toy.tar.gz"


def test_a_partial_data_set_names_the_missing_file_even_if_another_root_is_complete(tmp_path, monkeypatch):
    monkeypatch.setenv("KERASNETS_DATA", str(fill(tmp_path / "variable", "a", "b")))
    fill(tmp_path / "given" / "toy-files", "a")
    with pytest.raises(
        DataError, match="given/toy-files without b. Run kerasnets-data fetch toy; or put toy-files or toy.tar.gz into"
    ):
        find(tmp_path / "given")


def test_missing_data_says_what_where_and_that_digits_works_in_one_line():
    with pytest.raises(DataError, match="'toy' needs its files a, b. Received: none in any place") as error:
        find()
    text = str(error.value)
    assert "\n" not in text
    for hint in ("--data-dir", "$KERASNETS_DATA", "~/.keras/datasets", "./data", "'digits', which needs no files"):
        assert hint in text
