"""A correction computes what k-coherent search defines, whatever it leaves out to be faster."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import synthetic_textures
from tf_psgan.detail.correction import LevelTables, correction
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.features import PEAK, TAPS

ORDER = [(0, 0), (0, -1), (0, 1), (-1, 0), (-1, -1), (-1, 1), (1, 0), (1, -1), (1, 1)]


@pytest.fixture(scope="module")
def exemplar():
    pictures = [synthetic_textures.blobs(3, 96), synthetic_textures.blobs(4, 80)]
    return Exemplar.build(pictures, 4)


def by_definition(level, index):
    """Each pixel's first nearest candidate, one pixel after the other."""
    found = np.empty((index.shape[0] - 4, index.shape[1] - 4), np.int32)
    features = level.features.astype(np.int64)
    for row, col in np.ndindex(found.shape):
        colours = level.colours[index[row : row + TAPS, col : col + TAPS]].reshape(-1).astype(np.int64)
        made = np.clip((colours @ level.filters.astype(np.int64) - level.centre) // level.scale, -PEAK, PEAK)
        copies = []
        for down, right in ORDER:
            beside = index[row + 2 + down, col + 2 + right]
            offset = (down * level.width + right) * level.stride
            copies += [beside - offset, *(level.similar[beside] - offset)]
        distances = ((features[copies] - made) ** 2).sum(axis=1)
        found[row, col] = copies[distances.argmin()]
    return found


def pieces(level, random, rows, cols, side):
    """A map of side x side pixels from random places of the photographs."""
    corner = random.choice(level.starts, (rows, cols))
    inside = np.arange(side)
    grid = (inside[:, np.newaxis] * level.width + inside) * level.stride
    copies = corner[:, np.newaxis, :, np.newaxis] + grid[:, np.newaxis]
    copies = np.where(level.features[copies, 0] > PEAK, corner[:, np.newaxis, :, np.newaxis], copies)
    return copies.reshape(rows * side, cols * side).astype(np.int32)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("side", [1, 3])
def test_a_correction_is_k_coherent_search(exemplar, number, side):
    level, random = exemplar.levels[number], np.random.default_rng(number)
    index = pieces(level, random, 18 // side, 15 // side, side)
    found = correction(LevelTables(level))(tf.constant(index))
    expected = by_definition(level, index)
    np.testing.assert_array_equal(found, expected)
    assert (expected != index[2:-2, 2:-2]).any()


def test_a_map_without_seams_is_kept(exemplar):
    level = exemplar.levels[0]
    inside = np.arange(4, 24)
    index = inside[:, np.newaxis] * level.width + inside
    found = correction(LevelTables(level))(tf.constant(index.astype(np.int32)))
    np.testing.assert_array_equal(found, index[2:-2, 2:-2])
