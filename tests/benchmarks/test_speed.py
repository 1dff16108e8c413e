"""The speed benchmarks `pictures.py` and `training_step.py`: counts, equal networks, mistakes."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.speed import pictures
from tf_psgan.cli import program
from tf_psgan.config import Config, DataConfig, ModelConfig

ROOT = Path(__file__).resolve().parents[2]
SMALL = ModelConfig(filters=(16, 8), discriminator_filters=(8, 16))


@pytest.fixture(autouse=True)
def beside(monkeypatch):
    """The scripts are run from their own folder."""
    monkeypatch.syspath_prepend(str(Path(pictures.__file__).parent))


def run(capsys, *arguments, code=0):
    assert program.run(["pictures.py", *arguments], pictures.USAGE, pictures.define, pictures.main) == code
    said = capsys.readouterr()
    return (said.err if code else said.out).splitlines()


def test_a_picture_costs_two_operations_for_each_weight_that_reaches_an_output():
    from engines import work

    by_hand = 2 * 9 * (34 * 128 * 4 * 32**2 + 128 * 64 * 4 * 64**2 + 64 * 32 * 4 * 128**2 + 32 * 3 * 4 * 256**2)
    assert work.draw(ModelConfig()).operations(512) == pytest.approx(by_hand)
    fewer = work.draw(dataclasses.replace(ModelConfig(), kernel_size=5)).operations(512)
    assert fewer == pytest.approx(by_hand * 25 / 36)


def test_a_training_step_costs_what_its_convolutions_do():
    from steps import operations

    model = ModelConfig(local_channels=5, waves=0, filters=(4,), discriminator_filters=(6,))
    config = Config(model, DataConfig(crop_cells=8, batch_size=8))
    # Cells 12 -> 20 -> 36 pixels; the discriminator 32 -> 16 -> 8.
    first, last = 2 * 8 * 9 * 20**2 * 5 * 4, 2 * 8 * 9 * 36**2 * 4 * 3
    seen, scored = 2 * 8 * 25 * 16**2 * 3 * 6, 2 * 8 * 25 * 8**2 * 6 * 1
    by_hand = (2 * first + 3 * last) + 2 * (2 * seen + 3 * scored) + (seen + scored)
    assert operations.useful(config) == pytest.approx(by_hand)


def test_weights_drawn_are_those_that_the_project_paints_with():
    from engines import work

    drawn = work.draw(SMALL)
    network = drawn.generator("float32")
    for kernel, bias, (folded, shift) in zip(drawn.kernels, drawn.biases, network.folded(), strict=True):
        assert np.isclose(np.sort(folded.numpy().ravel())[-1], kernel.max(), rtol=1e-5)
        np.testing.assert_allclose(shift.numpy()[: len(bias)], bias, rtol=1e-6)


@pytest.mark.long  # builds every form that is timed
def test_all_that_is_timed_is_written(tmp_path):
    settings = ("--filters=16,8", "--sizes=64", "--rounds=3", "--threads=1", "--compiled_up_to=0")
    command = [sys.executable, pictures.__file__, *settings, f"--json={tmp_path / 'a.json'}"]  # threads: a new process
    here = os.environ | {"PYTHONPATH": str(ROOT)}
    lines = subprocess.run(command, env=here, capture_output=True, text=True, check=True).stdout.splitlines()
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert {row["form"] for row in found["rows"]} >= {"here, network"}
    assert sum(line.startswith("| 64 |") for line in lines) == len(found["rows"])
    assert all(row["median"] > 0 for row in found["rows"])
    bare = [row for row in found["rows"] if row["dtype"] == "float32" and row["apart"] is not None]
    assert bare and all(row["apart"] < 0.01 for row in bare)


@pytest.mark.parametrize("sizes, says", [("100", "multiple of the cell"), ("big", "whole numbers"), ("-16", "whole")])
def test_a_wrong_size_is_one_line(capsys, sizes, says):
    lines = run(capsys, f"--sizes={sizes}", code=2)
    assert len(lines) == 1 and says in lines[0]


@pytest.mark.parametrize("setting", ["--parts=pictures", "--types=float16", "--types="])
def test_an_unknown_part_or_type_is_one_line(capsys, setting):
    (line,) = run(capsys, setting, "--sizes=64", code=2)
    assert setting[2:].split("=")[0] in line and "choose from" in line


@pytest.mark.long
def test_parts_and_types_leave_the_rest_out(tmp_path):
    settings = ("--filters=16,8", "--sizes=64", "--rounds=3", "--threads=1", "--parts=picture", "--types=float32")
    command = [sys.executable, pictures.__file__, *settings, "--compiled_up_to=0", f"--json={tmp_path / 'a.json'}"]
    subprocess.run(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, check=True)
    rows = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))["rows"]
    assert rows and {(row["part"], row["dtype"]) for row in rows} == {("picture", "float32")}
