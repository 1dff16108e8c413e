"""Precision, recall and Fréchet distance of small sets of vectors."""

import numpy as np
import pytest

from tf_psgan.errors import PictureError
from tf_psgan.evaluation import neighbours


def vectors(count, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (count, 4))


def test_precision_and_recall_of_points_on_a_line_worked_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    made = np.array([[0.5], [1.5], [1.6], [30.0]])
    # Radii to the nearest other, real: 1, 1, 1, 8; made: 1, .1, .1, 28.4.
    assert np.allclose(neighbours.radii(real, 1), np.array([1, 1, 1, 8.0]) ** 2)
    # 30 lies outside every ball of the real ones. The ball of 30 reaches down to 1.6, that of .5 from -.5 to 1.5.
    assert neighbours.precision_recall(made, real, nearest=1) == (0.75, 1.0)
    assert neighbours.precision_recall(made[:3], real, nearest=1) == (1.0, 0.5)


def test_vectors_of_one_distribution_are_inside_and_distant_ones_outside():
    same = neighbours.precision_recall(vectors(300, 1), vectors(300, 2))
    far = neighbours.precision_recall(vectors(300, 1, shift=50), vectors(300, 2))
    assert min(same) > 0.85 and far == (0, 0)


def test_a_generator_of_one_vector_is_precise_and_recalls_nothing():
    real = vectors(300, 1)
    precision, recall = neighbours.precision_recall(np.repeat(real[:1], 300, axis=0), real)
    assert precision == 1 and recall < 0.02


def test_too_few_vectors_for_neighbours_are_an_error():
    with pytest.raises(PictureError, match="larger pictures"):
        neighbours.radii(vectors(3, 1))


def test_frechet_distance_is_zero_for_equal_sets_and_the_squared_shift_for_shifted_ones():
    a = vectors(400, 1)
    assert neighbours.frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert neighbours.frechet(a, a + np.array([3, 0, 0, 4.0])) == pytest.approx(25, rel=1e-6)
    assert neighbours.frechet(a, 2 * a) > 1
