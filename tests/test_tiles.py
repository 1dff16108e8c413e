import numpy as np
import pytest
import tiny

from tf_psgan import geometry, images, tiles
from tf_psgan.frozen import freeze
from tf_psgan.generator import paint


@pytest.mark.parametrize("cells", [1, 2, 5, 8])
@pytest.mark.parametrize("dtype, levels", [("float32", 1), ("bfloat16", 4)])
def test_a_tile_made_as_strips_is_the_picture_of_the_whole(cells, dtype, levels):
    frozen = freeze(tiny.generator())
    blocks, halo = tiles.cast(frozen.blocks, dtype), geometry.HALO
    extent = cells + 2 * halo
    field = np.random.default_rng(0).uniform(-1, 1, (1, extent, extent, frozen.blocks[0][0].shape[2])).astype("f4")
    found = tiles.pixels(blocks, field, dtype).numpy()
    whole = images.to_bytes(paint(blocks, field, dtype)).numpy()[0, halo:-halo, halo:-halo]
    assert found.shape == (cells * frozen.pixels_per_cell,) * 2 + (3,)
    assert np.abs(found.astype(int) - whole).max() <= levels
    assert np.ptp(whole) > 20  # there is something to see
