import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.data import images
from tf_psgan.latents import noise, waves
from tf_psgan.networks.generator import latent_field
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import MAX_PIXEL, Plane

DTYPES = ("float32", "mixed_bfloat16")
SIDE, TILE = 8, 4  # pixels in a cell, cells in a tile
SEED = 11


@pytest.fixture(scope="module", params=DTYPES)
def plane(request):
    return Plane(tiny.generator(request.param, global_channels=2), chunk_cells=TILE)


@pytest.fixture(scope="module")
def one_texture():
    return Plane(tiny.generator(seed=1), chunk_cells=TILE)


def test_a_window_is_a_picture_of_the_asked_extent_that_shows_something(plane):
    picture = plane.window(SEED, 0, -7, 3, 100, 333)
    assert picture.shape == (100, 333, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 20


@pytest.mark.parametrize("top, left", [(0, 0), (-777, -50), (10**9 + 1, -(10**9)), (-MAX_PIXEL, MAX_PIXEL - 332)])
def test_windows_agree_bit_for_bit_where_they_overlap(plane, top, left):
    whole = plane.window(SEED, 5, top, left, 100, 333)
    for down, right, height, width in ((0, 0, 1, 1), (99, 332, 1, 1), (31, 32, 1, 1), (17, 60, 45, 70), (3, 0, 97, 33)):
        part = plane.window(SEED, 5, top + down, left + right, height, width)
        np.testing.assert_array_equal(part, whole[down : down + height, right : right + width])


@pytest.mark.parametrize("top, left", [(-1000, 300), (10**9, -(10**9))])
def test_a_large_window_holds_small_ones_bit_for_bit_with_tiles_of_the_usual_size(top, left):
    usual = Plane(tiny.generator("mixed_bfloat16"))
    whole = usual.window(SEED, 0, top, left, 2048, 1024)
    for down, right, height, width in ((2047, 1023, 1, 1), (500, 480, 100, 333)):
        part = usual.window(SEED, 0, top + down, left + right, height, width)
        np.testing.assert_array_equal(part, whole[down : down + height, right : right + width])


def test_windows_reach_across_the_origin(plane):
    whole = plane.window(SEED, 0, -40, -40, 80, 80)
    quarters = [[plane.window(SEED, 0, top, left, 40, 40) for left in (-40, 0)] for top in (-40, 0)]
    np.testing.assert_array_equal(whole, np.concatenate([np.concatenate(row, axis=1) for row in quarters]))


def test_the_same_question_has_the_same_answer(plane):
    first = plane.window(SEED, 3, 5, 5, 40, 40)
    plane.window(SEED + 1, 4, -999, 5, 9, 9)  # whatever was asked between
    np.testing.assert_array_equal(plane.window(SEED, 3, 5, 5, 40, 40), first)
    twin = Plane(plane.folded, chunk_cells=TILE)
    np.testing.assert_array_equal(twin.window(SEED, 3, 5, 5, 40, 40), first)


def test_seeds_and_textures_show_other_planes(plane):
    first = plane.window(SEED, 3, 0, 0, 48, 48).astype(float)
    for seed, texture in ((SEED + 1, 3), (-SEED, 3), (SEED, 4), (SEED, -3)):
        assert np.abs(plane.window(seed, texture, 0, 0, 48, 48) - first).mean() > 2


def test_places_differ(plane):
    first = plane.window(SEED, 3, 0, 0, 48, 48).astype(float)
    for top, left in ((SIDE * TILE, 0), (0, SIDE * TILE), (10**9 * SIDE, 0)):
        assert np.abs(plane.window(SEED, 3, top, left, 48, 48) - first).mean() > 5


def test_without_global_channels_there_is_one_texture(one_texture):
    first = one_texture.window(SEED, 0, 0, 0, 40, 40)
    for texture in (1, -5, 2**40):
        np.testing.assert_array_equal(one_texture.window(SEED, texture, 0, 0, 40, 40), first)


def direct(network, seed, texture, row, col, cells):
    """The pixels of cells x cells cells from the bare network; wave phases in Python's integers."""
    extent = cells + 4
    z_global = noise.global_vector(texture, network.config.global_channels)[tf.newaxis]
    numbers = fold(network).wave_numbers(z_global[0].numpy())
    starts, phase = noise.phases(seed, network.config.waves).numpy(), []
    for turns, start in zip(waves.turns(numbers), starts, strict=True):
        exact = int(turns[0]) * (row - 2) + int(turns[1]) * (col - 2) + int(start)
        phase.append((exact % 2**64) / 2**64 * 2 * np.pi)
    in_radians = tf.constant(numbers[np.newaxis], tf.float32), tf.constant([phase], tf.float32)
    z_periodic = waves.plane_waves(*in_radians, extent, extent, quadrature=True)
    z_local = noise.local(seed, row - 2, col - 2, extent, extent, network.config.local_channels)[tf.newaxis]
    picture = network(latent_field(z_local, z_global[:, tf.newaxis, tf.newaxis], z_periodic), training=False)
    return images.to_bytes(picture[0, 2:-2, 2:-2]).numpy()


@pytest.mark.parametrize("row, col", [(0, 0), (-9, 4), (10**9, -(10**9)), (-(2**37), 2**37 - 40)])
@pytest.mark.parametrize("local", [True, False])
def test_the_plane_is_the_network_on_noise_and_waves(row, col, local):
    network = tiny.generator(global_channels=2)
    if not local:  # nothing but waves: an error in a far phase could not hide behind the noise
        kernel = network.up_0.kernel.numpy()
        kernel[:, :, : network.config.local_channels] = 0
        network.up_0.kernel.assign(kernel)
    found = Plane(network, chunk_cells=TILE).window(SEED, 6, row * SIDE, col * SIDE, 9 * SIDE, 9 * SIDE)
    expected = direct(network, SEED, 6, row, col, 9)
    assert expected.std() > 10
    assert np.abs(found.astype(int) - expected).max() <= 1  # other tiles, other order of sums


def test_waves_are_the_same_lattice_a_billion_cells_away():
    # Four cells a period, and a little: pi / 2 in float32 is not quite 2**62 fixed-point turns. Far away
    # the little has added up to four whole turns, and the lattice stands where it stood.
    network = tiny.generator(waves=1)
    network.up_0.kernel.assign(network.up_0.kernel.numpy() * (np.arange(5) >= 3)[:, None])
    network.wave_table.assign([[np.pi / 2, 0.0]])
    plane = Plane(network, chunk_cells=TILE)
    near = plane.window(SEED, 0, 0, 0, 64, 8)
    assert near.std() > 10
    little = int(waves.turns(plane.wave_numbers(0))[0, 0]) - 2**62
    cells = 4 * round(2**64 / abs(little))
    assert cells > 10**8
    far = plane.window(SEED, 0, cells * SIDE, 0, 64, 8)
    np.testing.assert_allclose(far.astype(int), near, atol=1)
    np.testing.assert_allclose(near[32:].astype(int), near[:32], atol=1)


def test_a_plane_keeps_the_weights_it_was_made_with():
    network = tiny.generator()
    plane = Plane(network, chunk_cells=TILE)
    before = plane.window(SEED, 0, 0, 0, 16, 16)
    for variable in network.variables:
        variable.assign(variable.value * 0.5)
    np.testing.assert_array_equal(plane.window(SEED, 0, 0, 0, 16, 16), before)


@pytest.mark.parametrize(
    "window, words",
    [
        ((0, 0, 0, 5), "height: 0 is outside 1 .."),
        ((0, 0, 5, -3), "width: -3 is outside 1 .."),
        ((MAX_PIXEL + 1, 0, 5, 5), f"top: {MAX_PIXEL + 1} is outside"),
        ((0, -MAX_PIXEL - 1, 5, 5), f"left: {-MAX_PIXEL - 1} is outside"),
    ],
)
def test_a_window_that_cannot_be_shown_is_named_with_its_value(one_texture, window, words):
    with pytest.raises(ValueError, match=words):
        one_texture.window(SEED, 0, *window)
