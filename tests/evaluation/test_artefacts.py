"""Defects that second-order statistics do not detect: each metric on pictures that have the defect and that do not."""

import numpy as np
import pytest

from tests.support.synthetic_textures import noise
from tf_psgan.evaluation import artefacts


def test_straight_edges_are_coherent_and_noise_is_not():
    stripes = np.repeat((np.arange(64) // 8 % 2 * 200)[None, :, None], 64, 0).repeat(3, -1).astype(np.uint8)
    assert artefacts.edge_coherence(stripes) > 0.99
    assert artefacts.edge_coherence(noise(64, 1)) < 0.6


def test_noise_has_no_skew_and_no_kurtosis_and_bright_specks_have_both():
    skew, kurtosis = artefacts.band_moments(noise(256, 1, deviation=20))
    assert abs(skew) < 0.1 and abs(kurtosis) < 0.15
    specks = np.full((256, 256, 3), 60, np.uint8)
    specks[::16, ::16] = 250
    skew, kurtosis = artefacts.band_moments(specks)
    assert skew > 3 and kurtosis > 20


def test_a_pattern_at_the_cell_shows_and_other_periods_give_its_chance_level():
    plain = np.stack([noise(192, seed, deviation=20) for seed in range(4)])
    grid = plain.astype(int)
    grid[:, ::16] += 20
    found, chance = artefacts.cell_pattern(np.clip(grid, 0, 255).astype(np.uint8), 16)
    assert found > 3 * chance and found == pytest.approx(20 * np.sqrt(15) / 16, rel=0.15)
    found, chance = artefacts.cell_pattern(plain, 16)
    assert found < 2 * chance


@pytest.mark.parametrize("vectors, grid", [([[64.0, 0.0], [0.0, 32.0]], 0), ([[60.0, 0.0], [0.0, 40.0]], 20)])
def test_a_lattice_of_whole_cells_is_no_grid_and_a_grid_on_a_lattice_is_one(vectors, grid):
    vectors = np.array(vectors)
    rows, cols = np.mgrid[:192, :192]
    light = 40 * np.cos(2 * np.pi * rows / vectors[0, 0]) + 40 * np.cos(4 * np.pi * cols / vectors[1, 1])
    made = np.stack([noise(192, seed, deviation=20) for seed in range(4)]) + light[..., np.newaxis]
    made[:, :, ::16] += grid
    made = np.clip(made, 0, 255).astype(np.uint8)
    assert np.greater(*artefacts.cell_pattern(made, 16))
    found, chance = artefacts.cell_pattern(made, 16, vectors)
    assert found > 3 * chance if grid else found < 2 * chance


def test_gradients_that_swing_with_the_position_in_the_cell_show():
    rough = np.stack([noise(192, seed) for seed in range(2)])
    rough[:, np.arange(192) % 16 < 8] = 128
    assert artefacts.gradient_swing(rough, 16)[0] > 3 * artefacts.gradient_swing(rough, 16)[1]


def test_a_tiled_picture_repeats_and_noise_does_not():
    tiled = np.tile(noise(64, 1), (3, 3, 1))
    assert artefacts.repetition(tiled) < 0.05
    assert artefacts.repetition(noise(192, 1)) > 0.7


def test_clipped_pixels_and_colours_are_counted_in_8_bit_values():
    picture = np.full((10, 10, 3), 100, np.uint8)
    picture[0, :5] = 255
    assert artefacts.clipped(picture) == 0.05
    source, made = np.full((10, 10, 3), 100, np.uint8), np.full((10, 10, 3), (100, 104, 90), np.uint8)
    assert artefacts.mean_colour_error([made], [source]) == 10
    assert artefacts.colour_error([made], [source]) == pytest.approx((0 + 4 + 10) / 3)
    assert artefacts.mean_colour_error([made, 2 * source - made], [source]) == 0  # 10 too dark and 10 too light


def test_flat_colours_with_the_right_mean_have_a_colour_error():
    checks = np.indices((10, 10)).sum(0) % 2 * 40 + 80  # half 80, half 120
    source, made = np.stack([checks] * 3, -1).astype(np.uint8), np.full((10, 10, 3), 100, np.uint8)
    assert artefacts.mean_colour_error([made], [source]) == 0
    assert artefacts.colour_error([made], [source]) == pytest.approx(20)
