"""A specification holds only values in range and parts that go together, and names the settings to change."""

from pathlib import Path

import numpy as np
import pytest

from tf_psgan.errors import SettingError
from tf_psgan.rendering.spec import (
    Animation,
    Change,
    Drift,
    Inversion,
    Morph,
    Painting,
    Quilt,
    RenderSpec,
    Tile,
    Walk,
    Window,
)

WALK = Animation(Walk((1, 2)))


@pytest.mark.parametrize(
    "make, words, settings",
    [
        (lambda: Window(height=0), "height: 0 is outside 1 ..", ("height",)),
        (lambda: Window(top=2**41), "top: 2199023255552 is outside", ("top",)),
        (lambda: Quilt(0, 4), "quilt: 0x4 is not rows x columns; write it as 3x4, each from 1 to 1000", ("quilt",)),
        (lambda: Quilt(1, 1001), "quilt: 1x1001", ("quilt",)),
        (lambda: Quilt(2, 2, border=-1), "border: -1 is outside", ("border",)),
        (lambda: Morph(((1,),)), "morph: rows of 1 textures; give rows of one length", ("morph",)),
        (lambda: Morph(((1, 2), (3,))), "morph: rows of 2, 1 textures", ("morph",)),
        (lambda: Painting(Path("a.png"), {}), "palette: no colours", ("palette",)),
        (lambda: Painting(Path("a.png"), {2**24: 1}), "palette: 16777216 is outside", ("palette",)),
        (lambda: Tile("x", edges="all"), "shared_edge: a tile along x has no four edges", ("shared_edge", "tile")),
        (lambda: Tile("x", repeat=(0, 2)), "repeat: 0x2 is not rows x columns", ("repeat",)),
        (lambda: Drift((0, 0)), "drift: 0,0 does not move", ("drift",)),
        (lambda: Walk((1,)), "textures: 1 are too few for a walk", ("textures",)),
        (lambda: Change(0.0), "amount: 0.0 is outside 0.001 .. 1", ("amount",)),
        (lambda: Animation(Change(), frames=1), "frames: 1 is outside 2 .. 100000", ("frames",)),
        (
            lambda: Animation(Change(), frames_per_second=241),
            "241 is outside",
            ("frames_per_second",),
        ),
        (lambda: Inversion(Path("a.png"), "7"), "name: '7' is not a name", ("name",)),
        (lambda: RenderSpec(seed=2**63), "seed: 9223372036854775808 is outside", ("seed",)),
        (lambda: RenderSpec(Morph(((1, 2),)), tile=Tile("y")), "morph: its opposite edges differ", ("morph", "tile")),
        (
            lambda: RenderSpec(Quilt(2, 2), animation=WALK),
            "animate: a walk shows one texture at a time, not with quilt",
            ("animate", "quilt"),
        ),
        (
            lambda: RenderSpec(tile=Tile(edges="all"), animation=WALK),
            "shared_edge: such a tile is a still picture of one texture, not with animate",
            ("shared_edge", "animate"),
        ),
        (lambda: RenderSpec(Quilt(2, 2), tile=Tile(edges="all")), "not with quilt", ("shared_edge", "quilt")),
        (lambda: RenderSpec(animation=Animation(Drift())), "drift: missing", ("drift", "tile")),
    ],
)
def test_what_is_out_of_range_or_does_not_go_together_names_its_settings(make, words, settings):
    with pytest.raises(SettingError, match=words) as error:
        make()
    assert error.value.settings == settings


def test_numpy_integers_are_integers():
    assert RenderSpec(np.int64(3), Window(np.int32(5), np.uint8(7), np.int64(-1)), np.int64(2)).window.height == 5


@pytest.mark.parametrize(
    "content, kind",
    [
        (3, "texture"),
        ("rust", "texture"),
        ((0.5, -1.0), "texture"),
        (Quilt(1, 2), "quilt"),
        (Morph(((1, 2),)), "morph"),
    ],
)
def test_the_kind_of_a_content_is_named_as_its_setting(content, kind):
    assert RenderSpec(content).kind == kind
