"""Pictures of any extent: every format equals the view at every level; errors come before any work."""

import errno
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from tests.support.small_raster import IDENTITY, NAMES, SIDE, Watched, left_behind, levels, view, write
from tf_psgan.data.colour import srgb_profile
from tf_psgan.rendering.raster import formats, pyramid, spans
from tf_psgan.rendering.raster import writer as raster_writer
from tf_psgan.rendering.raster.journal import Partial
from tf_psgan.runtime import progress

EXTENTS = [(1, 1), (16, 16), (17, 33), (100, 300), (130, 5)]
Usage = namedtuple("Usage", "total used free")


@pytest.fixture(params=NAMES)
def out(request, tmp_path):
    return tmp_path / request.param


def broken():
    raise RuntimeError("interrupted here")


@pytest.mark.parametrize("height, width", EXTENTS)
def test_every_page_of_a_tiff_equals_the_view(tmp_path, height, width):
    out = tmp_path / "a.tif"
    write(out, height, width)
    with tifffile.TiffFile(out) as file:
        assert file.is_bigtiff
        expected = levels(height, width)
        assert len(file.pages) == len(expected)
        for i, (page, pixels) in enumerate(zip(file.pages, expected, strict=True)):
            np.testing.assert_array_equal(page.asarray().reshape(pixels.shape), pixels)
            assert page.is_tiled and page.is_reduced == (i > 0)
            assert (page.tilelength, page.tilewidth) == (SIDE, SIDE)
        assert json.loads(file.pages[0].description) == IDENTITY
        assert file.pages[0].software.startswith("tf_psgan ")
    assert left_behind(out) == []


def test_a_picture_asked_for_in_squares_of_blocks_is_the_same_and_no_square_is_made_twice(tmp_path):
    asked = Watched()
    out = tmp_path / "a.tif"
    write(out, 100, 300, spans.Spans(asked, 100, 300, 4 * SIDE))
    np.testing.assert_array_equal(tifffile.imread(out, key=0), view(0, 0, 100, 300))
    assert sorted(asked.blocks) == [(row, col) for row in (0, 4) for col in range(0, 19, 4)]


def test_a_square_whose_computation_failed_is_computed_again():
    asked = Watched(1, broken)
    shown = spans.Spans(asked, 100, 100, 4 * SIDE)
    with pytest.raises(RuntimeError, match="interrupted here"):
        shown(16, 0, 16, 16)
    np.testing.assert_array_equal(shown(16, 0, 16, 16), view(16, 0, 16, 16))


@pytest.mark.parametrize("height, width", EXTENTS)
def test_every_array_of_a_zarr_equals_the_view(tmp_path, height, width):
    out = tmp_path / "a.zarr"
    write(out, height, width)
    group = zarr.open_group(out, mode="r")
    datasets = group.attrs["ome"]["multiscales"][0]["datasets"]
    expected = levels(height, width)
    for i, (dataset, pixels) in enumerate(zip(datasets, expected, strict=True)):
        array = group[dataset["path"]]
        np.testing.assert_array_equal(array[:].transpose(1, 2, 0), pixels)
        assert array.chunks == (3, SIDE, SIDE)
        assert dataset["coordinateTransformations"][0]["scale"] == [1, 2**i, 2**i]
    assert group.attrs["tf_psgan"] == IDENTITY
    assert left_behind(out) == []


@pytest.mark.parametrize("height, width", EXTENTS)
def test_every_file_of_deep_zoom_is_the_jpeg_of_its_block_of_the_view(tmp_path, height, width):
    out = tmp_path / "a.dzi"
    write(out, height, width)
    root = ET.parse(out).getroot()
    assert root.attrib == {"Format": "jpg", "Overlap": "0", "TileSize": str(SIDE)}
    assert root[0].attrib == {"Height": str(height), "Width": str(width)}
    expected = levels(height, width, smallest=1)[::-1]
    assert expected[0].shape == (1, 1, 3)
    names = set()
    for level, pixels in enumerate(expected):
        for row, col in np.ndindex(pyramid.grid(pixels.shape[:2], SIDE)):
            part = pixels[row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
            Image.fromarray(part).save(tmp_path / "part.jpg", **formats.JPEG, icc_profile=srgb_profile())
            tile = tmp_path / "a_files" / str(level) / f"{col}_{row}.jpg"
            assert tile.read_bytes() == (tmp_path / "part.jpg").read_bytes()
            names.add(tile)
    assert set((tmp_path / "a_files").rglob("*.jpg")) == names
    assert json.loads((tmp_path / "a_files" / "about.json").read_text())["tf_psgan"] == IDENTITY


def test_a_picture_smaller_than_a_block_has_a_smaller_block(tmp_path):
    raster_writer.write(tmp_path / "a.tif", view, 20, 33, IDENTITY)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 1
        assert file.pages[0].tilewidth == 48
        np.testing.assert_array_equal(file.pages[0].asarray(), view(0, 0, 20, 33))


def test_a_picture_of_several_blocks_of_the_default_side(tmp_path):
    out = tmp_path / "a.tif"
    raster_writer.write(out, view, 1000, 1100, IDENTITY)
    np.testing.assert_array_equal(tifffile.imread(out, key=0), view(0, 0, 1000, 1100))
    with tifffile.TiffFile(out) as file:
        assert file.pages[0].tilewidth == raster_writer.SIDE == 512


def test_a_block_written_in_parts_is_complete(tmp_path, monkeypatch):
    at_once = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: at_once(file, data[:100], offset))
    write(tmp_path / "a.tif", 40, 40)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), view(0, 0, 40, 40))


def test_blocks_are_written_where_the_system_has_no_pwrite(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "pwrite")
    write(tmp_path / "a.tif", 100, 150)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), view(0, 0, 100, 150))


def test_a_full_disk_is_an_error_with_the_path_and_the_same_call_continues(out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    kind = raster_writer.FORMATS[out.suffix]
    with monkeypatch.context() as patch:
        patch.setattr(kind, "put", full)
        with pytest.raises(OSError, match="No space left") as raised:
            write(out, 100, 100)
        assert raised.value.filename == str(Partial(out).path)
    write(out, 100, 100)


def test_too_little_space_is_an_error_with_both_numbers_before_anything_is_written(out, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 10_000_000))
    words = r"takes about [0-9.]+ GB, and 10.0 MB are free"
    with pytest.raises(ValueError, match=words):
        write(out, 32768, 32768)
    assert list(out.parent.iterdir()) == []
    raster_writer.check(out, 1000, 1000)


def test_a_half_finished_picture_needs_half_the_space(tmp_path, monkeypatch):
    out = tmp_path / "a.tif"
    with pytest.raises(KeyboardInterrupt):
        write(out, 640, 640, Watched(1200, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert Partial(out).done() >= 1200
    whole = raster_writer.Tiff.bytes_per_pixel * 640 * 640 * 4 / 3
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 0.5 * whole))
    raster_writer.check(out, 640, 640, SIDE)
    with pytest.raises(ValueError, match="make room"):
        raster_writer.check(tmp_path / "b.tif", 640, 640, SIDE)


@pytest.mark.parametrize(
    "name, height, width, words",
    [
        ("a.gif", 5, 5, "a.gif: cannot write the suffix '.gif' block by block; use one of .tif, .tiff, .zarr, .dzi"),
        ("no/a.tif", 5, 5, "the folder .*no is missing; make it"),
        ("a.tif", 0, 5, "height: 0 is outside 1 .. 10000000"),
        ("a.tif", 5, 10**9, "width: 1000000000 is outside"),
        ("there.tif", 5, 5, "there.tif: exists already; delete it or choose another file"),
        ("there.zarr", 5, 5, "there.zarr: exists already"),
        ("there.dzi", 5, 5, "there_files: exists already"),
    ],
)
def test_what_cannot_be_written_is_an_error_before_any_work(tmp_path, name, height, width, words):
    for folder in ("there.tif", "there.zarr", "there_files"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ValueError, match=words):
        raster_writer.check(tmp_path / name, height, width)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_missing_package_is_an_error_that_names_the_extra(tmp_path, name, monkeypatch):
    monkeypatch.setattr(raster_writer.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=re.escape("pip install 'tf_psgan[large]'")):
        raster_writer.check(tmp_path / name, 5, 5)


def test_an_older_file_of_that_name_stays_until_the_new_one_is_complete(tmp_path):
    out = tmp_path / "a.tif"
    out.write_text("old")
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    assert out.read_text() == "old"
    write(out, 100, 100)
    np.testing.assert_array_equal(tifffile.imread(out, key=0), view(0, 0, 100, 100))


def test_progress_counts_the_pixels_of_every_block(tmp_path, monkeypatch, logged):
    monkeypatch.setattr(progress, "LOG_SECONDS", 0.0)
    write(tmp_path / "a.tif", 100, 100)
    lines = logged().splitlines()
    assert len(lines) == 49
    assert all(re.match(r"\d+ of 10000 pixels, \d+ %, .* pixels/s", line) for line in lines)
    assert lines[-1].startswith("10000 of 10000 pixels, 100 %")


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from tf_psgan.rendering.raster import writer as raster
tile = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
raster.write(Path({out!r}), lambda t, l, h, w: tile[:h, :w].copy(), {side}, {side}, {{}})
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_picture(tmp_path):
    peaks = []
    for side in (2048, 6144):
        code = MEMORY.format(out=str(tmp_path / f"{side}.tif"), side=side)
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 30  # megabytes; the picture itself has 100 more
