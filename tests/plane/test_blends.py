"""Many textures in one picture: where one weight is 1 the pixels are that texture's own plane, bit for bit."""

import threading

import numpy as np
import pytest

from tests.support import tiny
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.generator_plane import GeneratorPlane
from tf_psgan.plane.plane import TexturePlane

SIDE, CHUNK, SEED = 8, 4, 7
REACH = 3 * SIDE  # a pixel sees the two cells on each side of its own


@pytest.fixture(scope="module", params=["float32", "mixed_bfloat16"])
def plane(request):
    network = tiny.generator(request.param, global_channels=3)
    return TexturePlane(fold(network), {"rust": (0.5, -1.0, 1.0)}, chunk_cells=CHUNK)


def show(plane, field, top=0, left=0, height=96, width=96, **scene):
    return plane.render(Scene(SEED, field, **scene), height, width, top=top, left=left)


def test_a_painting_is_each_textures_own_plane_away_from_the_border(plane):
    labels = np.arange(2)[np.newaxis]
    whole = show(plane, texture_fields.Painting(labels, (1, "rust"), 16, 0, 0, 160, 160), height=160, width=160)
    left, right = (plane.window(160, 160, seed=SEED, texture=texture) for texture in (1, "rust"))
    edge = 80
    np.testing.assert_array_equal(whole[:, : edge - 8 - REACH], left[:, : edge - 8 - REACH])
    np.testing.assert_array_equal(whole[:, edge + 8 + REACH :], right[:, edge + 8 + REACH :])
    between = whole[:, edge - 8 : edge + 8]
    assert (between != left[:, edge - 8 : edge + 8]).any() and (between != right[:, edge - 8 : edge + 8]).any()


def test_a_painting_with_tiles_of_the_usual_size_is_each_textures_own_plane():
    usual = TexturePlane(fold(tiny.generator("mixed_bfloat16", global_channels=3)))
    labels = np.zeros((1024, 1024), int)
    labels[300:, 200:] = 1
    whole = show(usual, texture_fields.Painting(labels, (1, 2), 48, 0, 0, 1024, 1024), height=1024, width=1024)
    first, second = (usual.window(1024, 1024, seed=SEED, texture=texture) for texture in (1, 2))
    away = 24 + REACH
    np.testing.assert_array_equal(whole[: 300 - away], first[: 300 - away])
    np.testing.assert_array_equal(whole[300 + away :, 200 + away :], second[300 + away :, 200 + away :])


@pytest.mark.parametrize("far", [0, -(10**6), 10**9])
def test_beyond_its_corners_a_morph_is_the_corners_plane(plane, far):
    field = texture_fields.Morph(((1, 2), (3, 4)), far, far, 96, 96)
    for row in (0, 1):
        for col in (0, 1):
            at = {"top": far + (-200, 200)[row], "left": far + (-200, 200)[col]}
            found = show(plane, field, height=40, width=40, **at)
            np.testing.assert_array_equal(found, plane.window(40, 40, seed=SEED, texture=1 + 2 * row + col, **at))


def test_a_blend_is_the_same_in_any_window(plane):
    field = texture_fields.Morph(((1, 2, "rust"),), 0, 0, 96, 96)
    whole = show(plane, field)
    np.testing.assert_array_equal(show(plane, field, 17, 33, 30, 50), whole[17:47, 33:83])


def test_a_blend_of_a_texture_with_itself_is_that_texture(plane):
    halves = show(plane, texture_fields.Mix(((5, 0.5), (5, 0.5))))
    np.testing.assert_array_equal(halves, plane.window(96, 96, seed=SEED, texture=5))


def test_waves_are_blended_not_wave_numbers():
    # Two textures of one wave number blend to it; the vector between them would have another.
    network = tiny.generator(global_channels=1, waves=1)
    network.up_0.kernel.assign(network.up_0.kernel.numpy() * (np.arange(6) >= 4)[:, None])  # nothing but the wave
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)
    one, other = plane.wave_numbers((-1.0,)), plane.wave_numbers((1.0,))
    assert np.abs(one - other).max() > 0.1 and np.abs(plane.wave_numbers((0.0,)) - one).max() > 0.05
    mixed = plane.latents(Scene(SEED, texture_fields.Mix((((-1.0,), 0.5), ((1.0,), 0.5)))), 40, -90)[..., 4:]
    parts = [plane.latents(Scene(SEED, texture_fields.Uniform((value,))), 40, -90)[..., 4:] for value in (-1.0, 1.0)]
    np.testing.assert_allclose(mixed, (parts[0] + parts[1]) / 2, atol=1e-6)


def test_names_and_vectors_work_where_numbers_do(plane):
    by_name = plane.window(32, 32, seed=SEED, texture="rust")
    np.testing.assert_array_equal(plane.window(32, 32, seed=SEED, texture=(0.5, -1.0, 1.0)), by_name)
    by_number = plane.window(32, 32, seed=SEED, texture=6)
    np.testing.assert_array_equal(plane.window(32, 32, seed=SEED, texture=tuple(plane.vector(6).tolist())), by_number)


@pytest.mark.parametrize(
    "texture, words",
    [
        ("moss", r"texture: 'moss' is neither a number nor the name of a stored texture \(stored: rust\)"),
        ((0.0, 1.0), "texture: a vector of 2 numbers; give 3 numbers from -1 to 1"),
        ((0.0, 1.5, 0.0), "from -1 to 1"),
        ((0.0, float("nan"), 0.0), "from -1 to 1"),
        (2**63, "texture: 9223372036854775808 is outside"),
    ],
)
def test_a_texture_that_is_none_is_named(plane, texture, words):
    with pytest.raises(ValueError, match=words):
        plane.window(8, 8, seed=SEED, texture=texture)


def test_a_painted_tile_closes(plane):
    field = texture_fields.Painting(np.array([[0, 1], [1, 2]]), (1, 2, 3), 32, 0, 0, 80, 96, (True, True))
    whole = show(plane, field, 0, 0, 80, 96, rows=10, cols=12)
    rolled = show(plane, field, 40, 48, 80, 96, rows=10, cols=12)
    np.testing.assert_array_equal(rolled, np.roll(whole, (-40, -48), (0, 1)))


def test_a_loop_of_the_noise_begins_with_the_plane_and_closes(plane):
    still = plane.window(48, 48, seed=SEED, texture=1).astype(int)
    frames = [
        show(plane, texture_fields.Uniform(1), 0, 0, 48, 48, time=i / 8, amount=0.05).astype(int) for i in range(8)
    ]
    np.testing.assert_array_equal(frames[0], still)
    steps = [np.abs(frames[(i + 1) % 8] - frames[i]).mean() for i in range(8)]
    assert min(steps) > 0.5 and max(steps) < 3 * min(steps)
    assert np.abs(frames[4] - still).mean() > max(steps) / 2


def test_a_plane_may_be_asked_from_several_threads(plane):
    expected = [plane.window(64, 64, seed=seed, texture=1) for seed in range(4)]
    fresh = TexturePlane(plane.folded, chunk_cells=CHUNK)
    found = [[None] * 4 for _ in range(6)]

    def ask(place):
        for seed in range(4):
            found[place][seed] = fresh.window(64, 64, seed=seed, texture=1)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for pictures in found:
        np.testing.assert_array_equal(pictures, expected)


def test_a_tile_made_before_is_not_made_again(plane, monkeypatch):
    fresh = TexturePlane(plane.folded, chunk_cells=CHUNK)
    first = fresh.window(40, 40, seed=SEED, texture=1)
    monkeypatch.setattr(GeneratorPlane, "_paint", None)
    np.testing.assert_array_equal(fresh.window(20, 20, top=3, left=3, seed=SEED, texture=1), first[3:23, 3:23])


def test_many_textures_have_the_same_bits_as_few_and_trace_no_part_for_each(plane):
    """A texture alone in a quilt of twenty-five, whose graph loops over them, and in one of four, whose does not."""
    few, many = (texture_fields.Painting(*texture_fields.quilt(range(n * n), n, n), 8, 0, 0, 480, 480) for n in (2, 5))
    found = [show(plane, field, top=24, left=24, height=8, width=8) for field in (few, many)]
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], plane.window(8, 8, top=24, left=24, seed=SEED))
    np.testing.assert_array_equal(plane.vectors([3, "rust", 9]), [plane.vector(t) for t in (3, "rust", 9)])
