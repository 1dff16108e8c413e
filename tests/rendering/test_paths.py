"""Animation paths: where they begin, that their steps are even, and that they close."""

import itertools

import numpy as np
import pytest

from tests.support import tiny
from tf_psgan.errors import SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering.animation import paths

SCENE = Scene(seed=4, field=texture_fields.Uniform(2))
SIDE = 8  # pixels of a cell


@pytest.fixture(scope="module")
def plane():
    return TexturePlane(fold(tiny.generator(global_channels=2)), chunk_cells=8)


def test_a_drift_moves_in_proportion_rounded_to_whole_pixels():
    assert [frame[1:] for frame in paths.drift(SCENE, 4, 10, -6)] == [(0, 0), (3, -1), (5, -3), (8, -4)]
    assert all(frame[0] is SCENE for frame in paths.drift(SCENE, 4, 10, -6))


@pytest.mark.parametrize("rows, cols, frames", [(64, 0, 48), (0, -500, 24), (1000, 24, 48), (24, -12, 48)])
def test_the_steps_of_a_drift_differ_by_a_pixel_at_most_and_sum_to_its_offset(rows, cols, frames):
    offsets = [frame[1:] for frame in paths.drift(SCENE, frames, rows, cols)] + [(rows, cols)]
    steps = np.diff(np.array(offsets), axis=0)
    assert offsets[0] == (0, 0)
    np.testing.assert_array_equal(steps.sum(axis=0), (rows, cols))
    assert np.ptp(steps, axis=0).max() <= 1


def test_half_pixels_make_even_steps():
    assert [col for _, _, col in paths.drift(SCENE, 8, 0, 4)] == [0, 1, 1, 2, 2, 3, 3, 4]


def test_a_frame_of_a_drift_is_the_window_at_its_position(plane):
    wide = plane.render(SCENE, 24, 80, left=-7)
    for scene, top, left in paths.drift(SCENE, 5, 0, 33):
        np.testing.assert_array_equal(plane.render(scene, 24, 40, top=top, left=left - 7), wide[:, left : left + 40])


def test_a_drift_once_around_a_torus_closes(plane):
    scene = Scene(seed=4, field=texture_fields.Uniform(2), rows=5, cols=6)
    around = (5 * SIDE, 6 * SIDE)
    plan = paths.drift(scene, 4, *around)
    first, *rest = (plane.render(scene, *around, top=top, left=left) for scene, top, left in plan)
    after = plane.render(scene, *around, top=around[0], left=around[1])  # the frame after the last
    np.testing.assert_array_equal(after, first)
    assert all(np.abs(frame.astype(int) - first).mean() > 2 for frame in rest)


def test_a_walk_shows_every_texture_and_returns_to_the_first():
    shown = [scene.field for scene, _, _ in paths.walk(SCENE, 6, (3, "rust", (0.5, -0.5)))]
    assert shown[0::2] == [texture_fields.Uniform(texture) for texture in (3, "rust", (0.5, -0.5))]
    assert shown[1] == texture_fields.Mix(((3, 0.5), ("rust", 0.5)))
    assert shown[5] == texture_fields.Mix((((0.5, -0.5), 0.5), (3, 0.5)))


@pytest.mark.parametrize("frames", [3, 7, 24, 97])
def test_the_weights_of_a_walk_sum_to_exactly_one_and_ease(frames):
    scenes = [scene for scene, _, _ in paths.walk(SCENE, frames, (5, 6, 7))]
    weights = np.zeros((frames + 1, 3))
    for i, scene in enumerate(scenes):
        assert sum(weight for _, weight in scene.field.parts) == 1.0
        assert (scene.seed, scene.time) == (SCENE.seed, 0)
        for texture, weight in scene.field.parts:
            weights[i, texture - 5] = weight
    weights[frames] = weights[0]
    np.testing.assert_array_equal(weights[0], [1, 0, 0])
    # The steepest slope of 3 x^2 - 2 x^3 is 1.5, on a leg of a third of the frames.
    assert np.abs(np.diff(weights, axis=0)).max() <= 1.5 * 3 / frames


def test_a_walk_shows_each_texture_alone_and_mixtures_between(plane):
    frames = [plane.render(scene, 40, 40) for scene, _, _ in paths.walk(SCENE, 4, (2, 9))]
    np.testing.assert_array_equal(frames[0], plane.window(40, 40, seed=4, texture=2))
    np.testing.assert_array_equal(frames[2], plane.window(40, 40, seed=4, texture=9))
    np.testing.assert_array_equal(frames[1], frames[3])  # halfway there and halfway back
    assert np.abs(frames[1].astype(int) - frames[0]).mean() > 1


def test_a_change_begins_with_the_plane_itself_and_returns_to_it(plane):
    scenes = [scene for scene, _, _ in paths.change(SCENE, 4, 0.25)]
    assert [scene.time for scene in scenes] == [0.0, 0.25, 0.5, 0.75]  # the next is 1, which is 0
    assert {scene.amount for scene in scenes} == {0.25}
    assert {scene.field for scene in scenes} == {SCENE.field}
    frames = [plane.render(scene, 40, 40) for scene in scenes]
    np.testing.assert_array_equal(frames[0], plane.render(SCENE, 40, 40))
    for one, other in itertools.combinations(frames, 2):
        assert np.abs(one.astype(int) - other).mean() > 1


def test_the_last_step_of_a_change_is_as_small_as_the_others(plane):
    frames = [plane.render(scene, 40, 40).astype(int) for scene, _, _ in paths.change(SCENE, 32, 0.25)]
    steps = [np.abs(after - before).mean() for before, after in itertools.pairwise([*frames, frames[0]])]
    assert steps[-1] < 1.3 * max(steps[:-1])


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: paths.drift(SCENE, 1, 0, 5), "frames: 1 are no animation; give 2"),
        (lambda: paths.drift(SCENE, 5, 0, 0), "drift: 0,0 does not move; give pixels"),
        (lambda: paths.walk(SCENE, 0, (1, 2)), "frames: 0 are no animation"),
        (lambda: paths.walk(SCENE, 5, (1,)), "textures: 1 are too few for a walk; give two"),
        (lambda: paths.walk(SCENE, 2, (1, 2, 3)), "frames: 2 are too few for 3 textures; give 3"),
        (lambda: paths.change(SCENE, 1, 0.5), "frames: 1 are no animation"),
        (lambda: paths.change(SCENE, 5, 0.0), "amount: 0 is outside 0 .. 1, or 0, which makes all frames equal"),
        (lambda: paths.change(SCENE, 5, 1.5), "amount: 1.5 is outside"),
        (lambda: paths.change(SCENE, 5, float("nan")), "amount: nan is outside"),
    ],
)
def test_a_path_that_cannot_be_made_is_an_error(make, words):
    with pytest.raises(SettingError, match=words):
        make()
