"""Measures that training never sees: their laws on small pictures and vectors."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.quality import artefacts, neighbours, report, vgg_features

ROOT = Path(__file__).resolve().parents[2]


def noise(pixels, seed, deviation=40.0):
    values = np.random.default_rng(seed).normal(128, deviation, (pixels, pixels, 1))
    return np.clip(np.repeat(values, 3, -1), 0, 255).astype(np.uint8)


def vectors(count, seed, shift=0.0):
    return np.random.default_rng(seed).normal(shift, 1, (count, 4))


def test_precision_and_recall_of_points_on_a_line_worked_by_hand():
    real = np.array([[0.0], [1.0], [2.0], [10.0]])
    made = np.array([[0.5], [1.5], [1.6], [30.0]])
    # Radii to the nearest other, real: 1, 1, 1, 8; made: 1, .1, .1, 28.4.
    assert np.allclose(neighbours.radii(real, 1), np.array([1, 1, 1, 8.0]) ** 2)
    # 30 lies outside every ball of the real ones. The ball of 30 reaches down to 1.6, that of .5 from -.5 to 1.5.
    assert neighbours.precision_recall(made, real, nearest=1) == (0.75, 1.0)
    assert neighbours.precision_recall(made[:3], real, nearest=1) == (1.0, 0.5)


def test_vectors_of_one_distribution_are_inside_and_distant_ones_outside():
    same = neighbours.precision_recall(vectors(300, 1), vectors(300, 2))
    far = neighbours.precision_recall(vectors(300, 1, shift=50), vectors(300, 2))
    assert min(same) > 0.85 and far == (0, 0)


def test_a_generator_of_one_vector_is_precise_and_recalls_nothing():
    real = vectors(300, 1)
    precision, recall = neighbours.precision_recall(np.repeat(real[:1], 300, axis=0), real)
    assert precision == 1 and recall < 0.02


def test_too_few_vectors_for_neighbours_are_an_error():
    with pytest.raises(ValueError, match="larger pictures"):
        neighbours.radii(vectors(3, 1))


def test_frechet_distance_is_zero_for_equal_sets_and_the_squared_shift_for_shifted_ones():
    a = vectors(400, 1)
    assert neighbours.frechet(a, a) == pytest.approx(0, abs=1e-6)
    assert neighbours.frechet(a, a + np.array([3, 0, 0, 4.0])) == pytest.approx(25, rel=1e-6)
    assert neighbours.frechet(a, 2 * a) > 1


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


def test_gradients_that_swing_with_the_position_in_the_cell_show():
    rough = np.stack([noise(192, seed) for seed in range(2)])
    rough[:, np.arange(192) % 16 < 8] = 128
    assert artefacts.gradient_swing(rough, 16)[0] > 3 * artefacts.gradient_swing(rough, 16)[1]


def test_a_tiled_picture_repeats_and_noise_does_not():
    tiled = np.tile(noise(64, 1), (3, 3, 1))
    assert artefacts.repetition(tiled) < 0.05
    assert artefacts.repetition(noise(192, 1)) > 0.7


def test_clipped_pixels_and_the_mean_colour_are_counted_in_8_bit_values():
    picture = np.full((10, 10, 3), 100, np.uint8)
    picture[0, :5] = 255
    assert artefacts.clipped(picture) == 0.05
    assert artefacts.mean_colour_error(np.full((10, 10, 3), (100, 104, 90), np.uint8), np.full((10, 10, 3), 100)) == 10


def test_random_phases_keep_the_spectrum_and_the_mean_and_lose_the_edges():
    checks = np.indices((128, 128)).sum(0) // 16 % 2 * np.indices((128, 128))[0] // 16 % 2
    source = np.repeat(np.where(checks, 160, 90)[..., None], 3, -1).astype(np.uint8)
    made = report.random_phases(source)
    assert np.allclose(made.mean(axis=(0, 1)), source.mean(axis=(0, 1)), atol=1)
    powers = [np.abs(np.fft.rfft2(picture[..., 1] / 255)) ** 2 for picture in (source, made)]
    assert np.corrcoef(powers[0].ravel()[1:], powers[1].ravel()[1:])[0, 1] > 0.95
    assert artefacts.band_moments(made)[1] < artefacts.band_moments(source)[1] - 1


def test_positions_are_drawn_without_replacement_and_by_the_seed():
    rows = np.arange(50.0)[:, np.newaxis]
    drawn = vgg_features.draw(rows, 20, seed=3)
    assert len(np.unique(drawn)) == 20 and np.array_equal(drawn, vgg_features.draw(rows, 20, seed=3))
    assert not np.array_equal(drawn, vgg_features.draw(rows, 20, seed=4))
    assert len(vgg_features.draw(rows, 99, seed=3)) == 50


def test_the_report_ranks_a_shuffled_photograph_behind_quilting(tmp_path):
    rows, cols = np.mgrid[:160, :200]
    light = 128 + 60 * np.sin(rows / 3) * np.sin(cols / 5) + np.random.default_rng(0).normal(0, 10, rows.shape)
    source = np.repeat(np.clip(light, 0, 255)[..., None], 3, -1).astype(np.uint8)
    shuffled = np.random.default_rng(1).permutation(source.reshape(-1, 3)).reshape(source.shape)
    for name, picture in (("source", source), ("shuffled", shuffled)):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    table = report.table(source, {"shuffled": [shuffled]}, cell=16)
    own = artefacts.edge_coherence(source)
    assert abs(table["quilting"]["edge_coherence"] - own) < abs(table["shuffled"]["edge_coherence"] - own)
    command = [sys.executable, "-m", "benchmarks.quality.report", f"--source={tmp_path / 'source.png'}"]
    command += [f"--json={tmp_path / 'values.json'}", str(tmp_path / "shuffled.png")]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "| shuffled |" in printed
    assert json.loads((tmp_path / "values.json").read_text()).keys() == {"halves", "quilting", "noise", "shuffled"}
    failed = subprocess.run([*command[:3], "--source=missing.png"], cwd=ROOT, capture_output=True, text=True)
    assert failed.returncode == 2 and "missing.png" in failed.stderr and "Traceback" not in failed.stderr
