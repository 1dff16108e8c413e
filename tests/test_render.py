"""From a run to a picture file: the plane's own pixels, what they are in the metadata, and errors before any work."""

import numpy as np
import pytest
from PIL import Image
from small_run import CONFIG, save_generator

import tf_psgan
from tf_psgan import render
from tf_psgan.run_folder import RunFolder, load_plane

WINDOW = {"seed": 4, "texture": 2, "top": -9, "left": 1_000_000_007, "height": 21, "width": 35}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "small")
    with folder.locked():
        folder.write_config(CONFIG)
    save_generator(folder, step=3)
    return folder.path


def test_the_picture_is_the_window_of_the_plane_and_says_what_it_shows(run, tmp_path):
    out = tmp_path / "a.png"
    assert render.render(run, out, "float32", **WINDOW) == out
    with Image.open(out) as image:
        np.testing.assert_array_equal(np.asarray(image), load_plane(run, "float32").window(**WINDOW))
        assert image.text == {name: str(value) for name, value in WINDOW.items()} | {
            "model": "small at step 3",
            "dtype": "float32",
            "Software": f"tf_psgan {tf_psgan.__version__}",
        }


@pytest.mark.parametrize(
    "change, words",
    [
        ({"height": 0}, "height: 0 is outside"),
        ({"top": 2**41}, "top: 2199023255552 is outside"),
        ({"seed": 2**63}, "seed: 9223372036854775808 has more than 64 bits"),
        ({"texture": -(2**63) - 1}, "texture: -9223372036854775809 has more than 64 bits"),
        ({"height": 10**5, "width": 10**5}, "make the picture in parts, with --top and --left"),
    ],
)
def test_a_window_out_of_range_is_refused(run, tmp_path, change, words):
    with pytest.raises(ValueError, match=words):
        render.render(run, tmp_path / "a.png", "float32", **(WINDOW | change))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, words", [("a.gif", "cannot write the suffix"), ("no/a.png", "folder .*no is missing")])
def test_a_file_that_cannot_be_made_is_refused_before_the_run_is_read(tmp_path, name, words):
    with pytest.raises(ValueError, match=words):
        render.render(tmp_path / "no run", tmp_path / name, "float32", **WINDOW)


def test_a_damaged_checkpoint_is_passed_over_aloud(run, tmp_path, capsys):
    broken = RunFolder(run).checkpoints / "step-00000009"
    broken.mkdir()
    try:
        render.render(run, tmp_path / "a.png", "float32", **WINDOW)
    finally:
        broken.rmdir()
    assert "checkpoint passed over: step-00000009: variables.index is missing" in capsys.readouterr().err
    assert (tmp_path / "a.png").exists()
