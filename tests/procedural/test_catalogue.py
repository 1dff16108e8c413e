"""Laws of the procedural textures: the shipped pictures are reproduced, and their lattices have the listed periods."""

import itertools
import pathlib

import numpy as np
import pytest
from PIL import Image

from tf_psgan.errors import SettingError
from tf_psgan.procedural import catalogue

SHIPPED = pathlib.Path(__file__).parents[2] / "textures"
NAMES = list(catalogue.TEXTURES)
PERIODIC = [name for name in NAMES if catalogue.TEXTURES[name].periods]


def shipped(name: str) -> np.ndarray:
    with Image.open(SHIPPED / f"{name}.png") as picture:
        return np.asarray(picture)


def autocorrelation(picture: np.ndarray) -> np.ndarray:
    """Mean product of the grey picture and itself, by shift (row, col); negative shifts at the end."""
    grey = picture.mean(axis=-1)
    height, width = grey.shape
    power = np.abs(np.fft.fft2(grey - grey.mean(), (2 * height, 2 * width))) ** 2
    overlap = np.abs(np.fft.fft2(np.ones_like(grey), (2 * height, 2 * width))) ** 2
    return np.fft.ifft2(power).real / np.maximum(np.fft.ifft2(overlap).real, 1)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_makes_the_same_picture_and_another_seed_another(name):
    first, again, other = (catalogue.make(name, seed, height=40, width=56) for seed in (3, 3, 4))
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 2


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_picture_is_the_one_that_seed_1_makes(name):
    # Mathematical functions may differ in the last bit between machines; two 8-bit values allow for that.
    apart = np.abs(catalogue.make(name).astype(int) - shipped(name))
    assert apart.max() <= 2 and apart.mean() < 0.05


@pytest.mark.parametrize("name", PERIODIC)
def test_pictures_correlate_with_themselves_at_one_two_and_three_periods(name):
    alike = autocorrelation(shipped(name))
    around = np.mgrid[-4:5, -4:5]
    for period, times in itertools.product(catalogue.TEXTURES[name].periods, (1, 2, 3)):
        exact = times * np.array(period)
        near = np.rint(exact).astype(int)[:, None, None] + around
        values = alike[near[0], near[1]]
        peak = near[:, *np.unravel_index(values.argmax(), values.shape)]
        assert np.abs(peak - exact).max() <= 1, (period, times, peak)
        assert values.max() > 0.15 * alike[0, 0], (period, times)


@pytest.mark.parametrize("name", ["pebbles", "mud", "water"])
def test_pictures_without_a_lattice_correlate_with_themselves_at_no_other_lag(name):
    alike = autocorrelation(shipped(name))
    assert alike[24:160, 24:160].max() < 0.15 * alike[0, 0]


@pytest.mark.parametrize("name", ["honeycomb", "knit", "mud", "water"])
def test_a_larger_picture_continues_the_smaller_one_but_for_its_grain(name):
    small, large = catalogue.make(name, 5, 48, 64), catalogue.make(name, 5, 80, 72)
    apart = np.abs(small.astype(int) - large[:48, :64])
    assert apart.mean() < 2.5


@pytest.mark.parametrize("name", NAMES)
def test_any_extent_can_be_made(name):
    assert catalogue.make(name, 0, 16, 61).shape == (16, 61, 3)


def test_every_two_textures_differ_in_their_mean_colour():
    means = {name: shipped(name).mean(axis=(0, 1)) for name in NAMES}
    for a, b in itertools.combinations(NAMES, 2):
        assert np.linalg.norm(means[a] - means[b]) > 20, (a, b)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "landscape"])
def test_the_four_quarters_of_a_texture_have_one_colour(name):
    quarters = shipped(name).reshape(2, 192, 2, 192, 3).mean(axis=(1, 3)).reshape(4, 3)
    assert np.abs(quarters - quarters.mean(axis=0)).max() < 12


def test_the_readme_lists_every_picture_with_its_description_and_periods():
    text = (SHIPPED / "README.md").read_text()
    for name, texture in catalogue.TEXTURES.items():
        periods = ", ".join(f"({row:.5g}, {col:g})" for row, col in texture.periods) or "none"
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}.png` |"))
        assert texture.description.split(":")[0] in row and periods in row


def test_the_error_for_an_unknown_name_lists_the_names():
    with pytest.raises(SettingError, match="choose from honeycomb, brick, weave"):
        catalogue.make("marble")


@pytest.mark.parametrize("extent", [(15, 64), (64, 0), (64, -3)])
def test_too_few_pixels_are_an_error(extent):
    with pytest.raises(SettingError, match="at least 16"):
        catalogue.make("brick", 1, *extent)
