"""The flags of a picture: texts become typed values once, and flags that do not go together are named."""

import dataclasses
from pathlib import Path

import pytest

from tf_psgan.cli import request, texts
from tf_psgan.cli.request import Request
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


@pytest.mark.parametrize(
    "text, value", [("7", 7), ("-3", -3), (" +12 ", 12), ("rust", "rust"), ("a_b-2", "a_b-2"), ("стена", "стена")]
)
def test_a_texture_is_a_number_or_a_name(text, value):
    assert texts.texture(text) == value


@pytest.mark.parametrize("text", ["", "7x", "a b", "-", "../up", "x" * 65])
def test_a_text_that_is_neither_is_named(text):
    with pytest.raises(SettingError, match="neither an integer nor a name"):
        texts.texture(text)


def test_a_grid_is_rows_times_columns():
    assert texts.grid("3x4", "quilt") == texts.grid(" 3X4 ", "quilt") == (3, 4)
    for text in ("3", "3x4x5", "ax4", "10000x1", ""):
        with pytest.raises(SettingError, match=r"quilt: .* is not rows x columns; write it as 3x4"):
            texts.grid(text, "quilt")


def test_a_morph_is_a_line_or_a_grid_of_knots():
    assert texts.knots("1,7,rust") == ((1, 7, "rust"),)
    assert texts.knots("1,7/9,30") == ((1, 7), (9, 30))
    assert texts.knots("1/7") == ((1,), (7,))
    for text in ("1", "1,2/3"):
        with pytest.raises(SettingError, match=r"morph: .* is no line and no grid"):
            texts.knots(text)


def test_a_palette_names_colours():
    assert texts.palette(("#FF0000=3", "00ff7f:rust")) == {0xFF0000: 3, 0x00FF7F: "rust"}
    with pytest.raises(SettingError, match="palette: 'red=3' is not a colour and a texture; write it as ff0000=3"):
        texts.palette(("red=3",))
    with pytest.raises(SettingError, match="palette: the colour FF0000 occurs twice"):
        texts.palette(("ff0000=3", "FF0000=4"))


def test_edges_are_four_colours():
    assert texts.edges(" 0,1, 1,0") == (0, 1, 1, 0)
    for text in ("0,1,1", "0,1,1,-1", "a,b,c,d"):
        with pytest.raises(SettingError, match=r"shared_edge: .* is not four colours; write top,right,bottom,left"):
            texts.edges(text)


@pytest.mark.parametrize(
    "flags, spec",
    [
        ({}, RenderSpec()),
        (
            {"height": 30, "top": -5, "left": 7, "seed": 9, "texture": "rust"},
            RenderSpec("rust", Window(30, None, -5, 7), 9),
        ),
        (
            {"tile": "xy", "repeat": "2x3", "shared_edge": "0,1,1,0"},
            RenderSpec(tile=Tile("xy", (2, 3), (0, 1, 1, 0))),
        ),
        ({"tile": "xy", "shared_edge": "all"}, RenderSpec(tile=Tile("xy", None, "all"))),
        ({"quilt": "2x2", "texture": "20", "border": 8}, RenderSpec(Quilt(2, 2, (), 20, 8))),
        ({"quilt": "2x2", "textures": ("1", "rust")}, RenderSpec(Quilt(2, 2, (1, "rust")))),
        ({"morph": "1,2/3,4"}, RenderSpec(Morph(((1, 2), (3, 4))))),
        (
            {"tile": "x", "paint": "map.png", "palette": ("ff0000=3",)},
            RenderSpec(Painting(Path("map.png"), {0xFF0000: 3}), tile=Tile("x")),
        ),
        (
            {"animate": "walk", "textures": ("1", "2"), "frames": 5},
            RenderSpec(animation=Animation(Walk((1, 2)), 5)),
        ),
        (
            {"animate": "drift", "drift": (0, 5), "morph": "1,2"},
            RenderSpec(Morph(((1, 2),)), animation=Animation(Drift((0, 5)))),
        ),
        ({"animate": "drift", "tile": "x"}, RenderSpec(tile=Tile("x"), animation=Animation(Drift()))),
        ({"animate": "change", "amount": 0.5}, RenderSpec(animation=Animation(Change(0.5)))),
        ({"like": "Old wall 3.png"}, RenderSpec(inversion=Inversion(Path("Old wall 3.png")))),
        ({"like": "a.png", "name": "u\u0308ber"}, RenderSpec(inversion=Inversion(Path("a.png"), "über"))),
        ({"like": "a.png", "name": "b"}, RenderSpec(inversion=Inversion(Path("a.png"), "b"))),
    ],
)
def test_flags_become_one_typed_specification(flags, spec):
    assert request.parse(Request(**flags)) == spec


@pytest.mark.parametrize(
    "flags, words",
    [
        ({"quilt": "2x2", "morph": "1,2"}, "quilt, morph: a picture is only one of them"),
        (
            {"quilt": "2x2", "texture": "rust"},
            "quilt: 'rust' is one texture only; name those of the blocks by",
        ),
        ({"repeat": "2x3"}, "repeat: 2x3 requires --tile; add it"),
        ({"tile": "x", "shared_edge": "all"}, "shared_edge: all requires --tile=xy"),
        ({"palette": ("ff0000=3",)}, "palette: ff0000=3 requires --paint"),
        ({"textures": ("1", "2")}, "textures: 1,2 requires --quilt or --animate=walk"),
        ({"drift": (1, 2)}, "drift: 1,2 requires --animate=drift"),
        ({"animate": "drift", "drift": (3,)}, "drift: 3 is not two numbers"),
        ({"animate": "drift"}, "drift: missing; give pixels down and right"),
        ({"name": "a"}, "name: a requires --like"),
        ({"like": "a.png", "name": "7"}, "name: '7' is not a name; start with a letter"),
        ({"border": 9}, "border: 9 requires --quilt or --paint"),
        ({"morph": "1,2", "border": 9}, "border: 9 requires --quilt or --paint"),
        ({"frames": 9}, "frames: 9 requires --animate; add it, or leave this out"),
        ({"frames_per_second": 9.0}, "frames_per_second: 9.0 requires --animate"),
        ({"animate": "drift", "drift": (0, 5), "amount": 0.2}, "amount: 0.2 requires --animate=change"),
        ({"texture": "3", "morph": "1,2"}, "texture: 3 says nothing beside --morph; leave one out"),
        ({"texture": "3", "paint": "m.png", "palette": ("ff0000=3",)}, "texture: 3 says nothing beside --paint"),
        ({"texture": "3", "quilt": "2x2", "textures": ("1", "2")}, "texture: 3 says nothing beside --textures"),
        ({"texture": "3", "animate": "walk", "textures": ("1", "2")}, "texture: 3 says nothing beside --animate"),
        ({"texture": "3", "like": "a.png"}, "texture: 3 says nothing beside --like"),
        ({"paint": "map.png"}, "palette: missing; give the texture of each colour of the map"),
        ({"animate": "walk"}, "textures: 0 are too few for a walk; give two or more"),
        ({"seed": 2**63}, "seed: 9223372036854775808 is outside"),
    ],
)
def test_flags_that_do_not_go_together_are_named(flags, words):
    with pytest.raises(SettingError, match=words):
        request.parse(Request(**flags))


def test_a_default_value_that_is_given_counts_as_given():
    with pytest.raises(SettingError, match="texture: 0 says nothing beside --morph"):
        request.parse(Request(morph="1,2"), {"morph", "texture"})
    assert request.parse(Request(), set()) == RenderSpec()


def test_without_a_picture_to_make_only_the_flags_of_the_search_say_something():
    request.check_without_file({"like", "name", "seed"})
    with pytest.raises(SettingError, match="tile: says nothing without a picture to make; give --out, or leave it out"):
        request.check_without_file({"like", "tile"})


def test_every_flag_has_a_help_text():
    for field in dataclasses.fields(Request):
        assert field.metadata["help"].endswith(".") and len(field.metadata["help"]) > 20
