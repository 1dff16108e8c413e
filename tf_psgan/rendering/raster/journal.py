"""The folder of an unfinished picture: `name.partial` with the picture so far, its journal, and a lock.

The journal says how many tiles are safely in the picture, which job it is, and holds what goes on
into the overviews; it is written whole or not at all.
"""

import contextlib
import dataclasses
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tf_psgan.errors import InputError
from tf_psgan.rendering.raster.pyramid import Place
from tf_psgan.runtime import files, locks


@dataclasses.dataclass(frozen=True)
class Journal:
    """How far a picture is."""

    done: int  # tiles of level 0, in order, that are on the disk with all that follows from them
    waiting: dict[Place, np.ndarray]  # of `pyramid.Overviews` at that moment


class Partial:
    """The folder beside the picture that is to be."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f"{out.name}.partial")
        self.picture = self.path / out.name
        self._journal = self.path / "journal"
        self._removed = False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and keeps other processes out; InputError where one is in it."""
        self.path.mkdir(exist_ok=True)
        files.sync(self.path.absolute().parent)
        busy = InputError(
            str(self.path),
            "another process is making this picture",
            "wait for it or choose another file",
            settings=("out",),
        )
        with locks.locked(self.path / "lock", busy):
            yield
        if self._removed:
            self._remove_folder()

    def read(self, job: Mapping[str, str]) -> Journal:
        """What was written last.

        Raises:
          ValueError: it is another job's, or damaged, or the picture that it tells of is missing.
        """
        if not self._journal.exists():
            return Journal(0, {})
        with self._reading() as archive:
            begun, done = _header(archive)
            waiting = {_place(name): archive[name] for name in archive.files if name != "header"}
        for name in (*job, *begun):
            if job.get(name) != begun.get(name):
                there = f"{name} {begun.get(name)} there, {job.get(name)} here"
                raise ValueError(f"{self.path}: begun as another picture ({there}); {self._remedy}.")
        return Journal(done, waiting)

    def done(self) -> int | None:
        """The number of tiles that are done, whatever the job; None before there is a journal."""
        if not self._journal.exists():
            return None
        with self._reading() as archive:
            return _header(archive)[1]

    def write(self, job: Mapping[str, str], journal: Journal) -> None:
        """Writes the journal; what it says is to be on the disk before."""
        header = np.frombuffer(json.dumps({"job": dict(job), "done": journal.done}).encode(), np.uint8)
        tiles = {"-".join(map(str, place)): half for place, half in journal.waiting.items()}
        with files.replacing(self._journal) as temporary, temporary.open("wb") as stream:
            np.savez(stream, header=header, **tiles)  # type: ignore[arg-type]

    def remove(self) -> None:
        """Takes the folder away once the picture has left it."""
        files.remove_temporaries(self.path)
        self._journal.unlink(missing_ok=True)
        self._removed = True
        self._remove_folder()

    def _remove_folder(self) -> None:
        """While the lock is held, so that no other process begins here; Windows can only do it afterwards."""
        with contextlib.suppress(PermissionError, FileNotFoundError):
            (self.path / "lock").unlink()
            self.path.rmdir()

    @property
    def _remedy(self) -> str:
        return "delete that folder or choose another --out"

    @contextlib.contextmanager
    def _reading(self) -> Iterator[np.lib.npyio.NpzFile]:
        try:
            with np.load(self._journal, allow_pickle=False) as archive:
                yield archive
        except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(f"{self._journal}: cannot be used ({error}); {self._remedy}.") from None


def _header(archive: np.lib.npyio.NpzFile) -> tuple[dict[str, str], int]:
    header = json.loads(archive["header"].tobytes())
    return dict(header["job"]), int(header["done"])


def _place(name: str) -> Place:
    level, row, col = map(int, name.split("-"))
    return level, row, col
