import numpy as np
import pytest

from tests.support import tiny
from tf_psgan.latents import noise
from tf_psgan.plane.folded_generator import fold


@pytest.mark.parametrize(
    "changes",
    [{}, {"global_channels": 3}, {"global_channels": 3, "wave_angles": "axis"}, {"wave_angles": "axis"}, {"waves": 0}],
)
def test_wave_numbers_are_those_of_the_generator(changes):
    network = tiny.generator(**changes)
    z_global = noise.global_vector(5, network.global_channels).numpy()
    steps = fold(network).wave_steps(z_global)
    assert steps.shape == (network.waves, 2) and steps.dtype == np.int64
    found = steps * (2 * np.pi / 2**32)
    np.testing.assert_allclose(found, np.asarray(network.wave_numbers(z_global[np.newaxis])[0]), atol=1e-5)


def test_a_folded_generator_keeps_its_weights():
    network = tiny.generator(global_channels=2)
    folded = fold(network)
    before, mark = folded.wave_steps(np.ones(2)), folded.fingerprint()
    kernel = folded.blocks[0][0].copy()
    for variable in network.variables:
        variable.assign(variable.value * 0.5)
    np.testing.assert_array_equal(folded.wave_steps(np.ones(2)), before)
    np.testing.assert_array_equal(folded.blocks[0][0], kernel)
    assert folded.fingerprint() == mark != fold(network).fingerprint()


def test_the_fingerprint_differs_where_compute_type_or_waves_differ():
    network = tiny.generator()
    marks = {fold(network).fingerprint(), fold(tiny.generator("mixed_bfloat16")).fingerprint()}
    network.shared_wave_numbers.assign(network.shared_wave_numbers.value + 1e-6)
    assert len(marks | {fold(network).fingerprint()}) == 3
