"""SavedModels: an export has the pixels of the library, stores each weight once, and is published complete or not."""

import functools
import io
import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.support import tiny, tiny_export
from tf_psgan.data.colour import srgb_profile
from tf_psgan.errors import ExportError
from tf_psgan.exporting import graph_plane, saved_model
from tf_psgan.exporting.graph_plane import GraphPlane
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Signatures, alone
from tf_psgan.latents import noise, texture_fields
from tf_psgan.latents.scene import Scene
from tf_psgan.loading import load_plane
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs import exported_model

KINDS = [{}, {"global_channels": 3}, {"waves": 0}]


@pytest.fixture(scope="module", params=["float32", "mixed_bfloat16"])
def exported(request):
    """A generator, and the folder of its SavedModel."""
    network = tiny.generator(request.param, global_channels=3)
    return network, tiny_export.exported(request.param, global_channels=3)


@pytest.fixture
def traced_once(monkeypatch):
    """Traces the signatures of equal exports once. For tests of the files, which write one model several times."""
    monkeypatch.setattr(saved_model, "Signatures", lambda folded, *rest: signatures(folded.fingerprint(), *rest))


@functools.cache
def signatures(fingerprint, description, limits, exemplar):
    folded = fold(tiny.generator())
    assert folded.fingerprint() == fingerprint
    module = Signatures(folded, description, limits, exemplar)
    traced = module.signatures()
    module.signatures = lambda: traced
    return module


@pytest.mark.parametrize("changes", KINDS)
def test_an_export_equals_the_plane_of_its_generator(changes):
    plane, other = TexturePlane(fold(tiny.generator(**changes))), load_plane(tiny_export.exported(**changes).parent)
    assert other.folded.fingerprint() == plane.folded.fingerprint()
    window = {"height": 40, "width": 50, "top": -9, "left": 10**9, "seed": 3, "texture": 5}
    np.testing.assert_array_equal(other.window(**window), plane.window(**window))


def test_stored_textures_are_exported(exported):
    np.testing.assert_array_equal(load_plane(exported[1]).vector("rust"), np.float32(tiny_export.NAMES["rust"]))


def test_each_weight_is_stored_once(exported):
    network, path = exported
    stored = tf.train.load_checkpoint(str(path / "variables" / "variables")).get_variable_to_shape_map()
    sizes = sorted(int(np.prod(shape)) for name, shape in stored.items() if "VARIABLE_VALUE" in name)
    folded = fold(network)
    assert sizes == sorted(part.size for part in (*(p for block in folded.blocks for p in block), *folded.waves))


@pytest.mark.parametrize("rows, cols", [(5, 5), (9, 6), (20, 33)])
def test_the_default_signature_equals_the_network_at_any_extent(exported, rows, cols):
    network, path = exported
    latents = tiny.latents(network, batch=2, rows=rows, cols=cols).numpy()
    with SessionModel(path) as model:
        found, described = model.run("serving_default", latents=latents), model.run("describe")
    expected = network(latents, training=False).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-5 if network.compute_dtype == "float32" else 3e-2)
    description = json.loads(described)
    assert description["step"] == 7
    assert description["chunk_pixels"] == description["tile_pixels"] == 512  # the latter for earlier clients


@pytest.fixture(scope="module")
def server(exported):
    """Runs signatures of the export in a session; and the plane of the same generator."""
    network, path = exported
    with SessionModel(path) as model:
        yield model.run, TexturePlane(fold(network))


FAR = [(0, 0), (-700, 10**9), (-(2**40), 2**40 - 64)]
SIZES = [(1, 1), (100, 33), (600, 520)]


def decoded(data):
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("top, left", FAR)
def test_an_exported_window_equals_the_plane(server, top, left, height, width):
    run, plane = server
    asked = {"top": top, "left": left, "height": height, "width": width}
    found = run("window", seed=-5, texture=9, **asked)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, plane.window(seed=-5, texture=9, **asked))


@pytest.mark.parametrize("height, width", SIZES)
@pytest.mark.parametrize("name", ["window", "morph"])
def test_encoded_pictures_decode_to_the_raw_pixels(server, name, height, width):
    run, _ = server
    asked = {"seed": 1, "top": 7, "left": -7, "height": height, "width": width}
    what = {"texture": 2} if name == "window" else {"textures": [1, 2, 3, 4], "extent_height": 500, "extent_width": 300}
    raw = run(name, **asked, **what)
    np.testing.assert_array_equal(decoded(run(f"{name}_png", **asked, **what)), raw)
    assert np.abs(decoded(run(f"{name}_jpeg", **asked, **what)).astype(int) - raw).mean() < 6


def test_encoded_pictures_say_srgb(server):
    run, _ = server
    asked = {"seed": 1, "texture": 2, "top": 0, "left": 0, "height": 20, "width": 30}
    png, jpeg = (Image.open(io.BytesIO(run(f"window_{kind}", **asked))) for kind in ("png", "jpeg"))
    png.verify()  # the checksums
    assert png.info["srgb"] == 0 and jpeg.info["icc_profile"] == srgb_profile()


@pytest.mark.parametrize("name", ["torus", "torus_png", "torus_jpeg"])
@pytest.mark.parametrize("height, width", SIZES)
def test_an_exported_tile_equals_the_plane(name, height, width):
    run, plane = single()
    height, width = -(-height // 40) * 40, -(-width // 56) * 56
    found = run(name, seed=4, texture=0, height=height, width=width)
    expected = plane.tile(height, width, seed=4)
    if name == "torus_jpeg":
        assert np.abs(decoded(found).astype(int) - expected).mean() < 6
    else:
        np.testing.assert_array_equal(found if name == "torus" else decoded(found), expected)


@functools.cache
def single():
    """A session model of one texture whose waves close every 40 rows and 56 columns, and its plane."""
    network = tiny.generator(seed=4)
    network.shared_wave_numbers.assign([[2 * np.pi / 5, 0.0], [0.0, 2 * np.pi * 3 / 7]])
    with tempfile.TemporaryDirectory() as folder:
        path = saved_model.write(fold(network), Path(folder) / "m", {}, {})
        return SessionModel(path).run, TexturePlane(fold(network))


@pytest.mark.parametrize("height, width", SIZES)
def test_an_exported_morph_equals_the_plane(server, height, width):
    run, plane = server
    corners = [[5, -1], [2**40, 8]]
    field = texture_fields.Morph(tuple(map(tuple, corners)), 0, 0, 500, 300)
    asked = {"top": -100, "left": 60, "height": height, "width": width}
    found = run("morph", seed=3, textures=np.ravel(corners), extent_height=500, extent_width=300, **asked)
    np.testing.assert_array_equal(found, plane.render(Scene(3, field), **asked))


SCENE = {
    "seed": 3, "textures": [5, -1], "weights": np.full((2, 1, 1), 0.5, np.float32), "first_row": 0, "first_col": 0,
    "period_height": 0, "period_width": 0, "time": 0.0, "amount": 0.0,
}  # fmt: skip


@pytest.mark.parametrize("moved", [(0.0, 0.0), (0.25, 0.4), (0.25, 0.0)])
@pytest.mark.parametrize("height, width", SIZES)
def test_an_exported_scene_equals_the_plane(server, height, width, moved):
    run, plane = server
    asked = {"top": -100, "left": 2**40 - 90, "height": height, "width": width}
    found = run("scene", **SCENE | dict(zip(("time", "amount"), moved, strict=True)), **asked)
    field = texture_fields.Mix(((5, 0.5), (-1, 0.5)))
    np.testing.assert_array_equal(found, plane.render(Scene(3, field, 0, 0, None, *moved), **asked))


def test_a_painting_is_a_scene_and_continues_at_its_edges(server):
    run, plane = server
    cell = plane.pixels_per_cell
    field = texture_fields.Morph(((5, -1), (2**40, 8)), 0, 0, 500, 300)
    rows, cols = np.arange(-9, 500 // cell + 9), np.arange(-9, 300 // cell + 9)
    maps = dict(field.weights(rows, cols, cell))
    textures = [5, -1, 2**40, 8]
    weights = np.stack([maps[texture_fields.texture(number)] for number in textures])
    scene = SCENE | {"textures": textures, "weights": weights, "first_row": -9, "first_col": -9}
    for asked in ({"top": -30, "left": 60, "height": 90, "width": 700}, {"top": 4000, "left": -9000}):
        asked = {"height": 40, "width": 50} | asked
        np.testing.assert_array_equal(run("scene", **scene, **asked), plane.render(Scene(3, field), **asked))


def test_a_scene_can_be_a_window_of_a_seamless_plane():
    run, plane = single()
    scene = SCENE | {"period_height": 80, "period_width": 56}
    found = run("scene", **scene, top=70, left=-20, height=30, width=100)
    tile = plane.tile(80, 56, seed=3)
    np.testing.assert_array_equal(found, np.roll(np.tile(tile, (1, 2, 1)), (10, 20), (0, 1))[:30, :100])


@pytest.mark.parametrize(
    "change, words",
    [
        ({"textures": []}, r"textures: 0 is outside 1 \.\. 256"),
        ({"textures": [1]}, "weights: 2 for 1 textures; give one map for each"),
        ({"weights": np.full((2, 1, 1), 0.6, np.float32)}, "do not sum to 1 at a cell; divide them by their sum"),
        ({"weights": np.array([[[1.5]], [[-0.5]]], np.float32)}, "weights: some are negative"),
        ({"weights": np.full((2, 1, 1), np.nan, np.float32)}, "weights: some are negative, or do not sum to 1"),
        ({"weights": np.zeros((2, 0, 1), np.float32)}, r"weights: shape \[2, 0, 1\]; give 1 cell to"),
        ({"weights": np.full((2, 1, 300000), 0.5, np.float32)}, "300000]; give 1 cell to those of"),
        ({"time": 1.0}, r"time: 1.0000 is outside \[0, 1\)"),
        ({"amount": float("nan")}, "amount: nan is outside"),
        ({"weights": np.ones((1, 518, 518), np.float32), "textures": [1]}, r"518, 518\]; give 1 cell to"),
        ({"first_row": 2**50}, "first_row: 1125899906842624 is outside"),
        ({"period_height": 64}, "period: 64x0 pixels is endless along one axis; give both extents, or 0"),
        ({"period_height": 4, "period_width": 8}, "period_height: 4 is not a multiple"),
        ({"period_height": -8}, "period_height: -8 is outside"),
        ({"period_height": 64, "period_width": 64}, "64x64 pixels would distort .* the nearest extent that fits"),
    ],
)
def test_a_scene_with_a_wrong_value_is_an_error_that_names_it(server, change, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        server[0]("scene", **SCENE | change, top=0, left=0, height=8, width=8)


def test_textures_with_names_have_the_numbers_that_requests_use(tmp_path):
    names = {"moss": noise.global_vector(1, 3).numpy(), "rust": noise.global_vector(0, 3).numpy(), "own": (0.5, 0, 0)}
    assert saved_model._numbers(names, 3) == {"moss": 1, "rust": 0}
    assert saved_model._numbers({}, 3) == saved_model._numbers({"a": ()}, 0) == {}


def test_the_largest_window_may_have_weights_of_its_own_and_lie_at_the_plane_s_end(server):
    run, plane = server
    most = 4096 // plane.pixels_per_cell + 5
    scene = SCENE | {"textures": [5], "weights": np.ones((1, most, most), np.float32)}
    at = {"top": -(2**40), "left": 2**40 - 40}
    scene |= {"first_row": -(2**40) // plane.pixels_per_cell - 2, "first_col": 2**40 // plane.pixels_per_cell - 9}
    found = run("scene", **scene, **at, height=30, width=40)
    np.testing.assert_array_equal(found, plane.window(30, 40, seed=3, texture=5, **at))


def test_the_description_names_the_signatures(exported):
    with SessionModel(exported[1]) as model:
        described = json.loads(model.run("describe"))
        assert sorted(described["signatures"]) == sorted(model.signatures)


@pytest.mark.parametrize("settings", [{"global_channels": 3}, {"downsampling": 2}])
def test_a_graph_that_finds_itself_on_a_gpu_computes_chunks_together_and_shows_the_same_plane(monkeypatch, settings):
    monkeypatch.setattr(graph_plane, "_PROCESSOR", "GPU")  # the graph asks for its device, and is on no "GPU" here
    folded = fold(tiny.generator(**settings))
    weights = [[tf.Variable(part) for part in block] for block in folded.blocks]
    plane, together = TexturePlane(folded), GraphPlane(folded, weights, [tf.Variable(part) for part in folded.waves])
    vectors = noise.global_vector(tf.constant([6], tf.int64), folded.config.global_channels)

    @tf.function
    def render(corner, extent):
        return together.render(tf.constant(5, tf.int64), vectors, alone, corner, extent)

    def int64(*pair):
        return tuple(tf.constant(value, tf.int64) for value in pair)

    whole = render(int64(-700, 10**9), int64(1500, 1030)).numpy()  # 4 x 3 chunks
    expected = plane.window(1500, 1030, top=-700, left=10**9, seed=5, texture=6)
    assert np.abs(whole.astype(int) - expected).max() <= 1
    np.testing.assert_array_equal(render(int64(300, 10**9 + 500), int64(100, 90)).numpy(), whole[1000:1100, 500:590])


WINDOW = {"seed": 0, "texture": 0, "top": 0, "left": 0, "height": 8, "width": 8}


@pytest.mark.parametrize(
    "change, words",
    [
        ({"height": 0}, r"height: 0 is outside 1 \.\. 8192; choose a value inside"),
        ({"width": 8193}, r"width: 8193 is outside 1 \.\. 8192"),
        ({"height": 8192, "width": 8192}, "height x width: 67108864 is outside 1"),
        ({"height": -(2**31)}, "height: -2147483648 is outside"),
        ({"top": 2**40 + 1}, "top: 1099511627777 is outside"),
        ({"left": -(2**63)}, "left: -9223372036854775808 is outside"),
    ],
)
def test_a_value_out_of_range_is_an_error_that_names_it(server, change, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        server[0]("window", **(WINDOW | change))


def test_the_error_for_an_extent_that_does_not_fit_names_the_nearest_that_does():
    run, plane = single()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"height: 44 is not a multiple .*; give 40 or 48"):
        run("torus", seed=0, texture=0, height=44, width=56)
    with pytest.raises(
        tf.errors.InvalidArgumentError,
        match=r"64x64 pixels would distort .* times more than allowed; the nearest extent that fits: 80x56",
    ):
        run("torus", seed=0, texture=0, height=64, width=64)
    assert plane.tile(80, 56).shape == (80, 56, 3)


def test_a_morph_of_a_single_texture_model_is_an_error():
    morph = {"textures": [1, 2, 3, 4], "extent_height": 9, "extent_width": 9}
    with pytest.raises(tf.errors.InvalidArgumentError, match="the model has a single texture; request a window"):
        single()[0]("morph", **{name: WINDOW[name] for name in WINDOW if name != "texture"}, **morph)


@pytest.mark.parametrize(
    "shape, words",
    [
        ((1, 4, 9), r"latents rows: 4 is outside 5 \.\. 1028"),
        ((1, 9, 2000), "latents cols: 2000 is outside"),
        ((0, 9, 9), "latents in pixels: 0 is outside 1"),
        ((1000, 104, 104), "latents in pixels: 640000000 is outside"),
    ],
)
def test_latents_of_a_wrong_extent_are_an_error(server, shape, words):
    with pytest.raises(tf.errors.InvalidArgumentError, match=words):
        server[0]("serving_default", latents=np.zeros((*shape, 10), np.float32))


def test_latents_that_are_not_finite_are_an_error(server):
    latents = np.zeros((1, 9, 9, 10), np.float32)
    latents[0, 3, 3, 3] = np.nan
    with pytest.raises(tf.errors.InvalidArgumentError, match="latents: some are not finite"):
        server[0]("serving_default", latents=latents)


def test_version_numbers_increase_and_no_version_is_overwritten(tmp_path, traced_once):
    folded, folder = fold(tiny.generator()), tmp_path / "models" / "m"
    folder.parent.mkdir()
    assert [saved_model.write(folded, folder, {}, {}).name for _ in range(2)] == ["1", "2"]
    assert saved_model.write(folded, folder, {}, {}, version=9).name == "9"
    with pytest.raises(ValueError, match="9: exists already; choose another version, or 0 for the next"):
        saved_model.write(folded, folder, {}, {}, version=9)
    assert sorted(entry.name for entry in folder.iterdir()) == ["1", "2", "9"]


def test_a_version_is_a_number_that_tensorflow_serving_can_hold(tmp_path):
    """A folder with a larger number is no version: the next one is not counted from it."""
    folded, folder = fold(tiny.generator()), tmp_path / "m"
    with pytest.raises(ExportError, match=r"version: 9223372036854775808 is outside 1 \.\. 9223372036854775807"):
        saved_model.write(folded, folder, {}, {}, version=2**63)
    (folder / "99999999999999999999999").mkdir(parents=True)
    (folder / "٣").mkdir()
    assert exported_model.versions(folder) == []
    (folder / str(2**63 - 1)).mkdir()
    assert exported_model.versions(folder) == [2**63 - 1]
    with pytest.raises(ExportError, match="version: 9223372036854775808 is outside"):
        saved_model.write(folded, folder, {}, {})


def test_nothing_is_published_if_an_extra_fails(tmp_path, traced_once):
    def add(draft):
        (draft.extra / "note").write_text(draft.target.name)
        if draft.target.name == "2":
            raise OSError("full")

    folded, folder = fold(tiny.generator()), tmp_path / "m"
    assert (saved_model.write(folded, folder, {}, {}, extras=[add]) / "assets.extra" / "note").read_text() == "1"
    with pytest.raises(OSError, match="full"):
        saved_model.write(folded, folder, {}, {}, extras=[add])
    assert [entry.name for entry in folder.iterdir()] == ["1"]


def test_a_version_that_cannot_be_read_back_is_not_published(tmp_path, monkeypatch, traced_once):
    monkeypatch.setattr(saved_model, "_read_back", lambda *_: (_ for _ in ()).throw(OSError("broken")))
    with pytest.raises(OSError, match="broken"):
        saved_model.write(fold(tiny.generator()), tmp_path / "m", {}, {})
    assert list((tmp_path / "m").iterdir()) == []


def test_a_damaged_or_foreign_saved_model_is_an_error(tmp_path):
    foreign = tmp_path / "foreign"
    tf.saved_model.save(tf.Module(), str(foreign))
    with pytest.raises(ValueError, match=r"foreign: cannot be read .*; give the folder of an exported model"):
        load_plane(foreign)
    broken = shutil.copytree(tiny_export.exported(), tmp_path / "m" / "1")
    (broken / saved_model.DESCRIPTION).write_text('{"model": {}}')
    with pytest.raises(ValueError, match=r"not a SavedModel of this package .*; export it again"):
        load_plane(broken)
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(ValueError, match="file: is a file; choose a folder"):
        saved_model.write(fold(tiny.generator()), file, {}, {})
