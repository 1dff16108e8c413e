import numpy as np
import pytest

from tf_psgan.evaluation.extrema import half_plane, local_maxima, vertex_offset


def parabola(row, col, side=9):
    """A table with its maximum at (row, col)."""
    rows, cols = np.indices((side, side))
    return -((rows - row) ** 2) - 2.0 * (cols - col) ** 2


def test_a_parabola_has_one_maximum_and_its_vertex_is_exact():
    table = parabola(4.3, 2.8)
    assert np.argwhere(local_maxima(table)).tolist() == [[4, 3]]
    np.testing.assert_allclose(vertex_offset(table, 4, 3), [0.3, -0.2])


def test_the_table_wraps_around():
    table = np.roll(parabola(4.25, 4.0), (-4, -4), (0, 1))
    assert local_maxima(table)[0, 0]
    np.testing.assert_allclose(vertex_offset(table, 0, 0), [0.25, 0.0])


@pytest.mark.parametrize("row, col", [(0, 0), (4, 0)])
def test_there_is_no_offset_where_the_sample_is_not_the_highest(row, col):
    table = parabola(2.0, 6.0)
    assert vertex_offset(table, row, col)[0] == 0


def test_a_constant_table_has_no_maximum():
    assert not local_maxima(np.ones((5, 5))).any()


def test_the_half_plane_holds_one_of_each_pair_and_not_the_origin():
    vectors = np.stack(np.meshgrid([-1, 0, 1], [-2, 0, 2], indexing="ij"), axis=-1)
    kept = half_plane(vectors)
    assert kept.sum() == 4 and not kept[1, 1]
    assert np.all(kept ^ half_plane(-vectors) == np.any(vectors != 0, axis=-1))
