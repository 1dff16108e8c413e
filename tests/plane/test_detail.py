import numpy as np
import pytest

from tests.support import synthetic_textures, tiny
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane import adaptation
from tf_psgan.plane.adaptation import adapted, balance_colours
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import DETAIL_PIXELS, TexturePlane
from tf_psgan.rendering import metadata

SEED = 11


@pytest.fixture(scope="module")
def exemplar():
    offsets = np.array([1 << 61, -(1 << 59)])
    return Exemplar.build([synthetic_textures.blobs(3, 96)], 3).with_waves(np.full((2, 2), 0.05), offsets)


@pytest.fixture(scope="module")
def plane(exemplar):
    return TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=4, exemplar=exemplar)


@pytest.mark.parametrize("top, left", [(0, 0), (-777, -50), (10**9 + 1, -(10**9))])
def test_windows_agree_bit_for_bit_where_they_overlap(plane, top, left):
    whole = plane.window(70, DETAIL_PIXELS + 33, top=top, left=left, seed=SEED)
    last = DETAIL_PIXELS + 32
    for down, right, height, width in ((0, 0, 1, 1), (69, last, 1, 1), (17, 60, 45, 70), (3, 490, 60, 40)):
        plane.clear_cache()
        part = plane.window(height, width, top=top + down, left=left + right, seed=SEED)
        np.testing.assert_array_equal(part, whole[down : down + height, right : right + width])


def test_a_tile_continues_at_its_opposite_edges(plane):
    height, width = plane.fitting_extent(64, 64)
    tile = plane.tile(height, width, seed=SEED)
    plane.clear_cache()
    rolled = plane.tile(height, width, seed=SEED, top=height // 2 + 1, left=-3)
    np.testing.assert_array_equal(rolled, np.roll(tile, (-(height // 2 + 1), 3), (0, 1)))


def test_a_plane_of_a_network_that_learned_reduced_pictures_has_windows_and_tiles_at_their_own_scale(exemplar):
    """The network's cells of 8 pixels are cells of 16; blocks of the guide have 8 of them."""
    plane = TexturePlane(fold(tiny.generator(seed=1, downsampling=2)), chunk_cells=3, exemplar=exemplar)
    assert plane.pixels_per_cell == 16
    whole = plane.window(60, 70, top=-9, left=10**9, seed=SEED)
    plane.clear_cache()
    np.testing.assert_array_equal(plane.window(20, 30, top=4, left=10**9 + 17, seed=SEED), whole[13:33, 17:47])
    height, width = plane.fitting_extent(96, 96)
    tile = plane.tile(height, width, seed=SEED)
    plane.clear_cache()
    np.testing.assert_array_equal(plane.tile(height, width, seed=SEED, top=7), np.roll(tile, -7, 0))


def test_the_seed_changes_the_picture(plane):
    assert (plane.window(32, 32, seed=1) != plane.window(32, 32, seed=2)).any()


def test_tiles_with_shared_edges_are_refused(plane):
    with pytest.raises(SettingError, match="edges: the detail stage cannot make tiles that share edges"):
        plane.render(Scene(SEED, rows=8, cols=8, edges=(0, 1, 0, 1)), 64, 64)


def test_pixel_turns_add_up_to_the_waves_of_the_cells(plane):
    turns = plane.pixel_turns(Scene(SEED), np.array([-16, 0, 8]), np.array([0, 8]), 2)
    per_cell = plane.wave_steps(0) << 32
    np.testing.assert_array_equal(turns[0][1] - turns[0][0], 2 * per_cell[:, 0])
    np.testing.assert_array_equal(turns[0][2] - turns[0][1], per_cell[:, 0])
    np.testing.assert_array_equal(turns[1], [[0, 0], per_cell[:, 1]])


def test_balanced_colours_have_the_photographs_mean(exemplar, monkeypatch):
    monkeypatch.setattr(adaptation, "_WINDOW", 96)
    plane = TexturePlane(fold(tiny.generator(seed=1)), exemplar=Exemplar.build(exemplar.pictures, 3))
    balance_colours(plane)
    shift = plane.exemplar.colour_shift
    corners = [(top, left) for top in (0, 2**14) for left in (0, 2**14)]
    drawn = np.stack([plane.window(96, 96, top=top, left=left) for top, left in corners])
    assert np.abs(drawn.mean(axis=(0, 1, 2)) - exemplar.mean_colour()).max() <= 1.0  # rounding, and what is clipped
    plane.shift_colours(shift * 0)
    copied = plane.window(96, 96).astype(int)
    np.testing.assert_array_equal(drawn[0], np.clip(copied + shift, 0, 255))


def test_waves_that_do_not_predict_the_photograph_are_not_used(exemplar):
    bare = Exemplar.build(exemplar.pictures, 3)
    found = adapted(bare, TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=4), True)
    assert not len(found.wave_offsets)


def test_a_generator_of_several_textures_has_no_detail_stage(exemplar):
    with pytest.raises(SettingError, match=r"detail: patches copies from all photographs alike, .* choose none"):
        TexturePlane(fold(tiny.generator(global_channels=2)), exemplar=exemplar)


def test_pixels_in_other_colours_are_made_again(exemplar):
    plane = TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=4, exemplar=exemplar)
    before = plane.window(8, 8, seed=SEED)
    plane.shift_colours(np.array([0, 0, 3], np.int32))
    assert (plane.window(8, 8, seed=SEED) != before).any()


def test_the_digest_of_the_pixels_differs_with_the_photographs_and_their_colours(exemplar):
    folded, other = fold(tiny.generator(seed=1)), Exemplar.build([synthetic_textures.blobs(4, 96)], 3)
    planes = [TexturePlane(folded, exemplar=stage) for stage in (None, exemplar, other, exemplar)]
    planes[-1].shift_colours(np.array([0, 0, 3], np.int32))
    found = [metadata.digest(plane, texture_fields.Uniform(0)) for plane in planes]
    assert len(set(found)) == len(found)
    assert metadata.digest(TexturePlane(folded, exemplar=exemplar), texture_fields.Uniform(0)) == found[1]
