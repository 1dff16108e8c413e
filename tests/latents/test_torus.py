import math

import numpy as np
import pytest

from tf_psgan.latents import torus

TURN = 2 * math.pi


def test_waves_move_to_the_nearest_that_close():
    # 0.26 turns a cell over 10 cells is 2.6 turns: 3 is nearest. Along the endless axis nothing moves.
    np.testing.assert_allclose(torus.snap(np.array([[0.26 * TURN, 1.0]]), 10, 0), [[0.3 * TURN, 1.0]])
    np.testing.assert_allclose(torus.snap(np.array([[-0.26 * TURN, -0.12 * TURN]]), 10, 8), [[-0.3 * TURN, -TURN / 8]])


def test_a_wave_that_fits_stays():
    numbers = np.array([[0.3 * TURN, -0.4 * TURN], [0.0, 0.1 * TURN]])
    np.testing.assert_allclose(torus.snap(numbers, 10, 20), numbers)
    assert torus.strain(numbers, 10, 20) < 1e-9


def test_strain_is_the_way_a_wave_moves_over_what_its_look_bears():
    # From 2.2 turns in 10 cells to 2: a move of a tenth against the twentieth that is allowed.
    assert torus.strain(np.array([[0.22 * TURN, 0.0]]), 10, 10) == pytest.approx((0.02 / 0.22) / torus.RELATIVE)
    # A wave so long that it does not close even once: to nothing, seen from a cell a small move.
    assert torus.strain(np.array([[0.01, 0.0]]), 10, 10) == pytest.approx(0.01 / torus.ABSOLUTE)
    assert torus.strain(np.zeros((0, 2)), 10, 10) == 0


def test_moves_are_told_in_wave_lengths_and_shares():
    ((before, after, share),) = torus.moves(np.array([[0.0, 0.26 * TURN]]), 0, 10)
    assert (before, after) == pytest.approx((1 / 0.26, 1 / 0.3))
    assert share == pytest.approx(0.04 / 0.26)


def test_good_extents_fit_and_are_the_nearest():
    numbers = np.array([[0.0, TURN / 7]])
    good = torus.good_extents([numbers], 10, 10)
    assert good[0] == (10, 7)  # 14 columns are one further
    assert all(torus.strain(numbers, *extent) <= 1 for extent in good)
    apart = [abs(rows - 10) + abs(cols - 10) for rows, cols in good]
    assert apart == sorted(apart)


def test_good_extents_fit_every_texture_and_leave_an_endless_axis_alone():
    numbers = [np.array([[0.0, TURN / 4]]), np.array([[0.0, TURN / 6]])]
    assert torus.good_extents(numbers, 0, 11, count=1) == [(0, 12)]


def test_where_nothing_near_fits_there_is_no_extent():
    assert torus.good_extents([np.array([[0.0, 0.5 * TURN]])], 0, 1, least=70) == []
