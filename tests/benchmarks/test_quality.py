"""The table of metrics that training never sees."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from tests.support.synthetic_textures import lattice

ROOT = Path(__file__).resolve().parents[2]


def test_the_table_has_a_row_for_each_picture_and_a_missing_file_is_one_line(tmp_path):
    source = lattice(1, side=192, period=24)[:, :160]
    for name, picture in (("source", source), ("flat", np.full_like(source, 90))):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    command = [sys.executable, "-m", "benchmarks.quality.report", f"--source={tmp_path / 'source.png'}", "--cell=16"]
    command += [f"--json={tmp_path / 'values.json'}", str(tmp_path / "flat.png")]
    printed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    rows = json.loads((tmp_path / "values.json").read_text())
    assert rows.keys() == {"source", "halves", "quilting", "noise", "flat"} and rows["flat"]["cell_pattern"] == 0
    assert "| flat |" in printed
    failed = subprocess.run([*command[:3], "--source=missing.png"], cwd=ROOT, capture_output=True, text=True)
    assert failed.returncode == 2 and "missing.png" in failed.stderr and "Traceback" not in failed.stderr
