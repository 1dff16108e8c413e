"""Image quilting, random-phase noise and the halves of a photograph."""

import numpy as np
import pytest

from tests.support.synthetic_textures import lattice
from tf_psgan.evaluation import artefacts, quilting, references

SOURCE = lattice(1, side=96, period=16)


def test_quilting_copies_pixels_of_the_source():
    made = quilting.quilt(SOURCE, 130, seed=3, block=30)
    assert made.shape == (130, 130, 3) and made.dtype == np.uint8
    assert set(map(tuple, made.reshape(-1, 3))) <= set(map(tuple, SOURCE.reshape(-1, 3)))


def test_quilting_goes_on_with_an_exact_period_for_ever():
    tile = np.random.default_rng(0).integers(0, 256, (10, 14, 3)).astype(np.uint8)
    made = quilting.quilt(np.tile(tile, (8, 6, 1)), 100, seed=1, block=24)
    np.testing.assert_array_equal(made[10:], made[:-10])
    np.testing.assert_array_equal(made[:, 14:], made[:, :-14])


def test_quilting_follows_its_seed():
    first, again, other = (quilting.quilt(SOURCE, 100, seed, block=30) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_the_cut_is_the_cheapest_path():
    error = np.array([[9, 1, 9, 9], [9, 9, 1, 9], [9, 9, 9, 1], [9, 1, 1, 5]])
    assert quilting.cut(error).tolist() == [1, 2, 3, 2]


def test_a_block_keeps_what_lies_beyond_both_cuts():
    error = np.ones((6, 6))
    error[:, 1] = 0  # the left cut goes down column 1, the upper one along row 0
    error[0] = 0
    mask = quilting.existing_mask(error, above=True, left=True, overlap=3)
    assert mask[1:, 0].all() and not mask[1:, 1:].any()
    assert not quilting.existing_mask(error, above=False, left=False, overlap=3).any()


def test_a_block_larger_than_the_source_is_refused():
    with pytest.raises(ValueError, match="use smaller ones"):
        quilting.quilt(SOURCE, 130, seed=1, block=96)


def test_random_phases_keep_the_spectrum_and_the_mean_and_lose_the_edges():
    checks = np.indices((128, 128)).sum(0) // 16 % 2 * np.indices((128, 128))[0] // 16 % 2
    source = np.repeat(np.where(checks, 160, 90)[..., None], 3, -1).astype(np.uint8)
    made = references.random_phases(source)
    assert np.allclose(made.mean(axis=(0, 1)), source.mean(axis=(0, 1)), atol=1)
    powers = [np.abs(np.fft.rfft2(picture[..., 1] / 255)) ** 2 for picture in (source, made)]
    assert np.corrcoef(powers[0].ravel()[1:], powers[1].ravel()[1:])[0, 1] > 0.95
    assert artefacts.band_moments(made)[1] < artefacts.band_moments(source)[1] - 1


def test_halves_lie_along_the_longer_side():
    upright = np.arange(6 * 4 * 3).reshape(6, 4, 3)
    top, bottom = references.halves(upright)
    np.testing.assert_array_equal(np.concatenate([top, bottom]), upright)
    left, right = references.halves(upright.swapaxes(0, 1))
    assert left.shape == right.shape == (4, 3, 3)


def test_quilting_of_a_photograph_is_as_large_as_its_shorter_side():
    assert references.quilted(SOURCE[:70]).shape == (70, 70, 3)
