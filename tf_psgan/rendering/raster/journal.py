"""The folder of an unfinished picture: `name.partial` with the picture so far, its journal, and a lock.

The journal records the job, how many blocks are on the disk, and the reduced blocks that the levels above still need.
It is replaced atomically.
"""

import contextlib
import dataclasses
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from tf_psgan.errors import InputError, PictureError
from tf_psgan.rendering.raster.pyramid import Index
from tf_psgan.runtime import files, locks

PARTIAL = ".partial"
"""What the name of the folder has more than that of the picture."""

REMEDY = "delete that folder or choose another file"


@dataclasses.dataclass(frozen=True)
class Journal:
    """The state of an unfinished picture.

    Args:
      done: number of blocks of level 0, in order, that are on the disk with all blocks above that they complete.
      waiting: `pyramid.Overviews.waiting` at that moment.
    """

    done: int
    waiting: dict[Index, np.ndarray]


class Partial:
    """The folder of an unfinished picture, beside the file that it becomes."""

    def __init__(self, out: Path) -> None:
        self.path = out.with_name(f"{out.name}{PARTIAL}")
        self.picture = self.path / out.name
        self._journal = self.path / "journal"
        self._removed = False

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Makes the folder and excludes other processes.

        Raises:
          InputError: another process works in it.
        """
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
        """The newest state; the empty one where there is none.

        Raises:
          PictureError: it belongs to another job, or is damaged.
        """
        if not self._journal.exists():
            return Journal(0, {})
        with self._reading() as archive:
            begun, done = _header(archive)
            waiting = {_index(name): archive[name] for name in archive.files if name != "header"}
        for name in (*job, *begun):
            if job.get(name) != begun.get(name):
                problem = f"begun as another picture ({name} {begun.get(name)} there, {job.get(name)} here)"
                raise PictureError(str(self.path), problem, REMEDY, settings=("out",))
        return Journal(done, waiting)

    def done(self) -> int | None:
        """The number of finished blocks, whatever the job; None where there is no journal."""
        if not self._journal.exists():
            return None
        with self._reading() as archive:
            return _header(archive)[1]

    def write(self, job: Mapping[str, str], journal: Journal) -> None:
        """Writes the journal. What it records must be on the disk before."""
        header = np.frombuffer(json.dumps({"job": dict(job), "done": journal.done}).encode(), np.uint8)
        blocks = {"-".join(map(str, index)): half for index, half in journal.waiting.items()}
        with files.replacing(self._journal) as temporary, temporary.open("wb") as stream:
            np.savez(stream, header=header, **blocks)  # type: ignore[arg-type]

    def remove(self) -> None:
        """Removes the folder once the picture has been moved out of it."""
        files.remove_temporaries(self.path)
        self._journal.unlink(missing_ok=True)
        self._removed = True
        self._remove_folder()

    def _remove_folder(self) -> None:
        """While the lock is held, so that no other process begins here; Windows can only do it afterwards."""
        with contextlib.suppress(PermissionError, FileNotFoundError):
            (self.path / "lock").unlink()
            self.path.rmdir()

    @contextlib.contextmanager
    def _reading(self) -> Iterator[np.lib.npyio.NpzFile]:
        try:
            with np.load(self._journal, allow_pickle=False) as archive:
                yield archive
        except (OSError, ValueError, LookupError, TypeError, AttributeError, EOFError, zipfile.BadZipFile) as error:
            problem = f"cannot be used ({error})"
            raise PictureError(str(self._journal), problem, REMEDY, settings=("out",)) from None


def _header(archive: np.lib.npyio.NpzFile) -> tuple[dict[str, str], int]:
    header = json.loads(archive["header"].tobytes())
    return dict(header["job"]), int(header["done"])


def _index(name: str) -> Index:
    level, row, col = map(int, name.split("-"))
    return level, row, col
