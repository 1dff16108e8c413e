import numpy as np
import pytest
import tensorflow as tf

from benchmarks.quality.seams import mean_cost
from tests.support import synthetic_textures
from tests.support.block_maps import SIDE, one_copy, two_copies
from tf_psgan.detail import block_maps
from tf_psgan.detail.correction import LevelTables
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.fine_seams import REACH, FineSeams


def seams_of(*pictures):
    exemplar = Exemplar.build(pictures, 3)
    return FineSeams(LevelTables(exemplar.levels[-2]), exemplar.places, SIDE), exemplar


def halved(rows, cols):
    """The map of half blocks that copies the same pixels."""
    return [part.numpy() for part in block_maps.halved(rows, cols, SIDE // 2)]


def test_half_blocks_copy_the_pixels_of_their_block():
    rows, cols = halved(*one_copy(3, 2, 20, 12))
    assert rows[:, 0].tolist() == [20, 22, 24, 26, 28, 30]
    assert cols[0].tolist() == [12, 14, 16, 18]
    assert (rows == rows[:, :1]).all()
    assert (cols == cols[:1]).all()


def test_a_map_without_seams_stays_as_it_is():
    seams, _ = seams_of(synthetic_textures.blobs(3, 128))
    rows, cols = one_copy(20, 22, 10, 12)
    found, edge = seams(rows, cols), 2 * REACH
    for part, expected in zip(found, halved(rows, cols), strict=True):
        np.testing.assert_array_equal(part, expected[edge:-edge, edge:-edge])


def test_a_straight_seam_moves_at_once_to_where_the_copies_are_alike():
    """Two half blocks beside it. A half block that moves alone has seams above and below, and goes one at most."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (128, 400, 3)).astype(np.uint8)
    picture[:, 136:186] = picture[:, 256:306] = random.integers(0, 256, (128, 50, 3))
    seams, _ = seams_of(picture)
    # Both copies show the stripe from half block 33 on; the seam is at half block 32.
    rows, cols = two_copies(26, 40, 16, (8, 70), (8, 190))
    borders = [
        first + 1 + (np.diff(part, axis=1) != SIDE // 2).argmax(axis=1)
        for first, part in (
            (2 * REACH, seams(rows, cols)[1].numpy()),
            (1, seams.seams.move(*halved(rows, cols))[1].numpy()),
        )
    ]
    assert (borders[0] >= 34).all()
    assert (borders[1] < 34).all()


def test_seams_become_cheaper_and_no_half_block_copies_from_outside():
    seams, exemplar = seams_of(synthetic_textures.blobs(3, 96), synthetic_textures.blobs(4, 80))
    random = np.random.default_rng(1)
    photograph = random.integers(0, 2, (10, 10))
    tops, heights, widths = exemplar.places[photograph].transpose(2, 0, 1)
    down, right = (8 + random.integers(0, extents - 40) for extents in (heights, widths))
    rows, cols = (part.repeat(4, axis=0).repeat(4, axis=1) for part in (tops + down, right))
    inside = np.arange(40) % 4 * SIDE
    rows, cols = (rows + inside[:, np.newaxis]).astype(np.int32), (cols + inside).astype(np.int32)
    edge = 2 * REACH - 1
    before = mean_cost(seams.seams, *(part[edge:-edge, edge:-edge] for part in halved(rows, cols)))
    rows, cols = (part.numpy() for part in seams(rows, cols))
    assert mean_cost(seams.seams, rows, cols) < 0.7 * before
    places = exemplar.places[np.searchsorted(exemplar.places[:, 0], rows, side="right") - 1]
    down, right = rows - places[..., 0], cols
    assert min(down.min(), right.min()) >= 0
    assert (places[..., 1] - down).min() >= SIDE // 2
    assert (places[..., 2] - right).min() >= SIDE // 2


@pytest.mark.parametrize("down, right", [(0, 0), (2, 1), (3, 4)])
def test_a_block_depends_on_the_blocks_within_reach_only(down, right):
    seams, _ = seams_of(synthetic_textures.blobs(3, 128))
    random = np.random.default_rng(2)
    rows, cols = (random.integers(8, 108, (24, 13)).repeat(2, axis=1).astype(np.int32) for _ in range(2))
    whole = seams(rows, cols)
    part = seams(*(tf.constant(each[down : down + 19, right : right + 18]) for each in (rows, cols)))
    for small, large in zip(part, whole, strict=True):
        np.testing.assert_array_equal(small, large[2 * down : 2 * down + 10, 2 * right : 2 * right + 8])
