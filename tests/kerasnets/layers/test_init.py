import pytest

from kerasnets import layers


def test_every_exported_name_is_found():
    assert [getattr(layers, name).__name__ for name in layers.__all__] == layers.__all__


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'kerasnets\.layers' has no attribute 'Dense'"):
        layers.Dense  # noqa: B018
