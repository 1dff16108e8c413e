import numpy as np
import pytest

from tests.support.repeating import LATTICE, cell_colours, pattern
from tf_psgan.detail import mean_cell

WAVES = np.linalg.inv(LATTICE).T


def test_the_mean_cell_is_the_cell():
    turns = mean_cell.turns((240, 270), WAVES)
    found = mean_cell.mean_cell(pattern(240, 270), turns, (24, 30))
    places = np.stack(np.meshgrid(np.arange(24) / 24, np.arange(30) / 30, indexing="ij"), axis=-1)
    assert np.abs(found - cell_colours(places)).max() < 8  # shares of neighbours, and 0 .. 255


@pytest.mark.parametrize("first", [(0.0, 0.0), (7.0, 11.0), (-3.5, 20.25)])
def test_the_phase_of_another_pictures_first_pixel_is_measured(first):
    found = mean_cell.turns_ahead(pattern(150, 160), pattern(130, 140, first=first), WAVES)
    apart = (found - WAVES @ first + 0.5) % 1 - 0.5
    assert np.abs(apart).max() <= 1 / 64


def test_a_picture_without_its_mean_cell_drawn_again_is_what_does_not_repeat():
    noise = np.random.default_rng(0).normal(0, 8, (240, 270, 3))
    picture = pattern(240, 270) + noise
    drawn = mean_cell.drawn(picture, mean_cell.turns((240, 270), WAVES), mean_cell.cell_extent(LATTICE))
    assert np.corrcoef((picture - drawn).ravel(), noise.ravel())[0, 1] > 0.9
    assert np.std(picture - drawn) < 1.1 * np.std(noise)


def test_a_spot_is_unusual_and_noise_is_not():
    random = np.random.default_rng(0)
    picture = pattern(240, 270).astype(int) + random.normal(0, 8, (240, 270, 3)).astype(int)
    clean = mean_cell.unusual(np.clip(picture, 0, 255).astype(np.uint8), WAVES, 8.0)
    assert clean.mean() < 0.01
    picture[100:124, 60:84] = 128
    found = mean_cell.unusual(np.clip(picture, 0, 255).astype(np.uint8), WAVES, 8.0)
    assert found[104:120, 64:80].all()
    found[80:144, 40:104] = False
    assert found.mean() < 0.01
