"""The order of the tests."""

import pytest


# Before pytest's own, which takes out what -m leaves out.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Files with the most slow tests first: side by side, processes then end together, with the quick ones."""
    slow = {}
    for item in items:
        slow[item.path] = slow.get(item.path, 0) + (item.get_closest_marker("slow") is not None)
    items.sort(key=lambda item: -slow[item.path])
