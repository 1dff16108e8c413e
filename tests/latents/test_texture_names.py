"""Names of textures keep the letters of every script, are file names, and never replace one another."""

import pytest

from tf_psgan.latents import texture_names


@pytest.mark.parametrize(
    "name", ["rust", "_", "a_b-2.c", "стена", "煉瓦", "حائط", "दीवार", "ผนัง", "벽", "über", "壁" * 64]
)
def test_letters_of_every_script_are_names(name):
    assert texture_names.is_name(name) and texture_names.of_path(f"a/{name}.png")[:60] == name[:60]


@pytest.mark.parametrize(
    "name", ["", "7", "7x", "-a", ".a", "a b", "a/b", "a,b", "a=b", "a\n", "\udcff", "a" * 65, "𐐀" * 51]
)
def test_numbers_separators_and_names_too_long_are_none(name):
    assert not texture_names.is_name(name)


def test_a_picture_gives_its_name_and_whatever_is_no_part_of_one_becomes_an_underscore():
    paths = ["Old wall (3).png", "7.png", "?.png", "𐐀" * 90, "u\u0308ber.jpg", "x\udcff.png"]
    found = [texture_names.of_path(path) for path in paths]
    assert found == ["Old_wall_3_", "_7", "_", "𐐀" * 49, "über", "x_"]
    assert all(map(texture_names.is_name, found))


def test_names_of_several_pictures_are_distinct():
    paths = ["a/brick.png", "b/brick.jpg", "3rd wall.png", "brick_2.png", "壁.png", "壁.jpg"]
    assert texture_names.of_paths(paths) == ["brick", "brick_2", "_3rd_wall", "brick_2_2", "壁", "壁_2"]


def test_a_numbered_name_of_the_longest_is_a_name():
    longest = texture_names.of_path("a" * 300)
    assert texture_names.is_name(texture_names.free(longest, {longest}))
