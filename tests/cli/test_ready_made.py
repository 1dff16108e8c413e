"""Ready-made models on the command line: made with `export --weights`, drawn with `generate --model`."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.support import small_export
from tests.support.page import ROOT
from tf_psgan import Plane, from_pretrained
from tf_psgan.cli import evaluate, export, generate
from tf_psgan.runs.exported_model import DESCRIPTION, EXTRA


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


def test_a_ready_made_model_is_exported_for_servers(tmp_path, capsys):
    out = tmp_path / "models" / "honeycomb"
    assert call(capsys, export, "--model=honeycomb", f"--out={out}", "--dtype=float32") == (0, str(out / "1"))
    exported = Plane.from_saved_model(out)
    expected = from_pretrained("honeycomb", "float32")
    np.testing.assert_array_equal(exported.window(48, 64, top=-30, seed=3), expected.window(48, 64, top=-30, seed=3))
    described = json.loads((out / "1" / DESCRIPTION).read_text(encoding="utf-8"))
    assert (described["run"], described["source_licence"]) == ("honeycomb", "CC0-1.0")
    assert "library_name: keras" in (out / "1" / EXTRA / "MODEL_CARD.md").read_text(encoding="utf-8")


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
        (export, ["--web", "--model=honeycomb"], "model: has no effect with --web; give --run"),
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
