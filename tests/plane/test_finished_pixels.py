import numpy as np
import pytest

from tf_psgan.latents.scene import Scene
from tf_psgan.plane.finished_pixels import FinishedPixels


def colours(top, left, height, width):
    """A picture whose colours tell the pixel's place."""
    rows, cols = np.arange(top, top + height) % 251, np.arange(left, left + width) % 241
    table = np.broadcast_arrays(rows[:, np.newaxis], cols, 7)
    return np.stack(table, axis=-1).astype(np.uint8)


class Maker:
    def __init__(self):
        self.made = []

    def __call__(self, *rectangle):
        self.made.append(rectangle)
        return colours(*rectangle)


@pytest.fixture
def make():
    return Maker()


def test_a_window_has_the_pixels_of_its_place(make):
    finished = FinishedPixels(8, 40, 1000)
    for top, left, height, width in ((0, 0, 8, 8), (-13, 5, 70, 41), (3, -100, 1, 1), (-60, -60, 130, 130)):
        found = finished.window(Scene(), height, width, top, left, make)
        np.testing.assert_array_equal(found, colours(top, left, height, width))


def test_a_window_inside_a_finished_one_is_not_made_again(make):
    finished = FinishedPixels(8, 40, 1000)
    finished.window(Scene(), 32, 32, 0, 0, make)
    finished.window(Scene(), 20, 9, 11, 3, make)
    assert make.made == [(0, 0, 32, 32)]


def test_a_neighbouring_window_makes_only_what_is_new(make):
    finished = FinishedPixels(8, 40, 1000)
    finished.window(Scene(), 32, 32, 0, 0, make)
    finished.window(Scene(), 32, 32, 0, 9, make)
    assert make.made[1:] == [(0, 32, 32, 16)]


def test_a_large_window_is_made_in_blocks(make):
    FinishedPixels(8, 40, 1000).window(Scene(), 48, 32, 0, 0, make)
    assert make.made == [(0, 0, 40, 32), (40, 0, 8, 32)]


def test_other_scenes_have_pixels_of_their_own(make):
    finished = FinishedPixels(8, 40, 1000)
    finished.window(Scene(1), 8, 8, 0, 0, make)
    finished.window(Scene(2), 8, 8, 0, 0, make)
    assert len(make.made) == 2


def test_the_least_recently_used_pieces_are_forgotten(make):
    finished = FinishedPixels(8, 40, 2)
    for left in (0, 8, 0, 16, 0, 8):  # 8 is forgotten for 16, since 0 was used in between
        finished.window(Scene(), 8, 8, 0, left, make)
    assert [left for _, left, _, _ in make.made] == [0, 8, 16, 8]


def test_cleared_pixels_are_made_again(make):
    finished = FinishedPixels(8, 40, 1000)
    for _ in range(2):
        finished.window(Scene(), 8, 8, 0, 0, make)
        finished.clear()
    assert len(make.made) == 2
