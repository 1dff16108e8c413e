"""The example of the documentation runs."""

import functools
import importlib
from pathlib import Path

import numpy as np
from PIL import Image

import tf_psgan
from tf_psgan.runtime import device

ROOT = Path(__file__).resolve().parents[2]


def test_the_example_trains_shows_and_exports(tmp_path, monkeypatch):
    monkeypatch.setattr(device, "set_threads", lambda asked: 1)  # other tests have started TensorFlow
    # Smaller networks and fewer losses than the example's, which take a minute to trace and to export.
    small = functools.partial(tf_psgan.ModelConfig, filters=(8, 8), discriminator_filters=(4, 8))
    monkeypatch.setattr(tf_psgan, "ModelConfig", small)
    monkeypatch.syspath_prepend(ROOT / "examples")
    run = tmp_path / "run"
    training = {"minutes": 0.0, "steps": 1, "samples": 1, "sample_pixels": 64, "dtype": "float32"}
    losses = {"r1": 0.0, "spectral_loss_weight": 0.0}
    importlib.import_module("example").main(str(ROOT / "textures" / "honeycomb.png"), str(run), **training, **losses)
    assert Image.open(run / "window.png").size == (640, 384)
    plane = tf_psgan.Plane.from_saved_model(run / "model")
    tile = plane.tile(*plane.fitting_extent(192, 192))
    np.testing.assert_array_equal(np.asarray(Image.open(run / "tile.png")), tile)
