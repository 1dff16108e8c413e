import numpy as np
import pytest

from tests.support import tiny
from tf_psgan import geometry
from tf_psgan.data import images
from tf_psgan.networks import inference
from tf_psgan.plane import chunks
from tf_psgan.plane.folded_generator import fold


@pytest.mark.parametrize("cells", [1, 2, 5, 8])
@pytest.mark.parametrize("dtype, tolerance", [("float32", 1), ("bfloat16", 4)])
def test_a_chunk_computed_as_strips_equals_the_whole(cells, dtype, tolerance):
    folded = fold(tiny.generator())
    blocks, halo = chunks.cast(folded.blocks, dtype), geometry.HALO
    extent = cells + 2 * halo
    field = np.random.default_rng(0).uniform(-1, 1, (1, extent, extent, folded.blocks[0][0].shape[2])).astype("f4")
    found = chunks.pixels(blocks, field, dtype).numpy()
    whole = images.to_bytes(inference.generate(blocks, field, dtype)).numpy()[0, halo:-halo, halo:-halo]
    assert found.shape == (cells * folded.pixels_per_cell,) * 2 + (3,)
    assert np.abs(found.astype(int) - whole).max() <= tolerance
    assert np.ptp(whole) > 20  # there is something to see
