"""Files to write are checked before any work: nothing that is read is replaced, and what cannot be written is named."""

import os
import shutil
from collections import namedtuple

import pytest

from tf_psgan.errors import InputError
from tf_psgan.rendering.animation import writer as animation_writer
from tf_psgan.rendering.raster import writer as raster_writer
from tf_psgan.runs import outputs

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    return folder


def rejected(words, call, *args, **kwargs):
    with pytest.raises(InputError, match=words) as error:
        call(*args, **kwargs)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("way", ["itself", "other spelling", "symbolic link", "hard link", "link to its folder"])
def test_an_input_is_never_replaced_whatever_name_leads_to_it(tmp_path, way):
    (tmp_path / "in").mkdir()
    picture, out = tmp_path / "in" / "a.png", tmp_path / "b.png"
    picture.write_bytes(b"picture")
    if way == "itself":
        out = picture
    elif way == "other spelling":
        out = tmp_path / "in" / ".." / "in" / "a.png"
    elif way == "symbolic link":
        out.symlink_to(picture)
    elif way == "hard link":
        os.link(picture, out)
    else:
        (tmp_path / "link").symlink_to(tmp_path / "in")
        out = tmp_path / "link" / "a.png"
    for call in (
        lambda: outputs.check(out, [picture]),
        lambda: raster_writer.check(out.with_suffix(".tif"), 9, 9, inputs=[out.with_suffix(".tif")]),
    ):
        shutil.copy(picture, out.with_suffix(".tif"))
        rejected("is the input .*; choose another name", call)
    outputs.check(tmp_path / "c.png", [picture, tmp_path / "missing.png"])


@pytest.mark.parametrize("name", ["config.json", "report-samples.png", "textures/a.png", "checkpoints/1/a.png"])
def test_a_file_of_a_run_is_never_an_output(run, name):
    (run / name).parent.mkdir(parents=True, exist_ok=True)
    rejected(f"belongs to the run {run}; choose another name", outputs.check, run / name)


def test_other_names_in_a_run_and_these_names_elsewhere_are_free(run, tmp_path):
    outputs.check(run / "picture.png")
    outputs.check(tmp_path / "config.json")


def test_a_run_that_reaches_its_own_files_by_a_link_is_recognised(run, tmp_path):
    (tmp_path / "link").symlink_to(run)
    rejected("belongs to the run", outputs.check, tmp_path / "link" / "metrics.jsonl")


def test_a_run_among_the_pictures_that_it_learns_is_an_error(tmp_path):
    photos = tmp_path / "photos"
    photos.mkdir()
    rejected("lies in the folder of pictures", outputs.check_apart, photos / "run", [photos])
    rejected("lies in the folder of pictures", outputs.check_apart, photos, [photos])
    outputs.check_apart(photos / ".runs" / "a", [photos])
    outputs.check_apart(tmp_path / "run", [photos, tmp_path / "missing"])


def test_a_name_may_be_as_long_as_the_system_allows(tmp_path):
    longest = os.pathconf(tmp_path, "PC_NAME_MAX")
    outputs.check(tmp_path / ("a" * (longest - 4) + ".png"))
    name = "ü" * (longest // 2 - 1) + ".png"
    rejected(f"its name has .* bytes; choose one of at most {longest}", outputs.check, tmp_path / name)
    rejected("its name has .* bytes", raster_writer.check, tmp_path / ("a" * (longest - 4) + ".tif"), 9, 9)
    rejected("cannot be a file", outputs.check, tmp_path / ("a" * 300) / "a.png")


def test_folders_pipes_and_missing_or_locked_folders_are_named(tmp_path, monkeypatch):
    (tmp_path / "folder.png").mkdir()
    os.mkfifo(tmp_path / "pipe.png")
    rejected("is a folder", outputs.check, tmp_path / "folder.png")
    rejected("is a device or a pipe", outputs.check, tmp_path / "pipe.png")
    rejected("the folder .*no is missing; make it", outputs.check, tmp_path / "no" / "a.png")
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    rejected("no permission to write in", outputs.check, tmp_path / "a.png")


@pytest.mark.parametrize("suffix, side", [(".webp", 16383), (".jpg", 65500), (".jpeg", 65500), (".png", 2**31 - 1)])
def test_the_sides_of_a_picture_fit_its_format(tmp_path, suffix, side):
    # One row, so that only the side matters.
    free = shutil.disk_usage(tmp_path).free
    if side * 3 < free:
        outputs.check_picture(tmp_path / f"a{suffix}", 1, side)
    rejected(
        f"sides of {suffix} files have at most {side}", outputs.check_picture, tmp_path / f"a{suffix}", side + 1, 1
    )


def test_a_picture_and_an_animation_need_room_on_the_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 10**6))
    outputs.check_picture(tmp_path / "a.png", 500, 500)
    words = r"takes about 3.0 MB, and 1.0 MB are free in .*; make room"
    rejected(words, outputs.check_picture, tmp_path / "a.png", 1000, 1000)
    rejected("takes about 48.0 MB", animation_writer.check, tmp_path / "a.gif", 48, 500, 500, 24.0)


def test_the_room_is_that_of_the_disk_to_which_a_folder_leads(tmp_path, monkeypatch):
    out = tmp_path / "models"
    (tmp_path / "elsewhere").mkdir()
    out.symlink_to(tmp_path / "elsewhere")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, 10**6 if path == out else 10**9))
    rejected(f"1.0 MB are free in {out}; make room", outputs.check_space, out, 10**7, "make room")
