"""Ready-made models on the command line: made with `export --weights`, drawn with `generate --model`."""

import base64
import json
import sys
import types

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tests.support import page, small_export, synthetic_textures, tiny
from tests.support.page import ROOT
from tf_psgan import Plane, from_pretrained
from tf_psgan.cli import evaluate, export, generate
from tf_psgan.detail.exemplar import Exemplar
from tf_psgan.errors import SettingError
from tf_psgan.exporting import web_page, weights
from tf_psgan.networks import inference
from tf_psgan.plane.folded_generator import fold
from tf_psgan.pretrained import Pretrained
from tf_psgan.runs import model_file
from tf_psgan.runs.exported_model import DESCRIPTION, EXTRA
from tf_psgan.runs.model_file import Model


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_export.run(tmp_path_factory.mktemp("ready") / "run", global_channels=0).path


def call(capsys, program, *arguments):
    """Exit code and the last line of both outputs."""
    code = program.main(["psgan", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, (out or err).splitlines()[-1]


def test_a_picture_of_a_model_that_comes_with_the_package(tmp_path, capsys):
    out = tmp_path / "a.png"
    assert call(capsys, generate, "--model=honeycomb", f"--out={out}", "--height=40", "--width=50") == (0, str(out))
    with Image.open(out) as picture:
        assert picture.size == (50, 40)
        assert "the model honeycomb" in str(picture.info)


def test_a_run_becomes_a_folder_of_weights_that_draws_the_same(run, tmp_path, capsys):
    folder, window = tmp_path / "model", ("--height=64", "--width=96", "--top=-9", "--seed=4", "--dtype=float32")
    said = call(capsys, export, "--weights", f"--run={run}", f"--out={folder}", "--source_licence=CC0-1.0")
    assert said == (0, str(folder))
    assert sorted(path.name for path in folder.iterdir()) == ["card.md", "description.json", "model.npz"]
    pictures = []
    for source in (f"--run={run}", f"--model={folder}"):
        assert call(capsys, generate, source, f"--out={tmp_path / 'a.png'}", *window)[0] == 0
        with Image.open(tmp_path / "a.png") as picture:
            pictures.append(np.asarray(picture).astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() <= 1
    code, said = call(capsys, export, "--weights", f"--run={run}", f"--out={folder}")
    assert code == 2 and said.startswith(f"error: {folder}: exists already; choose another folder")


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """The run as a folder of weights."""
    return weights.export(run, tmp_path_factory.mktemp("ready") / "moss", source_licence="CC-BY-4.0")


@pytest.fixture
def model(request, folder, monkeypatch):
    """What --model is given, and the model's name, licence and plane."""
    if request.param == "honeycomb":
        return "honeycomb", "honeycomb", "CC0-1.0", from_pretrained("honeycomb", "float32")
    hub = types.SimpleNamespace(snapshot_download=lambda name, allow_patterns: str(folder))
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    named = "hf://a/b" if request.param == "hub" else str(folder)
    return named, "moss", "CC-BY-4.0", from_pretrained(folder, "float32")


@pytest.mark.parametrize("model", ["honeycomb", "folder", "hub"], indirect=True)
def test_a_ready_made_model_becomes_a_web_page(model, tmp_path, capsys):
    given, name, licence, plane = model
    out, runtime = tmp_path / "page", page.stand_in(tmp_path / "runtime")
    arguments = ("--web", f"--model={given}", f"--out={out}", f"--onnxruntime_web={runtime}")
    assert call(capsys, export, *arguments) == (0, str(out))
    found, _ = page.meta(out)
    assert (found["name"], found["licence"]) == (name, licence) and found["step"] > 0
    reference, side = found["reference"], plane.pixels_per_cell
    (row, col), pixels = (reference["row"], reference["col"]), reference["cells"] * side
    expected = plane.window(pixels, pixels, top=row * side, left=col * side, seed=int(reference["seed"]))
    assert base64.b64decode(reference["pixels"]) == expected.tobytes()


@pytest.mark.parametrize(
    "model", ["honeycomb", *(pytest.param(kind, marks=pytest.mark.long) for kind in ("folder", "hub"))], indirect=True
)
def test_a_ready_made_model_is_exported_for_servers_and_as_onnx(model, tmp_path, capsys):
    given, name, licence, plane = model
    out = tmp_path / "m"
    arguments = (f"--model={given}", f"--out={out}", "--dtype=float32", "--onnx")
    assert call(capsys, export, *arguments) == (0, str(out / "1"))
    described = json.loads((out / "1" / DESCRIPTION).read_text(encoding="utf-8"))
    assert (described["run"], described["source_licence"]) == (name, licence)
    assert "library_name: keras" in (out / "1" / EXTRA / "MODEL_CARD.md").read_text(encoding="utf-8")
    window = {"height": 48, "width": 64, "top": -30, "seed": 3}
    np.testing.assert_array_equal(Plane.from_saved_model(out).window(**window), plane.window(**window))
    session = onnxruntime.InferenceSession(out / "1" / EXTRA / "model.onnx")
    latents = np.random.default_rng(1).uniform(-1, 1, (1, 6, 7, plane.folded.blocks[0][0].shape[2])).astype(np.float32)
    (images,) = session.run(["images"], {"latents": latents})
    np.testing.assert_allclose(images, inference.generate(plane.folded.blocks, latents, "float32"), atol=1e-4)


def test_a_page_offers_the_names_of_a_ready_made_model_s_textures(tmp_path):
    out = web_page.export(
        Pretrained("manifold"), tmp_path / "page", onnxruntime_web=page.stand_in(tmp_path / "runtime")
    )
    found, _ = page.meta(out)
    vectors = from_pretrained("manifold").names
    assert {texture["key"]: tuple(texture["vector"]) for texture in found["textures"]} == vectors and len(vectors) == 8


def test_a_page_goes_without_the_detail_stage_of_a_ready_made_model_and_says_so(tmp_path, logged):
    exemplar = Exemplar.build([synthetic_textures.blobs(3, 64)], 3)
    model_file.write(tmp_path / "m", Model(fold(tiny.generator(seed=1)), {}, exemplar, {}))
    runtime = page.stand_in(tmp_path / "runtime")
    found, _ = page.meta(web_page.export(Pretrained(str(tmp_path / "m")), tmp_path / "page", onnxruntime_web=runtime))
    assert (found["name"], found["step"], found["licence"]) == ("m", 0, "")
    assert "the page shows the network without the detail stage" in logged()


def test_a_page_of_a_ready_made_model_of_reduced_pictures_is_refused(tmp_path):
    model_file.write(tmp_path / "m", Model(fold(tiny.generator(seed=1, downsampling=2)), {}, None, {}))
    with pytest.raises(SettingError, match="downsampling: the network learned pictures reduced by 2"):
        web_page.export(Pretrained(str(tmp_path / "m")), tmp_path / "page", onnxruntime_web=tmp_path)
    assert not (tmp_path / "page").exists()


def test_a_ready_made_model_is_compared_with_pictures(tmp_path, capsys):
    source = ROOT / "textures" / "honeycomb.png"
    given = ("--model=honeycomb", f"--sources={source}", "--samples=1", "--pixels=64", f"--json={tmp_path / 'a.json'}")
    assert call(capsys, evaluate, *given)[0] == 0
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert found["model"] == "honeycomb" and found["step"] > 1000


@pytest.mark.parametrize(
    "program, arguments, words",
    [
        (generate, ["--model=honeycomb", "--run=x"], "run: says nothing beside --model; leave one of them out"),
        (generate, ["--model=honeycomb", "--detail=none"], "detail: says nothing beside --model"),
        (generate, ["--model=honeycomb", "--like=a.png"], "like: a ready-made model stores no textures"),
        (generate, ["--model=moss"], "moss: is no ready-made model; use one of "),
        (generate, ["--model=hf://x"], "hf://x: is no repository; give hf://OWNER/NAME"),
        (generate, ["--part=finish", "--model=honeycomb"], "model: says nothing beside --part=finish"),
        (export, ["--weights", "--model=honeycomb"], "model: has no effect with --weights; give --run"),
        (export, ["--web", "--model=moss"], "moss: is no ready-made model; use one of "),
        (export, ["--web", "--model=hf://x"], "hf://x: is no repository; give hf://OWNER/NAME"),
        (export, ["--web", "--model=honeycomb", "--run=x"], "run: says nothing beside --model"),
        (export, ["--web", "--model=honeycomb", "--detail=none"], "detail: says nothing beside --model"),
        (export, ["--web", "--model=honeycomb", "--source_licence=x"], "source_licence: says nothing beside --model"),
        (export, ["--web", "--model=honeycomb", "--onnx"], "onnx: has no effect with --web"),
        (export, ["--web", "--model=honeycomb", "--onnxruntime_web=none"], "none is not the npm package"),
        (export, ["--model=honeycomb", "--detail=none"], "detail: says nothing beside --model"),
        (export, ["--model=honeycomb", "--source_licence=x"], "source_licence: says nothing beside --model"),
        (export, ["--model=moss"], "moss: is no ready-made model; use one of "),
        (export, ["--weights", "--onnx", "--run=x"], "onnx: has no effect with --weights"),
        (export, ["--weights", "--dtype=float32", "--run=x"], "dtype: has no effect with --weights"),
        (export, ["--weights", "--web", "--run=x"], "web, weights: an export is only one of them"),
        (export, ["--weights", "--run=x"], "x: no run here"),
    ],
)
def test_what_does_not_go_together_is_one_line(tmp_path, capsys, program, arguments, words):
    code, said = call(capsys, program, *arguments, f"--out={tmp_path / 'out.png'}")
    assert code == 2 and words in said
    assert not any(tmp_path.iterdir())
