"""`benchmarks/quality/ready_made.py`: what differs between a run and its ready-made model is counted and named."""

import numpy as np
import pytest

from benchmarks.quality import ready_made
from tests.support import small_export
from tests.support.page import ROOT
from tf_psgan.cli import program
from tf_psgan.data import manifest
from tf_psgan.exporting import weights


def test_pixels_that_differ_are_counted_with_the_largest_difference():
    ours, theirs = np.zeros((2, 5, 10, 3), np.uint8), np.zeros((2, 5, 10, 3), np.uint8)
    ours[0, 0, 0, 0], theirs[1, 2, 3] = 1, (0, 2, 255)
    assert ready_made.differences(ours, theirs) == "3 of 300 8-bit values differ (1.00 %), by 255 at most"


def test_printed_numbers_that_differ_are_named_by_their_line():
    ours = "metric  value\ncolour  1.250  -0.125\npatches  0.5"
    theirs = "metric  value\ncolour  1.251  -0.125\npatches  0.6"
    said = (
        "2 of 3 printed numbers differ (the run's and the model's):\n  colour: 1.250 and 1.251\n  patches: 0.5 and 0.6"
    )
    assert ready_made.printed(ours, theirs) == said
    with pytest.raises(ValueError, match="shorter"):
        ready_made.printed(ours, "metric  value")


def test_a_model_is_compared_with_its_run(tmp_path, capsys):
    folder = small_export.run(tmp_path / "run")
    folder.write("manifest.json", manifest.to_json(manifest.scan([str(ROOT / "textures" / "honeycomb.png")])))
    run = folder.path
    weights.export(run, tmp_path / "model")
    asked = [f"--run={run}", f"--model={tmp_path / 'model'}", "--samples=1", "--pixels=128"]
    assert program.run(["ready_made.py", *asked], ready_made.USAGE, ready_made.define, ready_made.main) == 0
    pixels, numbers, *_ = capsys.readouterr().out.splitlines()
    assert "of 49152 8-bit values differ" in pixels and ("by 0 at most" in pixels or "by 1 at most" in pixels)
    assert "printed numbers differ" in numbers
