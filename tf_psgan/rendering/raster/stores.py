"""Where the processes of a picture keep what they share: a folder of a file system, or an object store through fsspec.

Names are relative to the shared folder, `name.parts` beside the picture. In an object store, which cannot rename, those
in PICTURE lie in their final place from the beginning, and the picture is there with its last object.
"""

import contextlib
import hashlib
import importlib.util
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from tf_psgan.errors import PictureError
from tf_psgan.rendering.raster import formats
from tf_psgan.rendering.raster.shard_formats import FORMATS, PICTURE, DeepZoom, ShardedZarr
from tf_psgan.runs import outputs
from tf_psgan.runtime import files, locks

PARTS = ".parts"
"""What the name of the shared folder has more than that of the picture."""


class FolderStore:
    """A folder of a file system with locks.

    Args:
      out: the picture.
    """

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, out.with_name(f"{out.name}{PARTS}")
        self._single = FORMATS[out.suffix.lower()].single

    def check(self, inputs: Iterable[str | Path]) -> None:
        """Raises InputError where no picture can be written."""
        outputs.check(self.out, inputs, extra=len(PARTS), as_folder=True)

    def begin(self, plan: bytes) -> None:
        """Makes the folder with plan.json, unless another process did so at the same moment.

        Raises:
          PictureError: a folder without a plan is there.
        """
        try:
            with files.replacing(self.path) as folder:
                for path in (folder, folder / "leases", folder / "records"):
                    path.mkdir()
                (folder / "plan.json").write_bytes(plan)
        except OSError:
            if self.has("plan.json"):
                return
            if self.path.is_dir() and any(self.path.iterdir()):
                raise picture_error(self.path, "has no plan.json", "delete that folder") from None
            raise

    def leased(self, name: str, busy: PictureError) -> Any:
        """Excludes other processes by a file lock, which ends with its process; they raise `busy`."""
        return locks.locked(self.path / "leases" / name, busy)

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return (self.path / name).exists()

    def read(self, name: str, first: int = 0, end: int | None = None) -> bytes:
        """The bytes of a file from `first` up to `end`; FileNotFoundError where it is missing."""
        with (self.path / name).open("rb") as stream:
            stream.seek(first)
            return stream.read(-1 if end is None else end - first)

    def write(self, content: Mapping[str, bytes]) -> None:
        """Writes files, and returns when they are on the disk. A file that is being written may be read."""
        paths = [self.path / name for name in content]
        for path, value in zip(paths, content.values(), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)
        formats.sync_files(paths, self.path)

    def replace(self, name: str, content: bytes) -> None:
        """Writes a file that is there complete or not at all."""
        files.write(self.path / name, content)

    @contextlib.contextmanager
    def writing(self, name: str) -> Iterator[IO[bytes]]:
        """A new file to write from its beginning to its end; complete or not there at all."""
        with files.replacing(self.path / name) as temporary, temporary.open("wb") as stream:
            yield stream

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""
        (self.path / name).unlink(missing_ok=True)

    def describe(self, name: str, content: bytes) -> Any:
        """What a record says of a file with this content: its SHA-256."""
        return hashlib.sha256(content).hexdigest()

    def is_as_described(self, name: str, description: Any) -> bool:
        """Whether a file is there with the content that a record describes."""
        with (self.path / name).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == description

    def check_space(self, needed: float) -> None:
        """Raises InputError where the disk has no room for so many bytes."""
        outputs.check_space(self.path, needed, "make room, or choose fewer pixels or another file", ("out", "height"))

    def taken(self) -> Path | None:
        """What has the picture's final name."""
        return next((path for path in (self.out, self._single.target(self.out)) if path.exists()), None)

    @property
    def is_published(self) -> bool:
        """Whether the picture has left this folder."""
        return not self.has(PICTURE) and self._single.target(self.out).exists()

    def publish(self) -> None:
        """Gives the picture its final name."""
        self._single.publish(self.path / PICTURE, self.out)

    @property
    def is_removed(self) -> bool:
        """Whether `remove_all` was interrupted after its last file."""
        return self.out.exists() and self.path.is_dir() and not any(self.path.iterdir())

    def remove_all(self) -> None:
        """Removes the folder, the plan last: until then `finish` finds what it has to continue."""
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path.name != "plan.json":
                path.unlink()
        self.remove("plan.json")
        self.path.rmdir()
        files.sync(self.path.absolute().parent)


class ObjectStore:
    """A bucket or container, or what else fsspec reaches.

    An object appears complete or not at all. There are no leases: two processes that make one shard put the same bytes.

    Args:
      out: address of the picture, as s3://bucket/wall.zarr.

    Raises:
      PictureError: fsspec, or its package for that kind of address, is missing, or the address names files here.
    """

    is_removed = False

    def __init__(self, out: str) -> None:
        if importlib.util.find_spec("fsspec") is None:
            raise picture_error(out, "needs the package fsspec", "pip install 'tf_psgan[stores]'")
        import fsspec

        if files.scheme(out).lower() in ("file", "local"):
            raise picture_error(out, "is on this machine", "give its path")
        try:
            self._files, root = fsspec.url_to_fs(out, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise picture_error(out, str(error), "give another address") from None
        self.out, self.path = out, f"{out}{PARTS}"
        self._kind = FORMATS[Path(out).suffix.lower()]
        self._parts, self._index = f"{root}{PARTS}", f"{root}/zarr.json" if self._kind is ShardedZarr else root
        self._picture = f"{root.removesuffix('.dzi')}_files" if self._kind is DeepZoom else root

    def _at(self, name: str) -> str:
        if name.split("/")[0] == PICTURE:
            return f"{self._picture}{name.removeprefix(PICTURE)}"
        return f"{self._parts}/{name}"

    def check(self, inputs: Iterable[str | Path]) -> None:
        """Does nothing."""

    def begin(self, plan: bytes) -> None:
        """Writes the plan unless another process did so at the same moment, where the store can tell."""
        with contextlib.suppress(FileExistsError):
            self._files.pipe_file(self._at("plan.json"), plan, mode="create")

    def leased(self, name: str, busy: PictureError) -> Any:
        """Does nothing."""
        return contextlib.nullcontext()

    def has(self, name: str) -> bool:
        """Whether an object is there."""
        return self._files.exists(self._at(name))

    def read(self, name: str, first: int = 0, end: int | None = None) -> bytes:
        """The bytes of an object from `first` up to `end`; FileNotFoundError where it is missing."""
        return self._files.cat_file(self._at(name), start=first, end=end)  # by name: s3fs has another order

    def write(self, content: Mapping[str, bytes]) -> None:
        """Writes objects."""
        for name, value in content.items():
            self.replace(name, value)

    def replace(self, name: str, content: bytes) -> None:
        """Writes an object."""
        self._files.pipe_file(self._at(name), content)

    def writing(self, name: str) -> Any:
        """A new object to write from its beginning to its end."""
        return self._files.open(self._at(name), "wb")

    def remove(self, name: str) -> None:
        """Removes an object, if it is there."""
        with contextlib.suppress(FileNotFoundError):
            self._files.rm_file(self._at(name))

    def describe(self, name: str, content: bytes) -> Any:
        """What a record says of an object with this content: its size."""
        return len(content)

    def is_as_described(self, name: str, description: Any) -> bool:
        """Whether an object is there with the size that a record describes."""
        return self._files.info(self._at(name))["size"] == description

    def taken(self) -> str | None:
        """What has the picture's final name."""
        return self.out if self._files.exists(self._index) else None

    @property
    def is_published(self) -> bool:
        """Whether the picture is complete."""
        return self.taken() is not None

    def publish(self) -> None:
        """Writes the .dzi; another picture is complete with its own last object."""
        if self._kind is DeepZoom:
            about = self.read(f"{PICTURE}/about.json").decode()
            self._files.pipe_file(self._index, formats.DeepZoom.description(about).encode())

    def remove_all(self) -> None:
        """Removes the shared objects, the plan last."""
        plan = self._at("plan.json")
        for path in self._files.find(self._parts):
            if not path.endswith("/plan.json"):
                self._files.rm_file(path)
        self._files.rm_file(plan)
        with contextlib.suppress(OSError):  # folders, where the store has them
            self._files.rm(self._parts, recursive=True)


Store = FolderStore | ObjectStore


def opened(out: Path | str) -> Store:
    """The store of a picture: an ObjectStore for an address."""
    if files.scheme(str(out)):
        return ObjectStore(str(out))
    return FolderStore(Path(out))


def picture_error(path: Path | str, problem: str, allowed: str) -> PictureError:
    """An error about the file of the picture or its folder."""
    return PictureError(str(path), problem, allowed, settings=("out",))
