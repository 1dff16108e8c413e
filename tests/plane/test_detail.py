import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from tests.support import exemplars, synthetic_textures, tiny
from tf_psgan.detail import mean_cell
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.detail.synthesis import DetailStage
from tf_psgan.errors import SettingError
from tf_psgan.latents.scene import Scene
from tf_psgan.plane import adaptation
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import DETAIL_PIXELS, TexturePlane

SEED = 11


@pytest.fixture(scope="module", params=exemplars.KINDS)
def exemplar(request):
    return exemplars.of_blobs(request.param)


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
    found = adaptation.measure(bare, folded)
    assert not len(found.wave_offsets)
    drawn = TexturePlane(folded, exemplar=found.applied(bare)).window(384, 384, top=9, left=10**6)
    assert np.abs(drawn.mean(axis=(0, 1)) - exemplar.mean_colour()).max() <= 2.0  # rounding, and what is clipped


def test_the_mean_colour_of_a_window_is_nearly_known_before_its_corrections(exemplar):
    plane = TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=4, exemplar=exemplar)
    stage = DetailStage(exemplar)
    colour = stage.mean_colour(*plane.stage_inputs(stage, Scene(SEED), -800, 1 << 12, 128, 128))
    drawn = plane.window(128, 128, top=-800, left=1 << 12, seed=SEED).mean(axis=(0, 1))
    assert np.abs(drawn - colour).max() < 3.0


def test_copies_follow_the_lattice_where_the_generators_waves_are_those_of_the_photographs(monkeypatch):
    monkeypatch.setattr(adaptation, "_WINDOW", 64)
    folded = fold(tiny.generator(seed=1))
    plane = TexturePlane(folded)
    waves = plane.wave_numbers(0)[:2] / (2 * np.pi * plane.pixels_per_cell)
    built = Exemplar.build([synthetic_textures.blobs(3, 96)], 3)
    for factor, count in ((1.01, 2), (1.2, 0)):
        found = adaptation.measure(dataclasses.replace(built, waves=factor * waves), folded)
        assert len(found.wave_offsets) == count
    assert not len(adaptation.measure(built, folded).wave_offsets)


@pytest.mark.parametrize("phase", [(0.0, 0.0), (0.3, 0.85)])
def test_the_photographs_lattice_is_laid_where_the_generator_draws_it(phase):
    """A generator of which the picture is known: it draws the photograph's cell at this phase of its waves."""
    waves = np.array([[1 / 24, 0.0], [0.0, 1 / 16]])

    def drawn(turns):
        light = (
            np.cos(2 * np.pi * turns[..., 0]) + np.sin(4 * np.pi * turns[..., 1]) + np.cos(2 * np.pi * turns.sum(-1))
        )
        return np.repeat((128 + 40 * light).astype(np.uint8)[..., np.newaxis], 3, axis=-1)

    picture = drawn(mean_cell.turns((96, 112), waves))
    exemplar = dataclasses.replace(Exemplar.build([picture], 3), waves=waves)

    class Known(TexturePlane):
        def wave_numbers(self, texture):
            return 2 * np.pi * self.pixels_per_cell * waves

        def window(self, height, width):
            turns = mean_cell.turns((height, width), waves)
            return drawn(turns + np.array([0.2, 0.4]) + phase)

        def pixel_turns(self, scene, rows, cols, count):
            ahead = rows[:, np.newaxis] * waves[:, 0] + [0.2, 0.4], cols[:, np.newaxis] * waves[:, 1]
            return tuple(tf.constant(np.round(part % 1 * 2**62).astype(np.int64) * 4) for part in ahead)

    found = adaptation._wave_offsets(Known(fold(tiny.generator(seed=1))), exemplar)
    apart = (found / 2.0**64 - phase + 0.5) % 1 - 0.5
    assert np.abs(apart).max() < 1 / 64
