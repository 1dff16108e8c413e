"""Paths on a command line: addresses, commas, ~, byte-order marks, and errors about several files."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tf_psgan.cli import evaluate, export, flags, generate, program, train
from tf_psgan.data import manifest
from tf_psgan.errors import PictureError
from tf_psgan.exporting import export as exporter
from tf_psgan.runs import exported_model

COMMANDS = {"train": train, "generate": generate, "export": export, "evaluate": evaluate}


@pytest.fixture
def call(capsys):
    """Runs a command line without its work; its exit code, standard output and standard error."""

    def run(command, *arguments, work=lambda values: "done"):
        code = program.run([command, *arguments], "usage", COMMANDS[command].define, work)
        return code, *capsys.readouterr()

    return run


@pytest.mark.parametrize(
    "command, flag",
    [
        ("train", "images"),
        ("train", "run"),
        ("generate", "run"),
        ("generate", "out"),
        ("generate", "paint"),
        ("generate", "like"),
        ("export", "run"),
        ("export", "out"),
        ("evaluate", "run"),
        ("evaluate", "images"),
        ("evaluate", "sources"),
        ("evaluate", "json"),
        ("evaluate", "sheet"),
        ("evaluate", "vgg"),
    ],
)
@pytest.mark.parametrize("address", ["gs://bucket/a.png", "https://host/a.png", "file:///a.png"])
def test_an_address_is_an_error_in_every_command(call, command, flag, address):
    code, out, err = call(command, f"--{flag}={address}")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"error: {flag}: '{address}' is not on this machine")


def test_an_address_is_an_error_of_the_library_too():
    with pytest.raises(PictureError, match=r"'gs://bucket': is not a path of this machine; copy it"):
        manifest.scan(["gs://bucket"])


def test_a_name_with_a_comma_has_a_way_that_the_error_shows(call, tmp_path):
    path = tmp_path / "red, blue.png"
    path.write_bytes(b"")
    code, _, err = call("train", f"--images={path}")
    assert code == 2 and err.startswith(f"error: images: '{path}' was read as 2 names; write --images=")
    shown = re.search(r"--images='(.*)' \(in", err)[1]
    assert call("train", f"--images={shown}", work=lambda values: "|".join(values.images))[1] == f"{path}\n"


def test_a_tilde_is_the_home_in_lists_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "a.png")
    (entry,) = manifest.scan(["~/a.png"]).usable
    assert entry.path == str(tmp_path / "a.png")


@pytest.mark.parametrize("first", ["--seed=3", "# a comment", "--flagfile={other}", ""])
def test_a_flag_file_may_begin_with_a_byte_order_mark(call, tmp_path, first):
    other, file = tmp_path / "other.cfg", tmp_path / "my.cfg"
    other.write_bytes(b"\xef\xbb\xbf--seed=3\n")
    first = first.format(other=other)
    file.write_bytes(b"\xef\xbb\xbf" + first.encode() + b"\n--steps=5\n")
    expected = "3 5\n" if "seed" in first or "other" in first else "1 5\n"
    assert call("train", f"--flagfile={file}", work=lambda values: f"{values.seed} {values.steps}")[:2] == (0, expected)


@pytest.mark.parametrize("name", ["b[r]", "a\\b", os.fsdecode(b"\xff")])
def test_a_folder_that_tensorflow_cannot_use_is_an_error_before_an_export(tmp_path, name):
    with pytest.raises(ValueError, match=r"TensorFlow (reads|cannot)"):
        exporter.export(tmp_path / "no run", tmp_path / name / "model")
    with pytest.raises(ValueError, match=r"TensorFlow (reads|cannot)"):
        exported_model.read(tmp_path / name / "model")
    assert list(tmp_path.iterdir()) == []


def bad_pictures(folder: Path, count: int) -> list[Path]:
    """Files that are no pictures, in a folder whose path is long."""
    folder = folder / ("long" * 50) / ("path" * 50)
    folder.mkdir(parents=True)
    paths = [folder / f"{i:02d}.png" for i in range(count)]
    for path in paths:
        path.write_bytes(b"no picture")
    return paths


def scanned(paths):
    def work(values):
        return str(manifest.check(manifest.scan([str(paths[0].parent)]), 8))

    return work


def test_an_error_about_several_files_has_a_line_for_each(call, tmp_path):
    paths = bad_pictures(tmp_path, 4)
    code, out, err = call("train", work=scanned(paths))
    headline, *lines = err.splitlines()
    assert (code, out) == (2, "") and headline.startswith("error: images: 4 of 4 pictures cannot be used")
    assert headline.endswith("repair or remove them:")
    assert [line.partition(": ")[0] for line in lines] == [f"  {path}" for path in paths]


def test_an_error_about_many_files_names_the_first_the_count_and_a_file_with_all(call, tmp_path, monkeypatch):
    monkeypatch.setattr(program.tempfile, "tempdir", str(tmp_path))
    paths = bad_pictures(tmp_path, program.LISTED + 3)
    _, _, err = call("train", work=scanned(paths))
    assert err.count("\n") == 1 + program.LISTED + 1
    listed = Path(re.search(r"  and 3 more; all are in (.*)$", err.splitlines()[-1])[1])
    assert [line.partition(": ")[0] for line in listed.read_text().splitlines()] == [str(path) for path in paths]


def test_every_flag_with_a_path_is_checked():
    for command in COMMANDS.values():
        values = flags.flags.FlagValues()
        command.define(values)
        named = {name for name in values if re.search(r"\b(file|folder|folders|pictures?)\b", values[name].help or "")}
        missed = {name for name in named if values[name].flag_type() in ("string", "comma separated list of strings")}
        assert missed - set(flags._PATHS) <= {
            "preset",
            "model",  # may be an address of the hub
            "source_licence",
            "name",
            "repeat",
            "morph",
            "shared_edge",
            "part",
            "maps",
        }
