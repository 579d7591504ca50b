"""What is asked about a mistyped name."""

import pytest

from pipelines.errors import did_you_mean


@pytest.mark.parametrize(
    ("name", "question"),
    [("cifar01", " Did you mean 'cifar10'?"), ("mnits", " Did you mean 'mnist'?"), ("zzz", ""), ("", "")],
)
def test_the_closest_known_name_is_offered_if_one_is_near(name, question):
    assert did_you_mean(name, {"cifar10": 1, "mnist": 2}) == question
