"""Measurements of pictures whose repetition, structure, exposure and trends are known."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from tests.support.synthetic_textures import blobs, lattice, sand
from tf_psgan.errors import PictureError
from tf_psgan.training.picture_analysis import measure


def grey(light):
    """uint8 [h, w, 3] of float light 0 .. 255."""
    return np.repeat(np.clip(np.rint(light), 0, 255).astype(np.uint8)[..., np.newaxis], 3, axis=-1)


def grating(side=128, period=16, amplitude=60.0):
    return grey(128 + amplitude * np.tile(np.sin(2 * np.pi * np.arange(side) / period), (side, 1)))


def test_a_lattice_has_its_period_and_no_larger_structure():
    found = measure(lattice(0, side=192, period=24))
    np.testing.assert_allclose(np.sort(np.linalg.norm(found.lattice, axis=1)), [24, 24], atol=1)
    assert found.period == pytest.approx(24, abs=1) and found.structure == pytest.approx(24, abs=1)


def test_structures_larger_than_the_centre_are_found_in_the_reduced_picture():
    large = np.repeat(np.repeat(lattice(0, side=360, period=75), 3, axis=0), 3, axis=1)  # 1080 pixels
    assert measure(large).period == pytest.approx(225, abs=8)
    assert measure(large[:900]).period == pytest.approx(225, abs=8)
    assert measure(large[200:712, 200:712]).period == 0  # the centre alone does not show it


def test_stripes_repeat_in_one_direction_and_have_no_lattice():
    found = measure(grating(period=16))
    assert found.lattice.shape == (0, 2) and found.period == pytest.approx(16, abs=0.5)
    assert found.anisotropy == pytest.approx(1, abs=1e-6)


def test_random_textures_repeat_nowhere_and_coarser_ones_have_larger_structures():
    coarse, fine = measure(blobs(0)), measure(sand(0))
    assert coarse.period == fine.period == 0 and coarse.lattice.shape == fine.lattice.shape == (0, 2)
    assert 4 <= fine.structure < 25 < coarse.structure < 90


def test_exposure_and_chroma_are_counted_by_hand():
    picture = np.full((64, 64, 3), 100, np.uint8)
    picture[:16] = (255, 100, 100)  # a quarter: clipped at white in one channel; chroma 155
    picture[-8:] = (0, 0, 0)  # an eighth: clipped at black; no chroma
    found = measure(picture)
    assert (found.bright, found.dark, found.chroma) == (0.25, 0.125, 155 / 4)


def test_a_picture_of_one_colour_can_be_measured():
    found = measure(np.full((64, 64, 3), 100, np.uint8))
    assert (found.period, found.anisotropy, found.brightness_trend) == (0, 0, 0)
    assert (found.contrast_trend, found.scale_trend) == (1, 1)


def test_quadrants_of_a_stationary_picture_do_not_differ():
    found = measure(grating(side=128, period=16))  # four whole periods in each quadrant
    assert found.brightness_trend == pytest.approx(0, abs=1e-9)
    assert found.contrast_trend == found.scale_trend == pytest.approx(1)


def test_the_brightness_trend_is_the_difference_of_quadrants_over_their_deviation():
    picture = np.zeros((128, 128, 3), np.uint8)
    picture[::2] = 20
    picture[:64] += 40  # means 50 above, 10 below; deviation 10 in every quadrant
    assert measure(picture).brightness_trend == pytest.approx(4, rel=1e-3)


def test_half_the_contrast_is_a_contrast_trend_of_two():
    picture = grating(amplitude=80.0)
    picture[:64] = grating(amplitude=40.0)[:64]
    assert measure(picture).contrast_trend == pytest.approx(2, rel=0.02)


def test_half_the_size_is_a_scale_trend_of_two():
    picture = grating(period=32)
    picture[:64] = grating(period=16)[:64]
    assert measure(picture).scale_trend == pytest.approx(2, rel=0.02)


def page(seed, lines=8, font=14):
    """Dark letters in random order on a light ground, 192 x 192 pixels, a little noise."""
    random = np.random.default_rng(seed)
    picture = Image.new("L", (192, 192), 240)
    draw, letters = ImageDraw.Draw(picture), list("abcdefghiklmnoprstuvwz    ")
    for line in range(lines):
        text = "".join(random.choice(letters, 24))
        draw.text((6, 6 + 22 * line), text, font=ImageFont.load_default(font), fill=10)
    return grey(np.asarray(picture) + random.normal(0, 3, (192, 192)))


def test_lines_of_writing_are_counted_in_rows_and_in_columns():
    assert measure(page(0)).text_lines == measure(page(0).swapaxes(0, 1)).text_lines >= 7
    assert measure(page(1, lines=5)).text_lines >= 4


def test_rows_of_dots_and_a_wall_with_plain_joints_are_no_writing():
    rows, cols = np.mgrid[:192, :192]
    dots = np.where((rows % 24 - 12) ** 2 + (cols % 24 - 12) ** 2 < 36, 60.0, 220.0)
    wall = np.where((rows % 24 < 3) | ((cols + 24 * (rows // 24 % 2)) % 48 < 3), 60.0, 150.0)
    wall[rows % 24 >= 3] += np.random.default_rng(0).normal(0, 10, (192, 192))[rows % 24 >= 3]
    assert measure(grey(dots)).text_lines == measure(grey(wall)).text_lines == 0
    assert measure(lattice(0)).text_lines == measure(sand(0)).text_lines == 0


@pytest.mark.parametrize("shape, dtype", [((63, 90, 3), np.uint8), ((64, 64), np.uint8), ((64, 64, 3), np.float32)])
def test_what_is_no_picture_of_64_pixels_is_an_error(shape, dtype):
    with pytest.raises(PictureError, match="cannot be measured"):
        measure(np.zeros(shape, dtype))
