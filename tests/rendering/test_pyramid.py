"""The pyramid: its levels, the order of its tiles, and overviews that are means of the picture's own pixels."""

import numpy as np
import pytest

from tf_psgan.rendering.raster import pyramid

EXTENTS = [(1, 1), (16, 16), (17, 16), (33, 70), (100, 9), (1, 300)]
SIDE = 16


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def next_level(pixels):
    """Means over blocks of two by two pixels, as far as there are any, a half rounded up."""
    sums, counts = pixels.astype(float), np.ones(pixels.shape)
    for axis in (0, 1):
        starts = range(0, pixels.shape[axis], 2)
        sums, counts = (np.add.reduceat(table, starts, axis=axis) for table in (sums, counts))
    return np.floor(sums / counts + 0.5).astype(np.uint8)


def test_levels_halve_and_round_up():
    assert pyramid.extents(1000, 513, 512) == [(1000, 513), (500, 257)]
    assert pyramid.extents(512, 512, 512) == [(512, 512)]
    assert pyramid.extents(5, 2, 1) == [(5, 2), (3, 1), (2, 1), (1, 1)]


@pytest.mark.parametrize("rows, cols", [(1, 1), (2, 2), (5, 3), (1, 9), (8, 8)])
def test_the_order_has_every_tile_once(rows, cols):
    places = list(pyramid.order(rows, cols))
    assert sorted(places) == [(row, col) for row in range(rows) for col in range(cols)]


def test_neighbours_come_together():
    assert list(pyramid.order(3, 4))[:8] == [(0, 0), (0, 1), (1, 0), (1, 1), (0, 2), (0, 3), (1, 2), (1, 3)]


def test_a_half_is_rounded_up_and_an_edge_is_the_mean_of_what_there_is():
    column = np.array([[[0]], [[1]], [[7]]], np.uint8)
    np.testing.assert_array_equal(pyramid.halved(column), [[[1]], [[7]]])
    block = np.array([[[0], [0], [9]], [[0], [1], [10]]], np.uint8)
    np.testing.assert_array_equal(pyramid.halved(block), [[[0], [10]]])
    np.testing.assert_array_equal(pyramid.halved(np.full((4, 4, 3), 255, np.uint8)), np.full((2, 2, 3), 255))


@pytest.mark.parametrize("height, width", EXTENTS)
@pytest.mark.parametrize("smallest", [1, SIDE])
def test_overviews_show_the_picture_and_nothing_else_at_every_level(height, width, smallest):
    levels = pyramid.extents(height, width, smallest)
    expected = [picture(height, width)]
    for _ in levels[1:]:
        expected.append(next_level(expected[-1]))
    overviews, found = pyramid.Overviews(levels, SIDE, {}), {}
    most = 0
    for row, col in pyramid.order(*pyramid.grid(levels[0], SIDE)):
        tile = expected[0][row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
        for place, pixels in overviews.add(row, col, pyramid.halved(tile)):
            assert place not in found
            found[place] = pixels
        most = max(most, len(overviews.waiting))
    assert not overviews.waiting
    assert most <= 3 * len(levels)
    wanted = {(k, r, c) for k, level in enumerate(levels) for r, c in np.ndindex(pyramid.grid(level, SIDE)) if k}
    assert found.keys() == wanted
    for (level, row, col), pixels in found.items():
        part = expected[level][row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
        np.testing.assert_array_equal(pixels, part)


def test_overviews_go_on_from_what_was_waiting():
    levels = pyramid.extents(70, 50, SIDE)
    places = list(pyramid.order(*pyramid.grid(levels[0], SIDE)))
    whole = picture(70, 50)
    halves = [pyramid.halved(whole[r * SIDE : (r + 1) * SIDE, c * SIDE : (c + 1) * SIDE]) for r, c in places]
    waiting, found = {}, []
    for (row, col), half in zip(places, halves, strict=True):
        overviews = pyramid.Overviews(levels, SIDE, dict(waiting))  # a new one for every tile
        found += [(place, pixels.tobytes()) for place, pixels in overviews.add(row, col, half)]
        waiting = overviews.waiting
    unbroken = pyramid.Overviews(levels, SIDE, {})
    expected = [made for place, half in zip(places, halves, strict=True) for made in unbroken.add(*place, half)]
    assert found == [(place, pixels.tobytes()) for place, pixels in expected]
