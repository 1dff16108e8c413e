"""From a specification to a scene and its window."""

import numpy as np
import pytest
from PIL import Image

from tests.support import tiny
from tf_psgan.errors import PictureError, SettingError
from tf_psgan.latents import texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.plane.folded_generator import FoldedGenerator, fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.rendering import composition
from tf_psgan.rendering.composition import compose
from tf_psgan.rendering.spec import Morph, Painting, Quilt, RenderSpec, Tile, Window

SIDE = 8


@pytest.fixture(scope="module")
def plane():
    return TexturePlane(fold(tiny.generator(global_channels=2, waves=0)), chunk_cells=4, names={"rust": (0.5, -0.5)})


def test_a_texture_is_a_window_of_one_texture(plane):
    found = compose(RenderSpec("rust", Window(100, 30, -5, 7), 9), plane)
    assert found == composition.Composition(Scene(9, texture_fields.Uniform("rust")), -5, 7, 100, 30)
    found = compose(RenderSpec(), plane)
    assert found.height == found.width == composition.DEFAULT_PIXELS


@pytest.mark.parametrize("axes, torus", [("x", (0, 10)), ("y", (8, 0)), ("xy", (8, 10))])
def test_a_tile_is_a_torus_along_its_axes(plane, axes, torus):
    found = compose(RenderSpec(window=Window(64, 80), tile=Tile(axes)), plane).scene
    assert (found.rows, found.cols) == torus
    with pytest.raises(SettingError, match="is not a multiple of the model's cell of 8 pixels; give 56 or 64"):
        compose(RenderSpec(window=Window(60, 60), tile=Tile(axes)), plane)


def test_every_block_of_a_quilt_has_a_texture(plane):
    field = compose(RenderSpec(Quilt(2, 3, first=20, border=8), Window(96, 144)), plane).scene.field
    blocks = [
        (np.array([3 + 6 * row]), np.array([3 + 6 * col])) for row in range(2) for col in range(3)
    ]  # a cell at the centre of each
    shown = [texture for block in blocks for texture, weight in field.weights(*block, SIDE) if weight[0, 0] == 1]
    assert shown == list(range(20, 26))
    assert compose(RenderSpec(Quilt(2, 3, ("rust", 4))), plane).scene.field.textures == ("rust", 4)


def test_a_map_has_its_own_extent_and_its_colours_name_textures(plane, tmp_path):
    pixels = np.zeros((40, 64, 3), np.uint8)
    pixels[:, 32:] = (255, 127, 0)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    painting = Painting(tmp_path / "map.png", {0x000000: 5, 0xFF7F00: "rust", 0xFFFFFF: 9}, border=0)
    found = compose(RenderSpec(painting), plane)
    assert (found.height, found.width) == (40, 64)
    assert found.scene.field.textures == (5, "rust")
    weights = found.scene.field.weights(np.array([2]), np.array([1, 6]), SIDE)
    assert [(texture, weight.tolist()) for texture, weight in weights] == [(5, [[1, 0]]), ("rust", [[0, 1]])]
    large = compose(RenderSpec(painting, Window(height=4000)), plane)
    assert (large.height, large.width) == (4000, 64)


def test_a_colour_without_a_texture_is_named_with_its_share(plane, tmp_path):
    pixels = np.zeros((40, 64, 3), np.uint8)
    pixels[:4] = (1, 2, 3)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    words = r"1 of its colours, as 010203, are not in the palette \(10 % of the map\)"
    with pytest.raises(PictureError, match=words) as error:
        compose(RenderSpec(Painting(tmp_path / "map.png", {0: 5})), plane)
    assert error.value.settings == ("palette",)


def test_the_map_of_a_tile_repeats_along_its_axes(plane):
    field = compose(RenderSpec(Quilt(2, 2), Window(64, 64), tile=Tile("x")), plane).scene.field
    assert field.wrap == (False, True)


def test_a_morph_covers_the_window(plane):
    field = compose(RenderSpec(Morph(((1, 2), (3, 4))), Window(160, 80, -80, 160)), plane).scene.field
    assert field == texture_fields.Morph(((1, 2), (3, 4)), -80, 160, 160, 80)


@pytest.mark.parametrize("content", [Quilt(2, 2), Morph(((1, 2),))])
def test_a_model_of_one_texture_has_nothing_to_blend(content):
    single = TexturePlane(fold(tiny.generator(waves=0)), chunk_cells=4)
    with pytest.raises(SettingError, match="the model has one texture only; choose a run with global channels"):
        compose(RenderSpec(content), single)


def test_sixteen_wang_tiles_have_every_pair_of_edges_once_and_fit_their_neighbours(plane):
    spec = RenderSpec(window=Window(48, 40), seed=100, tile=Tile(edges="all"))
    tiles = composition.wang_tiles(compose(spec, plane))
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


@pytest.mark.parametrize("content", [Quilt(13, 1), Quilt(1000, 1000), Morph((tuple(range(14)),))])
def test_blocks_and_knots_closer_than_cells_are_an_error_before_any_work(plane, content):
    """The cost of a picture grows with its pixels, not with the number of textures."""
    with pytest.raises(SettingError, match="pixels are smaller than the model's cell of 8; give fewer, or at least"):
        compose(RenderSpec(content, Window(96, 96)), plane)


def test_as_many_blocks_as_cells_compute_no_texture_before_it_is_shown(plane, monkeypatch):
    computed = []
    monkeypatch.setattr(FoldedGenerator, "wave_steps", lambda self, vector: computed.append(vector))
    composed = compose(RenderSpec(Quilt(12, 12), Window(96, 96)), plane)
    assert len(composed.scene.field.textures) == 144 and not computed
