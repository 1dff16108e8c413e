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


def _squares(first, count, period, blocks=10):
    rows = 16 * first + np.arange(16 * count)
    found, _ = chunks.squares(rows, np.arange(16), 16, 32, (period, 0), blocks)
    return found.numpy()


@pytest.mark.parametrize("first", [0, -7, 3 - (1 << 41)])
def test_squares_of_blocks_lie_at_multiples_of_their_side(first):
    since, side = _squares(first, 40, 0).T
    np.testing.assert_array_equal(since, (first + np.arange(40)) % 10)
    assert (side == 10).all()


@pytest.mark.parametrize("period", [1, 3, 5, 7, 10, 23])
def test_squares_repeat_with_a_torus_and_are_never_larger(period):
    blocks = 2 * period  # cells of two blocks
    since, side = _squares(-3 * blocks, 6 * blocks, period).T
    np.testing.assert_array_equal(since[blocks:], since[:-blocks])
    np.testing.assert_array_equal(side[blocks:], side[:-blocks])
    assert since[0] == 0 and side.max() <= 10 and side.min() >= min(blocks, 5)
    begins = np.flatnonzero(since == 0)
    np.testing.assert_array_equal(np.diff(begins), side[begins[:-1]])
