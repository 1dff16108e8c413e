"""From a run and a request to files: the plane's own pixels, what they are in the metadata, errors before any work."""

import json

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

import tf_psgan
from tests.support.small_run import changed, save_generator
from tf_psgan.rendering import render, texture_inversion
from tf_psgan.rendering.request import Request
from tf_psgan.runs.run_folder import RunFolder, load_plane

WINDOW = {"seed": 4, "top": -9, "left": 1_000_000_007, "height": 21, "width": 35}


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


def rendered(run, out, **settings):
    return render.render(run, out, "float32", Request(**settings))


def test_the_picture_is_the_window_of_the_plane_and_says_what_it_shows(run, tmp_path):
    out = tmp_path / "a.png"
    assert rendered(run, out, **WINDOW, texture="2") == str(out)
    with Image.open(out) as image:
        np.testing.assert_array_equal(np.asarray(image), load_plane(run, "float32").window(texture=2, **WINDOW))
        text = dict(image.text)
    assert len(text.pop("pixels")) == 16
    assert text == {name: str(value) for name, value in WINDOW.items()} | {
        "texture": "2",
        "model": "small at step 3",
        "dtype": "float32",
        "Software": f"tf_psgan {tf_psgan.__version__}",
    }


def test_every_kind_of_file_shows_the_same_pixels(run, tmp_path):
    expected = load_plane(run, "float32").window(**WINDOW)
    rendered(run, tmp_path / "a.tif", **WINDOW)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), expected)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert json.loads(file.pages[0].description)["top"] == "-9"
    rendered(run, tmp_path / "a.zarr", **WINDOW)
    np.testing.assert_array_equal(np.moveaxis(zarr.open(tmp_path / "a.zarr", mode="r")["0"][:], 0, -1), expected)


def test_a_tile_closes_is_repeated_and_says_how_far_its_waves_moved(run, tmp_path, logged):
    rendered(run, tmp_path / "a.png", tile="xy", height=64, width=96, repeat="2x3")
    whole = np.asarray(Image.open(tmp_path / "a.png"))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a-2x3.png")), np.tile(whole, (2, 3, 1)))
    rendered(run, tmp_path / "b.png", tile="xy", height=64, width=96, top=32, left=48)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "b.png")), np.roll(whole, (-32, -48), (0, 1)))
    said = logged()
    assert "wave lengths, moved to close the tile (texture 0): " in said and "repeated: " in said


def test_the_whole_set_of_wang_tiles_is_one_picture_of_single_ones(run, tmp_path):
    rendered(run, tmp_path / "all.png", tile="xy", height=40, width=48, shared_edge="all")
    rendered(run, tmp_path / "one.png", tile="xy", height=40, width=48, shared_edge="0,1,1,1", seed=6)
    whole = np.asarray(Image.open(tmp_path / "all.png"))
    assert whole.shape == (160, 192, 3)
    np.testing.assert_array_equal(whole[40:80, 96:144], np.asarray(Image.open(tmp_path / "one.png")))


def test_a_frame_of_a_pan_is_the_window_at_that_place(run, tmp_path):
    asked = {"animate": "drift", "drift": (-40, 80), "frames": 4, "height": 32, "width": 48, "frames_per_second": 10}
    rendered(run, tmp_path / "a.gif", **asked)
    plane = load_plane(run, "float32")
    with Image.open(tmp_path / "a.gif") as image:
        assert image.n_frames == 4
        for i in range(4):
            image.seek(i)
            frame = np.asarray(image.convert("RGB")).astype(int)
            there, elsewhere = (plane.window(32, 48, top=-10 * i, left=20 * i + off).astype(int) for off in (0, 5))
            assert np.abs(frame - there).mean() < 0.5 * np.abs(frame - elsewhere).mean()


@pytest.mark.parametrize("animate", [{"animate": "change"}, {"animate": "walk", "textures": ("rust", "4")}])
def test_moving_pictures_move_and_close(many, tmp_path, animate):
    rendered(many, tmp_path / "a.webp", **animate, frames=6, height=32, width=32)
    with Image.open(tmp_path / "a.webp") as image:
        frames = []
        for i in range(image.n_frames):
            image.seek(i)
            frames.append(np.asarray(image.convert("RGB")).astype(int))
    assert len(frames) == 6
    steps = [np.abs(frames[(i + 1) % 6] - frames[i]).mean() for i in range(6)]
    assert min(steps) > 0.5 and steps[-1] < 3 * np.mean(steps[:-1])


def test_a_stored_name_is_a_texture_and_an_old_one_is_told(many, tmp_path, logged):
    rendered(many, tmp_path / "a.png", texture="rust", height=24, width=24)
    assert "found at step" not in logged()
    expected = load_plane(many, "float32").window(24, 24, texture=(0.5, -1.0, 0.75))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), expected)
    rendered(many, tmp_path / "b.png", morph="moss,rust", height=24, width=24)
    assert "texture moss: found at step 2, the run is at step 3" in logged()


def test_a_texture_like_a_picture_is_found_stored_and_shown(many, tmp_path, monkeypatch):
    liked = texture_inversion.Found((0.25, 0.5, -0.5), 1.5, {"colour": 0.02}, 1.1)
    monkeypatch.setattr(texture_inversion, "search", lambda *_, **__: liked)
    Image.fromarray(np.zeros((64, 64, 3), np.uint8)).save(tmp_path / "Old wall 3.png")
    asked = Request(like=str(tmp_path / "Old wall 3.png"), height=24, width=24)
    try:
        said = render.render(many, None, "float32", asked)
        assert said == "texture Old_wall_3: distance 1.50 (colour 0.020); two windows of the texture itself: 1.10"
        render.render(many, tmp_path / "a.png", "float32", asked)
        expected = load_plane(many, "float32").window(24, 24, texture="Old_wall_3")
    finally:
        (many / "textures" / "Old_wall_3.json").unlink()
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "a.png")), expected)
    np.testing.assert_array_equal(expected, load_plane(many, "float32").window(24, 24, texture=liked.vector))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"top": 2**41}, "top: 2199023255552 is outside"),
        ({"seed": 2**63}, "seed: 9223372036854775808 is outside"),
        ({"height": 30_000, "width": 30_000}, "more than 400000000 pixels in one file; use .tif"),
        ({"texture": "nobody"}, "'nobody' is neither a number nor the name of a stored texture"),
        ({"animate": "walk", "textures": ("1", "2")}, "cannot animate the suffix '.png'"),
    ],
)
def test_what_is_out_of_range_is_refused_and_nothing_is_left(run, tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        rendered(run, tmp_path / "a.png", **(WINDOW | change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name, change, words",
    [
        ("a.gif", {}, "holds moving pictures; add --animate"),
        ("a.xcf", {}, "cannot write the suffix '.xcf'; use one of .png"),
        ("no/a.png", {}, "folder .*no is missing"),
        ("a.png", {"tile": "x", "repeat": "3"}, "repeat: '3' is not rows x columns"),
        ("a.tif", {"tile": "x", "repeat": "2x3"}, "--repeat and --shared_edge=all make a picture; use .png"),
        ("a.png", {"like": "7.png"}, "name: '7' is no name; start it with a letter"),
    ],
)
def test_a_file_that_cannot_be_made_is_refused_before_the_run_is_read(tmp_path, name, change, words):
    with pytest.raises(ValueError, match=words):
        rendered(tmp_path / "no run", tmp_path / name, **(WINDOW | change))


@pytest.mark.parametrize(
    "change, words",
    [
        ({"animate": "drift"}, "drift: missing; give pixels down and right"),
        ({"animate": "drift", "drift": (3,)}, "drift: 3; give pixels down and right"),
        ({"animate": "walk", "textures": ("1", "2")}, "the model has one texture only, nowhere to walk"),
    ],
)
def test_a_move_that_cannot_be_is_refused_and_nothing_is_left(run, tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        rendered(run, tmp_path / "a.gif", **(WINDOW | change))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_checkpoint_is_passed_over_aloud(run, tmp_path, logged):
    broken = RunFolder(run).checkpoints / "step-00000009"
    broken.mkdir()
    try:
        rendered(run, tmp_path / "a.png", **WINDOW)
    finally:
        broken.rmdir()
    assert "checkpoint passed over: step-00000009: variables.index is missing" in logged()
    assert (tmp_path / "a.png").exists()
