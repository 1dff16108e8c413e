"""What a client asks for, and how a large picture becomes requests."""

import numpy as np
import pytest

from serving.views import Limits, Morph, Torus, Window, cut
from serving.wire import Error

WINDOW = Window(1, 2, -70, 50, 200, 33)


@pytest.mark.parametrize("view", [WINDOW, Morph(1, (1, 2, 3, 4), 900, 900, -70, 50, 200, 33)])
@pytest.mark.parametrize("side", [1000, 64, 7])
def test_the_pieces_fill_a_picture_once_along_the_grid_of_the_plane(view, side):
    filled = np.zeros((view.height, view.width), int)
    for rows, cols, part in cut(view, side):
        filled[rows, cols] += 1
        assert (rows.stop - rows.start, cols.stop - cols.start) == (part.height, part.width)
        assert (view.top + rows.start, view.left + cols.start) == (part.top, part.left)
        assert part.top // side == (part.top + part.height - 1) // side
        assert part.left // side == (part.left + part.width - 1) // side
        assert part.signature == view.signature
    assert (filled == 1).all()


@pytest.mark.parametrize(
    "limits, side",
    [
        (Limits(4096, 4096, 4096 * 4096, 512), 1024),
        (Limits(4096, 1000, 4096 * 4096, 512), 512),  # whole tiles
        (Limits(4096, 4096, 600 * 600, 512), 512),
        (Limits(4096, 4096, 400 * 400, 512), 400),    # no whole tile is allowed
        (Limits(4096, 4096, 4096 * 4096, 384), 768),
        (Limits(8192, 8192, 8192 * 8192, 2048), 2048),
    ],
)  # fmt: skip
def test_pieces_are_whole_tiles_within_the_limits(limits, side):
    assert limits.piece() == side
    assert limits.admit(side, side)


def test_limits_hold_for_each_side_and_for_the_area():
    limits = Limits(100, 200, 5000, 32)
    assert limits.admit(100, 50)
    assert not any(limits.admit(*extent) for extent in ((101, 1), (1, 201), (100, 51)))


@pytest.mark.parametrize("change", [{"limits": None}, {"chunk_pixels": 0}, {"chunk_pixels": "512"}, {"limits": {}}])
def test_a_description_without_usable_limits_is_named(change):
    good = {"limits": {"height": 9, "width": 9, "pixels": 81}, "chunk_pixels": 3}
    assert Limits.read(good) == Limits.read({"limits": good["limits"], "tile_pixels": 3}) == Limits(9, 9, 81, 3)
    with pytest.raises(Error, match="WRONG_ANSWER: description: no usable limits"):
        Limits.read(good | change)


def test_inputs_have_the_types_of_the_signatures():
    for view in (WINDOW, Torus(1, 2, 64, 64), Morph.whole(1, [1, 2, 3, 4], 64, 64)):
        for name, value in view.inputs().items():
            assert value.dtype == (np.int32 if name in ("height", "width") else np.int64), name
            assert value.shape == ((4,) if name == "textures" else ()), name


@pytest.mark.parametrize(
    "view, words",
    [
        (lambda: Window(0, 0, 0, 0, 0, 5), "height: 0 is outside 1"),
        (lambda: Torus(0, 0, 5, 2**31), f"width: {2**31} is outside 1"),
        (lambda: Window(2**63, 0, 0, 0, 5, 5), "seed: .* is outside"),
        (lambda: Window(0, 1.5, 0, 0, 5, 5), "texture: 1.5 is no whole number; give one"),
        (lambda: Morph.whole(0, [1, 2, 3], 5, 5), "textures: 3 of them; give the four of the corners"),
        (lambda: Morph.whole(0, [1, 2, 3, "x"], 5, 5), "textures: 'x' is no whole number"),
        (lambda: Morph(0, (1, 2, 3, 4), 0, 5, 0, 0, 5, 5), "extent_height: 0 is outside 1"),
    ],
)
def test_a_view_that_is_none_is_named_with_its_value(view, words):
    with pytest.raises(ValueError, match=words):
        view()
