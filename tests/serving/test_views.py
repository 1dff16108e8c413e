"""Views and their limits, and the pieces of a large picture."""

import numpy as np
import pytest

from tf_psgan_serving.client.views import Limits, Morph, Tile, Window, split
from tf_psgan_serving.errors import ServingError

WINDOW = Window(height=200, width=33, top=-70, left=50, seed=1, texture=2)
MORPH = Morph(
    seed=1, textures=(1, 2, 3, 4), extent_height=900, extent_width=900, top=-70, left=50, height=200, width=33
)


@pytest.mark.parametrize("view", [WINDOW, MORPH])
@pytest.mark.parametrize("side", [1000, 64, 7])
def test_pieces_cover_a_picture_once_and_start_at_chunk_boundaries(view, side):
    filled = np.zeros((view.height, view.width), int)
    for rows, cols, part in split(view, side):
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
        (Limits(4096, 1000, 4096 * 4096, 512), 512),  # whole chunks
        (Limits(4096, 4096, 600 * 600, 512), 512),
        (Limits(4096, 4096, 400 * 400, 512), 400),    # not even one chunk is allowed
        (Limits(4096, 4096, 4096 * 4096, 384), 768),
        (Limits(8192, 8192, 8192 * 8192, 2048), 2048),
    ],
)  # fmt: skip
def test_pieces_are_whole_chunks_within_the_limits(limits, side):
    assert limits.piece_pixels() == side
    assert limits.allow(side, side)


def test_limits_apply_to_each_side_and_to_the_area():
    limits = Limits(100, 200, 5000, 32)
    assert limits.allow(100, 50)
    assert not any(limits.allow(*extent) for extent in ((101, 1), (1, 201), (100, 51)))


@pytest.mark.parametrize("change", [{"limits": None}, {"chunk_pixels": 0}, {"chunk_pixels": "512"}, {"limits": {}}])
def test_a_description_without_usable_limits_is_an_error(change):
    good = {"limits": {"height": 9, "width": 9, "pixels": 81}, "chunk_pixels": 3}
    assert Limits.from_description(good) == Limits(9, 9, 81, 3)
    with pytest.raises(ServingError, match="WRONG_RESPONSE: description: no usable limits"):
        Limits.from_description(good | change)


def test_the_former_name_of_the_chunk_size_is_accepted():
    former = {"limits": {"height": 9, "width": 9, "pixels": 81}, "tile_pixels": 3}
    assert Limits.from_description(former) == Limits(9, 9, 81, 3)


def test_inputs_have_the_types_of_the_signatures():
    for view in (
        WINDOW,
        Tile(height=64, width=64, seed=1, texture=2),
        Morph.whole(64, 64, textures=[1, 2, 3, 4], seed=1),
    ):
        for name, value in view.inputs().items():
            assert value.dtype == (np.int32 if name in ("height", "width") else np.int64), name
            assert value.shape == ((4,) if name == "textures" else ()), name


@pytest.mark.parametrize(
    "view, words",
    [
        (lambda: Window(height=0, width=5), "height: 0 is outside 1"),
        (lambda: Tile(height=5, width=2**31), f"width: {2**31} is outside 1"),
        (lambda: Window(height=5, width=5, seed=2**63), "seed: .* is outside"),
        (lambda: Window(height=5, width=5, texture=1.5), "texture: 1.5 is not an integer"),
        (lambda: Morph.whole(5, 5, textures=[1, 2, 3]), "textures: 3 given; give four, one for each corner"),
        (lambda: Morph.whole(5, 5, textures=[1, 2, 3, "x"]), "textures: 'x' is not an integer"),
        (
            lambda: Morph(textures=(1, 2, 3, 4), extent_height=0, extent_width=5, height=5, width=5),
            "extent_height: 0 is outside 1",
        ),
    ],
)
def test_a_wrong_value_of_a_view_is_an_error_that_names_it(view, words):
    with pytest.raises(ValueError, match=words):
        view()
