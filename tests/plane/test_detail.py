import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from tests.support import synthetic_textures, tiny
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane import adaptation
from tf_psgan.plane.adaptation import Adaptation
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


def test_adapted_pictures_have_the_photographs_mean_colour(exemplar, monkeypatch):
    monkeypatch.setattr(adaptation, "_WINDOW", 64)
    bare, folded = Exemplar.build(exemplar.pictures, 3), fold(tiny.generator(seed=1))
    found = adaptation.measure(bare, folded, False)
    assert not len(found.waves)
    drawn = TexturePlane(folded, exemplar=found.applied(bare)).window(384, 384, top=9, left=10**6)
    assert np.abs(drawn.mean(axis=(0, 1)) - exemplar.mean_colour()).max() <= 2.0  # rounding, and what is clipped


def test_statistics_of_windows_are_those_of_their_pictures(exemplar):
    """Their mean colours differ by what the corrections change."""
    plane = TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=4, exemplar=exemplar)
    stage = DetailStage(exemplar)
    colour, cost = stage.statistics(*plane.stage_inputs(stage, Scene(SEED), -800, 1 << 12, 128, 128))
    drawn = plane.window(128, 128, top=-800, left=1 << 12, seed=SEED).mean(axis=(0, 1))
    assert np.abs(drawn - colour).max() < 3.0
    assert cost > 0


@pytest.mark.parametrize("cheaper, count", [(0.0, 0), (1.0, 2)])
def test_copies_follow_the_lattice_if_that_makes_their_seams_cheaper(exemplar, monkeypatch, cheaper, count):
    monkeypatch.setattr(adaptation, "_WINDOW", 64)
    costs = {0: 1.0 + cheaper, 2: 1.5}
    monkeypatch.setattr(
        DetailStage, "statistics", lambda stage, *_: (tf.zeros(3, tf.float64), costs[len(stage.wave_offsets)])
    )
    bare = Exemplar.build(exemplar.pictures, 3)
    found = adaptation.measure(bare, fold(tiny.generator(seed=1)), True)
    assert len(found.waves) == len(found.wave_offsets) == len(found.applied(bare).wave_offsets) == count


def test_an_adaptation_is_exact_in_json():
    found = Adaptation(
        np.arange(768, dtype=np.uint8).reshape(3, 256),
        np.array([[1 / 3, -1e-17], [0.1, 0.2]]),
        np.array([-(2**63), 2**62 + 1]),
        np.array([-3, 0, 255], np.int32),
    )
    again = Adaptation.from_dict(json.loads(json.dumps(found.to_dict())))
    for field in dataclasses.fields(Adaptation):
        one, other = getattr(found, field.name), getattr(again, field.name)
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def test_a_generator_of_several_textures_has_no_detail_stage(exemplar):
    with pytest.raises(SettingError, match=r"detail: patches copies from all photographs alike, .* choose none"):
        TexturePlane(fold(tiny.generator(global_channels=2)), exemplar=exemplar)


def test_the_digest_of_the_pixels_differs_with_the_photographs_and_their_colours(exemplar):
    folded, other = fold(tiny.generator(seed=1)), Exemplar.build([synthetic_textures.blobs(4, 96)], 3)
    bluer = dataclasses.replace(exemplar, colour_shift=np.array([0, 0, 3], np.int32))
    planes = [TexturePlane(folded, exemplar=stage) for stage in (None, exemplar, other, bluer)]
    found = [metadata.digest(plane, texture_fields.Uniform(0)) for plane in planes]
    assert len(set(found)) == len(found)
    assert metadata.digest(TexturePlane(folded, exemplar=exemplar), texture_fields.Uniform(0)) == found[1]
