"""`psgan generate --part`: the parts of a picture are put together to the picture of one process."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import zarr

from tests.support import small_export
from tf_psgan.cli import generate

ROOT = Path(__file__).resolve().parents[2]
EXTENT = ("--height=700", "--width=600", "--top=-77", "--left=33", "--seed=5", "--dtype=float32")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_export.run(tmp_path_factory.mktemp("parts") / "run", global_channels=0).path


def call(capsys, *arguments):
    """Exit code and the last line of both outputs."""
    code = generate.main(["psgan generate", *map(str, arguments)])
    out, err = capsys.readouterr()
    return code, (out or err).splitlines()[-1]


def test_parts_are_put_together_to_the_picture_of_one_process(run, tmp_path, capsys):
    whole, out = tmp_path / "whole.zarr", tmp_path / "parts.zarr"
    assert call(capsys, f"--run={run}", f"--out={whole}", *EXTENT)[0] == 0
    part = (f"--run={run}", f"--out={out}", *EXTENT, "--shard=512")
    assert call(capsys, *part, "--part=1/3") == (0, f"{out}.parts")
    code, said = call(capsys, f"--out={out}", "--part=finish")
    assert code == 2 and said == "  shard 1-1, number 4 of 4: from row 512 and column 512 on."
    for index in (0, 2):
        assert call(capsys, *part, f"--part={index}/3") == (0, f"{out}.parts")
    assert call(capsys, f"--out={out}", "--part=finish") == (0, str(out))
    assert_same(out, whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts.zarr", "whole.zarr"]


def assert_same(out, whole):
    """Two Zarr pictures have the same pixels and metadata."""
    ours, theirs = zarr.open_group(out, mode="r"), zarr.open_group(whole, mode="r")
    assert ours.attrs["ome"]["multiscales"][0]["datasets"] == theirs.attrs["ome"]["multiscales"][0]["datasets"]
    assert ours.attrs["tf_psgan"] == theirs.attrs["tf_psgan"]
    for level in theirs.array_keys():
        np.testing.assert_array_equal(ours[level][:], theirs[level][:])


@pytest.mark.parametrize("engine, package", [("ray", "ray"), ("beam", "apache_beam")])
def test_an_engine_makes_the_picture_of_one_process(run, tmp_path, capsys, monkeypatch, engine, package):
    pytest.importorskip(package, reason=f"needs the extra {engine}")
    whole, out = tmp_path / "whole.zarr", tmp_path / "engine.zarr"
    assert call(capsys, f"--run={run}", f"--out={whole}", *EXTENT)[0] == 0
    monkeypatch.chdir(run.parent)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    arguments = (f"--run={run.name}", f"--out={out}", *EXTENT, "--shard=512", f"--engine={engine}", "--workers=2")
    assert call(capsys, *arguments) == (0, str(out))
    assert_same(out, whole)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["engine.zarr", "whole.zarr"]


@pytest.mark.parametrize("engine, package", [("ray", "ray"), ("beam", "apache_beam")])
def test_a_missing_engine_is_one_line(run, tmp_path, capsys, monkeypatch, engine, package):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else find(name))
    code, said = call(capsys, f"--run={run}", f"--out={tmp_path / 'a.zarr'}", f"--engine={engine}")
    assert code == 2 and f"pip install 'tf_psgan[{engine}]'" in said


@pytest.mark.parametrize(
    "name, arguments, words",
    [
        ("a.zarr", ["--part=3/3"], "'3/3' is no part of a picture; write 0/16 to 15/16"),
        ("a.zarr", ["--part=last"], "'last' is no part of a picture"),
        ("a.zarr", ["--part=finish", "--height=5"], "height: says nothing beside --part=finish"),
        ("a.zarr", ["--shard=512"], "shard: requires --part or --engine"),
        ("a.zarr", ["--part=0/2", "--engine=ray"], "part: says nothing beside --engine"),
        ("a.zarr", ["--workers=2"], "workers: requires --engine=ray or --engine=beam"),
        ("a.zarr", ["--engine=ray", "--engine_options=--x"], "engine_options: requires --engine=beam"),
        ("a.zarr", ["--part=0/2", "--shard=500"], "shard: 500 pixels; choose a multiple of 512"),
        ("a.png", ["--part=0/2"], "several processes cannot write the suffix '.png'; use one of .zarr, .dzi"),
        ("a.zarr", ["--part=0/2", "--animate=change"], "animate: cannot be made in parts"),
        ("a.zarr", ["--part=0/2", "--tile=xy", "--repeat=2x2"], "repeat, shared_edge: cannot be made in parts"),
    ],
)
def test_what_cannot_be_made_in_parts_is_one_line(run, tmp_path, capsys, name, arguments, words):
    given = () if "--part=finish" in arguments else (f"--run={run}",)
    code, said = call(capsys, *given, f"--out={tmp_path / name}", *arguments)
    assert code == 2 and words in said
    assert not (tmp_path / name).exists()


def test_an_address_is_for_parts_and_says_what_is_wrong_with_it(run, capsys):
    address = "nowhere://bucket/a.zarr"
    for given in ([f"--run={run}", "--part=0/2"], [f"--run={run}", "--engine=ray"], ["--part=finish"]):
        code, said = call(capsys, f"--out={address}", *given)
        assert code == 2 and said.startswith(f"error: {address}: Protocol not known: nowhere"), said
    code, said = call(capsys, f"--out={address}", f"--run={run}")
    assert code == 2 and "is not on this machine" in said
