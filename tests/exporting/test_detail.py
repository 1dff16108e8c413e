"""An exported model with a detail stage makes the library's pictures, bit for bit."""

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.support import exemplars, shared, tiny
from tf_psgan.config import Config
from tf_psgan.data.manifest import Manifest
from tf_psgan.errors import ExportError
from tf_psgan.exporting import saved_model
from tf_psgan.exporting.model_card import Card
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Limits
from tf_psgan.latents.scene import Scene
from tf_psgan.loading import Plane
from tf_psgan.plane.folded_generator import fold
from tf_psgan.plane.plane import TexturePlane
from tf_psgan.runs import exported_model


def generator():
    """Of pictures reduced by 2, so that its own ones are enlarged."""
    return tiny.generator(seed=1, downsampling=2)


@pytest.fixture(scope="module", params=exemplars.KINDS)
def exemplar(request):
    return exemplars.of_blobs(request.param)


@pytest.fixture(scope="module")
def folder(exemplar):
    def make(path):
        saved_model.write(fold(generator()), path / "tiny", {}, {"step": 7}, exemplar=exemplar)

    return shared.made(f"tiny_detail_{len(exemplar.waves)}", make) / "tiny" / "1"


@pytest.fixture(scope="module")
def model(folder):
    with SessionModel(folder) as opened:
        yield opened


@pytest.fixture(scope="module")
def plane(exemplar):
    return TexturePlane(fold(generator()), exemplar=exemplar)


def request(model, name, height, width, **values):
    return model.run(name, seed=5, texture=0, height=height, width=width, **values)


@pytest.mark.parametrize("top, left, height, width", [(0, 0, 16, 16), (-700, 12345, 37, 530)])
def test_a_window_has_the_librarys_pixels(model, plane, top, left, height, width):
    found = request(model, "window", height, width, top=top, left=left)
    np.testing.assert_array_equal(found, plane.window(height, width, top=top, left=left, seed=5))


def test_a_tile_has_the_librarys_pixels(model, plane):
    height, width = plane.fitting_extent(96, 96)
    np.testing.assert_array_equal(request(model, "torus", height, width), plane.tile(height, width, seed=5))


def scene(model, height, width, **values):
    whole = dict.fromkeys(("first_row", "first_col", "period_height", "period_width"), 0)
    one = {"textures": [0], "weights": np.ones((1, 1, 1), np.float32), "seed": 5, "time": 0.0, "amount": 0.0}
    return model.run("scene", **whole | one | values, height=height, width=width)


def test_a_scene_has_the_librarys_pixels_and_moves(model, plane):
    at = {"top": -700, "left": 12345}
    np.testing.assert_array_equal(scene(model, 37, 60, **at), plane.window(37, 60, seed=5, **at))
    moved = plane.render(Scene(5, time=0.25, amount=0.5), 37, 60, **at)
    np.testing.assert_array_equal(scene(model, 37, 60, **at, time=0.25, amount=0.5), moved)
    height, width = plane.fitting_extent(96, 96)
    tile = plane.tile(height, width, seed=5)
    found = scene(model, height, 20, top=height - 10, left=-5, period_height=height, period_width=width)
    np.testing.assert_array_equal(found, np.roll(tile, (10, 5), (0, 1))[:, :20])


def test_a_torus_larger_than_a_picture_may_be_is_refused(model):
    for side in (2**14, 2**40):
        with pytest.raises(tf.errors.InvalidArgumentError, match="period: more than 16777216 pixels"):
            scene(model, 8, 8, top=0, left=0, period_height=side, period_width=side)


def test_the_plane_of_an_export_has_its_detail_stage(folder, plane):
    again = Plane.from_saved_model(folder)
    np.testing.assert_array_equal(again.window(20, 30, seed=5), plane.window(20, 30, seed=5))


def test_damaged_photographs_of_an_export_are_named(folder, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    for damage in (b"", b"no archive"):
        (copy / exported_model.EXEMPLAR).write_bytes(damage)
        with pytest.raises(ExportError, match=r"not a SavedModel of this package .* export it again"):
            Plane.from_saved_model(copy)


def test_the_card_says_that_the_pictures_are_in_the_model():
    draft = saved_model.Draft(Path("a"), Path("b"), fold(tiny.generator(seed=1)), Limits(), None, copies=True)
    card = Card("run", Config(), Manifest(()), 7, [], [], "CC0")
    for copies in (True, False):
        lines = card._limits(dataclasses.replace(draft, copies=copies))
        assert any("contains the training pictures" in line for line in lines) == copies
