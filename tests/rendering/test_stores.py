"""Pictures of several processes in an object store, here that of fsspec in memory."""

import itertools
import json
from concurrent.futures import ThreadPoolExecutor

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from tests.support.small_raster import view
from tests.support.small_shards import NAMES, one_process, pixels, planned, same
from tf_psgan.errors import InputError, PictureError
from tf_psgan.rendering.raster import pyramid, shards, stores

NUMBERS = itertools.count()


class VersionedMemory(MemoryFileSystem):
    """In memory, with the order of arguments that s3fs has."""

    protocol = "memory"

    def cat_file(self, path, version_id=None, start=None, end=None, **options):
        assert version_id is None
        return super().cat_file(path, start=start, end=end, **options)


fsspec.register_implementation("memory", VersionedMemory, clobber=True)


@pytest.fixture(params=NAMES)
def out(request):
    """The address of a new picture."""
    yield f"memory://bucket-{next(NUMBERS)}/{request.param}"
    fsspec.filesystem("memory").store.clear()


def objects(out):
    """The content of all objects by their names within the bucket."""
    root = "/" + out.removeprefix("memory://").split("/")[0] + "/"
    found = fsspec.filesystem("memory").store
    return {name.removeprefix(root): found[name].getvalue() for name in found if name.startswith(root)}


def downloaded(out, folder):
    """The picture as files of a folder."""
    for name, content in objects(out).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / out.rsplit("/", 1)[1]


def test_the_pixels_are_those_of_one_process_and_nothing_else_is_left(out, tmp_path):
    for part in (1, 0):
        shards.render_part(out, planned(), view, part, 2)
    shards.finish(out)
    path = downloaded(out, tmp_path / "store")
    assert same(pixels(path), one_process(tmp_path / path.name))
    assert {name.split("/")[0] for name in objects(out)} <= {path.name, "a_files"}


def test_the_picture_appears_with_its_last_object(out, monkeypatch):
    shards.render_part(out, planned(), view)
    written, check = [], stores.ObjectStore.replace

    def replace(self, name, content):
        written.append(self.taken())
        check(self, name, content)

    monkeypatch.setattr(stores.ObjectStore, "replace", replace)
    shards.finish(out)
    assert written and set(written) == {None}
    with pytest.raises(PictureError, match="exists already; delete it"):
        shards.render_part(out, planned(), view)


def test_missing_and_short_objects_are_named_and_made_again(out):
    shards.render_part(out, planned(), view)
    memory, store = fsspec.filesystem("memory"), stores.opened(out)
    names = [name for name in json.loads(store.read("records/1-2.json"))["files"] if not name.startswith("records")]
    place = store._at(names[0])
    memory.pipe_file(place, memory.cat_file(place)[:-1])
    memory.rm_file(store._at("records/0-3.json"))
    with pytest.raises(PictureError, match=r"2 of 25 shards are missing or broken.*\n.*shard 0-3, .*\n.*shard 1-2,"):
        shards.finish(out)
    assert shards.render_part(out, planned(), view) == 2
    shards.finish(out)


def test_two_writers_of_one_shard_put_the_same_bytes(out):
    """There are no leases: a process that is taken for dead may go on beside the one that replaces it."""
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda _: shards.ShardMaker(out, planned(), view, ""), range(2))
        indices = list(planned().shards())
        assert all(pool.map(lambda index: first.make(*index, Running()), indices))
    before = objects(out)
    for index in indices:
        second.folder.forget(*index)
        assert second.make(*index, Running())
    assert objects(out) == before


class Running:
    requested = False


def test_finishing_continues_after_an_interruption(out, tmp_path, monkeypatch):
    shards.render_part(out, planned(), view)
    for owner, name in ((pyramid, "Overviews"), (stores.ObjectStore, "publish"), (stores.ObjectStore, "remove_all")):
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(owner, name, interrupted)
            shards.finish(out)
    shards.finish(out)
    path = downloaded(out, tmp_path / "store")
    assert same(pixels(path), one_process(tmp_path / path.name))
    assert not any(".parts" in name for name in objects(out))


def interrupted(*_, **__):
    raise KeyboardInterrupt


def test_another_picture_of_that_name_is_refused(out):
    shards.render_part(out, planned(), view, 0, 25)
    with pytest.raises(PictureError, match=r"begun as another picture \(seed 3 there, 4 here\)"):
        shards.render_part(out, planned(identity={"seed": "4"}), view)
    with pytest.raises(InputError, match="no picture is under way"):
        shards.finish(out.replace("bucket", "other"))


@pytest.mark.parametrize(
    "address, words",
    [
        ("file:///tmp/a.zarr", "is on this machine; give its path"),
        ("nowhere://bucket/a.zarr", "nowhere.*; give another address"),
        ("memory://bucket/a.png", "cannot write the suffix '.png'"),
    ],
)
def test_addresses_that_cannot_be_used_are_errors(address, words):
    with pytest.raises(PictureError, match=words):
        shards.render_part(address, planned(), view)


def test_fsspec_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "fsspec" else True)
    with pytest.raises(PictureError, match=r"pip install 'tf_psgan\[stores\]'"):
        shards.render_part("memory://bucket/a.zarr", planned(), view)
