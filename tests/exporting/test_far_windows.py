"""Far from the origin a session, the exported signatures and the library compute the same bits."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.exporting import saved_model
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.latents import torus
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane

SIDE = 8
CORNERS = [
    (2**33, -(2**33)),
    (-(2**33) - 77, 5),
    (2**36, 2**36 + 3),
    (-(2**36), 2**33),
    (2**40, -(2**40)),
    (-(2**40), 2**40 - 1),
]
TEXTURES = [0, -7, 2**62 + 11]


def waves_only(network):
    """The generator with the local noise disconnected, so that every pixel depends on the phases of the waves."""
    kernel = network.up_0.kernel.numpy()
    kernel[:, :, : network.local_channels] = 0
    network.up_0.kernel.assign(kernel)
    return network


@pytest.fixture(scope="module", params=[{}, {"global_channels": 3}, {"global_channels": 3, "wave_angles": "axis"}])
def exported(request, tmp_path_factory):
    """A plane; its export in a session; its export as `tf.saved_model.load` has it."""
    folded = fold(waves_only(tiny.generator(seed=6, **request.param)))
    path = saved_model.write(folded, tmp_path_factory.mktemp("models") / "tiny", {}, {})
    signatures = tf.saved_model.load(str(path)).signatures
    with SessionModel(path) as model:
        yield TexturePlane(folded), model, signatures


def from_signature(signatures, name, **inputs):
    types = {key: spec.dtype for key, spec in signatures[name].structured_input_signature[1].items()}
    return signatures[name](**{key: tf.constant(value, types[key]) for key, value in inputs.items()})["image"].numpy()


@pytest.mark.parametrize("top, left", CORNERS)
def test_far_windows_of_session_signature_and_library_are_equal(exported, top, left):
    plane, model, signatures = exported
    for texture in TEXTURES:
        window = {"seed": 3, "texture": texture, "top": top, "left": left, "height": 520, "width": 130}
        expected = plane.window(**window)
        assert expected.std() > 5
        np.testing.assert_array_equal(model.run("window", **window), expected)
        np.testing.assert_array_equal(from_signature(signatures, "window", **window), expected)


def test_far_tiles_of_session_signature_and_library_are_equal(exported):
    plane, model, signatures = exported
    for texture in TEXTURES:
        rows, cols = torus.good_extents([plane.wave_steps(texture)], 40, 30, count=1)[0]
        tile = {"seed": 3, "texture": texture, "height": rows * SIDE, "width": cols * SIDE}
        expected = plane.tile(**tile)
        np.testing.assert_array_equal(model.run("torus", **tile), expected)
        np.testing.assert_array_equal(from_signature(signatures, "torus", **tile), expected)
        for top, left in CORNERS:
            rolled = np.roll(expected, (-top % tile["height"], -left % tile["width"]), (0, 1))
            np.testing.assert_array_equal(plane.tile(**tile, top=top, left=left), rolled)


@pytest.mark.parametrize("rows, cols", [(2**30 + 7, 2**30 - 1), (2**37, 2**36 + 5), (2**40, 2**40 - 3)])
def test_graph_and_eager_turns_on_a_wide_torus_are_equal(exported, rows, cols):
    # No request asks for such a torus; the arithmetic of the signatures covers it all the same.
    plane, _, _ = exported
    spec = [tf.TensorSpec((None, 2), tf.int64), tf.TensorSpec((), tf.int64), tf.TensorSpec((), tf.int64)]
    graph = tf.function(torus.turns, input_signature=spec)
    for texture in TEXTURES:
        steps = plane.wave_steps(texture)
        np.testing.assert_array_equal(graph(steps, rows, cols), torus.turns(steps, rows, cols))
