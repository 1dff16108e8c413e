import numpy as np
import pytest

from tests.support import synthetic_textures
from tests.support.repeating import LATTICE, pattern
from tf_psgan.detail import rectification


def off(picture, lattice):
    """The mean absolute difference between a picture and itself, one whole vector of the lattice away."""
    down, right = (int(step) for step in lattice[0])
    one, other = picture[down:, right:], picture[: picture.shape[0] - down, : picture.shape[1] - right]
    return np.abs(one.astype(int) - other).mean()


@pytest.mark.parametrize("scale", [1, 3])
def test_a_bent_lattice_becomes_exact(scale):
    """Cells of three times the size are registered on a reduced picture."""
    lattice = scale * LATTICE
    bent = pattern(240 * scale, 270 * scale, lattice, 3.0 * scale)
    found = rectification.rectified(bent, lattice)
    assert off(bent, lattice) > 12
    assert off(found.picture(), lattice) < 4
    assert found.explained > 0.9
    assert 0.05 < found.strain < 0.3
    height, width = found.picture().shape[:2]
    assert 225 * scale < height < 240 * scale and 255 * scale < width < 270 * scale


def test_an_exact_lattice_stays_as_it_is():
    picture = pattern(150, 160)
    found = rectification.rectified(picture, LATTICE)
    assert off(picture, LATTICE) < 0.1
    assert off(found.picture(), LATTICE) < 1.0
    assert min(found.picture().shape[:2]) >= 147
    assert found.strain < 0.01


@pytest.mark.parametrize(
    "picture",
    [
        synthetic_textures.blobs(3, 160),
        np.random.default_rng(0).integers(0, 256, (160, 160, 3)).astype(np.uint8),
        np.full((160, 160, 3), 7, np.uint8),
        pattern(160, 160, np.array([[31.0, -9.0], [11.0, 37.0]])),
    ],
    ids=["blobs", "noise", "one colour", "another lattice"],
)
def test_what_does_not_nearly_repeat_on_a_lattice_is_left(picture):
    assert rectification.rectified(picture, LATTICE) is None


def test_what_would_have_to_be_torn_is_left(monkeypatch):
    bent = pattern(240, 270, bend=3.0)
    monkeypatch.setattr(rectification, "MAX_STRAIN", 0.01)
    assert rectification.rectified(bent, LATTICE) is None


def test_a_shifted_picture_shows_the_places_between_pixels():
    found = rectification.rectified(pattern(150, 160), LATTICE)
    whole, between = found.picture().astype(int), found.picture((0.0, 0.5)).astype(int)
    middle = (whole[:, :-1] + whole[:, 1:]) / 2
    assert np.abs(between[8:-8, 8:-9] - middle[8:-8, 8:-8]).max() < 6  # the cell is curved between two pixels
    assert np.abs(between - whole)[8:-8, 8:-8].max() > 10
