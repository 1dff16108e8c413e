"""Exact tiles of the plane: tori that close pixel for pixel, and Wang tiles that share their borders."""

import numpy as np
import pytest

from tests.support import tiny
from tf_psgan import geometry
from tf_psgan.latents import noise, texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.networks import inference
from tf_psgan.networks.generator import latent_field
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane

SIDE, CHUNK = 8, 4


def random_plane(random):
    """The plane of a random model, with tiles of a random extent."""
    several = int(random.integers(2)) * 3
    network = tiny.generator(
        ("float32", "mixed_bfloat16")[random.integers(2)],
        int(random.integers(1000)),
        global_channels=several,
        waves=int(random.integers(1, 4)),
        filters=((8, 4), (6,))[random.integers(2)],
    )
    return TexturePlane(fold(network), chunk_cells=int(random.integers(2, 7)))


def step(picture, axis, at):
    """The mean difference of neighbours across a line of the picture, after column (row) `at`."""
    lines = np.moveaxis(picture.astype(float), axis, 0)
    return np.abs(lines[(at + 1) % len(lines)] - lines[at]).mean()


@pytest.mark.parametrize("case", range(20))
def test_a_rolled_tile_is_the_tile_made_from_its_middle_on(case):
    random = np.random.default_rng(case)
    rows, cols, seed = *random.integers(1, 14, 2).tolist(), int(random.integers(2**40))
    plane = random_plane(random)
    side = plane.pixels_per_cell
    scene, height, width = Scene(seed, texture_fields.Uniform(4), rows, cols), rows * side, cols * side
    whole = plane.render(scene, height, width)
    assert whole.std() > 10
    down, right = height // 2, width // 2
    rolled = np.roll(whole, (-down, -right), (0, 1))
    np.testing.assert_array_equal(plane.render(scene, height, width, top=down, left=right), rolled)
    # Made in one piece by tiles on another grid, the first over the wrap: the same but for the order of sums.
    other = TexturePlane(plane.folded, chunk_cells=max(rows, cols) + 3)
    found = other.render(scene, height, width, top=-5, left=-9).astype(int)
    assert np.abs(found - np.roll(whole, (5, 9), (0, 1))).max() <= 2


@pytest.mark.parametrize("axes", ["y", "x", "xy"])
def test_the_step_over_the_wrap_is_like_any_other(axes):
    network = tiny.generator(seed=3)
    for block in network.blocks:  # the same weight at all taps: a smooth picture, in which a seam would show
        kernel = block.kernel.numpy()
        block.kernel.assign(np.broadcast_to(kernel.mean((0, 1)), kernel.shape) * 3)
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)
    rows, cols = (13 if axis in axes else 0 for axis in "yx")
    picture = plane.render(Scene(5, rows=rows, cols=cols), 13 * SIDE, 13 * SIDE)
    for axis in (0, 1):
        inside = [step(picture, axis, SIDE * i - 1) for i in range(1, 13)]
        closed = step(picture, axis, 13 * SIDE - 1)
        if "yx"[axis] in axes:
            assert min(inside) * 0.8 <= closed <= max(inside) * 1.2
        else:
            assert closed > max(inside) * 1.2


def test_a_torus_is_the_network_on_noise_and_waves_that_close():
    network = tiny.generator(seed=2)
    plane, rows, cols = TexturePlane(fold(network), chunk_cells=CHUNK), 5, 7
    at = [np.arange(-2, extent + 2) % extent for extent in (rows, cols)]
    z_local = noise.cells(9, at[0][:, None], at[1], network.local_channels)
    numbers = np.asarray(network.wave_table, np.float64)
    fitted = np.stack([np.round(numbers[:, i] * n / 2 / np.pi) / n for i, n in enumerate((rows, cols))], axis=1)
    phase = noise.phases(9, 2).numpy()
    angle = 2 * np.pi * (at[0][:, None, None] * fitted[:, 0] + at[1][:, None] * fitted[:, 1] + phase / 2.0**64)
    z_periodic = np.concatenate([np.sin(angle), np.cos(angle)], axis=-1).astype(np.float32)
    z_global = np.zeros((1, 1, 1, 0), np.float32)
    expected = network(latent_field(z_local[None], z_global, z_periodic[None])).numpy()[0, 2:-2, 2:-2]
    found = plane.render(Scene(9, rows=rows, cols=cols), rows * SIDE, cols * SIDE)
    assert np.abs(found - (expected + 1) * 127.5).max() < 1


def test_one_axis_may_close_while_the_other_is_endless():
    plane = TexturePlane(fold(tiny.generator()), chunk_cells=CHUNK)
    scene = Scene(1, cols=5)
    far = plane.render(scene, 30, 5 * SIDE, top=10**9)
    np.testing.assert_array_equal(plane.render(scene, 30, 5 * SIDE, top=10**9, left=35 * SIDE), far)
    assert np.abs(plane.render(scene, 30, 5 * SIDE).astype(int) - far).mean() > 3


def test_tiles_are_asked_for_in_pixels():
    plane = TexturePlane(fold(tiny.generator(waves=0)), chunk_cells=CHUNK)
    picture = plane.tile(5 * SIDE, 6 * SIDE, seed=3)
    np.testing.assert_array_equal(picture, plane.render(Scene(3, rows=5, cols=6), 5 * SIDE, 6 * SIDE))
    rolled = plane.tile(5 * SIDE, 6 * SIDE, top=7, left=-9, seed=3)
    np.testing.assert_array_equal(rolled, np.roll(picture, (-7, 9), (0, 1)))
    for pixels, words in (
        (44, "height: 44 is not a multiple of the model's cell of 8 pixels; give 40 or 48."),
        (3, "height: 3 is not a .*; give 8."),
    ):
        with pytest.raises(ValueError, match=words):
            plane.tile(pixels, 48, seed=3)


def test_a_tile_that_would_bend_the_waves_is_refused_with_the_nearest_that_does_not():
    network = tiny.generator(waves=1)
    network.shared_wave_numbers.assign([[0.0, 2 * np.pi / 7]])
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)
    with pytest.raises(ValueError, match=r"tile: 80x80 pixels would distort .* 6.00 times .*: 80x56, 72x56, 80x112\."):
        plane.tile(80, 80)
    assert plane.tile(80, 56).shape == (80, 56, 3)


@pytest.mark.parametrize("waves", [0, 2])
def test_a_fitting_extent_is_near_and_makes_a_tile(waves):
    plane = TexturePlane(fold(tiny.generator(waves=waves)), chunk_cells=CHUNK)
    height, width = plane.fitting_extent(100, 77)
    assert height % SIDE == width % SIDE == 0
    assert plane.tile(height, width).shape == (height, width, 3)
    if not waves:
        assert (height, width) == (96, 80)


@pytest.fixture(scope="module", params=[(5, 5), (6, 9)])
def wang(request):
    """A function from edges (top, right, bottom, left) and a seed to such a tile; waves that close."""
    rows, cols = request.param
    network = tiny.generator(waves=1, seed=1)
    network.shared_wave_numbers.assign([[2 * np.pi / rows, 2 * np.pi / cols]])
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)

    def make(*edges, seed=0):
        scene = Scene(seed, rows=rows, cols=cols, edges=edges)
        return plane.render(scene, rows * SIDE, cols * SIDE)

    make.rows, make.cols, make.plane = rows, cols, plane
    return make


def strip(picture, edge, pixels):
    top, right, bottom, left = picture[:pixels], picture[:, -pixels:], picture[-pixels:], picture[:, :pixels]
    return (top, right, bottom, left)[edge]


@pytest.mark.parametrize("edge", range(4))
def test_tiles_of_any_seed_are_alike_along_an_edge_of_one_colour(wang, edge):
    ours, theirs = [0, 0, 0, 0], [1, 1, 1, 1]
    ours[edge] = theirs[edge] = 3
    first, second, third = wang(*ours, seed=1), wang(*theirs, seed=2), wang(0, 0, 0, 0, seed=1)
    # Next to the edge pixels see nothing but the edge's strip and the corners; half a cell in they see more.
    np.testing.assert_array_equal(strip(first, edge, 1), strip(second, edge, 1))
    assert (strip(first, edge, 1) != strip(third, edge, 1)).any()
    assert (first != second).mean() > 0.2


def joined(wang, edges, seeds):
    """Two tiles side by side as one field of latents, made without tiles: what a picture without a seam would be."""
    plane, rows, cols = wang.plane, wang.rows, wang.cols
    reach = geometry.HALO
    halves = [Scene(seed, rows=rows, cols=cols, edges=edge) for seed, edge in zip(seeds, edges, strict=True)]
    parts = []
    for scene in halves:
        big = TexturePlane(plane.folded, chunk_cells=max(rows, cols))
        parts.append(big.latents(scene, 0, 0)[: rows + 2 * reach, : cols + 2 * reach])
    left, right = parts
    np.testing.assert_array_equal(left[:, -2 * reach :], right[:, : 2 * reach])  # both know both sides of the edge
    field = np.concatenate([left[:, : cols + reach], right[:, reach:]], axis=1)
    picture = inference.generate(plane.folded.blocks, field[np.newaxis], plane.folded.dtype)
    return np.asarray(picture)[0, reach:-reach, reach:-reach]


def test_two_tiles_side_by_side_are_one_picture_without_a_seam(wang):
    edges, seeds = ((0, 7, 1, 2), (1, 0, 0, 7)), (11, 12)
    whole = joined(wang, edges, seeds)
    tiles = [wang(*edge, seed=seed) for edge, seed in zip(edges, seeds, strict=True)]
    assert np.abs(np.concatenate(tiles, axis=1) - (whole + 1) * 127.5).max() < 1


def test_edges_of_other_colours_and_inner_noise_of_other_seeds_differ(wang):
    first = wang(0, 0, 0, 0, seed=1).astype(int)
    for other in (wang(0, 0, 0, 0, seed=2), wang(0, 0, 0, 1, seed=1), wang(1, 0, 0, 0, seed=1)):
        assert np.abs(first - other).mean() > 1


def test_a_plane_shows_scenes_of_every_kind_in_any_order(wang):
    plane, rows, cols = wang.plane, wang.rows, wang.cols
    scenes = [Scene(), Scene(1, rows=rows, cols=cols, edges=(0, 1, 2, 3)), Scene(2, time=0.5, amount=0.1), Scene(4)]
    found = [plane.render(scene, 20, 30) for scene in scenes]
    for scene, picture in zip(scenes[::-1], found[::-1], strict=True):
        np.testing.assert_array_equal(TexturePlane(plane.folded, chunk_cells=CHUNK).render(scene, 20, 30), picture)
