import numpy as np
import pytest

from tf_psgan.errors import PictureError, SettingError
from tf_psgan.evaluation.spectral_peaks import peaks

ROWS, COLS = np.meshgrid(np.arange(256.0), np.arange(256.0), indexing="ij")


def picture(light):
    """Grey uint8 picture from light in about [-1, 1]."""
    return np.repeat(np.clip(128 + 80 * light, 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def wave(row, col, phase=0.3):
    return np.cos(row * ROWS + col * COLS + phase)


def clutter(seed):
    """Random light whose amplitude falls as one over the frequency."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256), indexing="ij"))
    field = np.fft.fft2(np.random.default_rng(seed).normal(size=(256, 256))) / np.maximum(frequency, 1 / 256)
    light = np.real(np.fft.ifft2(field))
    return light / light.std()


def nearest_errors(found, true):
    """For each true wave vector: its distance, relative, from the nearest found one or that one's negative."""
    return [min(np.linalg.norm(sign * v - k) for v in found for sign in (1, -1)) / np.linalg.norm(k) for k in true]


@pytest.mark.parametrize("period", [30.7, 25.3, 11.13, 6.4])
@pytest.mark.parametrize("degrees", [0, 37, 90, 151])
def test_a_plane_wave_is_found_to_half_a_percent(period, degrees):
    true = 2 * np.pi / period * np.array([np.sin(np.radians(degrees)), np.cos(np.radians(degrees))])
    found = peaks([picture(wave(*true))], count=1)
    assert found.shape == (1, 2)
    assert nearest_errors(found, [true])[0] < 0.005


def test_two_gratings_are_two_peaks_the_stronger_first():
    strong, weak = np.array([2 * np.pi / 20, 0]), np.array([0.1, 2 * np.pi / 13])
    found = peaks([picture(0.6 * wave(*strong) + 0.3 * wave(*weak))], count=2)
    np.testing.assert_allclose(found, [strong, weak], atol=0.002)


def test_a_hexagonal_lattice_has_three_peaks_sixty_degrees_apart():
    true = [2 * np.pi / 24 * np.array([np.sin(a), np.cos(a)]) for a in np.radians([30, 90, 150])]
    found = peaks([picture(sum(wave(*k, phase=0) for k in true) / 3)], count=3)
    assert max(nearest_errors(found, true)) < 0.005


@pytest.mark.parametrize("seed", range(4))
def test_a_faint_lattice_wins_over_clutter(seed):
    true = np.array([0.21, 0.17])
    found = peaks([picture(0.5 * clutter(seed) + 0.35 * wave(*true))], count=1)
    assert nearest_errors(found, [true])[0] < 0.01


def test_uneven_light_is_not_a_period():
    true = np.array([0.0, 2 * np.pi / 16])
    slow = wave(2 * np.pi * 2 / 256, 0)
    np.testing.assert_allclose(peaks([picture(0.7 * slow + 0.2 * wave(*true))], count=1), [true], atol=0.002)


def test_other_directions_come_before_harmonics():
    bars = np.where(np.cos(2 * np.pi / 32 * ROWS) > 0.5, 0.8, -0.4)
    found = peaks([picture(bars + 0.05 * wave(0.0, 2 * np.pi / 20))], count=3)
    np.testing.assert_allclose(found[:2], [[2 * np.pi / 32, 0], [0, 2 * np.pi / 20]], atol=0.003)
    np.testing.assert_allclose(found[2], [2 * 2 * np.pi / 32, 0], atol=0.003)


def test_axis_peaks_alternate_and_are_the_components():
    found = peaks([picture(wave(2 * np.pi / 30, 2 * np.pi / 18))], count=5, axis_only=True)
    assert np.all(found[0::2, 1] == 0) and np.all(found[1::2, 0] == 0) and np.all(found.sum(axis=1) > 0)
    np.testing.assert_allclose(found[:2], [[2 * np.pi / 30, 0], [0, 2 * np.pi / 18]], atol=0.002)


@pytest.mark.parametrize("light", [0 * ROWS, wave(0.3, 0.2), clutter(0)])
@pytest.mark.parametrize("axis_only", [False, True])
def test_the_count_is_exact_and_the_vectors_are_distinct_and_reproducible(light, axis_only):
    found = peaks([picture(light)], count=9, axis_only=axis_only)
    assert found.shape == (9, 2)
    np.testing.assert_array_equal(found, peaks([picture(light)], count=9, axis_only=axis_only))
    for i, one in enumerate(found):
        gaps = [np.linalg.norm(one - sign * other) for other in found[:i] for sign in (1, -1)]
        assert all(gap * 256 / (2 * np.pi) >= 3 for gap in gaps)


def test_pictures_of_several_sizes_share_one_spectrum():
    light = picture(wave(0.0, 2 * np.pi / 12))
    found = peaks([light, light[:200, :130], light[10:, 20:]], count=1)
    np.testing.assert_allclose(found, [[0, 2 * np.pi / 12]], atol=0.002)


def test_a_picture_under_32_pixels_is_an_error():
    with pytest.raises(PictureError, match=r"20x99 pixels .* at least 32x32"):
        peaks([np.zeros((20, 99, 3), np.uint8)], count=1)


def test_more_waves_than_distinct_frequencies_are_an_error():
    with pytest.raises(SettingError, match="500 waves do not fit into pictures of 32x32 pixels"):
        peaks([picture(wave(0.5, 0.5))[:32, :32]], count=500)
