"""Very large pictures: every format shows the view at every level, whole or after any number of kills."""

import errno
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image

from tf_psgan import pyramid, raster, raster_files, raster_partial
from tf_psgan.raster_partial import Partial

SIDE = 16
IDENTITY = {"seed": "3", "texture": "brick"}
NAMES = ("a.tif", "a.zarr", "a.dzi")
EXTENTS = [(1, 1), (16, 16), (17, 33), (100, 300), (130, 5)]
Usage = namedtuple("Usage", "total used free")


def view(top, left, height, width):
    """A colour that follows from the place alone."""
    rows, cols = np.mgrid[top : top + height, left : left + width].astype(np.uint64)
    mixed = (rows * 2654435761 + cols * 40503) ^ (rows * cols)
    return np.stack([mixed % 251, (mixed >> 8) % 256, cols % 256], axis=-1).astype(np.uint8)


class Watched:
    """`view`, noting where it was asked; `at` a call of that number does something else first."""

    def __init__(self, at=-1, act=lambda: None):
        self.places, self.at, self.act, self.lock = [], at, act, threading.Lock()

    def __call__(self, top, left, height, width):
        with self.lock:
            self.places.append((top // SIDE, left // SIDE))
            now = len(self.places) == self.at
        if now:
            self.act()
        return view(top, left, height, width)


def quiet(line):
    pass


def write(out, height, width, shown=view, identity=IDENTITY, say=quiet):
    raster.write(out, shown, height, width, identity, say, side=SIDE)


def levels(height, width, smallest=SIDE):
    """What every level is to show."""
    found = [view(0, 0, height, width)]
    for _ in pyramid.extents(height, width, smallest)[1:]:
        found.append(pyramid.halved(found[-1]))
    return found


def digest(out):
    """A hash of a picture's files and their names."""
    files = [out] if out.is_file() else []
    for folder in (out, out.with_name(f"{out.stem}_files")):
        files += sorted(path for path in folder.rglob("*") if path.is_file())
    total = hashlib.sha256()
    for file in files:
        total.update(str(file.relative_to(out.parent)).encode() + file.read_bytes())
    return total.hexdigest()


def left_behind(out):
    return [path.name for path in out.parent.iterdir() if path not in (out, out.with_name(f"{out.stem}_files"))]


@pytest.fixture(params=NAMES)
def out(request, tmp_path):
    return tmp_path / request.param


def broken():
    raise RuntimeError("cut off here")


@pytest.mark.parametrize("height, width", EXTENTS)
def test_every_page_of_a_tiff_shows_the_view(tmp_path, height, width):
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


@pytest.mark.parametrize("height, width", EXTENTS)
def test_every_array_of_a_zarr_shows_the_view(tmp_path, height, width):
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
def test_every_tile_of_deep_zoom_is_the_jpeg_of_its_part_of_the_view(tmp_path, height, width):
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
            Image.fromarray(part).save(tmp_path / "part.jpg", **raster_files.JPEG)
            tile = tmp_path / "a_files" / str(level) / f"{col}_{row}.jpg"
            assert tile.read_bytes() == (tmp_path / "part.jpg").read_bytes()
            names.add(tile)
    assert set((tmp_path / "a_files").rglob("*.jpg")) == names
    assert json.loads((tmp_path / "a_files" / "about.json").read_text())["tf_psgan"] == IDENTITY


def test_a_picture_smaller_than_a_tile_has_a_smaller_tile(tmp_path):
    raster.write(tmp_path / "a.tif", view, 20, 33, IDENTITY, quiet)
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 1
        assert file.pages[0].tilewidth == 48
        np.testing.assert_array_equal(file.pages[0].asarray(), view(0, 0, 20, 33))


def test_a_picture_of_several_usual_tiles(tmp_path):
    out = tmp_path / "a.tif"
    raster.write(out, view, 1000, 1100, IDENTITY, quiet)
    np.testing.assert_array_equal(tifffile.imread(out, key=0), view(0, 0, 1000, 1100))
    with tifffile.TiffFile(out) as file:
        assert file.pages[0].tilewidth == raster.SIDE == 512


@pytest.mark.parametrize("seed", range(2))
def test_a_picture_cut_off_many_times_is_the_same_and_makes_no_counted_tile_twice(out, tmp_path, seed, monkeypatch):
    monkeypatch.setattr(raster, "KEEP_SECONDS", 0)
    whole = tmp_path / "unbroken" / out.name
    whole.parent.mkdir()
    write(whole, 150, 133)
    places = list(pyramid.order(10, 9))
    chance, counted = random.Random(seed), 0
    while counted < len(places):
        watched = Watched(chance.randint(1, 40), broken)
        try:
            write(out, 150, 133, watched)
        except RuntimeError:
            assert not out.exists()
            assert set(watched.places).isdisjoint(places[:counted])
            counted = Partial(out).done()
        else:
            assert sorted(watched.places) == sorted(places[counted:])
            break
    assert digest(out) == digest(whole)
    assert not Partial(out).path.exists()


WRITER = """
import sys, time
from pathlib import Path
sys.path[:0] = [{tests!r}, {root!r}]
import test_raster
def slow(*window):
    time.sleep(0.004)
    return test_raster.view(*window)
test_raster.raster.KEEP_SECONDS = 0
test_raster.write(Path({out!r}), 200, 200, slow)
"""


def start(out):
    here = Path(__file__).resolve().parent
    code = WRITER.format(tests=str(here), root=str(here.parent), out=str(out))
    return subprocess.Popen([sys.executable, "-c", code])


def test_a_killed_process_leaves_a_picture_that_ends_the_same(out, tmp_path):
    whole = tmp_path / "unbroken" / out.name
    whole.parent.mkdir()
    write(whole, 200, 200)
    counts = []
    for more in (1, 60):
        process, wanted = start(out), (counts[-1] if counts else 0) + more
        while process.poll() is None and (Partial(out).done() or 0) < wanted:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.wait()
        counts.append(Partial(out).done())
    assert 0 < counts[0] < counts[1] < 169
    assert not out.exists()
    watched = Watched()
    write(out, 200, 200, watched)
    assert len(watched.places) == 169 - counts[-1]
    assert digest(out) == digest(whole)
    assert not Partial(out).path.exists()


def test_a_journal_counts_only_what_is_on_the_disk(out, monkeypatch):
    monkeypatch.setattr(raster, "KEEP_SECONDS", 0)
    kind, written, synced, counts = raster.FORMATS[out.suffix], set(), set(), []
    put, sync, keep = kind.put, kind.sync, Partial.write
    places = list(pyramid.order(7, 10))
    last = {(0, *place): i for i, place in enumerate(places)}  # a tile is complete with the last one below it
    for level in range(1, 9):
        for (k, row, col), i in list(last.items()):
            if k == level - 1:
                last[level, row // 2, col // 2] = max(i, last.get((level, row // 2, col // 2), 0))

    def watched_put(self, level, row, col, pixels):
        put(self, level, row, col, pixels)
        written.add((level, row, col))

    def watched_sync(self):
        before = set(written)
        sync(self)
        synced.update(before)

    def watched_keep(self, job, journal):
        deepest = max((level for level, _, _ in written), default=0)
        counted = {place for place, i in last.items() if i < journal.done and place[0] <= deepest}
        assert counted <= synced
        counts.append(journal.done)
        keep(self, job, journal)

    monkeypatch.setattr(kind, "put", watched_put)
    monkeypatch.setattr(kind, "sync", watched_sync)
    monkeypatch.setattr(Partial, "write", watched_keep)
    write(out, 100, 150)
    assert counts == sorted(counts)
    assert counts[:2] == [0, 1] and counts[-1] == 70


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_after_the_tiles_at_hand_and_the_same_call_goes_on(out, number):
    watched = Watched(10, lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt, match=r"stopped after tile \d+ of 70; the same command goes on"):
        write(out, 100, 150, watched)
    assert len(watched.places) == Partial(out).done() < 70
    again, said = Watched(), []
    write(out, 100, 150, again, say=said.append)
    assert len(again.places) + len(watched.places) == 70
    assert "going on from tile" in said[0]
    assert out.exists()


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    def twice():
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        write(tmp_path / "a.tif", 100, 150, Watched(3, twice))
    write(tmp_path / "a.tif", 100, 150)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), view(0, 0, 100, 150))


def test_a_call_cut_off_after_the_last_tile_goes_on_at_any_point(out, tmp_path, monkeypatch):
    whole = tmp_path / "unbroken" / out.name
    whole.parent.mkdir()
    write(whole, 100, 100)
    kind = raster.FORMATS[out.suffix]
    publish = kind.publish

    def too_early(path, out):
        raise RuntimeError

    def too_late(path, out):
        publish(path, out)
        raise RuntimeError

    for faulty in (too_early, too_late):
        monkeypatch.setattr(kind, "publish", staticmethod(faulty))
        with pytest.raises(RuntimeError):
            write(out, 100, 100)
    monkeypatch.setattr(kind, "publish", staticmethod(publish))
    if out.suffix == ".dzi":
        out.unlink()  # as if cut off between the tiles and the .dzi
    watched = Watched()
    write(out, 100, 100, watched)
    assert watched.places == []
    assert digest(out) == digest(whole)
    assert left_behind(out) == ["unbroken"]


def test_what_a_cut_off_write_leaves_is_written_over(out, tmp_path, monkeypatch):
    monkeypatch.setattr(raster, "KEEP_SECONDS", 0)
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    path = Partial(out).picture
    if out.suffix == ".zarr":
        (path / "0/c/0/6").mkdir(exist_ok=True)
        for name in ("6", "6.0123.partial"):
            (path / "0/c/0/6" / name).write_bytes(b"cut off")
    if out.suffix == ".dzi":
        (path / "7/6_6.jpg").write_bytes(b"cut off")
    write(out, 100, 100)
    whole = tmp_path / "unbroken" / out.name
    whole.parent.mkdir()
    write(whole, 100, 100)
    assert digest(out) == digest(whole)


def test_an_unfinished_picture_of_another_job_is_refused_and_stays(out):
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    for height, identity, words in (
        (100, IDENTITY | {"seed": "4"}, "seed 3 there, 4 here"),
        (100, {"seed": "3"}, "texture brick there, None here"),
        (101, IDENTITY, "height 100 there, 101 here"),
    ):
        with pytest.raises(ValueError, match=f"begun as another picture .{words}.; delete that folder or choose"):
            write(out, height, 100, identity=identity)
    write(out, 100, 100)


def test_a_damaged_journal_or_a_missing_picture_is_named(out, monkeypatch):
    monkeypatch.setattr(raster, "KEEP_SECONDS", 0)
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    Partial(out).picture.rename(out.parent / "away")
    with pytest.raises(ValueError, match="its picture is gone; delete that folder"):
        write(out, 100, 100)
    journal = Partial(out).path / "journal"
    data = journal.read_bytes()
    for damaged in (b"", data[: len(data) // 2], data[:200] + b"?" + data[201:], b"{}"):
        journal.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"journal: cannot be used .*; delete that folder"):
            write(out, 100, 100)


def test_two_processes_do_not_make_one_picture(out):
    with Partial(out).locked(), pytest.raises(ValueError, match="another process is making this picture; wait for it"):
        write(out, 100, 100)
    write(out, 100, 100)


def test_a_process_that_finds_the_lock_of_a_picture_just_finished_keeps_out(out, monkeypatch):
    def finished_meanwhile(stream, how):
        Path(stream.name).unlink()

    monkeypatch.setattr(raster_partial.fcntl, "flock", finished_meanwhile)
    with pytest.raises(ValueError, match="another process is making this picture"):
        write(out, 100, 100)


def test_a_tile_written_in_parts_is_whole(tmp_path, monkeypatch):
    at_once = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda file, data, offset: at_once(file, data[:100], offset))
    write(tmp_path / "a.tif", 40, 40)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), view(0, 0, 40, 40))


def test_a_full_disk_is_named_and_the_same_call_goes_on(out, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    kind = raster.FORMATS[out.suffix]
    with monkeypatch.context() as patch:
        patch.setattr(kind, "put", full)
        with pytest.raises(OSError, match="No space left") as raised:
            write(out, 100, 100)
        assert raised.value.filename == str(Partial(out).path)
    write(out, 100, 100)


def test_too_little_space_is_refused_with_both_figures_before_anything_is_made(out, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 10_000_000))
    words = r"takes up to [0-9.]+ GB and there are 10.0 MB free"
    with pytest.raises(ValueError, match=words):
        write(out, 32768, 32768)
    assert list(out.parent.iterdir()) == []
    raster.check(out, 1000, 1000)


def test_a_picture_half_done_needs_half_the_space(tmp_path, monkeypatch):
    out = tmp_path / "a.tif"
    with pytest.raises(KeyboardInterrupt):
        write(out, 640, 640, Watched(1200, lambda: os.kill(os.getpid(), signal.SIGTERM)))
    assert Partial(out).done() >= 1200
    whole = raster.Tiff.bytes_per_pixel * 640 * 640 * 4 / 3
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**9, 0, 0.5 * whole))
    raster.check(out, 640, 640, SIDE)
    with pytest.raises(ValueError, match="make room"):
        raster.check(tmp_path / "b.tif", 640, 640, SIDE)


@pytest.mark.parametrize(
    "name, height, width, words",
    [
        ("a.gif", 5, 5, "a.gif: cannot write the suffix '.gif' tile by tile; use one of .tif, .tiff, .zarr, .dzi"),
        ("no/a.tif", 5, 5, "the folder .*no is missing; make it or correct --out"),
        ("a.tif", 0, 5, "height: 0 is outside 1 .. 10000000"),
        ("a.tif", 5, 10**9, "width: 1000000000 is outside"),
        ("there.tif", 5, 5, "there.tif: is there already; delete it or choose another --out"),
        ("there.zarr", 5, 5, "there.zarr: is there already"),
        ("there.dzi", 5, 5, "there_files: is there already"),
    ],
)
def test_what_cannot_be_written_is_refused_in_one_line(tmp_path, name, height, width, words):
    for folder in ("there.tif", "there.zarr", "there_files"):
        (tmp_path / folder).mkdir()
    with pytest.raises(ValueError, match=words):
        raster.check(tmp_path / name, height, width)


@pytest.mark.parametrize("name", ["a.tif", "a.zarr"])
def test_a_missing_package_is_named_with_the_extra(tmp_path, name, monkeypatch):
    monkeypatch.setattr(raster.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=re.escape("pip install 'tf_psgan[large]'")):
        raster.check(tmp_path / name, 5, 5)


def test_a_file_of_that_name_stays_until_the_new_one_is_whole(tmp_path):
    out = tmp_path / "a.tif"
    out.write_text("old")
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    assert out.read_text() == "old"
    write(out, 100, 100)
    np.testing.assert_array_equal(tifffile.imread(out, key=0), view(0, 0, 100, 100))


def test_progress_tells_share_speed_and_time_left(tmp_path, monkeypatch):
    monkeypatch.setattr(raster.progress, "LOG_SECONDS", 0.0)
    said = []
    write(tmp_path / "a.tif", 100, 100, say=said.append)
    shape = r"\d+\.\d % of 0\.0 megapixels  \d+\.\d megapixels/s  \d\d:\d\d left"
    assert len(said) == 49
    assert all(re.fullmatch(shape, line) for line in said)
    assert said[-1].startswith("100.0 %")


def test_progress_does_not_flood_a_log(tmp_path):
    said = []
    write(tmp_path / "a.tif", 100, 100, say=said.append)
    assert len(said) == 1


MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from tf_psgan import raster
tile = np.random.default_rng(0).integers(0, 256, (512, 512, 3), np.uint8)
raster.write(Path({out!r}), lambda t, l, h, w: tile[:h, :w].copy(), {side}, {side}, {{}}, print)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def test_memory_does_not_grow_with_the_picture(tmp_path):
    peaks = []
    for side in (2048, 6144):
        code = MEMORY.format(out=str(tmp_path / f"{side}.tif"), side=side)
        root = Path(__file__).resolve().parent.parent
        done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    assert peaks[1] - peaks[0] < 30  # megabytes; the picture itself has 100 more
