import numpy as np
import pytest
import tensorflow as tf

from benchmarks.quality.seams import mean_cost
from tests.support import synthetic_textures
from tests.support.block_maps import SIDE, one_copy, two_copies
from tf_psgan.detail.correction import LevelTables
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.seams import Seams


def seams_of(*pictures):
    exemplar = Exemplar.build(pictures, 3)
    return Seams(LevelTables(exemplar.levels[-2]), exemplar.places, SIDE), exemplar


def test_a_map_without_seams_stays_as_it_is():
    seams, _ = seams_of(synthetic_textures.blobs(3, 128))
    rows, cols = one_copy(12, 15, 20, 24)
    found = seams.move(rows, cols)
    np.testing.assert_array_equal(found[0], rows[1:-1, 1:-1])
    np.testing.assert_array_equal(found[1], cols[1:-1, 1:-1])
    assert mean_cost(seams, rows, cols) == 0.0


def test_a_seam_moves_to_where_the_copies_are_alike():
    """Copies of a picture with two equal stripes, 60 pixels wide, and chance elsewhere."""
    random = np.random.default_rng(0)
    picture = random.integers(0, 256, (96, 320, 3)).astype(np.uint8)
    picture[:, 100:160] = picture[:, 180:240] = random.integers(0, 256, (96, 60, 3))
    seams, _ = seams_of(picture)
    # Both copies show a stripe in block columns 10 to 24.
    rows, cols = two_copies(12, 32, 10, (16, 60), (16, 140))
    for _ in range(3):
        rows, cols = (part.numpy() for part in seams.move(rows, cols))
    border = 3 + 1 + (np.diff(cols, axis=1) != SIDE).argmax(axis=1)
    assert (border > 10).all()


def test_seams_become_cheaper_and_no_block_copies_from_outside():
    seams, exemplar = seams_of(synthetic_textures.blobs(3, 96), synthetic_textures.blobs(4, 80))
    random = np.random.default_rng(1)
    photograph = random.integers(0, 2, (20, 20)).repeat(2, axis=0).repeat(2, axis=1)
    tops, heights, widths = exemplar.places[photograph].transpose(2, 0, 1)
    rows = (tops + 8 + random.integers(0, heights - 24)).astype(np.int32)
    cols = (8 + random.integers(0, widths - 24)).astype(np.int32)
    before = mean_cost(seams, rows, cols)
    for _ in range(3):
        rows, cols = seams.move(rows, cols)
    assert mean_cost(seams, rows, cols) < 0.9 * before
    places = exemplar.places[np.searchsorted(exemplar.places[:, 0], rows, side="right") - 1]
    down, right = rows.numpy() - places[..., 0], cols.numpy()
    assert min(down.min(), right.min()) >= 0
    assert (places[..., 1] - down).min() >= SIDE
    assert (places[..., 2] - right).min() >= SIDE


@pytest.mark.parametrize("down, right", [(0, 0), (2, 1), (3, 4)])
def test_a_block_depends_on_the_blocks_beside_it_only(down, right):
    seams, _ = seams_of(synthetic_textures.blobs(3, 128))
    random = np.random.default_rng(2)
    rows, cols = (random.integers(8, 108, (12, 14)).repeat(2, axis=1)[:, :14].astype(np.int32) for _ in range(2))
    whole = seams.move(rows, cols)
    part = seams.move(*(tf.constant(each[down : down + 7, right : right + 8]) for each in (rows, cols)))
    for small, large in zip(part, whole, strict=True):
        np.testing.assert_array_equal(small, large[down : down + 5, right : right + 6])
