import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.detail.phases import BITS, PARTS, Lattice, wanted_phases

WAVES = np.array([[1 / 12, 0.0], [0.0, 1 / 20]])
PLACES = np.array([[0, 120, 160], [120, 100, 140]], np.int32)
AHEAD = np.array([[0.0, 0.0], [0.25, -0.5]])
SIDE = 4


def phases(*turns):
    return tf.constant(np.round(np.array(turns) % 1 * 2**BITS), tf.int64)


@pytest.fixture(scope="module")
def lattice():
    return Lattice(WAVES, AHEAD, PLACES, SIDE, 2)


def test_the_vectors_are_those_of_the_waves(lattice):
    np.testing.assert_allclose(lattice.vectors, [[12, 0], [0, 20]])
    skew = Lattice(np.linalg.inv([[10.0, 3.0], [-2.0, 15.0]]).T, AHEAD, PLACES, SIDE, 2)
    np.testing.assert_allclose(skew.vectors, [[10.0, 3.0], [-2.0, 15.0]])


def test_periods_are_all_vectors_within_reach(lattice):
    found = lattice.periods(25, 20) / PARTS
    expected = {(12 * i, 20 * j) for i in range(-2, 3) for j in range(-1, 2)}
    assert len(found) == len(expected) and {tuple(step) for step in found.tolist()} == expected
    assert (found[0] == 0).all() and (np.diff((found**2).sum(axis=1)) >= 0).all()


def test_blocks_are_moved_to_the_nearest_place_with_the_wanted_phase(lattice):
    # The pixel in the middle of a block is its second one: of row 6 and column 2, and cells of 12 x 20 pixels on.
    found = lattice.aligned(tf.constant([[40, 61], [57, 79]]), phases([7 / 12, 3 / 20]))
    np.testing.assert_array_equal(found, [[42, 62], [54, 82]])


def test_further_photographs_have_phases_of_their_own(lattice):
    """A quarter turn is 3 rows, half a turn 10 columns; and the second photograph begins in row 120."""
    found = lattice.aligned(tf.constant([[160, 61]]), phases([7 / 12, 3 / 20]))
    np.testing.assert_array_equal(found, [[120 + 36 + 3, 62 + 10 - 20]])
    outside = lattice.aligned(tf.constant([[119, 61]]), phases([0.25, 0.5]), tf.constant([1]))
    np.testing.assert_array_equal(outside, [[119, 59]])


def test_all_blocks_with_a_phase_are_found_from_one_of_them():
    """Periods between pixels are rounded where they lead, once."""
    skew = Lattice(np.linalg.inv([[10.4, 3.3], [-2.0, 15.0]]).T, AHEAD, PLACES, SIDE, 2)
    wanted = phases([0.2, 0.7])
    found = skew.alike(tf.constant([[60, 80]]), wanted, tf.constant([0]), skew.periods(50, 60))
    np.testing.assert_array_equal(skew.aligned(found, wanted[:, tf.newaxis]), found)
    assert len({tuple(place) for place in found[0].numpy().tolist()}) == len(skew.periods(50, 60))


def test_phases_between_pixels_are_met_within_half_a_pixel(lattice):
    found = lattice.aligned(tf.constant([[40, 60]]), phases([7.4 / 12, 3.6 / 20]))
    np.testing.assert_array_equal(found, [[42, 63]])


def test_what_is_off_by_more_than_its_slack_follows_the_lattice(lattice):
    copies = tf.constant([[42, 62], [43, 62], [42, 60]])
    found = lattice.followed(copies, phases([7 / 12, 3 / 20]))
    np.testing.assert_array_equal(found, [[42, 62], [42, 62], [42, 62]])
    found = lattice.followed(copies[:1], phases([7.7 / 12, 2.3 / 20]))
    np.testing.assert_array_equal(found, copies[:1])


def test_no_block_follows_the_lattice_out_of_its_photograph(lattice):
    copies = tf.constant([[2, 62], [118, 62]])
    np.testing.assert_array_equal(lattice.followed(copies, phases([11 / 12, 3 / 20]), tf.constant([0, 0])), copies)


def test_the_wanted_phase_of_a_block_is_that_of_the_pixel_in_its_middle():
    step = np.array([1 << 60, -(1 << 58)])
    rows, cols = np.arange(8)[:, np.newaxis] * step, np.arange(12)[:, np.newaxis] * step
    found = wanted_phases(tf.constant(rows), tf.constant(cols), SIDE)
    assert found.shape == (2, 3, 2)
    np.testing.assert_array_equal(found[1, 2], [(5 + 9) % 16 << 28, -(5 + 9) % 64 << 26])
