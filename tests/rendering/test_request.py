"""What picture is asked for: texts are read, and settings that do not go together are named."""

import dataclasses

import pytest

from tf_psgan.rendering import request
from tf_psgan.rendering.request import Request


@pytest.mark.parametrize("text, value", [("7", 7), ("-3", -3), (" +12 ", 12), ("rust", "rust"), ("a_b-2", "a_b-2")])
def test_a_texture_is_a_number_or_a_name(text, value):
    assert request.texture(text) == value


@pytest.mark.parametrize("text", ["", "7x", "a b", "-", "../up", "x" * 65])
def test_what_can_be_neither_is_named(text):
    with pytest.raises(ValueError, match="neither a whole number nor a name"):
        request.texture(text)


def test_a_grid_is_rows_times_columns():
    assert request.grid("quilt", "3x4") == request.grid("quilt", " 3X4 ") == (3, 4)
    for text in ("3", "0x4", "3x4x5", "ax4", "1001x1", ""):
        with pytest.raises(ValueError, match=r"quilt: .* is not rows x columns; write it as 3x4"):
            request.grid("quilt", text)


def test_a_morph_is_a_line_or_a_grid_of_knots():
    assert request.knots("1,7,rust") == ((1, 7, "rust"),)
    assert request.knots("1,7/9,30") == ((1, 7), (9, 30))
    assert request.knots("1/7") == ((1,), (7,))
    for text in ("1", "1,2/3"):
        with pytest.raises(ValueError, match=r"morph: .* is no line and no grid"):
            request.knots(text)


def test_a_palette_names_colours():
    assert request.colours(("#FF0000=3", "00ff7f:rust")) == {0xFF0000: 3, 0x00FF7F: "rust"}
    with pytest.raises(ValueError, match="palette: 'red=3' is not a colour and a texture; write it as ff0000=3"):
        request.colours(("red=3",))
    with pytest.raises(ValueError, match="palette: the colour FF0000 stands twice"):
        request.colours(("ff0000=3", "FF0000=4"))


def test_edges_are_four_colours():
    assert request.edges(" 0,1, 1,0") == (0, 1, 1, 0)
    for text in ("0,1,1", "0,1,1,-1", "a,b,c,d"):
        with pytest.raises(ValueError, match=r"shared_edge: .* is not four colours; write top,right,bottom,left"):
            request.edges(text)


GOOD = [
    {},
    {"tile": "xy", "repeat": "2x3", "shared_edge": "0,1,1,0"},
    {"tile": "x", "paint": "map.png", "palette": ("ff0000=3",)},
    {"quilt": "2x2", "textures": ("1", "2"), "tile": "xy"},
    {"animate": "walk", "textures": ("1", "2")},
    {"animate": "drift", "drift": (0, 5), "morph": "1,2"},
    {"like": "a.png", "name": "a"},
]


@pytest.mark.parametrize("settings", GOOD)
def test_settings_that_go_together_pass(settings):
    Request(**settings).check()


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"quilt": "2x2", "morph": "1,2"}, "quilt, morph: a picture is one of them"),
        ({"repeat": "2x3"}, "repeat: 2x3 only says something with --tile; add it"),
        ({"tile": "x", "shared_edge": "all"}, "shared_edge: all only says something with --tile=xy"),
        ({"palette": ("ff0000=3",)}, "palette: ff0000=3 only says something with --paint"),
        ({"textures": ("1", "2")}, "textures: 1,2 only says something with --quilt or --animate=walk"),
        ({"drift": (1, 2)}, "drift: 1,2 only says something with --animate=drift"),
        ({"name": "a"}, "name: a only says something with --like"),
        ({"paint": "map.png"}, "palette: missing; say which texture each colour of the map is"),
        ({"animate": "walk"}, "animate: a walk goes through --textures, at least two"),
        ({"animate": "walk", "textures": ("1", "2"), "quilt": "2x2"}, "leave --quilt, --morph and --paint out"),
        ({"tile": "y", "morph": "1,2"}, "morph: its edges differ, so it cannot close to a --tile"),
        ({"tile": "xy", "shared_edge": "all", "animate": "change"}, "leave --animate out"),
        ({"tile": "xy", "shared_edge": "all", "quilt": "2x2"}, "leave --quilt out"),
    ],
)
def test_settings_that_do_not_go_together_are_named(settings, words):
    with pytest.raises(ValueError, match=words):
        Request(**settings).check()


def test_every_setting_says_what_it_does():
    for field in dataclasses.fields(Request):
        assert field.metadata["help"].endswith(".") and len(field.metadata["help"]) > 20
