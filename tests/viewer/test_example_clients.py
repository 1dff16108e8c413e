"""The examples for Blender and ComfyUI, with stand-ins for their programs, over the viewer."""

import importlib.util
import io
import json
import sys
import types
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from tests.support import viewer
from tests.support.commands import ROOT
from tests.support.fake_server import FakeServer, paint
from tests.support.viewer import DESCRIPTION

EXTENT = {"height": 64, "width": 64}


@pytest.fixture(scope="module")
def root():
    with FakeServer(description=DESCRIPTION) as server, viewer.running(server.target) as address:
        yield address


def load(path):
    """A module of an example."""
    specification = importlib.util.spec_from_file_location("example", ROOT / "examples" / path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def blender(monkeypatch):
    """The add-on, and a stand-in for Blender that keeps the files of loaded images."""
    bpy, files = mock.MagicMock(), []
    bpy.types.Operator = type("Operator", (), {"report": mock.Mock()})

    def load_image(path):
        with open(path, "rb") as file:
            files.append(file.read())
        bpy.loaded.append(mock.MagicMock())
        return bpy.loaded[-1]

    bpy.loaded = []

    bpy.data.images.load.side_effect = load_image
    monkeypatch.setitem(sys.modules, "bpy", bpy)
    return load("blender/tf_psgan_texture.py"), bpy, files


def operator(addon, root, **values):
    """The add-on's operator with its properties."""
    made = addon.AddSeamlessTexture()
    defaults = {"address": root, "model": "", "texture": 0, "seed": 0, "pixels": 64}
    for name, value in (defaults | values).items():
        setattr(made, name, value)
    return made


def test_blender_gets_a_packed_image_and_a_material_of_a_seamless_tile(blender, root):
    addon, bpy, files = blender
    addon.register()
    bpy.utils.register_class.assert_called_once_with(addon.AddSeamlessTexture)
    context = mock.MagicMock()
    assert operator(addon, root, texture=-3, seed=7, pixels=67).execute(context) == {"FINISHED"}
    with Image.open(io.BytesIO(files[0])) as image:
        np.testing.assert_array_equal(np.asarray(image), paint(8, -3, 0, 0, 64, 64))
    context.object.data.materials.append.assert_called_once_with(bpy.data.materials.new.return_value)
    addon.unregister()


def test_blender_gets_the_maps_that_the_server_has_of_a_model(blender, root):
    addon, bpy, files = blender
    asked, fetch = [], addon.request

    def request(address, path):  # the server has one model, which stands for all of them
        if path == "/v1/models":
            names = ("m", "m_normal", "m_roughness", "other_metalness")
            return json.dumps({"models": [{"name": name} for name in names]}).encode()
        asked.append(path)
        return fetch(address, path.replace("m_normal", "m").replace("m_roughness", "m"))

    addon.request = request
    assert operator(addon, root, seed=2).execute(mock.MagicMock()) == {"FINISHED"}
    assert len(files) == 3
    assert asked[::2] == ["/v1/models/m", "/v1/models/m_normal", "/v1/models/m_roughness"]
    tree = bpy.data.materials.new.return_value.node_tree
    assert [call.args[0] for call in tree.nodes.new.call_args_list].count("ShaderNodeTexImage") == 3
    surface = tree.nodes["Principled BSDF"].inputs
    assert [image.colorspace_settings.name == "Non-Color" for image in bpy.loaded].count(True) == 2
    wanted = [call.args[0] for call in surface.__getitem__.call_args_list]
    assert wanted == ["Base Color", "Normal", "Roughness"]


@pytest.mark.parametrize(
    "values, text",
    [
        ({"model": "x"}, "'x' is no model of the server; it has m."),
        ({"address": "localhost:8000"}, "localhost:8000 is not an address; write it as in http://localhost:8000"),
        ({"address": "http://127.0.0.1:9"}, "start psgan-viewer there"),
    ],
)
def test_blender_shows_a_failure_in_one_line(blender, root, values, text):
    made = operator(blender[0], root, **values)
    assert made.execute(mock.MagicMock()) == {"CANCELLED"}
    [(kind, message)] = [call.args for call in made.report.call_args_list]
    assert kind == {"ERROR"} and text in message and "\n" not in message


def comfyui():
    """The node's module."""
    return load("comfyui/tf_psgan_texture/__init__.py")


def node_values(node, **values):
    """A node's inputs: their defaults, and these."""
    inputs = node.INPUT_TYPES()["required"]
    return {name: options["default"] for name, (_, options) in inputs.items()} | values


@pytest.mark.parametrize("seamless", [False, True])
def test_comfyui_gets_an_image_tensor(root, seamless, monkeypatch):
    # PyTorch's tensors are arrays here
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(from_numpy=lambda array: array))
    [node] = comfyui().NODE_CLASS_MAPPINGS.values()
    values = node_values(
        node, address=root, model="m", seamless=seamless, texture=2, seed=-4, top=-70, left=5, **EXTENT
    )
    (found,) = getattr(node(), node.FUNCTION)(**values)
    assert found.shape == (1, 64, 64, 3) and found.dtype == np.float32 and node.RETURN_TYPES == ("IMAGE",)
    expected = paint(-3, 2, 0, 0, 64, 64) if seamless else paint(-3, 2, -70, 5, 64, 64)
    np.testing.assert_allclose(found[0] * 255, expected, atol=1e-4)


def test_comfyui_says_what_is_wrong_in_one_line(root):
    module = comfyui()
    values = node_values(module.EndlessTexture, address=root, model="m")
    for wrong, text in (({"model": "x"}, "'x' is no model"), ({"height": 3000}, "height: 3000 is outside 1 .. 2048")):
        with pytest.raises(ValueError, match=text):
            module.pixels(**values | wrong)


def test_both_take_the_nearest_extent_that_fits(blender):
    addon, module, asked = blender[0], comfyui(), []

    def answer(address, path):
        asked.append(path)
        if "tile.png" not in path:
            return json.dumps({"path": "/v", "pixels_per_cell": 8}).encode(), None
        if "height=72&width=80" not in path:
            return None, {"detail": "64x64 pixels would distort", "fits": {"height": 72, "width": 80}}
        file = io.BytesIO()
        Image.new("RGB", (80, 72)).save(file, "PNG")
        return file.getvalue(), None

    def request(address, path):
        data, problem = answer(address, path)
        if problem:
            raise ValueError(problem["detail"], problem)
        return data

    addon.request, module.request = request, answer
    with Image.open(io.BytesIO(addon.seamless_tile("http://a", "m", 1, 2, 64, 64))) as image:
        assert image.size == (80, 72)
    values = node_values(module.EndlessTexture, model="m", seamless=True, **EXTENT)
    assert module.pixels(**values).shape == (1, 72, 80, 3) and len(asked) == 6
