import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support import synthetic_textures
from tf_psgan.detail import block_maps, discs, patches
from tf_psgan.detail.correction import LevelTables
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.patches import LatticePatches, Patches
from tf_psgan.detail.phases import BITS, Lattice
from tf_psgan.plane import chunks

SIDE = 4
"""Of a block, in an exemplar of three resolutions."""


def patches_of(*pictures, resolutions=3):
    exemplar = Exemplar.build(pictures, resolutions)
    tables = [LevelTables(level) for level in exemplar.levels[:-1]]
    return Patches(tables, tf.Variable(exemplar.local_means), exemplar.places, 2 ** (resolutions - 1)), exemplar


def one_copy(height, width, top, left):
    """The map of blocks that continue one copy."""
    rows, cols = np.mgrid[:height, :width] * SIDE
    return (rows + top).astype(np.int32), (cols + left).astype(np.int32)


def no_ranks(rows):
    return np.zeros(rows.shape, np.int64), np.zeros(rows.shape, np.int64)


def squares(made, height, width, top=0, left=0):
    at = (SIDE * (top + np.arange(height)), SIDE * (left + np.arange(width)))
    pixels = (np.repeat(part, SIDE) + np.tile(np.arange(SIDE), len(part)) for part in at)
    return chunks.squares(*pixels, SIDE, SIDE, (0, 0), made.square)


@pytest.fixture(scope="module")
def large():
    return patches_of(synthetic_textures.blobs(3, 640))


def test_one_copy_of_the_whole_photograph_stays_as_it_is(large):
    """Of all places, discs find the one that continues what is around them."""
    made, _ = large
    rows, cols = one_copy(100, 120, 120, 60)
    found = made(rows, cols, *no_ranks(rows), *squares(made, 100, 120))
    reach = made.reach
    np.testing.assert_array_equal(found[0], rows[reach:-reach, reach:-reach])
    np.testing.assert_array_equal(found[1], cols[reach:-reach, reach:-reach])


def test_chance_gives_discs_different_places(large, monkeypatch):
    made, _ = large
    random = np.random.default_rng(0)
    rows, cols = (random.integers(200, 440, (80, 80)).astype(np.int32) for _ in range(2))
    ranks = np.zeros(rows.shape, np.int64)
    keys = [random.integers(-(1 << 63), 1 << 63, rows.shape) for _ in range(2)]
    found = [made(rows, cols, ranks, key, *squares(made, 80, 80))[0].numpy() for key in (keys[0], *keys)]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).mean() > 0.3
    monkeypatch.setattr(discs, "_CHANCE", 0)
    found = [made(rows, cols, ranks, key, *squares(made, 80, 80))[0].numpy() for key in keys]
    np.testing.assert_array_equal(*found)


def test_a_square_continues_its_best_copy(large):
    """Every block has another copy; the ranks say which one counts. Discs, which copy anew, are left out."""
    made, _ = large
    random = np.random.default_rng(0)
    rows, cols = (random.integers(300, 400, (60, 60)).astype(np.int32) for _ in range(2))
    ranks = np.zeros((60, 60), np.int64)
    ranks[34, 36] = 1  # beside (35, 35), the middle of its square
    found = made(rows, cols, ranks, np.zeros_like(ranks), *squares(made, 60, 60))
    at = np.array([33, 35, 37]) - made.reach
    expected = rows[34, 36] + SIDE * (at + made.reach - 34)
    np.testing.assert_array_equal(found[0].numpy()[at, 35 - made.reach], expected)


def test_discs_mend_seams_between_squares(large):
    """Squares of two copies, like a chess-board: with discs what lies beside each other is more alike."""
    made, exemplar = large
    level = exemplar.levels[-2]
    first, second = one_copy(90, 90, 100, 60), one_copy(90, 90, 220, 180)
    which = np.add.outer(np.arange(90) // made.square, np.arange(90) // made.square) % 2 == 0
    rows, cols = (np.where(which, a, b).astype(np.int32) for a, b in zip(first, second, strict=True))
    found = made(rows, cols, *no_ranks(rows), *squares(made, 90, 90))
    reach = made.reach
    before = _misfit(level, rows[reach:-reach, reach:-reach], cols[reach:-reach, reach:-reach])
    assert _misfit(level, *(part.numpy() for part in found)) < 0.75 * before


def _misfit(level, rows, cols):
    """How unlike, on average, blocks are to what continues the copy of the block to the left."""

    def features(rows, cols):
        at = np.maximum(0, rows // level.grid * level.width + cols // level.grid)
        return level.features[at].astype(float)

    return ((features(rows[:, 1:], cols[:, 1:]) - features(rows[:, :-1], cols[:, :-1] + SIDE)) ** 2).mean()


def test_discs_have_the_light_of_what_lies_around_them():
    """A photograph whose right half is brighter; squares copy from its left half, and so do discs."""
    picture = synthetic_textures.blobs(3, 320) // 2
    picture = np.concatenate([picture, picture + 120], axis=1)
    made, _ = patches_of(picture)
    random = np.random.default_rng(0)
    rows, cols = (random.integers(100, 200, (60, 60)).astype(np.int32) for _ in range(2))
    found = made(rows, cols, *no_ranks(rows), *squares(made, 60, 60))
    assert (found[1].numpy() < 320).mean() > 0.95


WAVES = np.array([[1 / 12, 0.0], [0.0, 1 / 16]])


def on_a_lattice(height, width, unusual=None):
    """Patches of a photograph with cells of 12 x 16 pixels, all different; its lattice and its exemplar."""
    rows, cols = np.mgrid[:height, :width]
    light = 40 * np.cos(2 * np.pi * rows / 12) + 40 * np.cos(2 * np.pi * cols / 16)
    light = light[..., np.newaxis] + np.random.default_rng(0).normal(128, 20, (height, width, 3))
    picture = np.clip(light, 0, 255).astype(np.uint8)
    built = dataclasses.replace(Exemplar.build([picture], 3), waves=WAVES)
    lattice = Lattice(WAVES, built.ahead, built.places, SIDE, 4)
    tables = [LevelTables(level) for level in built.levels[:-1]]
    flags = np.zeros((len(built.unusual) // built.levels[0].width, built.levels[0].width), bool)
    if unusual:
        flags[unusual] = True
    return LatticePatches(tables, tf.Variable(built.local_means), built.places, SIDE, lattice, flags), lattice, built


def lattice_phases(height, width, stretch=1.0):
    """Of blocks on a plane whose lattice begins at pixel (5, 3)."""
    rows, cols = np.mgrid[:height, :width] * SIDE
    turns = np.stack([(rows + 5) / 12, (cols + 3) / 16], axis=-1) * stretch % 1
    return tf.constant(np.round(turns * 2.0**BITS), tf.int64)


def copies_on_a_lattice(made, count=70, seed=2, stretch=1.0):
    """The copies of blocks, int32 [rows, cols, 2], and the phases that they should have."""
    keys = np.random.default_rng(seed).integers(-(1 << 63), 1 << 63, (count, count))
    phases = lattice_phases(count, count, stretch)
    found = tf.stack(made(keys, *squares(made, count, count), phases), axis=-1)
    return found, phases[made.reach : -made.reach, made.reach : -made.reach]


@pytest.mark.parametrize("stretch", [1.0, 1.06], ids=["plane", "tile"])
@pytest.mark.parametrize("extent", [(192, 160), (60, 72)], ids=["large", "small"])
def test_copies_keep_the_phase_of_a_lattice(extent, stretch):
    """In squares, in discs, and where the photograph has ended; no block copies from outside, no place is left out."""
    made, lattice, exemplar = on_a_lattice(*extent)
    found, phases = copies_on_a_lattice(made, 120, stretch=stretch)
    off = np.abs(lattice.aligned(found, phases) - found).max(axis=-1)
    assert off.max() <= (1 if stretch == 1 else 3) and (off > 1).mean() < 0.01  # at the photograph's edges
    assert found.numpy().min() >= 4
    assert (found.numpy() + SIDE + 4 <= exemplar.places[0, 1:]).all()
    cells = {tuple(cell) for cell in (found.numpy() // (12, 16)).reshape(-1, 2)}
    assert len(cells) > 0.8 * (extent[0] // 12) * (extent[1] // 16)


def test_the_middle_of_a_photograph_is_copied_as_often_as_its_parts_near_the_edge():
    made, _, _ = on_a_lattice(192, 160)
    found, _ = copies_on_a_lattice(made, 150)
    down, right = (found.numpy() // (48, 40)).reshape(-1, 2).T
    counts = np.zeros((4, 4), int)
    np.add.at(counts, (down, right), 1)
    assert counts.max() < 4 * counts.min()  # most pieces that begin in a corner leave it


def test_chance_takes_each_place_with_a_phase_as_often():
    """Of two photographs of different sizes; the phase is half a turn from that of their middles, or nearly so."""
    built = Exemplar.build([synthetic_textures.blobs(1, 120)[:100, :90], synthetic_textures.blobs(2, 120)[:60]], 3)
    places = built.places
    waves = np.linalg.inv([[13.0, 2.0], [-3.0, 17.0]]).T
    lattice = Lattice(waves, np.array([[0.0, 0.0], [0.3, -0.2]]), places, SIDE, 4)
    tables = [LevelTables(level) for level in built.levels[:-1]]
    none = np.zeros((len(built.unusual) // built.levels[0].width, built.levels[0].width), bool)
    made = LatticePatches(tables, tf.Variable(built.local_means), places, SIDE, lattice, none)
    keys = tf.constant(np.random.default_rng(0).integers(-(1 << 63), 1 << 63, (60, 100)))
    middle = (np.array([50, 45]) + 1) @ waves.T
    for phase in (middle + 0.5, middle + np.array([0.49, -0.505]), middle + 0.1):
        wanted = tf.constant(np.round(np.broadcast_to(phase % 1, (60, 100, 2)) * 2.0**BITS), tf.int64)
        found = made._by_chance(keys, wanted)
        assert np.abs(lattice.aligned(found, wanted) - found).max() == 0
        counts = np.unique(found.numpy().reshape(-1, 2), axis=0, return_counts=True)[1]
        # Blocks and 5 pixels around them have 86 x 76 and 46 x 106 places, of which one in 227 has the phase.
        assert len(counts) == pytest.approx((87 * 77 + 47 * 107) / np.linalg.det(lattice.vectors), abs=7)
        assert np.abs(counts / counts.mean() - 1).max() < 5 / np.sqrt(counts.mean())


def test_photographs_of_different_sizes_keep_one_lattice():
    places = np.array([[0, 150, 140], [152, 90, 120]], np.int32)
    pictures = [synthetic_textures.blobs(seed, 160)[:height, :width] for seed, (_, height, width) in enumerate(places)]
    built = Exemplar.build(pictures, 3)
    lattice = Lattice(WAVES, np.array([[0.0, 0.0], [0.3, -0.2]]), places, SIDE, 4)
    tables = [LevelTables(level) for level in built.levels[:-1]]
    none = np.zeros((len(built.unusual) // built.levels[0].width, built.levels[0].width), bool)
    made = LatticePatches(tables, tf.Variable(built.local_means), places, SIDE, lattice, none)
    found, phases = copies_on_a_lattice(made, 100)
    assert np.abs(lattice.aligned(found, phases) - found).max() <= 1
    first, second = (found.numpy()[..., 0] < 150), (found.numpy()[..., 0] >= 152)
    assert (first | second).all() and first.mean() > 0.3 and second.mean() > 0.1
    height, width = np.where(second, 152 + 90, 150), np.where(second, 120, 140)
    assert (found.numpy() >= np.stack([np.where(second, 156, 4), np.full(height.shape, 4)], axis=-1)).all()
    assert (found.numpy() + SIDE + 4 <= np.stack([height, width], axis=-1)).all()


def test_chance_decides_what_squares_of_a_lattice_copy():
    made, _, _ = on_a_lattice(192, 160)
    first, again, other = (copies_on_a_lattice(made, 40, seed)[0].numpy() for seed in (2, 2, 3))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=-1).mean() > 0.9


def test_unusual_pieces_are_copied_rarely():
    at = np.s_[80:120, 60:100]
    shares = []
    for unusual in (None, at):
        found = copies_on_a_lattice(on_a_lattice(192, 160, unusual)[0], 100)[0].numpy()
        shares.append(((found >= (80, 60)) & (found < (117, 97))).all(axis=-1).mean())
    assert shares[1] < 0.1 * shares[0]


def test_a_disc_that_finds_no_place_with_its_phase_is_left_out(monkeypatch):
    made, _, _ = on_a_lattice(192, 160)
    with_discs = copies_on_a_lattice(made, 40)[0].numpy()
    monkeypatch.setattr(made._discs, "_step", -2)  # no place is near enough
    left_out = copies_on_a_lattice(made, 40)[0].numpy()
    assert (with_discs != left_out).any(axis=-1).mean() > 0.3
    # Squares only: blocks in one square continue one copy.
    at = np.arange(made.reach, 40 - made.reach) // made.square
    beside = np.flatnonzero(np.diff(at) == 0)
    assert (np.diff(left_out[..., 0], axis=0)[beside] == SIDE).mean() > 0.7


def test_no_block_copies_from_outside():
    made, exemplar = patches_of(synthetic_textures.blobs(3, 96), synthetic_textures.blobs(4, 80))
    random = np.random.default_rng(1)
    photograph = random.integers(0, 2, (70, 70))
    tops, heights, widths = exemplar.places[photograph].transpose(2, 0, 1)
    rows = (tops + 8 + random.integers(0, heights - 24)).astype(np.int32)
    cols = (8 + random.integers(0, widths - 24)).astype(np.int32)
    ranks = random.integers(0, 1 << 40, (70, 70))
    found = [part.numpy() for part in made(rows, cols, ranks, np.zeros_like(ranks), *squares(made, 70, 70, -33, 7))]
    inside = np.zeros(found[0].shape, bool)
    for top, height, width in exemplar.places:
        is_inside = (found[0] >= top + 4) & (found[0] <= top + height - 8)
        inside |= is_inside & (found[1] >= 4) & (found[1] <= width - 8)
    assert inside.all()


def test_a_piece_is_unusual_where_a_tenth_of_it_is():
    unusual = np.zeros((100, 60), bool)
    unusual[40:44, 20:24] = True
    places = np.array([[0, 48, 60], [48, 50, 50]], np.int32)
    found = block_maps.unusual_pieces(unusual, places, 4, 1)  # pieces of 12 x 12 pixels, of which 16 are unusual
    assert found[40, 20] and found[36, 18] and found[44, 24]
    assert not found[35, 20] and not found[40, 12] and not found[48:].any()


def test_the_largest_photograph_decides_on_the_radius():
    assert patches.radius(np.array([[0, 640, 480]]), 16) == patches.RADIUS
    assert patches.radius(np.array([[0, 192, 400]]), 16) == 2
    assert patches.radius(np.array([[0, 640, 480], [640, 64, 64]]), 16) == patches.RADIUS


def test_a_photograph_without_room_for_discs_is_copied_in_squares():
    made, _ = patches_of(synthetic_textures.blobs(3, 16), resolutions=2)
    rows, cols = (np.full((30, 30), 6, np.int32) for _ in range(2))
    found = made(rows, cols, *no_ranks(rows), *(part[:30] for part in squares(made, 30, 30)))
    assert found[0].shape == (30 - 2 * made.reach,) * 2


def test_sums_of_products_stay_exact_in_float32():
    """The largest features there are, all of one sign."""
    features = tf.fill((1, 2 * discs._GROUP, 15), 255.0)
    grouped = discs._grouped(features)
    products = tf.matmul(grouped, grouped, transpose_b=True)
    assert tf.reduce_sum(tf.cast(products, tf.int32)) == 2 * discs._GROUP * 15 * 255**2
