from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.latents import waves

TURN = 2**64
TAU = 2 * Fraction(31415926535897932384626433832795028841971, 10**40)
NUMBERS = np.array([[0.37, -1.9], [2.5, 0.004], [-3.0, 3.1]], np.float32)
PHASES = [2**63 - 1, -(2**63), 12345678901234567]


def wrapped(turns):
    """Turns as a Fraction in [-1/2, 1/2)."""
    return (turns + Fraction(1, 2)) % 1 - Fraction(1, 2)


def distance(a, b):
    """Distance between two angles in turns."""
    return abs(wrapped(Fraction(a) - Fraction(b)))


def turns(numbers):
    """Turns per cell of wave numbers in radians per cell."""
    return waves.turns(waves.steps(numbers))


def test_steps_are_the_nearest_grid_points():
    for found, number in zip(waves.steps(NUMBERS).numpy().ravel(), NUMBERS.ravel(), strict=True):
        exact = Fraction(float(number)) / TAU * 2**32
        assert abs(int(found) - exact) <= Fraction(1, 2) + Fraction(1, 10**5)
    assert waves.steps(np.zeros((0, 2))).shape == (0, 2)


@pytest.mark.parametrize(
    "number, expected",
    [
        (0.0, 0),
        (np.pi / 2, 2**30),
        (-np.pi / 2, -(2**30)),
        (np.pi, 2**31),
        (-np.pi, -(2**31)),
        (2 * np.pi, 2**32),
        (-7 * np.pi / 2, -7 * 2**30),
        (2 * np.pi * 2.0**-34, 0),
        (2 * np.pi * 3.0 * 2.0**-34, 1),
    ],
)
def test_steps_equal_values_worked_by_hand(number, expected):
    found = waves.steps(np.array([number]))
    assert found.dtype == tf.int64 and found.numpy().tolist() == [expected]


def test_wave_numbers_invert_steps():
    steps = np.array([0, 1, -(2**31), 3 * 2**30, 123456789])
    np.testing.assert_allclose(waves.wave_numbers(steps), steps * (2 * np.pi / 2**32), rtol=1e-15)
    np.testing.assert_array_equal(waves.steps(waves.wave_numbers(steps)), steps)


@pytest.mark.parametrize("step", [0, 1, -1, 2**31 - 1, 2**31, -(2**31), 2**32, 5 * 2**30, -(7 * 2**30) - 3])
def test_turns_are_exact_modulo_one_turn(step):
    fixed = int(waves.turns(np.array([step]))[0])
    assert fixed == (step * 2**32 + 2**63) % 2**64 - 2**63


@pytest.mark.parametrize("cell", [0, 10**9, -(10**9), 10**12, -(10**12) - 7, 2**62])
def test_a_phase_is_exact_at_any_cell(cell):
    fixed = turns(NUMBERS)
    row, col = cell, 3 - cell
    found = waves.phase_at(fixed, tf.constant(PHASES, tf.int64), row, col)
    for wave in range(3):
        exact = int(fixed[wave, 0]) * row + int(fixed[wave, 1]) * col + PHASES[wave]
        assert int(found[wave]) == (exact + TURN // 2) % TURN - TURN // 2


@pytest.mark.parametrize("cell", [10**9, 10**12])
def test_radians_far_from_the_origin_have_float32_accuracy(cell):
    fixed = turns(NUMBERS)
    found = waves.radians(waves.phase_at(fixed, tf.constant(PHASES, tf.int64), cell, -cell)).numpy()
    for wave in range(3):
        exact = wrapped(Fraction(int(fixed[wave, 0]) * cell - int(fixed[wave, 1]) * cell + PHASES[wave], TURN))
        assert abs(Fraction(float(found[wave])) - exact * TAU) < Fraction(2, 10**7)


def test_radians_span_one_turn():
    quarters = tf.constant([-(2**63), -(2**62), 0, 2**62, 2**63 - 1], tf.int64)
    expected = np.array([-np.pi, -np.pi / 2, 0, np.pi / 2, np.pi], np.float32)
    np.testing.assert_array_equal(waves.radians(quarters), expected)


@pytest.mark.parametrize("row, col", [(0, 0), (5, -3), (-11, 8)])
def test_plane_waves_equal_sines_of_the_position(row, col):
    numbers = np.array([[0.31, -0.12], [0.0, 0.45], [-0.29, 0.07]], np.float32)
    fixed, phase = turns(numbers), np.array(PHASES, np.int64)
    here = waves.radians(waves.phase_at(fixed, tf.constant(phase), row, col))
    found = waves.plane_waves(tf.constant(numbers[None]), here[tf.newaxis], 6, 5, quadrature=False)
    rows, cols = np.meshgrid(np.arange(row, row + 6.0), np.arange(col, col + 5.0), indexing="ij")
    angle = numbers[:, 0] * rows[..., None] + numbers[:, 1] * cols[..., None] + phase * (2 * np.pi / TURN)
    assert found.dtype == tf.float32
    np.testing.assert_allclose(found[0], np.sin(angle), rtol=0, atol=1e-6)


@pytest.mark.parametrize("row, col", [(10**9, -(10**9)), (-(10**12), 10**12)])
def test_windows_of_waves_far_from_the_origin_agree_where_they_overlap(row, col):
    fixed, phase = turns(NUMBERS), tf.constant(PHASES, tf.int64)
    numbers = waves.radians(fixed)[tf.newaxis]

    def window(row, col, rows, cols):
        here = waves.radians(waves.phase_at(fixed, phase, row, col))
        return waves.plane_waves(numbers, here[tf.newaxis], rows, cols, quadrature=True)[0]

    np.testing.assert_allclose(window(row, col, 8, 8)[3:7, 2:7], window(row + 3, col + 2, 4, 5), rtol=0, atol=5e-6)


def test_each_member_of_a_batch_has_its_own_waves():
    numbers = tf.constant([[[np.pi / 2, 0.0]], [[0.0, np.pi]]])
    found = waves.plane_waves(numbers, tf.constant([[0.0], [np.pi / 2]]), 3, 2, quadrature=False)[..., 0]
    expected = [[[0, 0], [1, 1], [0, 0]], [[1, -1], [1, -1], [1, -1]]]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)


def test_quadrature_channels_are_a_quarter_turn_ahead():
    phase = tf.constant([[0.3, -1.2, 2.0]])
    both = waves.plane_waves(tf.constant(NUMBERS[None]), phase, 4, 3, quadrature=True)
    sines = waves.plane_waves(tf.constant(NUMBERS[None]), phase, 4, 3, quadrature=False)
    ahead = waves.plane_waves(tf.constant(NUMBERS[None]), phase + np.float32(np.pi / 2), 4, 3, quadrature=False)
    assert both.shape == (1, 4, 3, 6)
    np.testing.assert_array_equal(both[..., :3], sines)
    np.testing.assert_allclose(both[..., 3:], ahead, rtol=0, atol=2e-6)


@pytest.mark.parametrize("quadrature", [False, True])
def test_plane_waves_without_waves_have_no_channels(quadrature):
    none = waves.plane_waves(tf.zeros([2, 0, 2]), tf.zeros([2, 0]), 3, 4, quadrature)
    assert none.shape == (2, 3, 4, 0)


def test_the_ladder_equals_the_authors_wave_numbers():
    # pi (0.5 i / n + 0.5) with n = 3 along each axis, i = 1, 2, 3.
    steps = np.pi * np.array([2 / 3, 5 / 6, 1])
    expected = np.zeros((6, 2))
    expected[0::2, 0] = steps
    expected[1::2, 1] = steps
    np.testing.assert_allclose(waves.ladder(6), expected, rtol=1e-6)


def test_the_last_wave_of_an_odd_ladder_is_along_rows():
    np.testing.assert_allclose(waves.ladder(3), np.pi * np.array([[0.75, 0], [0, 0.75], [1, 0]]), rtol=1e-6)
    np.testing.assert_allclose(waves.ladder(1), [[np.pi, 0]], rtol=1e-6)
    assert waves.ladder(0).shape == (0, 2)
