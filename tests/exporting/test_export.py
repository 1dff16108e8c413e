"""The export of a run: its textures, its limits, and no incomplete version."""

import builtins
import json
import shutil
from collections import namedtuple

import numpy as np
import pytest
from absl import flags

from tests.support.small_export import exported, run
from tf_psgan.cli import export as export_command
from tf_psgan.errors import InputError
from tf_psgan.exporting import export as exporter
from tf_psgan.exporting.session_model import SessionModel
from tf_psgan.exporting.signatures import Limits
from tf_psgan.loading import load_plane

Usage = namedtuple("Usage", "total used free")


def test_a_run_is_exported_with_its_textures():
    folder, path = exported()
    ours, theirs = load_plane(folder.path, "float32"), load_plane(path)
    window = {"height": 64, "width": 64, "seed": 1, "texture": "rust"}
    np.testing.assert_array_equal(theirs.window(**window), ours.window(**window))


def test_an_exported_version_has_exactly_the_documented_files():
    _, path = exported()
    names = {entry.name for entry in (path / "assets.extra").iterdir()}
    warm_up = "tf_serving_warmup_requests"
    assert names == {"MODEL_CARD.md", "samples.jpg", "description.json", "model.onnx", "SHA256SUMS", warm_up}
    assert [entry.name for entry in path.parent.iterdir()] == ["1"]


def test_limits_set_by_flags_are_in_the_description(tmp_path, capsys):
    folder, out = run(tmp_path / "run", global_channels=0), tmp_path / "m"
    asked = [f"--run={folder.path}", f"--out={out}", "--dtype=float32", "--most_side=600", "--most_pixels=300000"]
    assert export_command.main(["export.py", *asked]) == 0
    assert capsys.readouterr().out == f"{out / '1'}\n"
    with SessionModel(out / "1") as model:
        described = json.loads(model.run("describe"))
    assert described["limits"] == {"height": 600, "width": 600, "pixels": 300_000}
    assert (described["step"], described["run"], described["source_licence"]) == (3, "run", "")
    assert described["cost_per_pixel"] == 1.0


@pytest.mark.parametrize(
    "limits, words",
    [
        (Limits(side=511), r"most_side: 511 is outside 512 \.\. 268435456; choose a value inside"),
        (Limits(pixels=512 * 511), "most_pixels: 261632 is outside 262144"),
        (Limits(pixels=2**28 + 1), "most_pixels: 268435457 is outside"),
    ],
)
def test_limits_out_of_range_are_an_error(tmp_path, limits, words):
    with pytest.raises(ValueError, match=words):
        exporter.export(tmp_path / "no run is looked for", tmp_path / "m", limits=limits)


def test_default_limits_of_flags_and_library_are_equal():
    values = flags.FlagValues()
    export_command.define(values)
    assert Limits() == Limits(values["most_side"].default, values["most_pixels"].default)


def test_a_missing_package_is_an_error_before_any_work(tmp_path, monkeypatch):
    real = builtins.__import__

    def broken(name, *args, **kwargs):
        if name.partition(".")[0] == "onnxruntime":
            raise ImportError("No module named 'onnxruntime'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", broken)
    monkeypatch.setattr("importlib.import_module", broken)
    with pytest.raises(ValueError, match=r"onnx: needs the package onnxruntime .*; pip install 'tf_psgan\[onnx\]'"):
        exporter.export(tmp_path / "no run is looked for", tmp_path / "m", onnx=True)


def test_a_run_without_a_manifest_is_not_exported(tmp_path):
    folder = run(tmp_path / "run")
    (folder.path / "manifest.json").unlink()
    with pytest.raises(ValueError, match=r"manifest.json: cannot be read .*; restore it"):
        exporter.export(folder.path, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_an_export_without_room_is_an_error_with_both_numbers_and_writes_nothing(tmp_path, monkeypatch):
    folder, out = run(tmp_path / "run", global_channels=0), tmp_path / "models" / "m"
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 10**6))
    with pytest.raises(InputError, match=rf"1: takes about [4-9]\.. MB, and 1\.0 MB are free in {tmp_path}; make room"):
        exporter.export(folder.path, out, dtype="float32")
    assert not out.parent.exists()
