import numpy as np
import pytest

from tf_psgan.evaluation.lattice import lattice, like, period
from tf_psgan.procedural import catalogue
from tf_psgan.signal_processing import central_crop


def hexagons(across=24.0, side=192, shift=(0, 0), grain=6.0, seed=0, tall=1.0):
    """uint8 picture of a hexagonal lattice, its nearest points `across` pixels apart, with grain."""
    rows, cols = np.meshgrid(np.arange(side) + shift[0], np.arange(side) + shift[1], indexing="ij")
    wave = 2 * np.pi / (across * np.sqrt(0.75))
    light = sum(np.cos(wave * (np.sin(a) * rows / tall + np.cos(a) * cols)) for a in np.radians([30, 90, 150]))
    noise = np.random.default_rng(seed).normal(0, grain, (side, side, 3))
    return np.clip(120 + 30 * light[..., np.newaxis] + noise, 0, 255).astype(np.uint8)


def noise(seed, side=192):
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def blobs(seed, side=192):
    """Random light smooth over about ten pixels: structure, but no period."""
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(side), np.fft.fftfreq(side), indexing="ij"))
    field = np.fft.fft2(np.random.default_rng(seed).normal(size=(side, side))) * np.exp(-((frequency * 25) ** 2))
    light = np.real(np.fft.ifft2(field))
    return np.repeat(np.clip(128 + 40 * light / light.std(), 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def test_a_hexagonal_source_has_three_lattice_vectors_of_its_period():
    fit = period([], [hexagons(across=24.5)])
    assert fit.periodic and fit.vectors.shape == (3, 2)
    np.testing.assert_allclose(np.linalg.norm(fit.vectors, axis=1), 24.5, atol=0.15)


def test_the_same_lattice_elsewhere_fits():
    fit = period([hexagons(shift=(5, 13), seed=1), hexagons(shift=(2, 70), seed=2)], [hexagons(side=260)])
    assert np.all(fit.offsets < 0.2)
    np.testing.assert_allclose(fit.heights, 1, atol=0.03)
    assert np.all(fit.distances < 0.03)


def test_a_period_off_by_a_tenth_changes_the_offset_and_not_the_height():
    fit = period([hexagons(across=26.4, seed=1)], [hexagons()])
    assert fit.offsets[0] == pytest.approx(2.4, abs=0.2)
    assert fit.heights[0] == pytest.approx(1, abs=0.05)
    assert fit.distances[0] > 0.1


def test_a_lattice_stretched_one_way_is_seen():
    assert period([hexagons(tall=1.1, seed=1)], [hexagons()]).offsets[0] > 1


@pytest.mark.parametrize("sample", [noise(0), blobs(0)])
def test_what_has_no_period_does_not_fit_a_lattice(sample):
    fit = period([sample], [hexagons()])
    assert fit.heights[0] < 0.4 and fit.distances[0] > 0.15


@pytest.mark.parametrize("source", [noise(1), blobs(1), np.full((192, 192, 3), 7, np.uint8)])
def test_a_source_without_a_period_has_no_offsets_and_heights(source):
    fit = period([blobs(2)], [source])
    assert not fit.periodic
    assert np.isnan(fit.offsets).all() and np.isnan(fit.heights).all() and np.isfinite(fit.distances).all()


def test_stripes_have_the_one_period_across_them():
    rows = np.arange(192.0)
    light = 128 + 60 * np.cos(2 * np.pi / 21 * rows)
    stripes = np.tile(light[:, np.newaxis, np.newaxis], (1, 192, 3)).astype(np.uint8)
    fit = period([np.roll(stripes, 5, axis=0)], [stripes])
    np.testing.assert_allclose(np.abs(fit.vectors), [[21, 0]], atol=0.15)
    assert fit.offsets[0] < 0.2


def test_uneven_light_is_left_out():
    lit = (hexagons(seed=1) * np.linspace(0.4, 1, 192)[:, np.newaxis, np.newaxis]).astype(np.uint8)
    fit = period([lit], [hexagons()])
    assert fit.offsets[0] < 0.3 and fit.heights[0] > 0.9


def test_strands_of_different_brightness_do_not_hide_the_lattice():
    found = lattice([central_crop(catalogue.make("weave", 1), 384)])  # by light alone (44, 0) and (0, 44)
    np.testing.assert_allclose(np.abs(found), [[22, 22], [22, 22]], atol=0.1)


def test_stripes_have_no_lattice():
    stripes = np.indices((128, 128)).sum(axis=0) // 8 % 2 * 200
    assert lattice([np.repeat(stripes.astype(np.uint8)[..., np.newaxis], 3, axis=2)]).shape == (0, 2)


def test_crossings_are_not_the_lattice_of_a_weave():
    row, col = np.mgrid[:240, :240]
    over = (row // 20 + col // 20) % 2 == 0
    across = np.where(over, row, col) % 20 - 9.5  # position across the upper strand, 2 pixels of shade on either side
    holes = np.hypot((row + 10) % 20 - 9.5, (col + 10) % 20 - 9.5) < 5
    light = np.where(holes, 90, np.where(np.abs(across) > 7.5, 115, 160))
    light = light + np.random.default_rng(1).normal(0, 5, row.shape)
    picture = np.repeat(np.clip(light, 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=2)
    np.testing.assert_allclose(np.abs(lattice([picture])), [[20, 20], [20, 20]], atol=0.1)


@pytest.mark.parametrize("name", ["honeycomb", "brick", "weave", "scales", "tiles", "knit", "plate", "herringbone"])
def test_a_lattice_is_given_by_its_two_shortest_vectors(name):
    found = lattice([central_crop(catalogue.make(name, 1), 256)])
    true = np.array(catalogue.TEXTURES[name].periods, float)
    times = found @ np.linalg.inv(true)
    np.testing.assert_allclose(times, np.rint(times), atol=0.01)
    assert abs(np.linalg.det(times)) == pytest.approx(1, abs=0.02)  # the whole lattice, not every second point
    one, other = found  # the weave's are (22, 22) and (22, -22), not (22, 22) and (44, 0)
    longest = max(np.linalg.norm(one), np.linalg.norm(other))
    assert longest <= min(np.linalg.norm(one + other), np.linalg.norm(one - other)) + 0.1
    if name == "honeycomb":  # of the three of equal length, the one along the rows is left out
        assert np.abs(found).min() > 15


def test_the_same_lattice_is_found_in_the_vectors_that_are_asked_for():
    picture, wanted = hexagons(across=24.0), lattice([hexagons(across=24.5)])
    for vectors in (wanted, -wanted[::-1], np.array([[1, 0], [1, 1]]) @ wanted):
        np.testing.assert_allclose(like([picture], vectors), vectors * 24 / 24.5, atol=0.2)


@pytest.mark.parametrize("sample", [hexagons(across=30.0), blobs(1)], ids=["another lattice", "none"])
def test_another_lattice_is_not_taken_for_it(sample):
    assert like([sample], lattice([hexagons(across=24.0)])).shape == (0, 2)
    assert like([sample], np.zeros((0, 2))).shape == (0, 2)
