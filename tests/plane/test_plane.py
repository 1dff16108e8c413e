import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.data import images
from tf_psgan.errors import SettingError
from tf_psgan.geometry import MAX_PIXEL
from tf_psgan.latents import noise, texture_fields, waves
from tf_psgan.latents.scene import Scene
from tf_psgan.networks.generator import latent_field
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.generator_plane import GeneratorPlane
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.plane.textures import Textures

DTYPES = ("float32", "mixed_bfloat16")
SIDE, CHUNK = 8, 4  # pixels in a cell, cells in a tile
SEED = 11


@pytest.fixture(scope="module", params=DTYPES)
def plane(request):
    return TexturePlane(fold(tiny.generator(request.param, global_channels=2)), chunk_cells=CHUNK)


@pytest.fixture(scope="module")
def one_texture():
    return TexturePlane(fold(tiny.generator(seed=1)), chunk_cells=CHUNK)


def test_a_window_is_a_picture_of_the_asked_extent_that_shows_something(plane):
    picture = plane.window(100, 333, top=-7, left=3, seed=SEED)
    assert picture.shape == (100, 333, 3)
    assert picture.dtype == np.uint8
    assert picture.std() > 20


@pytest.mark.parametrize("top, left", [(0, 0), (-777, -50), (10**9 + 1, -(10**9)), (-MAX_PIXEL, MAX_PIXEL - 332)])
def test_windows_agree_bit_for_bit_where_they_overlap(plane, top, left):
    whole = plane.window(100, 333, top=top, left=left, seed=SEED, texture=5)
    for down, right, height, width in ((0, 0, 1, 1), (99, 332, 1, 1), (31, 32, 1, 1), (17, 60, 45, 70), (3, 0, 97, 33)):
        part = plane.window(height, width, top=top + down, left=left + right, seed=SEED, texture=5)
        np.testing.assert_array_equal(part, whole[down : down + height, right : right + width])


@pytest.mark.parametrize("top, left", [(-1000, 300), (10**9, -(10**9))])
def test_a_large_window_holds_small_ones_bit_for_bit_with_tiles_of_the_usual_size(top, left):
    usual = TexturePlane(fold(tiny.generator("mixed_bfloat16")))
    whole = usual.window(2048, 1024, top=top, left=left, seed=SEED)
    for down, right, height, width in ((2047, 1023, 1, 1), (500, 480, 100, 333)):
        part = usual.window(height, width, top=top + down, left=left + right, seed=SEED)
        np.testing.assert_array_equal(part, whole[down : down + height, right : right + width])


def test_chunks_that_are_computed_together_as_on_a_gpu_show_the_same_plane(plane):
    together = TexturePlane(plane.folded, chunk_cells=CHUNK)
    together.batch = 3
    whole = together.window(100, 70, top=-7, left=3, seed=SEED, texture=1)  # 4 x 3 chunks
    alone = plane.window(100, 70, top=-7, left=3, seed=SEED, texture=1)
    assert np.abs(whole.astype(int) - alone).max() <= 1
    fresh = TexturePlane(plane.folded, chunk_cells=CHUNK)
    fresh.batch = 3
    np.testing.assert_array_equal(fresh.window(9, 9, top=33, left=40, seed=SEED, texture=1), whole[40:49, 37:46])
    across = fresh.window(64, 30, top=0, left=40, seed=SEED, texture=1)  # one of its chunks is known
    np.testing.assert_array_equal(across, whole[7:71, 37:67])


@pytest.mark.parametrize(
    "scene",
    [
        Scene(SEED, texture_fields.Uniform(2)),
        Scene(SEED, texture_fields.Morph(((1, 2), (3, 4)), 0, 0, 96, 96)),
        Scene(SEED, texture_fields.Morph(((1, 2, 3),), 0, 0, 64, 128)),  # not all chunks have the same textures
        Scene(SEED, texture_fields.Uniform(2), 8, 8, edges=(0, 1, 0, 2), time=0.3, amount=0.5),
    ],
)
def test_latents_of_chunks_made_together_are_those_of_each(scene):
    folded = fold(tiny.generator(global_channels=2))
    plane = TexturePlane(folded, chunk_cells=CHUNK)
    places = [(0, 0), (-3, 1), (1, 2)]
    together = GeneratorPlane(folded, Textures(folded), CHUNK).latents(scene, places).numpy()
    for place, found in zip(places, together, strict=True):
        np.testing.assert_array_max_ulp(found, plane.latents(scene, *place), maxulp=2)


def test_windows_reach_across_the_origin(plane):
    whole = plane.window(80, 80, top=-40, left=-40, seed=SEED)
    quarters = [[plane.window(40, 40, top=top, left=left, seed=SEED) for left in (-40, 0)] for top in (-40, 0)]
    np.testing.assert_array_equal(whole, np.concatenate([np.concatenate(row, axis=1) for row in quarters]))


def test_the_same_question_has_the_same_answer(plane):
    first = plane.window(40, 40, top=5, left=5, seed=SEED, texture=3)
    plane.window(9, 9, top=-999, left=5, seed=SEED + 1, texture=4)  # whatever was asked between
    np.testing.assert_array_equal(plane.window(40, 40, top=5, left=5, seed=SEED, texture=3), first)
    twin = TexturePlane(plane.folded, chunk_cells=CHUNK)
    np.testing.assert_array_equal(twin.window(40, 40, top=5, left=5, seed=SEED, texture=3), first)


def test_seeds_and_textures_show_other_planes(plane):
    first = plane.window(48, 48, seed=SEED, texture=3).astype(float)
    for seed, texture in ((SEED + 1, 3), (-SEED, 3), (SEED, 4), (SEED, -3)):
        assert np.abs(plane.window(48, 48, seed=seed, texture=texture) - first).mean() > 2


def test_places_differ(plane):
    first = plane.window(48, 48, seed=SEED, texture=3).astype(float)
    for top, left in ((SIDE * CHUNK, 0), (0, SIDE * CHUNK), (10**9 * SIDE, 0)):
        assert np.abs(plane.window(48, 48, top=top, left=left, seed=SEED, texture=3) - first).mean() > 5


def test_without_global_channels_there_is_one_texture(one_texture):
    first = one_texture.window(40, 40, seed=SEED)
    for texture in (1, -5, 2**40):
        np.testing.assert_array_equal(one_texture.window(40, 40, seed=SEED, texture=texture), first)


def direct(network, seed, texture, row, col, cells):
    """The pixels of cells x cells cells from the bare network; wave phases in Python's integers."""
    extent = cells + 4
    z_global = noise.global_vector(texture, network.global_channels)[tf.newaxis]
    steps = fold(network).wave_steps(z_global[0].numpy())
    numbers = waves.wave_numbers(steps).numpy()
    starts, phase = noise.phases(seed, network.waves).numpy(), []
    for turns, start in zip(waves.turns(steps).numpy(), starts, strict=True):
        exact = int(turns[0]) * (row - 2) + int(turns[1]) * (col - 2) + int(start)
        phase.append((exact % 2**64) / 2**64 * 2 * np.pi)
    in_radians = tf.constant(numbers[np.newaxis], tf.float32), tf.constant([phase], tf.float32)
    z_periodic = waves.plane_waves(*in_radians, extent, extent, quadrature=True)
    z_local = noise.local(seed, row - 2, col - 2, extent, extent, network.local_channels)[tf.newaxis]
    picture = network(latent_field(z_local, z_global[:, tf.newaxis, tf.newaxis], z_periodic), training=False)
    return images.to_bytes(picture[0, 2:-2, 2:-2]).numpy()


@pytest.mark.parametrize("row, col", [(0, 0), (-9, 4), (10**9, -(10**9)), (-(2**37), 2**37 - 40)])
@pytest.mark.parametrize("local", [True, False])
def test_the_plane_is_the_network_on_noise_and_waves(row, col, local):
    network = tiny.generator(global_channels=2)
    if not local:  # nothing but waves: an error in a far phase could not hide behind the noise
        kernel = network.up_0.kernel.numpy()
        kernel[:, :, : network.local_channels] = 0
        network.up_0.kernel.assign(kernel)
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)
    found = plane.window(9 * SIDE, 9 * SIDE, top=row * SIDE, left=col * SIDE, seed=SEED, texture=6)
    expected = direct(network, SEED, 6, row, col, 9)
    assert expected.std() > 10
    assert np.abs(found.astype(int) - expected).max() <= 1  # other tiles, other order of sums


def test_waves_are_the_same_lattice_a_billion_cells_away():
    # Four cells a period, and a little: pi / 2 in float32 is not quite 2**62 fixed-point turns. Far away
    # the little has added up to four whole turns, and the lattice stands where it stood.
    network = tiny.generator(waves=1)
    network.up_0.kernel.assign(network.up_0.kernel.numpy() * (np.arange(5) >= 3)[:, None])
    network.wave_table.assign([[np.pi / 2, 0.0]])
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)
    near = plane.window(64, 8, seed=SEED)
    assert near.std() > 10
    little = int(waves.turns(plane.wave_steps(0))[0, 0]) - 2**62
    cells = 4 * round(2**64 / abs(little))
    assert cells > 10**8
    far = plane.window(64, 8, top=cells * SIDE, seed=SEED)
    np.testing.assert_allclose(far.astype(int), near, atol=1)
    np.testing.assert_allclose(near[32:].astype(int), near[:32], atol=1)


def test_a_plane_keeps_the_weights_it_was_made_with():
    network = tiny.generator()
    plane = TexturePlane(fold(network), chunk_cells=CHUNK)
    before = plane.window(16, 16, seed=SEED)
    for variable in network.variables:
        variable.assign(variable.value * 0.5)
    np.testing.assert_array_equal(plane.window(16, 16, seed=SEED), before)


@pytest.mark.parametrize(
    "window, words",
    [
        ({"height": 0}, "height: 0 is outside 1 .."),
        ({"width": -3}, "width: -3 is outside 1 .."),
        ({"top": MAX_PIXEL + 1}, f"top: {MAX_PIXEL + 1} is outside"),
        ({"left": -MAX_PIXEL - 1}, f"left: {-MAX_PIXEL - 1} is outside"),
        ({"seed": 2**63}, f"seed: {2**63} is outside"),
        ({"texture": np.uint64(2**63)}, f"texture: {2**63} is outside"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(one_texture, window, words):
    with pytest.raises(SettingError, match=words):
        one_texture.window(**({"height": 5, "width": 5} | window))


@pytest.mark.parametrize("argument", ["height", "width", "top", "left", "seed"])
def test_a_value_that_is_not_an_integer_is_a_type_error(one_texture, argument):
    with pytest.raises(TypeError, match=f"{argument}: 5.0 is not an integer"):
        one_texture.window(**({"height": 5, "width": 5} | {argument: 5.0}))


@pytest.mark.parametrize("texture", [1.5, None, [[0.5, 0.5]], ["a", "b"], {"a": 1}])
def test_a_texture_that_is_neither_integer_nor_name_nor_vector_is_a_type_error(plane, texture):
    with pytest.raises(TypeError, match="texture: "):
        plane.window(5, 5, texture=texture)


@pytest.mark.parametrize(
    "top, left, height, width",
    [
        (np.int32(2**31 - 5), np.int32(-(2**31)), np.uint8(100), np.uint8(250)),  # top + height overflows int32
        (np.int8(-128), np.int8(127), np.uint8(60), np.int16(300)),
        (np.int64(2**40), np.uint64(2**40), np.int64(40), np.int32(33)),
    ],
)
def test_numpy_integers_near_their_limits_select_the_same_pixels(plane, top, left, height, width):
    expected = plane.window(int(height), int(width), top=int(top), left=int(left), seed=11, texture=5)
    found = plane.window(height, width, top=top, left=left, seed=np.uint8(11), texture=np.int16(5))
    np.testing.assert_array_equal(found, expected)


def test_numpy_integers_select_the_same_tile(plane):
    still = TexturePlane(fold(tiny.generator(waves=0)), chunk_cells=CHUNK)
    expected = still.tile(248, 120, top=-120, left=250, seed=3)
    found = still.tile(np.uint8(248), np.int8(120), top=np.int8(-120), left=np.uint8(250), seed=np.int8(3))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("kind", [tuple, list, np.array, lambda v: np.array(v, np.float32), tf.constant])
def test_a_vector_may_be_a_tuple_a_list_or_an_array(plane, kind):
    expected = plane.window(40, 40, texture=(0.5, -1.0))
    np.testing.assert_array_equal(plane.window(40, 40, texture=kind([0.5, -1.0])), expected)


def test_inside_a_tf_function_a_plane_raises_a_clear_error(plane):
    @tf.function
    def picture():
        return plane.window(5, 5)

    with pytest.raises(RuntimeError, match=r"called inside a tf\.function"):
        picture()
    with tf.Graph().as_default(), pytest.raises(RuntimeError, match=r"called inside a tf\.function"):
        plane.vector(3)

    @tf.function
    def wrapped(top):
        return tf.numpy_function(lambda top: plane.window(5, 5, top=top), [top], tf.uint8)

    np.testing.assert_array_equal(wrapped(tf.constant(7)), plane.window(5, 5, top=7))


FORKED = """
import os
from tests.support import tiny
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane

plane = TexturePlane(fold(tiny.generator()), chunk_cells=4)
plane.window(8, 8)
child = os.fork()
if not child:
    for call in (lambda: plane.window(8, 8), lambda: plane.window(8, 8, top=999), lambda: plane.tile(8, 8)):
        try:
            call()
        except RuntimeError as error:
            assert "forked after the plane was made" in str(error), error
        else:
            os._exit(1)
    os._exit(0)
print("child", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), plane.window(8, 8).shape)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_in_a_forked_process_a_plane_raises_a_clear_error_instead_of_hanging():
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, timeout=300)
    assert done.stdout.strip() == "child 0 (8, 8, 3)", done.stderr
