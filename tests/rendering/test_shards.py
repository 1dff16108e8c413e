"""Pictures made by several processes: the pixels of one process, whatever is killed, broken, missing or doubled."""

import itertools
import json
import signal
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
import zarr
from PIL import Image

from tests.support.small_raster import IDENTITY, SIDE, left_behind, levels, view
from tests.support.small_shards import HEIGHT, NAMES, SHARD, WIDTH, one_process, pixels, planned, same
from tf_psgan.errors import InputError, PictureError, SettingError
from tf_psgan.rendering.raster import shards

ROOT = Path(__file__).resolve().parents[2]
Usage = namedtuple("Usage", "total used free")

WORKER = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tests.support.small_raster import IDENTITY, SIDE, view
from tf_psgan.rendering.raster import shards
out, part, parts, wait = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
calls = []
def shown(*place):
    calls.append(place)
    if len(calls) == wait:
        print("waits", flush=True)
        sys.stdin.read()
    return view(*place)
planned = shards.plan({HEIGHT}, {WIDTH}, IDENTITY, shard={SHARD}, side=SIDE)
print("made", shards.render_part(out, planned, shown, part, parts), flush=True)
"""


@pytest.fixture(params=NAMES)
def out(request, tmp_path):
    return tmp_path / request.param


def worker(out, part, parts, wait=0):
    """A process that makes a part, and waits for the end of its input before its block of that number."""
    command = [sys.executable, "-c", WORKER, *map(str, (out, part, parts, wait))]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_two_processes_make_the_pixels_of_one_and_a_killed_one_is_made_up_for(out):
    expected, parts = one_process(out), 2
    first, second = worker(out, 0, parts, wait=9), worker(out, 1, parts)
    try:
        assert first.stdout.readline() == "waits\n"
        first.send_signal(signal.SIGKILL)
        assert first.wait() == -signal.SIGKILL
        assert second.communicate()[0] == f"made {planned().count - planned().count // 2}\n" and second.returncode == 0
    finally:
        first.communicate()
        second.communicate()
    with pytest.raises(PictureError, match="of 25 shards are missing or broken"):
        shards.finish(out)
    again = worker(out, 0, parts)
    made = int(again.communicate()[0].split()[1])
    assert 0 < made < planned().count // 2  # what the killed one had finished stays
    shards.finish(out)
    assert same(pixels(out), expected)
    assert left_behind(out) == ["one"]


def test_a_second_process_on_a_shard_is_refused(out):
    process = worker(out, 0, 1, wait=1)
    try:
        assert process.stdout.readline() == "waits\n"
        with pytest.raises(PictureError, match="another process is making the shard 0-0"):
            shards.render_part(out, planned(), view)
    finally:
        assert process.communicate()[0] == "made 25\n"
    assert shards.render_part(out, planned(), view) == 0


@pytest.mark.parametrize("parts", [1, 3, 25, 40])
def test_each_shard_is_in_one_part(parts):
    found = [index for part in range(parts) for index in planned().shards(part, parts)]
    assert sorted(found) == sorted(itertools.product(range(5), range(5))) and len(found) == 25


def test_the_pixels_of_all_levels_are_those_of_the_picture(tmp_path):
    out = tmp_path / "a.zarr"
    shards.render_part(out, planned(), view)
    shards.finish(out)
    assert same(pixels(out), levels(HEIGHT, WIDTH))
    array = zarr.open_array(out / "0", mode="r")
    assert (array.shards, array.chunks) == ((3, SHARD, SHARD), (3, SIDE, SIDE))


def damage_file(file):
    file.write_bytes(b"broken" + file.read_bytes()[6:])


@pytest.mark.parametrize(
    "which, damage",
    [
        ("files", lambda file: file.unlink()),
        ("files", damage_file),
        ("record", lambda file: file.write_bytes(b"")),
        ("half", damage_file),
    ],
    ids=["gone", "changed", "no record", "no half"],
)
def test_a_broken_shard_is_named_and_only_it_is_made_again(out, which, damage):
    expected = one_process(out)
    shards.render_part(out, planned(), view)
    folder = out.with_name(f"{out.name}.parts")
    record = folder / "records" / "1-2.json"
    names = [folder / name for name in json.loads(record.read_text())["files"]]
    damage({"files": names[0], "record": record, "half": names[-1]}[which])
    with pytest.raises(
        PictureError, match=r"1 of 25 shards are missing or broken.*\n.*shard 1-2, .*row 32 and column 64"
    ):
        shards.finish(out)
    assert not out.exists() and shards.render_part(out, planned(), view, 0, 1) == 1
    shards.finish(out)
    assert same(pixels(out), expected)


def test_different_processors_are_told_of_where_the_pixels_may_depend_on_them(out, logged):
    for dtype, warned in (("bfloat16", True), ("float32", False)):
        path = out.with_name(f"{dtype}{out.suffix}")
        for part, processor in enumerate(("amx_bf16", "avx2")):
            identity = IDENTITY | {"dtype": dtype}
            shards.render_part(path, planned(identity=identity), view, part, 2, processor=processor)
        shards.finish(path)
        assert ("processors with amx_bf16 and avx2" in logged()) is warned


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"shard": 24}, "shard: 24 pixels"),
        ({"shard": 32768}, "multiple of 16 up to 16384"),
        ({"height": 0}, "height: 0"),
    ],
)
def test_what_cannot_be_planned_is_an_error(changes, words):
    with pytest.raises(SettingError, match=words):
        planned(**changes)


def test_other_suffixes_parts_and_too_little_space_are_errors_before_any_work(out, monkeypatch):
    with pytest.raises(PictureError, match=r"cannot write the suffix '\.png'; use one of \.zarr, \.dzi, \.tif"):
        shards.render_part(out.with_suffix(".png"), planned(), view)
    with pytest.raises(SettingError, match=r"part: 2 is outside 0 \.\. 1"):
        shards.render_part(out, planned(), view, 2, 2)
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**9, 0, 10**3))
    with pytest.raises(InputError, match=r"takes about 0\.\d MB, and 0\.0 MB are free"):
        shards.render_part(out, planned(), view)


def test_deep_zoom_tiles_say_what_the_shard_shows(tmp_path):
    out = tmp_path / "a.dzi"
    shards.render_part(out, planned(), lambda *place: np.full((*place[2:], 3), 200, np.uint8))
    shards.finish(out)
    with Image.open(tmp_path / "a_files" / "8" / "8_9.jpg") as tile:
        assert tile.size == (5, 6) and np.abs(np.asarray(tile).astype(int) - 200).max() <= 2
