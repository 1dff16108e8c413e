"""From a run and a specification to files: the plane's pixels, the metadata, and errors before any work."""

import dataclasses
import json

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

import tf_psgan
from tests.support.small_run import changed, save_generator
from tf_psgan.data import manifest
from tf_psgan.errors import InputError
from tf_psgan.loading import load_plane
from tf_psgan.rendering import texture_inversion
from tf_psgan.rendering.render import render
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
from tf_psgan.runs.run_folder import RunFolder

POSITION = {"top": -9, "left": 1_000_000_007, "height": 21, "width": 35}
SPEC = RenderSpec(window=Window(**POSITION), seed=4)


def new_run(path, **settings):
    folder = RunFolder(path)
    with folder.locked():
        folder.write_config(changed(**settings))
    save_generator(folder, step=3, model=changed(**settings).model)
    return folder.path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return new_run(tmp_path_factory.mktemp("runs") / "small")


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A run of many textures, two of them stored by name."""
    path = new_run(tmp_path_factory.mktemp("runs") / "many", global_channels=3)
    for name, step in (("rust", 3), ("moss", 2)):
        RunFolder(path).write_texture(name, (0.5, -1.0, 0.25 * step), {"step": step})
    return path


def rendered(run, out, spec=SPEC):
    return render(run, out, spec, dtype="float32")


def pixels(path):
    return np.asarray(Image.open(path))


def frames(path):
    with Image.open(path) as image:
        found = []
        for i in range(image.n_frames):
            image.seek(i)
            found.append(np.asarray(image.convert("RGB")).astype(int))
    return found


def metadata(path):
    with Image.open(path) as image:
        return dict(image.text)


def test_a_picture_is_the_window_of_the_plane_and_its_metadata_says_which(run, tmp_path):
    out = tmp_path / "a.png"
    result = rendered(run, out, dataclasses.replace(SPEC, content=2))
    assert (result.path, str(result)) == (out, str(out))
    expected = load_plane(run, "float32").window(**POSITION, seed=4, texture=2)
    np.testing.assert_array_equal(pixels(out), expected)
    text = metadata(out)
    assert len(text.pop("pixels")) == 16
    assert text == {name: str(value) for name, value in POSITION.items()} | {
        "seed": "4",
        "texture": "2",
        "model": "small at step 3",
        "dtype": "float32",
        "Software": f"tf_psgan {tf_psgan.__version__}",
    }


def test_metadata_has_the_settings_of_every_part_as_their_flags_write_them(run, many, tmp_path):
    window = Window(40, 40)
    rendered(many, tmp_path / "a.png", RenderSpec(Quilt(2, 1, ("rust", 4), border=8), window))
    found = metadata(tmp_path / "a.png")
    quilt = {"quilt": "2x1", "textures": "rust,4", "border": "8", "texture": "0"}
    assert {name: found[name] for name in quilt} == quilt
    rendered(many, tmp_path / "b.png", RenderSpec(Morph(((1, "rust"), (3, 4))), window))
    assert metadata(tmp_path / "b.png")["morph"] == "1,rust/3,4"
    assert "border" not in metadata(tmp_path / "b.png")
    rendered(run, tmp_path / "c.png", RenderSpec(window=Window(64, 96), tile=Tile("xy", (1, 2), (0, 1, 1, 0))))
    found = metadata(tmp_path / "c.png")
    assert (found["tile"], found["repeat"], found["shared_edge"]) == ("xy", "1x2", "0,1,1,0")


def test_every_kind_of_file_shows_the_same_pixels(run, tmp_path):
    expected = load_plane(run, "float32").window(**POSITION, seed=4)
    rendered(run, tmp_path / "a.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), expected)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert json.loads(file.pages[0].description)["top"] == "-9"
    rendered(run, tmp_path / "a.zarr")
    np.testing.assert_array_equal(np.moveaxis(zarr.open(tmp_path / "a.zarr", mode="r")["0"][:], 0, -1), expected)


def test_a_tile_is_seamless_and_repeated_and_its_wave_lengths_are_logged(run, tmp_path, logged):
    rendered(run, tmp_path / "a.png", RenderSpec(window=Window(64, 96), tile=Tile(repeat=(2, 3))))
    tile = pixels(tmp_path / "a.png")
    np.testing.assert_array_equal(pixels(tmp_path / "a-2x3.png"), np.tile(tile, (2, 3, 1)))
    rendered(run, tmp_path / "b.png", RenderSpec(window=Window(64, 96, 32, 48), tile=Tile()))
    np.testing.assert_array_equal(pixels(tmp_path / "b.png"), np.roll(tile, (-32, -48), (0, 1)))
    messages = logged()
    assert "wave lengths, changed to close the tile (texture 0): " in messages and "repeated: " in messages


def test_the_set_of_wang_tiles_is_one_picture_of_single_tiles(run, tmp_path):
    rendered(run, tmp_path / "all.png", RenderSpec(window=Window(40, 48), tile=Tile(edges="all")))
    rendered(run, tmp_path / "one.png", RenderSpec(window=Window(40, 48), tile=Tile(edges=(0, 1, 1, 1)), seed=6))
    tiles = pixels(tmp_path / "all.png")
    assert tiles.shape == (160, 192, 3)
    np.testing.assert_array_equal(tiles[40:80, 96:144], pixels(tmp_path / "one.png"))


def test_a_frame_of_a_drift_is_the_window_at_its_position(run, tmp_path):
    drift = Animation(Drift((-40, 80)), frames=4, frames_per_second=10)
    rendered(run, tmp_path / "a.gif", RenderSpec(window=Window(32, 48), animation=drift))
    plane, found = load_plane(run, "float32"), frames(tmp_path / "a.gif")
    assert len(found) == 4
    for i, frame in enumerate(found):
        here, elsewhere = (plane.window(32, 48, top=-10 * i, left=20 * i + off).astype(int) for off in (0, 5))
        assert np.abs(frame - here).mean() < 0.5 * np.abs(frame - elsewhere).mean()


def test_a_drift_over_the_endless_plane_warns_that_it_is_open(run, tmp_path, logged):
    drift = Animation(Drift((0, 8)), frames=2)
    rendered(run, tmp_path / "a.gif", RenderSpec(window=Window(8, 8), animation=drift))
    assert "drift: the plane is endless" in logged()
    rendered(run, tmp_path / "a.gif", RenderSpec(window=Window(8, 64), tile=Tile("x"), animation=drift))
    assert "endless" not in logged()


@pytest.mark.parametrize("path", [Change(), Walk(("rust", 4))])
def test_animations_change_from_frame_to_frame_and_close(many, tmp_path, path):
    rendered(many, tmp_path / "a.webp", RenderSpec(window=Window(32, 32), animation=Animation(path, frames=6)))
    found = frames(tmp_path / "a.webp")
    assert len(found) == 6
    steps = [np.abs(found[(i + 1) % 6] - found[i]).mean() for i in range(6)]
    assert min(steps) > 0.5 and steps[-1] < 3 * np.mean(steps[:-1])


def test_a_stored_name_is_a_texture_and_one_of_another_step_is_logged(many, tmp_path, logged):
    rendered(many, tmp_path / "a.png", RenderSpec("rust", Window(24, 24)))
    assert "found at step" not in logged()
    expected = load_plane(many, "float32").window(24, 24, texture=(0.5, -1.0, 0.75))
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), expected)
    rendered(many, tmp_path / "b.png", RenderSpec(Morph((("moss", "rust"),)), Window(24, 24)))
    assert "texture moss: found at step 2, the run is at step 3" in logged()


def test_a_texture_like_a_picture_is_stored_and_shown(many, tmp_path, monkeypatch):
    found = texture_inversion.FoundTexture((0.25, 0.5, -0.5), 1.5, {"colour": 0.02}, 1.1)
    monkeypatch.setattr(texture_inversion, "invert", lambda *_, **__: found)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "wall.png")
    spec = RenderSpec(window=Window(24, 24), inversion=Inversion(tmp_path / "wall.png", "wall"))
    try:
        result = rendered(many, None, spec)
        assert result.path is None and result.texture.vector == found.vector
        assert str(result) == "texture wall: distance 1.50 (colour 0.020); two windows of the texture itself: 1.10"
        rendered(many, tmp_path / "a.png", spec)
        expected = load_plane(many, "float32").window(24, 24, texture="wall")
    finally:
        (many / "textures" / "wall.json").unlink()
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), expected)
    np.testing.assert_array_equal(expected, load_plane(many, "float32").window(24, 24, texture=found.vector))
    assert metadata(tmp_path / "a.png")["texture"] == "wall"


@pytest.mark.parametrize(
    "change, words",
    [
        ({"window": Window(30_000, 30_000)}, "more than 400000000 pixels in one file; use .tif"),
        ({"content": "nobody"}, "'nobody' is neither a number nor the name of a stored texture"),
        ({"animation": Animation(Walk((1, 2)))}, "cannot animate the suffix '.png'"),
    ],
)
def test_a_specification_that_cannot_be_made_leaves_nothing(run, tmp_path, change, words):
    with pytest.raises(InputError, match=words):
        rendered(run, tmp_path / "a.png", dataclasses.replace(SPEC, **change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name, change, words",
    [
        (None, {}, "out: missing; give the name of a file"),
        ("a.gif", {}, "'.gif' holds animations; use one of .png"),
        ("a.xcf", {}, "cannot write the suffix '.xcf'; use one of .png"),
        ("no/a.png", {}, "folder .*no is missing"),
        (
            "a.tif",
            {"tile": Tile("x", repeat=(2, 3))},
            "a repeated tile .* cannot be written as '.tif'; use",
        ),
    ],
)
def test_a_file_that_cannot_be_made_is_an_error_before_the_run_is_read(tmp_path, name, change, words):
    with pytest.raises(InputError, match=words):
        rendered(tmp_path / "no run", name and tmp_path / name, dataclasses.replace(SPEC, **change))


def test_a_walk_needs_a_model_of_several_textures(run, tmp_path):
    with pytest.raises(InputError, match="a walk needs several textures, and the model has one only"):
        rendered(run, tmp_path / "a.gif", dataclasses.replace(SPEC, animation=Animation(Walk((1, 2)))))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_passed_over_and_logged(run, tmp_path, logged):
    broken = RunFolder(run).checkpoints / "step-00000009"
    broken.mkdir()
    try:
        rendered(run, tmp_path / "a.png")
    finally:
        broken.rmdir()
    assert "checkpoint rejected: step-00000009: variables.index is missing" in logged()
    assert (tmp_path / "a.png").exists()


@pytest.mark.parametrize("name", ["learned.png", "tile.png"])
def test_a_picture_that_the_run_learned_is_not_replaced(run, tmp_path, name, request):
    """Neither by the file itself nor by the second one that shows a tile repeated."""
    for learned in ("learned.png", "tile-2x3.png"):
        Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(tmp_path / learned)
    entries = manifest.scan([str(tmp_path)])
    folder = RunFolder(run)
    folder.write("manifest.json", manifest.to_json(entries))
    request.addfinalizer((run / "manifest.json").unlink)
    with pytest.raises(InputError, match=r"is the input .*; choose another name"):
        rendered(run, tmp_path / name, RenderSpec(window=Window(64, 96), tile=Tile(repeat=(2, 3))))
    assert manifest.scan([str(tmp_path)]) == entries


def test_a_map_is_not_replaced_by_its_painting(many, tmp_path):
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "map.png")
    spec = RenderSpec(Painting(tmp_path / "map.png", {0: 1}), Window(8, 8))
    with pytest.raises(InputError, match=r"map.png: is the input"):
        rendered(many, tmp_path / "map.png", spec)


@pytest.mark.parametrize(
    "name, spec, words",
    [
        ("a.webp", RenderSpec(window=Window(8, 16384)), "sides of .webp files have at most 16383"),
        ("a.jpg", RenderSpec(window=Window(8, 8192), tile=Tile(repeat=(1, 8))), "files have at most 65500"),
        ("a.webp", RenderSpec(window=Window(8, 8), animation=Animation(Drift((1, 1)), 2, 99)), "99 is outside"),
        ("config.json", RenderSpec(), "cannot write the suffix '.json'"),
    ],
)
def test_what_a_format_cannot_hold_is_an_error_before_the_run_is_read(tmp_path, name, spec, words):
    with pytest.raises(InputError, match=words):
        rendered(tmp_path / "no run", tmp_path / name, spec)


def test_a_found_texture_replaces_no_learned_one(many, tmp_path, monkeypatch):
    """A name that is asked for is refused; one made from the picture's gets a number."""
    found = texture_inversion.FoundTexture((0.25, 0.5, -0.5), 1.5, {"colour": 0.02}, 1.1)
    monkeypatch.setattr(texture_inversion, "invert", lambda *_, **__: found)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "brick.png")
    folder, stored = RunFolder(many), many / "textures" / "brick.json"
    folder.write_texture("brick", (0.1, 0.2, 0.3), {"step": None, "picture": "learned/brick.png"})
    before = stored.read_bytes()
    try:
        with monkeypatch.context() as patch:
            patch.delattr("tf_psgan.rendering.render.restore_generator")  # refused before the network is loaded
            with pytest.raises(InputError, match="the texture brick is of another picture"):
                rendered(many, None, RenderSpec(inversion=Inversion(tmp_path / "brick.png", "brick")))
        for _ in range(2):
            result = rendered(many, None, RenderSpec(inversion=Inversion(tmp_path / "brick.png")))
            assert result.texture.name == "brick_2"
        assert stored.read_bytes() == before
    finally:
        for name in ("brick", "brick_2"):
            (many / "textures" / f"{name}.json").unlink()


def test_a_number_that_a_model_of_one_texture_does_not_have_is_logged(run, tmp_path, logged):
    rendered(run, tmp_path / "a.png", RenderSpec(5, Window(8, 8)))
    assert "texture 5: the model has one texture only." in logged()


def test_a_picture_of_several_bands_is_one_window(run, tmp_path):
    window = {"top": -700, "left": 3, "height": 1100, "width": 300}
    rendered(run, tmp_path / "a.png", RenderSpec(window=Window(**window)))
    np.testing.assert_array_equal(pixels(tmp_path / "a.png"), load_plane(run, "float32").window(**window))
