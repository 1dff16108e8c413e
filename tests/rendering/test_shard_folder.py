"""The beginning and the end of a picture made by several processes: plans, room, names, interruptions."""

import json
import shutil
import threading
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.small_raster import SIDE, left_behind, view
from tests.support.small_shards import HEIGHT, NAMES, WIDTH, one_process, pixels, planned, same
from tf_psgan.errors import InputError, PictureError
from tf_psgan.rendering.raster import pyramid, shard_folder, shards, stores
from tf_psgan.rendering.raster.shard_folder import ShardFolder
from tf_psgan.rendering.raster.shard_formats import FORMATS
from tf_psgan.runtime import locks

Usage = namedtuple("Usage", "total used free")


@pytest.fixture(params=NAMES)
def out(request, tmp_path):
    return tmp_path / request.param


def test_finishing_continues_after_an_interruption(out, monkeypatch):
    expected = one_process(out)
    shards.render_part(out, planned(), view)
    for step in ("halved", "rmtree"):
        with monkeypatch.context() as patch:
            patch.setattr(*{"halved": (pyramid, "halved"), "rmtree": (shutil, "rmtree")}[step], interrupted)
            with pytest.raises(KeyboardInterrupt):
                shards.finish(out)
    shards.finish(out)
    assert same(pixels(out), expected) and left_behind(out) == ["one"]


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_finishing_continues_wherever_its_removal_of_the_folder_was_interrupted(out, monkeypatch):
    shards.render_part(out, planned(), view)
    folder, remove = stores.opened(out).path, shutil.rmtree

    def partly(path, **options):
        remove(path, **options)
        if path.is_relative_to(folder):
            raise KeyboardInterrupt

    for owner, name, act in ((shutil, "rmtree", partly), (Path, "rmdir", interrupted)):
        with monkeypatch.context() as patch:
            patch.setattr(owner, name, act)
            with pytest.raises(KeyboardInterrupt):
                shards.finish(out)
        assert folder.is_dir()
    shards.finish(out)
    assert out.exists() and left_behind(out) == []


@pytest.mark.parametrize("removed", [True, False])
def test_a_part_that_is_checked_while_the_picture_is_finished_makes_no_shard(out, monkeypatch, removed):
    shards.render_part(out, planned(), view)
    is_done, calls = ShardFolder.is_done, []

    def late(self, *index):
        calls.append(index)
        if len(calls) == 1:
            shards.finish(out)
        return is_done(self, *index)

    with monkeypatch.context() as patch:
        patch.setattr(ShardFolder, "is_done", late)
        if not removed:
            patch.setattr(ShardFolder, "remove", lambda self: None)
        with pytest.raises(PictureError, match="exists already; " + ("delete it" if removed else "finish it")):
            shards.render_part(out, planned(), view)
    assert stores.opened(out).path.exists() is not removed
    if not removed:
        shards.finish(out)
    assert left_behind(out) == []


def test_finishing_refuses_a_taken_name_before_it_makes_overviews(out, monkeypatch):
    shards.render_part(out, planned(), view)
    taken = FORMATS[out.suffix].single.target(out)
    taken.touch()
    with monkeypatch.context() as patch, pytest.raises(PictureError, match=f"{taken.name}: exists already; delete it"):
        patch.setattr(pyramid, "Overviews", None)
        shards.finish(out)
    taken.unlink()
    shards.finish(out)


def test_of_two_pictures_begun_at_the_same_moment_one_is_refused(out, monkeypatch):
    both, first, dumps = threading.Barrier(2, timeout=60), threading.Event(), json.dumps

    def in_turn(value):
        both.wait()  # neither has found a plan
        if value["identity"]["seed"] == "4":
            first.wait(60)
        return dumps(value)

    def begin(seed):
        try:
            ShardFolder(out).begin(planned(identity={"seed": seed}))
        except PictureError as error:
            return str(error)
        finally:
            if seed == "3":
                first.set()
        return seed

    monkeypatch.setattr(shard_folder.json, "dumps", in_turn)
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(begin, "34"))
    assert found[0] == ShardFolder(out).read_plan().identity["seed"] == "3"
    assert "begun as another picture (seed 3 there, 4 here)" in found[1]
    assert left_behind(out) == [f"{out.name}.parts"]


def test_a_plan_is_not_written_over_shards_that_have_none(out):
    shards.render_part(out, planned(), view, 0, 25)
    (stores.opened(out).path / "plan.json").unlink()
    with pytest.raises(PictureError, match=r"has no plan\.json; delete that folder"):
        shards.render_part(out, planned(), view)


def test_shards_of_another_version_are_not_continued(out):
    shards.render_part(out, planned(), view, 0, 25)
    plan = stores.opened(out).path / "plan.json"
    plan.write_text(plan.read_text().replace('"layout": 2', '"layout": 1'))
    for act in (lambda: shards.render_part(out, planned(), view), lambda: shards.finish(out)):
        with pytest.raises(PictureError, match=r"plan\.json: cannot be used \(its shards are of layout 1.*delete that"):
            act()


def test_another_picture_of_that_name_is_refused_with_what_differs(out):
    shards.render_part(out, planned(), view, 0, 25)
    for changes, words in (
        ({"identity": {"seed": "4"}}, r"begun as another picture \(seed 3 there, 4 here\)"),
        ({"identity": {"seed": "3"}}, r"begun as another picture \(texture brick there, None here\)"),
        ({"shard": 3 * SIDE}, r"begun as another picture \(shard 32 there, 48 here\)"),
    ):
        with pytest.raises(PictureError, match=words):
            shards.render_part(out, planned(**changes), view)


def test_a_finished_picture_is_not_made_again(out):
    shards.render_part(out, planned(), view)
    shards.finish(out)
    with pytest.raises(PictureError, match="exists already"):
        shards.render_part(out, planned(), view)
    with pytest.raises(PictureError, match="no picture is under way"):
        shards.finish(out)


def test_two_processes_do_not_finish_one_picture(out):
    shards.render_part(out, planned(), view)
    lock = out.with_name(f"{out.name}.parts") / "leases" / "finish"
    with locks.locked(lock, InputError("test", "busy")), pytest.raises(PictureError, match="another process finishes"):
        shards.finish(out)


def test_a_part_needs_room_for_all_shards_that_are_missing_before_it_begins(out, monkeypatch):
    whole = HEIGHT * WIDTH * (4 / 3 * FORMATS[out.suffix].disk_per_pixel + 3 / 16)
    free = [0.7 * whole]
    monkeypatch.setattr("shutil.disk_usage", lambda path: Usage(10**9, 0, free[0]))
    with pytest.raises(InputError, match="are free"):
        shards.render_part(out, planned(), view, 0, 2)
    assert left_behind(out) == []
    free[0] = 2 * whole
    shards.render_part(out, planned(), view, 0, 2)
    free[0] = 0.7 * whole
    shards.render_part(out, planned(), view, 1, 2)
