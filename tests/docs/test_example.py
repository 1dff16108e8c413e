"""The example of the documentation runs."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tf_psgan import Plane

ROOT = Path(__file__).resolve().parents[2]
# A process of its own: a training sets TensorFlow's threads before TensorFlow starts.
PROGRAM = """
import sys
from example import main
main(*sys.argv[1:3], minutes=0, steps=1, samples=1, sample_pixels=64, dtype="float32")
"""


def test_the_example_trains_shows_and_exports(tmp_path):
    source, run = ROOT / "textures" / "honeycomb.png", tmp_path / "run"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "examples"), str(ROOT)])}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, source, run], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert Image.open(run / "window.png").size == (640, 384)
    plane = Plane.from_saved_model(run / "model")
    tile = plane.tile(*plane.fitting_extent(192, 192)).astype(int)
    assert np.abs(np.asarray(Image.open(run / "tile.png")) - tile).max() <= 1  # this process has other threads
