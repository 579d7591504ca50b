import pytest

from kerasnets import models


def test_every_exported_name_is_found():
    assert all(getattr(models, name) is not None for name in models.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'kerasnets\.models' has no attribute 'lenet5'"):
        models.lenet5  # noqa: B018
