"""The unpickler that admits NumPy arrays and nothing else."""

import collections
import os
import pickle

import numpy as np
import pytest

from pipelines import DataError
from pipelines.sources.pickles import load_pickled_dict

VALUE = {"data": np.arange(12, dtype=np.uint8).reshape(3, 4), "labels": [1, 2], "name": "batch"}

# What Python 2 wrote with protocol 2 for {'data': array([[1, 200]], dtype=uint8), 'labels': [3]}, assembled by hand:
# text and raw pixels are byte strings, and the array's home is NumPy's old module.
PYTHON_2 = (
    b"\x80\x02}(U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    b"(K\x01K\x01K\x02\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    b"\x89U\x02\x01\xc8tbU\x06labels](K\x03eu."
)


class Malicious:
    """Pickles to a call of a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4])
def test_arrays_numbers_text_and_lists_come_back(protocol):
    value = load_pickled_dict(pickle.dumps(VALUE, protocol=protocol), "batch")
    assert value["labels"] == [1, 2] and value["name"] == "batch"
    np.testing.assert_array_equal(value["data"], VALUE["data"])
    assert value["data"].dtype == np.uint8


def test_files_written_by_python_2_come_back_with_text_keys():
    value = load_pickled_dict(PYTHON_2, "batch")
    assert value["labels"] == [3]
    assert value["data"].tolist() == [[1, 200]]


def test_byte_keys_become_text():
    assert load_pickled_dict(pickle.dumps({b"labels": [1]}, protocol=2), "batch") == {"labels": [1]}


def test_a_malicious_file_runs_nothing(tmp_path):
    target = tmp_path / "was-here"
    for call in [
        Malicious(os.mkdir, str(target)),
        Malicious(eval, f"__import__('os').mkdir({str(target)!r})"),
        Malicious(exec, f"import os; os.mkdir({str(target)!r})"),
    ]:
        content = pickle.dumps({"data": call}, protocol=2)
        with pytest.raises(
            DataError, match="batch must be a pickle of NumPy arrays.* it asks for .* no data file needs"
        ):
            load_pickled_dict(content, "batch")
        assert not target.exists()
        pickle.loads(content)  # the attack is a real one
        assert target.exists()
        target.rmdir()


@pytest.mark.parametrize(
    "value",
    [collections.OrderedDict(a=1), np.float64, np.load, getattr, Malicious(np.save, "x", [1])],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),  # the same in every process
)
def test_other_classes_and_functions_are_refused_numpys_own_too(value):
    with pytest.raises(DataError, match="it asks for"):
        load_pickled_dict(pickle.dumps({"data": value}, protocol=4), "batch")


def test_the_encoder_knows_one_encoding():
    content = b"\x80\x02}U\x04datac_codecs\nencode\nU\x01xU\x04zlib\x86Rs."
    with pytest.raises(DataError, match="encoding 'zlib'"):
        load_pickled_dict(content, "batch")


@pytest.mark.parametrize("content", [b"", b"not a pickle", pickle.dumps(VALUE)[:-20], PYTHON_2[:60]])
def test_a_damaged_file_is_named(content):
    with pytest.raises(
        DataError, match="data_batch_1 must be a pickle of NumPy arrays. Received a damaged or unsafe one"
    ):
        load_pickled_dict(content, "data_batch_1")


def test_another_object_is_refused():
    with pytest.raises(DataError, match="batch must hold a dictionary. Received: list"):
        load_pickled_dict(pickle.dumps([1]), "batch")
