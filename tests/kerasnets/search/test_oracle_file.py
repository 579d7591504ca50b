import os

import pytest

from kerasnets.errors import InputError
from kerasnets.search.oracle_file import OracleFile, pack


def test_a_state_is_read_as_it_was_written_and_the_one_before_is_kept(tmp_path):
    file = OracleFile(tmp_path / "oracle.json")
    assert file.read() is None
    file.write(pack({"step": 1}))
    file.write(pack({"step": 2}))
    assert file.read()["step"] == 2
    assert OracleFile(file.before).read()["step"] == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["oracle.json", "oracle.json.before"]


@pytest.mark.parametrize("content", ["", "{", '{"format": 1', "[]", "\x00" * 40, "{}"])
def test_a_damaged_file_is_told_with_the_spare_one(tmp_path, content):
    file = OracleFile(tmp_path / "oracle.json")
    file.write(pack({"step": 1}))
    file.path.write_text(content)
    with pytest.raises(InputError, match=r"oracle\.json must hold the state of a search.*another --name") as caught:
        file.read()
    assert "\n" not in str(caught.value)
    file.before.write_text(pack({"step": 0}))
    with pytest.raises(InputError, match=r"Rename oracle\.json\.before .* to oracle\.json\.$"):
        file.read()


def test_a_file_that_was_taken_away_is_not_a_new_search(tmp_path):
    file = OracleFile(tmp_path / "oracle.json")
    file.write(pack({"step": 1}))
    file.write(pack({"step": 2}))
    file.path.unlink()
    with pytest.raises(InputError, match=r"Received: no file\. Rename oracle\.json\.before"):
        file.read()


def test_a_later_format_is_refused(tmp_path):
    file = OracleFile(tmp_path / "oracle.json")
    file.path.write_text('{"format": 2}')
    with pytest.raises(InputError, match=r"must be of format 1\. Received: 2\. Go on with the release"):
        file.read()


def test_the_state_is_written_where_a_file_has_but_one_name(tmp_path, monkeypatch):
    def no_links(*names):
        raise PermissionError(1, "Operation not permitted")

    file = OracleFile(tmp_path / "oracle.json")
    file.write(pack({"step": 1}))
    monkeypatch.setattr(os, "link", no_links)
    file.write(pack({"step": 2}))
    assert file.read()["step"] == 2


def test_numbers_that_json_has_no_word_for_are_not_written():
    with pytest.raises(ValueError, match="not JSON compliant"):
        pack({"score": float("nan")})
