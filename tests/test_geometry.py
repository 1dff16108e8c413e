import pytest

from tf_psgan import geometry


@pytest.mark.parametrize("layers, side", [(0, 1), (1, 2), (4, 16), (5, 32)])
def test_each_layer_doubles_the_side_of_a_cell(layers, side):
    assert geometry.pixels_per_cell(layers) == side


@pytest.mark.parametrize("cells", [1, 3, 16])
@pytest.mark.parametrize("layers", [1, 3, 5])
def test_the_halo_outlasts_layers_that_turn_n_into_2n_minus_4(layers, cells):
    extent = cells + 2 * geometry.HALO
    for _ in range(layers):
        extent = 2 * extent - 4
    assert extent == geometry.pixels_per_cell(layers) * cells + 2 * geometry.HALO


@pytest.mark.parametrize(
    "start, pixels, first, count",
    [
        (0, 1, 0, 1),
        (0, 8, 0, 1),
        (0, 9, 0, 2),
        (7, 2, 0, 2),
        (8, 8, 1, 1),
        (-1, 1, -1, 1),
        (-1, 2, -1, 2),
        (-8, 8, -1, 1),
        (-9, 18, -2, 4),
        (2**60 + 5, 3, 2**57, 1),
        (2**60 + 5, 4, 2**57, 2),
    ],
)
def test_cells_of_eight_pixels_cover_a_range(start, pixels, first, count):
    assert geometry.cells_covering(start, pixels, 8) == (first, count)


def test_a_cover_is_the_smallest_one():
    for start in range(-13, 14):
        for pixels in range(1, 20):
            first, count = geometry.cells_covering(start, pixels, 5)
            assert 5 * first <= start < 5 * (first + 1)
            assert 5 * (first + count - 1) < start + pixels <= 5 * (first + count)
