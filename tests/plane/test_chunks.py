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


def test_a_chunk_of_reduced_pictures_is_enlarged_by_linear_interpolation():
    folded = fold(tiny.generator())
    blocks = chunks.cast(folded.blocks, "float32")
    field = np.random.default_rng(0).uniform(-1, 1, (1, 7, 7, folded.blocks[0][0].shape[2])).astype("f4")
    small = np.pad(chunks.pixels(blocks, field, "float32").numpy().astype(float), ((1, 1), (1, 1), (0, 0)), mode="edge")
    found = chunks.pixels(blocks, field, "float32", factor=2).numpy()
    rows = np.stack([0.25 * small[:-2] + 0.75 * small[1:-1], 0.75 * small[1:-1] + 0.25 * small[2:]], axis=1)
    rows = rows.reshape(-1, *small.shape[1:])
    expected = np.stack([0.25 * rows[:, :-2] + 0.75 * rows[:, 1:-1], 0.75 * rows[:, 1:-1] + 0.25 * rows[:, 2:]], axis=2)
    expected = expected.reshape(len(rows), -1, 3)
    inside = np.s_[2:-2, 2:-2]  # the chunk's edge depends on the network's spare pixels
    assert np.abs(found[inside] - expected[inside]).max() <= 1
    assert found.shape == (2 * (small.shape[0] - 2),) * 2 + (3,)
