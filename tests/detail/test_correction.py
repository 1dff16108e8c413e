"""A correction computes what k-coherent search defines, whatever it leaves out to be faster."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import synthetic_textures
from tf_psgan.detail import synthesis
from tf_psgan.detail.correction import PHASE_WEIGHT, LevelTables, correct
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.features import TAPS
from tf_psgan.detail.phases import PEAK

WAVES = np.array([[1 / 16, 0.0], [0.0, 1 / 20]])
ORDER = [(0, 0), (0, -1), (0, 1), (-1, 0), (-1, -1), (-1, 1), (1, 0), (1, -1), (1, 1)]


@pytest.fixture(scope="module")
def exemplar():
    pictures = [synthetic_textures.blobs(3, 96), synthetic_textures.blobs(4, 80)]
    return Exemplar.build(pictures, 3).with_waves(WAVES, np.zeros(2, np.int64))


def by_definition(level, index, phases):
    """Each pixel's first nearest candidate, one pixel after the other."""
    found = np.empty((index.shape[0] - 4, index.shape[1] - 4), np.int32)
    features, turns = level.features.astype(np.int64), level.phases.astype(np.int64)
    for row, col in np.ndindex(found.shape):
        colours = level.colours[index[row : row + TAPS, col : col + TAPS]].reshape(-1).astype(np.int64)
        made = np.clip((colours @ level.filters.astype(np.int64) - level.centre) // level.scale, -PEAK, PEAK)
        copies = []
        for down, right in ORDER:
            beside = index[row + 2 + down, col + 2 + right]
            offset = (down * level.width + right) * level.stride
            copies += [beside - offset, *(level.similar[beside] - offset)]
        distances = ((features[copies] - made) ** 2).sum(axis=1)
        if phases is not None:
            distances += PHASE_WEIGHT * ((turns[copies] - phases[row, col].astype(np.int64)) ** 2).sum(axis=1)
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
    phases = random.integers(-PEAK, PEAK + 1, (14, 11, 4)).astype(np.float32) if number == 2 else None
    found = correct(LevelTables(level, number == 2), tf.constant(index), phases)
    expected = by_definition(level, index, phases)
    np.testing.assert_array_equal(found, expected)
    assert (expected != index[2:-2, 2:-2]).any()


def test_a_map_without_seams_is_kept(exemplar):
    level = exemplar.levels[0]
    inside = np.arange(4, 24)
    index = inside[:, np.newaxis] * level.width + inside
    found = correct(LevelTables(level, False), tf.constant(index.astype(np.int32)))
    np.testing.assert_array_equal(found, index[2:-2, 2:-2])


def test_corrections_get_the_phases_of_their_own_pixels(exemplar, monkeypatch):
    calls = []

    def watched(tables, index, phases):
        calls.append((index, phases))
        return index[2:-2, 2:-2]

    monkeypatch.setattr(synthesis, "correct", watched)
    stage = synthesis.DetailStage(exemplar)
    side = 2 * stage.margin + 8
    turns = np.zeros((side, 2), np.int64)
    turns[:, 0] = np.arange(side) << 54  # one step of a phase feature per row of pixels
    stage(np.zeros((side, side, 3), np.uint8), turns, np.zeros((side, 2), np.int64))
    coarse = [(index, phases) for index, phases in calls if phases is not None]
    assert [(len(phases) + 4, phases.shape[1] + 4) for _, phases in coarse] == [index.shape for index, _ in coarse]
    # Two pixels of 4 for the neighbourhoods of the start and two for those of the correction; the middle is at row 1.
    assert int(coarse[0][1][0, 0, 1]) == PEAK - abs(4 * 4 + 1 - 512)
