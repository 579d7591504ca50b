"""Seed pairs: all different, and those of the first streams as they always were."""

import numpy as np

from pipelines.augment_seeds import GAMMA_STREAM, MIX_STREAM, draw_uniform, stream_seed


def test_streams_of_neighbouring_seeds_and_epochs_never_share_a_pair():
    pairs = {
        tuple(stream_seed(seed, stream, epoch).numpy())
        for seed in range(4)
        for stream in range(GAMMA_STREAM + 1)
        for epoch in (0, 1, 2, 2**31 - 1)
    }
    assert len(pairs) == 4 * (GAMMA_STREAM + 1) * 4


def test_pairs_of_order_crop_and_flips_are_those_of_the_first_version():
    for stream in range(4):
        assert stream_seed(5, stream, 7).numpy().tolist() == [40 + stream, 7]


def test_the_largest_seed_fits():
    assert stream_seed(2**60 - 1, MIX_STREAM, 3).numpy()[0] == (2**60 - 1) * 8 + 4


def test_uniform_numbers_are_below_one_and_the_same_for_ever():
    draws = draw_uniform(5000, 3, MIX_STREAM, seed=7, epoch=2).numpy()
    assert 0 <= draws.min() < 1e-3 and 0.999 < draws.max() < 1
    np.testing.assert_allclose(draws.mean(axis=0), 0.5, atol=4 * np.sqrt(1 / 12 / 5000))
    np.testing.assert_allclose(draws[0], [0.12133849, 0.94279444, 0.65234303], rtol=1e-6)
