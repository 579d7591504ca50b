"""The table of named sources, and what an unknown name is told."""

import pytest

from pipelines import SOURCES, DataError, load_source, source_names
from pipelines.dataset_names import KINDS
from pipelines.reading import Reading
from pipelines.sources import KIND_SOURCES, find_source


def test_names_are_those_of_the_table():
    assert (
        source_names() == tuple(SOURCES) == ("cifar10", "cifar100", "digits", "fashion_mnist", "mnist", "tiny_imagenet")
    )


def test_the_name_of_a_source_is_the_name_it_was_loaded_by():
    assert load_source("digits").name == "digits"


def test_an_unknown_name_lists_the_known_ones_and_the_closest():
    with pytest.raises(
        DataError,
        match=r"Unknown data set 'cifar-10'. Known: cifar10, .*, tiny_imagenet, folder:PATH, csv:FILE, npz:FILE, "
        r"tfds:NAME. Did you mean 'cifar10'\?",
    ):
        load_source("cifar-10")


def test_a_name_like_no_other_gets_no_suggestion():
    with pytest.raises(DataError, match=r"Unknown data set 'zzz'. Known: .*, tfds:NAME\.$"):
        load_source("zzz")


def test_every_kind_has_a_source_and_needs_a_place():
    assert KINDS.keys() == KIND_SOURCES.keys()
    for kind, place in KINDS.items():
        with pytest.raises(DataError, match=f"{kind}: must be followed by a {place.lower()}. Received: '{kind}:'"):
            load_source(f"{kind}:")


@pytest.mark.parametrize("name", ["folder:/no/where", "csv:/no/where.csv", "npz:/no/where.npz", "tfds:nowhere"])
def test_a_place_where_nothing_is(name):
    with pytest.raises(DataError, match="where"):
        find_source(name, None, Reading())
