"""Very large pictures, cut off: after any number of kills the same picture, and no counted tile is made twice."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.support.small_raster import IDENTITY, NAMES, Watched, digest, left_behind, view, write
from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster import writer as raster_writer
from tf_psgan.rendering.raster.journal import Partial
from tf_psgan.runtime import locks


@pytest.fixture(params=NAMES)
def out(request, tmp_path):
    return tmp_path / request.param


def broken():
    raise RuntimeError("cut off here")


@pytest.mark.parametrize("seed", range(2))
def test_a_picture_cut_off_many_times_is_the_same_and_makes_no_counted_tile_twice(out, tmp_path, seed, monkeypatch):
    monkeypatch.setattr(raster_writer, "KEEP_SECONDS", 0)
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
sys.path.insert(0, {root!r})
from tests.support import small_raster
from tf_psgan.rendering.raster import writer as raster_writer
def slow(*window):
    time.sleep(0.004)
    return small_raster.view(*window)
raster_writer.KEEP_SECONDS = 0
small_raster.write(Path({out!r}), 200, 200, slow)
"""


def start(out):
    code = WRITER.format(root=str(Path(__file__).resolve().parents[2]), out=str(out))
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
    monkeypatch.setattr(raster_writer, "KEEP_SECONDS", 0)
    kind, written, synced, counts = raster_writer.FORMATS[out.suffix], set(), set(), []
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
def test_a_signal_ends_after_the_tiles_at_hand_and_the_same_call_goes_on(out, number, logged):
    watched = Watched(10, lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt, match=r"stopped after tile \d+ of 70; the same command goes on"):
        write(out, 100, 150, watched)
    assert len(watched.places) == Partial(out).done() < 70
    again = Watched()
    write(out, 100, 150, again)
    assert len(again.places) + len(watched.places) == 70
    assert "going on from tile" in logged()
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
    kind = raster_writer.FORMATS[out.suffix]
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
    monkeypatch.setattr(raster_writer, "KEEP_SECONDS", 0)
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
    monkeypatch.setattr(raster_writer, "KEEP_SECONDS", 0)
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
    def finished_meanwhile(handle, blocking):
        (Partial(out).path / "lock").unlink()
        return True

    monkeypatch.setattr(locks, "lock_descriptor", finished_meanwhile)
    with pytest.raises(ValueError, match="another process is making this picture"):
        write(out, 100, 100)
