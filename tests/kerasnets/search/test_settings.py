import pytest

from kerasnets.errors import InputError
from kerasnets.search.config import SearchConfig
from kerasnets.search.settings import trial_config


def test_a_trial_is_the_whole_run_with_every_option_written_out():
    config = trial_config(SearchConfig(dataset="digits", epochs=5, seed=3), {"arch": "boringnet", "batch_size": 32}, 2)
    assert (config.epochs, config.seed, config.batch_size, config.threads) == (5, 3, 32, 2)
    assert (config.validation, config.max_time) == (0.1, None)
    assert config.arch_options == {"activation": "none"}


def test_with_a_time_it_has_as_many_epochs_as_fit():
    search = SearchConfig(dataset="digits", objective="accuracy_at_seconds", trial_time="90s")
    config = trial_config(search, {"arch": "lazynet"})
    assert (config.max_time, config.epochs) == ("90s", 1000)


@pytest.mark.parametrize("name", ["epochs", "seed", "validation", "data_dir"])
def test_a_space_must_not_set_what_the_search_sets(name):
    with pytest.raises(InputError, match=f"A space must leave {name} to the search"):
        trial_config(SearchConfig(dataset="digits"), {"arch": "lazynet", name: 1})
