"""The example of the documentation runs."""

import importlib.util
from pathlib import Path

from PIL import Image

import tf_psgan

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_trains_shows_and_exports(tmp_path, monkeypatch):
    spec = importlib.util.spec_from_file_location("example", ROOT / "examples" / "example.py")
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    small = {"samples": 1, "sample_pixels": 64, "dtype": "float32"}
    example.main(str(ROOT / "textures" / "honeycomb.png"), str(tmp_path / "run"), minutes=0, steps=1, **small)
    assert Image.open(tmp_path / "run" / "window.png").size == (640, 384)
    plane = tf_psgan.Plane.from_saved_model(tmp_path / "run" / "model")
    assert Image.open(tmp_path / "run" / "tile.png").tobytes() == plane.tile(*plane.fitting_extent(192, 192)).tobytes()
