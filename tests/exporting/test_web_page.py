"""A run as a static web page: what the folder holds, and what is rejected."""

import base64
import json

import numpy as np
import pytest
from PIL import Image

from tests.support import page, small_export, small_run
from tests.support.commands import fail
from tf_psgan.errors import ExportError, SettingError
from tf_psgan.exporting import web_page
from tf_psgan.loading import Plane


def plane(name):
    return Plane.from_run(page.runs() / name, "float32", detail="none")


def models(folder):
    return {
        model["name"]: folder / model["folder"] for model in json.loads((folder / "models.json").read_text())["models"]
    }


def test_the_folder_holds_the_page_its_libraries_with_licences_and_the_model():
    folder = page.runs() / "plain_many"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    vendored = {f"vendor/onnxruntime-web/{name}" for name in (*web_page.RUNTIME_FILES, "LICENSE")}
    vendored |= {f"vendor/leaflet/{name}" for name in ("leaflet.js", "leaflet.css", "LICENSE")}
    assert {"index.html", "main.js", "style.css", "texture/worker.js", *vendored} <= names
    model = models(folder)["many"].relative_to(folder).as_posix()
    assert {f"{model}/{name}" for name in ("model.onnx", "meta.json", "poster.webp")} <= names


@pytest.mark.parametrize("name", ["many", "one"])
def test_the_reference_picture_is_the_plane_s(name):
    found, _ = page.meta(page.runs() / f"plain_{name}")
    reference, side = found["reference"], found["pixels_per_cell"]
    pixels = reference["cells"] * side
    expected = plane(name).window(
        pixels, pixels, top=reference["row"] * side, left=reference["col"] * side, seed=int(reference["seed"]),
        texture=found["textures"][0]["vector"],
    )  # fmt: skip
    assert base64.b64decode(reference["pixels"]) == expected.tobytes()
    assert expected.std() > 1


def test_weights_of_a_page_can_take_half_the_download(tmp_path):
    site = tmp_path / "page"
    runtime = page.stand_in(tmp_path / "runtime")
    for weights in ("float32", "float16"):
        web_page.export(page.runs() / "one", site, onnxruntime_web=runtime, weights=weights)
        (folder,) = models(site).values()
        assert folder.name.endswith("-half") == (weights == "float16")
    with pytest.raises(SettingError, match="'int8' is no type of stored weights; choose float32"):
        web_page.export(page.runs() / "one", site, onnxruntime_web=runtime, weights="int8")


def test_the_poster_is_the_plane_around_the_origin():
    _, folder = page.meta(page.runs() / "plain_one")
    height, width = web_page.POSTER_PIXELS
    poster = np.asarray(Image.open(folder / "poster.webp").convert("RGB")).astype(int)
    expected = plane("one").window(height, width, top=-height // 2, left=-width // 2)
    assert np.abs(poster - expected).mean() < 12  # lossy; another place differs by more than 30


def test_a_single_texture_has_its_wave_numbers_in_steps():
    found, _ = page.meta(page.runs() / "plain_one")
    assert found["wave_steps"] == plane("one").wave_steps(0).tolist() and found["wave_mlp"] is None


def test_a_conditional_model_offers_the_textures_of_its_pictures():
    found, _ = page.meta(page.runs() / "plain_many")
    assert {texture["key"]: tuple(texture["vector"]) for texture in found["textures"]} == plane("many").names


def test_a_model_without_named_textures_offers_the_first_numbers(tmp_path):
    folder = small_export.run(tmp_path / "free", global_channels=4)
    out = web_page.export(folder.path, tmp_path / "out", onnxruntime_web=page.stand_in(tmp_path / "runtime"))
    found, _ = page.meta(out)
    assert [texture["key"] for texture in found["textures"]] == [str(n) for n in range(web_page.OFFERED_TEXTURES)]
    free = Plane.from_run(folder.path, "float32")
    np.testing.assert_array_equal(found["textures"][7]["vector"], free.vector(7))


def test_a_second_run_is_added_and_a_new_version_replaces_its_own(tmp_path):
    runtime, out = page.stand_in(tmp_path / "runtime"), tmp_path / "out"
    first, second = page.run(tmp_path / "a b"), page.run(tmp_path / "two", global_channels=0)
    web_page.export(first.path, out, onnxruntime_web=runtime)
    before = models(out)
    web_page.export(second.path, out, onnxruntime_web=runtime)
    assert list(models(out)) == ["a b", "two"] and models(out)["a b"] == before["a b"]
    small_run.save_generator(first, step=4, model=first.read_config().model, seed=6)
    web_page.export(first.path, out, onnxruntime_web=runtime)
    after = models(out)
    assert list(after) == ["a b", "two"] and after["a b"] != before["a b"]
    assert sorted(path.name for path in (out / "models").iterdir()) == sorted(path.name for path in after.values())


def test_a_folder_of_something_else_stays_as_it_is(tmp_path):
    (tmp_path / "index.html").write_text("mine")
    with pytest.raises(ExportError, match="is no folder of a page that was exported before; choose a new folder"):
        web_page.export(page.runs() / "one", tmp_path, onnxruntime_web=page.runs() / "stand_in_one")
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]


@pytest.mark.parametrize("files, problem", [(None, "is not the npm package"), ([], "version 1.30.0 in .* has no ort")])
def test_a_missing_runtime_is_named_with_the_command_that_installs_it(tmp_path, files, problem):
    if files is not None:
        page.stand_in(tmp_path / "runtime", files)
    with pytest.raises(SettingError, match=f"{problem}.*npm install onnxruntime-web@1.30.0"):
        web_page.export(page.runs() / "one", tmp_path / "out", onnxruntime_web=tmp_path / "runtime")
    assert not (tmp_path / "out").exists()


def test_the_detail_stage_is_rejected_or_its_absence_is_said(tmp_path, logged):
    folder = page.run(tmp_path / "photo", global_channels=0, detail="patches")
    runtime = page.stand_in(tmp_path / "runtime")
    with pytest.raises(SettingError, match="detail: a web page shows the network without the detail stage"):
        web_page.export(folder.path, tmp_path / "out", onnxruntime_web=runtime, detail="patches")
    web_page.export(folder.path, tmp_path / "out", onnxruntime_web=runtime)
    assert "the page shows the network without the detail stage" in logged()
    web_page.export(folder.path, tmp_path / "out", onnxruntime_web=runtime, detail="none")
    assert "detail stage" not in logged()


def test_flags_that_have_no_effect_with_web_are_rejected(tmp_path):
    line = ("export.py", "--web", f"--run={page.runs() / 'one'}", f"--out={tmp_path / 'out'}")
    assert "version: has no effect with --web; leave one of them out." in fail(*line, "--version=3")
    line = [each for each in line if each != "--web"]
    assert "onnxruntime_web: has no effect without --web" in fail(*line, "--onnxruntime_web=x")
