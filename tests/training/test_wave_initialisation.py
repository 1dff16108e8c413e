"""Initial wave numbers: on the source's lattice, whatever its shape."""

import numpy as np
import pytest
import tensorflow as tf

from tests.support import tiny
from tf_psgan.config import ModelConfig
from tf_psgan.evaluation.lattice import lattice, repeats
from tf_psgan.latents import noise, waves
from tf_psgan.training.wave_initialisation import (
    fit_wave_mlp,
    initial_wave_numbers,
    initial_wave_numbers_by_class,
    reciprocal,
)

SIDE = 16
NOISE = np.random.default_rng(2).integers(0, 256, (160, 160, 3), dtype=np.uint8)


def _dots(vectors: list[tuple[float, float]], pixels: int = 192) -> np.ndarray:
    """A picture of soft dots on a lattice, a little uneven."""
    rows, cols = np.mgrid[:pixels, :pixels].astype(float)
    turns = np.stack([rows, cols], -1) @ np.linalg.inv(np.array(vectors))
    light = np.prod(np.cos(np.pi * turns) ** 4, axis=-1)
    noise = np.random.default_rng(1).normal(0, 6, (pixels, pixels))
    return np.repeat(np.clip(40 + 180 * light + noise, 0, 255).astype(np.uint8)[..., None], 3, -1)


@pytest.mark.parametrize("vectors", [[(24, 0), (0, 30)], [(20, 14), (20, -14)], [(26, 15), (0, 30)]])
def test_the_lattice_of_dots_is_found_to_half_a_pixel(vectors: list[tuple[float, float]]) -> None:
    found = lattice([_dots(vectors)])
    whole = np.array(vectors) @ np.linalg.inv(found)
    np.testing.assert_allclose(whole, np.rint(whole), atol=0.03)
    assert abs(np.linalg.det(found)) == pytest.approx(abs(np.linalg.det(vectors)), rel=0.03)


def test_random_noise_has_no_lattice() -> None:
    assert lattice([NOISE]).shape == (0, 2)


def test_reciprocal_vectors_turn_once_along_their_own_lattice_vector() -> None:
    vectors = np.array([[20.0, 28.0], [0.0, 56.0]])
    np.testing.assert_allclose(vectors @ reciprocal(vectors).T, 2 * np.pi * np.eye(2), atol=1e-12)


def test_two_waves_start_at_the_lattice_and_more_at_other_peaks() -> None:
    vectors = [(20, 14), (20, -14)]
    found = initial_wave_numbers([_dots(vectors)], ModelConfig(waves=4), "source", SIDE)
    assert found.shape == (4, 2)
    turns = found[:2] @ np.array(vectors).T / SIDE / (2 * np.pi)
    np.testing.assert_allclose(turns, np.rint(turns), atol=0.02)
    assert abs(round(float(np.linalg.det(np.rint(turns))))) == 1
    distances = np.linalg.norm(found[:, None] - found, axis=-1) + 9 * np.eye(4)
    assert distances.min() > 0.1


def test_a_picture_without_a_lattice_starts_at_its_spectrum() -> None:
    assert not repeats([NOISE]) and repeats([_dots([(24, 0), (0, 30)])])
    found = initial_wave_numbers([NOISE], ModelConfig(waves=3), "source", SIDE)
    assert found.shape == (3, 2) and np.linalg.norm(found, axis=1).min() > 0.1


def test_each_class_has_its_own_waves_and_zero_wave_numbers_where_nothing_repeats() -> None:
    dots, model = _dots([(24, 0), (0, 30)]), ModelConfig(waves=2, global_channels=4)
    found = initial_wave_numbers_by_class(iter([dots, NOISE]), model, "source", SIDE)
    np.testing.assert_array_equal(found[0], initial_wave_numbers([dots], ModelConfig(waves=2), "source", SIDE))
    np.testing.assert_array_equal(found[1], np.zeros((2, 2)))
    np.testing.assert_array_equal(initial_wave_numbers_by_class([NOISE], model, "paper", SIDE), [waves.ladder(2)])


def test_axis_waves_stay_on_axes() -> None:
    axis = initial_wave_numbers(
        [_dots([(20, 14), (20, -14)])], ModelConfig(waves=4, wave_angles="axis"), "source", SIDE
    )
    assert not axis[::2, 1].any() and not axis[1::2, 0].any()


def test_the_papers_start_is_its_ladder() -> None:
    found = initial_wave_numbers([], ModelConfig(waves=6), "paper", SIDE)
    np.testing.assert_allclose(found, waves.ladder(6))


def test_a_model_of_several_textures_starts_with_the_waves_of_each_lattice_once() -> None:
    lattices = [[(24, 0), (0, 30)], [(20, 14), (20, -14)], [(24, 0), (0, 30)]]
    pictures = [_dots(vectors) for vectors in lattices]
    found = initial_wave_numbers(pictures, ModelConfig(waves=4, global_channels=2), "source", SIDE)
    for waves_of, vectors in ((found[:2], lattices[0]), (found[2:], lattices[1])):
        turns = waves_of @ np.array(vectors).T / SIDE / (2 * np.pi)
        np.testing.assert_allclose(turns, np.rint(turns), atol=0.02)
        assert abs(round(float(np.linalg.det(np.rint(turns))))) == 1


def test_the_fitted_mlp_gives_each_class_its_own_wave_numbers() -> None:
    network = tiny.generator(global_channels=4, wave_hidden=40)
    wanted = np.random.default_rng(1).uniform(-3, 3, (9, 2, 2))
    fit_wave_mlp(network, wanted)
    found = network.wave_numbers(noise.global_vector(tf.range(9, dtype=tf.int64), 4))
    np.testing.assert_allclose(found, wanted, atol=1e-4)
