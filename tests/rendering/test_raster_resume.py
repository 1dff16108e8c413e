"""Interrupted pictures of any extent: the same picture after any number of kills, and no counted block made twice."""

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
    raise RuntimeError("interrupted here")


@pytest.mark.parametrize("seed", range(2))
def test_a_picture_interrupted_many_times_is_the_same_and_makes_no_counted_block_twice(
    out, tmp_path, seed, monkeypatch
):
    monkeypatch.setattr(raster_writer, "JOURNAL_SECONDS", 0)
    whole = tmp_path / "uninterrupted" / out.name
    whole.parent.mkdir()
    write(whole, 150, 133)
    indices = list(pyramid.order(10, 9))
    chance, counted = random.Random(seed), 0
    while counted < len(indices):
        watched = Watched(chance.randint(1, 40), broken)
        try:
            write(out, 150, 133, watched)
        except RuntimeError:
            assert not out.exists()
            assert set(watched.blocks).isdisjoint(indices[:counted])
            counted = Partial(out).done()
        else:
            assert sorted(watched.blocks) == sorted(indices[counted:])
            break
    assert digest(out) == digest(whole)
    assert not Partial(out).path.exists()


WRITER = """
import itertools, os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support import small_raster
from tf_psgan.rendering.raster import writer as raster_writer
calls = itertools.count(1)
def killed(*window):
    if next(calls) == {last}:
        os.kill(os.getpid(), signal.SIGKILL)
    return small_raster.view(*window)
raster_writer.JOURNAL_SECONDS = 0
small_raster.write(Path({out!r}), 200, 200, killed)
"""


def run_killed(out, last):
    """Writes a picture in a process that is killed when it computes its block number `last`."""
    code = WRITER.format(root=str(Path(__file__).resolve().parents[2]), out=str(out), last=last)
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


def test_a_killed_process_leaves_a_picture_that_ends_the_same(out, tmp_path):
    whole = tmp_path / "uninterrupted" / out.name
    whole.parent.mkdir()
    write(whole, 200, 200)
    counts = []
    for last in (40, 60):
        run_killed(out, last)
        counts.append(Partial(out).done())
    assert 0 <= counts[0] <= counts[1] < 100
    assert not out.exists()
    watched = Watched()
    write(out, 200, 200, watched)
    assert len(watched.blocks) == 169 - counts[-1]
    assert digest(out) == digest(whole)
    assert not Partial(out).path.exists()


def test_a_journal_counts_only_what_is_on_the_disk(out, monkeypatch):
    monkeypatch.setattr(raster_writer, "JOURNAL_SECONDS", 0)
    kind, written, synced, counts = raster_writer.FORMATS[out.suffix], set(), set(), []
    put, sync, write_journal = kind.put, kind.sync, Partial.write
    indices = list(pyramid.order(7, 10))
    last = {(0, *index): i for i, index in enumerate(indices)}  # a block is complete with the last one below it
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

    def watched_write(self, job, journal):
        deepest = max((level for level, _, _ in written), default=0)
        counted = {index for index, i in last.items() if i < journal.done and index[0] <= deepest}
        assert counted <= synced
        counts.append(journal.done)
        write_journal(self, job, journal)

    monkeypatch.setattr(kind, "put", watched_put)
    monkeypatch.setattr(kind, "sync", watched_sync)
    monkeypatch.setattr(Partial, "write", watched_write)
    write(out, 100, 150)
    assert counts == sorted(counts)
    assert counts[:2] == [0, 1] and counts[-1] == 70


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_after_the_blocks_already_begun_and_the_same_call_continues(out, number, logged):
    watched = Watched(10, lambda: os.kill(os.getpid(), number))
    with pytest.raises(KeyboardInterrupt, match=r"stopped after block \d+ of 70; run the same again"):
        write(out, 100, 150, watched)
    assert len(watched.blocks) == Partial(out).done() < 70
    again = Watched()
    write(out, 100, 150, again)
    assert len(again.blocks) + len(watched.blocks) == 70
    assert "continuing after block" in logged()
    assert out.exists()


def test_a_second_ctrl_c_ends_at_once(tmp_path):
    def twice():
        stop = signal.getsignal(signal.SIGINT).__self__
        os.kill(os.getpid(), signal.SIGINT)
        while not stop.requested:  # signals that are not yet handled when another one comes count once
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="the same command resumes"):
        write(tmp_path / "a.tif", 100, 150, Watched(3, twice))
    write(tmp_path / "a.tif", 100, 150)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif", key=0), view(0, 0, 100, 150))


def test_a_call_interrupted_after_the_last_block_continues_at_any_point(out, tmp_path, monkeypatch):
    whole = tmp_path / "uninterrupted" / out.name
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
        out.unlink()  # as if interrupted between the folder and the .dzi
    watched = Watched()
    write(out, 100, 100, watched)
    assert watched.blocks == []
    assert digest(out) == digest(whole)
    assert left_behind(out) == ["uninterrupted"]


def test_incomplete_files_of_an_interrupted_call_are_replaced(out, tmp_path, monkeypatch):
    monkeypatch.setattr(raster_writer, "JOURNAL_SECONDS", 0)
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    path = Partial(out).picture
    if out.suffix == ".zarr":
        (path / "0/c/0/6").mkdir(exist_ok=True)
        for name in ("6", "6.0123.partial"):
            (path / "0/c/0/6" / name).write_bytes(b"incomplete")
    if out.suffix == ".dzi":
        (path / "7/6_6.jpg").write_bytes(b"incomplete")
    write(out, 100, 100)
    whole = tmp_path / "uninterrupted" / out.name
    whole.parent.mkdir()
    write(whole, 100, 100)
    assert digest(out) == digest(whole)


def test_an_unfinished_picture_of_another_job_is_an_error_and_stays(out):
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
    monkeypatch.setattr(raster_writer, "JOURNAL_SECONDS", 0)
    with pytest.raises(RuntimeError):
        write(out, 100, 100, Watched(20, broken))
    Partial(out).picture.rename(out.parent / "away")
    with pytest.raises(ValueError, match="its picture is missing; delete that folder"):
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


def test_a_process_that_finds_the_lock_of_a_picture_just_finished_does_not_begin(out, monkeypatch):
    def finished_meanwhile(handle, blocking):
        (Partial(out).path / "lock").unlink()
        return True

    monkeypatch.setattr(locks, "lock_descriptor", finished_meanwhile)
    with pytest.raises(ValueError, match="another process is making this picture"):
        write(out, 100, 100)
