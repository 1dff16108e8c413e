import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.detail.phases import Lattice, phase_features

WAVES = np.array([[1 / 12, 0.0], [0.0, 1 / 20]])
SIDE = 4


def features(rows, cols):
    return phase_features(np.stack(np.broadcast_arrays(rows / 12.0, cols / 20.0), axis=-1) % 1)


@pytest.fixture(scope="module")
def lattice():
    rows, cols = np.mgrid[:120, :160]
    return Lattice(WAVES, features(rows, cols).reshape(-1, 4), 160, SIDE)


def test_phase_features_are_triangles_a_quarter_turn_apart():
    found = phase_features(np.array([[0.0], [0.25], [0.5], [0.75], [0.125]]))
    # 1024 steps a turn, 255 - |step - 512|, held within +-255
    np.testing.assert_array_equal(found, [[-1, -255], [255, -1], [-1, 255], [-255, -1], [127, -129]])


def test_blocks_are_moved_to_the_wanted_phase(lattice):
    wanted = tf.constant(features(np.array([7.0, 7.0]), np.array([3.0, 3.0])), tf.float32)
    # The pixel in the middle of a block is its second one: of row 6 and column 2, and cells of 12 x 20 pixels on.
    found, off = lattice.nearest(tf.constant([[40, 61], [57, 79]]), wanted, 3)
    np.testing.assert_array_equal(found, [[42, 62], [54, 82]])
    np.testing.assert_array_equal(off, [0, 0])


def test_blocks_are_moved_by_no_more_than_asked(lattice):
    wanted = tf.constant(features(np.array([7.0]), np.array([3.0])), tf.float32)
    found, off = lattice.nearest(tf.constant([[38, 62]]), wanted, 3)
    np.testing.assert_array_equal(found, [[41, 62]])
    assert 0 < off <= lattice.squared_distance(1.0)
    np.testing.assert_array_equal(off, lattice.distances(found, wanted))


def test_a_distance_of_phases_grows_to_that_of_a_quarter_turn(lattice):
    found = [lattice.squared_distance(pixels) for pixels in (0, 1, 2, 5, 100)]
    assert found[0] == 0 and found[-1] == 2 * 2 * 256**2
    assert found == sorted(found)
    # Two features of each wave, which change by 4 times 255 in a turn.
    assert found[1] == pytest.approx(2 * 1024**2 * (1 / 12**2 + 1 / 20**2), abs=1)
