"""Waves on a torus, against Python's integers and fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
import tensorflow as tf

from tf_psgan.latents import torus

STEP = 2**32
EXTENTS = [1, 2, 3, 5, 7, 64, 1000, 2**20 - 1, 2**20, 2**33 + 9, 2**40 - 1, 2**40]


def steps(*turns):
    """Waves (rows, cols) given in turns per cell, as steps: int64 [waves, 2]."""
    return np.array([[round(Fraction(part) * STEP) for part in wave] for wave in turns], np.int64)


def random_steps():
    """Wave numbers of every size, and those at and next to ties."""
    random = np.random.default_rng(0)
    drawn = [int(random.integers(-(2**bits), 2**bits)) for bits in range(1, 35) for _ in range(4)]
    ties = [sign * (half + off) for half in (2**31, 2**30, 3 * 2**31) for sign in (1, -1) for off in (-1, 0, 1)]
    return [0, STEP, -STEP, *drawn, *ties]


def wrapped(value):
    return (value + 2**63) % 2**64 - 2**63


@pytest.mark.parametrize("extent", EXTENTS)
def test_whole_rounds_to_the_nearest_number_of_turns(extent):
    values = random_steps()
    found = torus.whole(np.array(values), extent).numpy().tolist()
    assert found == [round(Fraction(value * extent, STEP)) for value in values]  # round: ties to even


@pytest.mark.parametrize("extent", EXTENTS)
def test_turns_equal_the_exact_fraction_rounded_down(extent):
    values = random_steps()
    found = torus.turns(np.array([[value, value] for value in values]), extent, 0).numpy()
    exact = [wrapped(round(Fraction(value * extent, STEP)) * 2**64 // extent) for value in values]
    assert found[:, 0].tolist() == exact
    assert found[:, 1].tolist() == [wrapped(value * STEP) for value in values]  # the endless axis: as they were


def test_a_wave_closes_within_one_unit_per_cell():
    (fixed,) = torus.turns(steps(("3/7", "0.2")), 7, 10).numpy()
    for part, extent in zip(fixed.tolist(), (7, 10), strict=True):
        assert 0 <= -wrapped(part * extent) < extent  # in units of 2**-64 turns


def test_graph_and_eager_turns_are_equal():
    spec = [tf.TensorSpec((None, 2), tf.int64), tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.int64)]
    graph = tf.function(torus.turns, input_signature=spec)
    values = np.array([[value, -value] for value in random_steps()])
    for rows, cols in zip(EXTENTS, EXTENTS[::-1], strict=True):
        np.testing.assert_array_equal(graph(values, rows, cols), torus.turns(values, rows, cols))
    np.testing.assert_array_equal(graph(values, 5, 0), torus.turns(values, 5, 0))


def strain(waves, rows, cols):
    return float(torus.strain(waves, [rows], [cols])[0, 0])


def test_a_wave_that_fits_has_no_strain():
    assert strain(steps(("0.3", "-0.4"), ("0", "0.1")), 10, 20) < 1e-6
    assert strain(steps(("0.26", "0.77")), 0, 0) == 0


def test_strain_is_the_change_of_a_wave_divided_by_the_allowed_change():
    # From 2.2 turns in 10 cells to 2: a tenth of the wave number, where a twentieth is allowed.
    assert strain(steps(("0.22", "0")), 10, 10) == pytest.approx((0.02 / 0.22) / torus.RELATIVE)
    # A wave too long to close even once moves to zero; at the scale of a cell that is a small move.
    assert strain(steps((Fraction(0.01 / 2 / math.pi), "0")), 10, 10) == pytest.approx(0.01 / torus.ABSOLUTE)
    # Moves along both axes add as the sides of a right triangle.
    both = math.hypot(0.02, 0.04) / math.hypot(0.22, 0.26) / torus.RELATIVE
    assert strain(steps(("0.22", "0.26")), 10, 10) == pytest.approx(both)


def test_strain_is_the_maximum_over_waves_at_each_extent():
    found = torus.strain(steps(("0.25", "0"), ("0", "0.2")), [4, 5, 0], [5, 7]).numpy()
    assert found.shape == (3, 2)
    each = [[strain(steps(("0.25", "0"), ("0", "0.2")), rows, cols) for cols in (5, 7)] for rows in (4, 5, 0)]
    np.testing.assert_array_equal(found, each)
    assert found[0, 0] < 1e-6 < found.min(axis=1)[1]
    np.testing.assert_array_equal(torus.strain(np.zeros((0, 2), np.int64), [10], [3, 4]), [[0, 0]])


def test_wave_lengths_are_old_new_and_relative_change():
    ((before, after, share),) = torus.wave_lengths(steps(("0", "0.26")), 0, 10)
    assert (before, after) == pytest.approx((1 / 0.26, 1 / 0.3))
    assert share == pytest.approx(0.04 / 0.26)


def brute_force(textures, rows, cols, least, count):
    """All extents around, nearest first, rows before columns among equals."""
    extents = [
        (r, c)
        for r in (range(max(least, rows - torus.NEAR), rows + torus.NEAR + 1) if rows else [0])
        for c in (range(max(least, cols - torus.NEAR), cols + torus.NEAR + 1) if cols else [0])
    ]
    fit = [e for e in sorted(extents, key=lambda e: abs(e[0] - rows) + abs(e[1] - cols))
           if all(strain(each, *e) <= 1 for each in textures)]  # fmt: skip
    return fit[:count]


@pytest.mark.parametrize(
    "textures, rows, cols, least",
    [
        ([steps(("0", "1/7"))], 0, 10, 1),
        ([steps(("0", "1/4")), steps(("0", "1/6"))], 0, 11, 1),
        ([steps(("1/9", "0"), ("0.03", "0"))], 12, 0, 5),
        ([steps(("0", "1/2"))], 0, 1, 70),
    ],
)
def test_good_extents_equal_a_brute_force_search(textures, rows, cols, least):
    found = torus.good_extents(textures, rows, cols, least)
    assert found == brute_force(textures, rows, cols, least, 3)


def test_good_extents_equal_values_worked_by_hand():
    assert torus.good_extents([steps(("0", "1/7"))], 10, 10)[0] == (10, 7)  # 14 columns are one further
    assert torus.good_extents([steps(("0", "1/4")), steps(("0", "1/6"))], 0, 11, count=1) == [(0, 12)]
    assert torus.good_extents([steps(("0", "1/2"))], 0, 1, least=70) == []  # nothing that near
