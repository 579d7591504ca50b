"""The table of named sources, and what an unknown name is told."""

import pytest

from pipelines import SOURCES, DataError, load_source, source_names


def test_names_are_those_of_the_table():
    assert (
        source_names() == tuple(SOURCES) == ("cifar10", "cifar100", "digits", "fashion_mnist", "mnist", "tiny_imagenet")
    )


def test_the_name_of_a_source_is_the_name_it_was_loaded_by():
    assert load_source("digits").name == "digits"


def test_an_unknown_name_lists_the_known_ones_and_the_closest():
    with pytest.raises(
        DataError, match=r"Unknown data set 'cifar-10'. Known: cifar10, .*, tiny_imagenet. Did you mean 'cifar10'\?"
    ):
        load_source("cifar-10")


def test_a_name_like_no_other_gets_no_suggestion():
    with pytest.raises(DataError, match=r"Unknown data set 'zzz'. Known: .*, tiny_imagenet\.$"):
        load_source("zzz")
