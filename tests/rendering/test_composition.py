"""From a request to a scene and its window."""

import numpy as np
import pytest
from PIL import Image

from tests.support import tiny
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering import composition
from tf_psgan.rendering.request import Request

SIDE = 8


@pytest.fixture(scope="module")
def plane():
    return TexturePlane(fold(tiny.generator(global_channels=2, waves=0)), chunk_cells=4, names={"rust": (0.5, -0.5)})


def composed(plane, found=None, **settings):
    return composition.compose(Request(**settings), plane, found)


def test_a_plain_request_is_a_window_of_one_texture(plane):
    found = composed(plane, height=100, width=30, top=-5, left=7, seed=9, texture="rust")
    assert found == composition.Composition(Scene(9, texture_fields.Uniform("rust")), -5, 7, 100, 30)
    assert composed(plane).height == composed(plane).width == composition.DEFAULT_PIXELS


def test_a_texture_that_was_found_takes_the_place_of_the_one_asked_for(plane):
    assert composed(plane, found="rust", texture="3").scene.field.textures == ("rust",)


@pytest.mark.parametrize("tile, torus", [("x", (0, 10)), ("y", (8, 0)), ("xy", (8, 10))])
def test_a_tile_is_a_torus_along_its_axes(plane, tile, torus):
    found = composed(plane, tile=tile, height=64, width=80).scene
    assert (found.rows, found.cols) == torus
    with pytest.raises(ValueError, match="is not a multiple of the model's cell of 8 pixels; give 56 or 64"):
        composed(plane, tile=tile, height=60, width=60)


def test_a_quilt_has_a_texture_a_block(plane):
    field = composed(plane, quilt="2x3", texture="20", height=96, width=144, border=8).scene.field
    shown = {
        texture
        for i in range(2)
        for j in range(3)
        for texture, weight in field.weights(np.array([3 + 6 * i]), np.array([3 + 6 * j]), SIDE)
        if weight[0, 0] == 1
    }
    assert shown == set(range(20, 26))
    assert composed(plane, quilt="2x3", textures=("rust", "4")).scene.field.textures == ("rust", 4)
    with pytest.raises(ValueError, match="quilt: 'rust' is one texture; name the blocks' by --textures"):
        composed(plane, quilt="2x3", texture="rust")


def test_a_map_is_as_large_as_it_is_and_its_colours_name_textures(plane, tmp_path):
    page = np.zeros((40, 64, 3), np.uint8)
    page[:, 32:] = (255, 127, 0)
    Image.fromarray(page).save(tmp_path / "map.png")
    asked = {"paint": str(tmp_path / "map.png"), "palette": ("000000=5", "ff7f00=rust", "ffffff=9")}
    found = composed(plane, **asked, border=0)
    assert (found.height, found.width) == (40, 64)
    assert found.scene.field.textures == (5, "rust")
    shares = found.scene.field.weights(np.array([2]), np.array([1, 6]), SIDE)
    assert [(texture, weight.tolist()) for texture, weight in shares] == [(5, [[1, 0]]), ("rust", [[0, 1]])]
    large = composed(plane, **asked, height=4000)
    assert (large.height, large.width) == (4000, 64)


def test_a_colour_that_no_texture_has_is_named_with_its_share(plane, tmp_path):
    page = np.zeros((40, 64, 3), np.uint8)
    page[:4] = (1, 2, 3)
    Image.fromarray(page).save(tmp_path / "map.png")
    with pytest.raises(ValueError, match=r"1 of its colours, as 010203, are not in --palette \(10 % of the map\)"):
        composed(plane, paint=str(tmp_path / "map.png"), palette=("000000=5",))


def test_a_painted_tile_wraps_its_map(plane):
    assert composed(plane, quilt="2x2", tile="x", height=64, width=64).scene.field.wrap == (False, True)


def test_a_morph_lies_over_the_window(plane):
    field = composed(plane, morph="1,2/3,4", top=-80, left=160, height=160, width=80).scene.field
    assert field == texture_fields.Morph(((1, 2), (3, 4)), -80, 160, 160, 80)


@pytest.mark.parametrize("settings", [{"quilt": "2x2"}, {"morph": "1,2"}])
def test_a_model_of_one_texture_has_nothing_to_blend(settings):
    single = TexturePlane(fold(tiny.generator(waves=0)), chunk_cells=4)
    with pytest.raises(ValueError, match="the model has one texture only; choose a run with --global_channels"):
        composed(single, **settings)


def test_sixteen_wang_tiles_have_every_pair_of_edges_once_and_fit_their_neighbours(plane):
    tiles = composition.wang_tiles(composed(plane, tile="xy", shared_edge="all", height=48, width=40, seed=100))
    edges = {tile.scene.edges for row in tiles for tile in row}
    assert len(edges) == 16
    assert len({tile.scene.seed for row in tiles for tile in row}) == 16
    rows = [
        np.concatenate([plane.render(tile.scene, tile.height, tile.width) for tile in row], axis=1) for row in tiles
    ]
    assert np.concatenate(rows).shape == (192, 160, 3)
    for i in range(4):
        for j in range(4):
            _, right, bottom, _ = tiles[i][j].scene.edges
            assert right == tiles[i][(j + 1) % 4].scene.edges[3]
            assert bottom == tiles[(i + 1) % 4][j].scene.edges[0]
