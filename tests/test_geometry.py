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
