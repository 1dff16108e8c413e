"""What the processes of a picture share: its plan, leases, records, and the unfinished picture.

A shard has a lease; and, once its files are written, a record that describes them. The process that makes a shard makes
what lies in it of the levels above, too, as long as these are whole blocks, and keeps it once more reduced beside
the record. From these reductions the upper levels are made in the end.
"""

import dataclasses
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan.rendering.raster import geotiff, pyramid, stores
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.rendering.raster.pyramid import Index
from tf_psgan.rendering.raster.shard_formats import FORMATS, PICTURE, GeoTiff, ShardFormat
from tf_psgan.rendering.raster.stores import picture_error

LAYOUT = 2
"""Version of what lies in the shared folder."""

_LAYOUT = "layout"

_COMPLETE = "complete"
"""In plan.json: every shard and overview is there; what has the picture's name is this picture."""


class ShardFolder:
    """The folder that the processes of a picture share.

    Args:
      out: the picture, a path or an address.
    """

    def __init__(self, out: Path | str) -> None:
        self.out, self._store = out, stores.opened(out)
        self._kind = FORMATS[Path(out).suffix.lower()]
        self._format: ShardFormat | None = None

    @property
    def path(self) -> Path | str:
        """Where it is."""
        return self._store.path

    def begin(self, planned: Plan) -> None:
        """Makes the folder with the plan, or compares the plan with that of the processes before.

        Raises:
          PictureError: it is another one.
          InputError: the disk has no room for a new picture.
        """
        if not self._store.has("plan.json"):
            self.check_space(planned)
            self._store.begin(json.dumps(_content(planned)).encode())
        ours, theirs = _flat(planned), _flat(self.read_plan())
        for name in (*ours, *theirs):
            if ours.get(name) != theirs.get(name):
                problem = f"begun as another picture ({name} {theirs.get(name)} there, {ours.get(name)} here)"
                allowed = "use the same settings in all processes, or delete that folder or choose another file"
                raise picture_error(self.path, problem, allowed)

    def read_plan(self) -> Plan:
        """The plan; PictureError where there is none."""
        read = self._read_plan()
        try:
            return Plan(**{name: value for name, value in read.items() if name not in (_COMPLETE, _LAYOUT)})
        except TypeError as error:
            raise self._unusable(error) from None

    def _read_plan(self) -> dict[str, Any]:
        try:
            read = dict(json.loads(self._store.read("plan.json")))
        except FileNotFoundError:
            raise picture_error(self.path, "no picture is under way there", "make its parts first") from None
        except (OSError, ValueError, TypeError) as error:
            raise self._unusable(error) from None
        if read.get(_LAYOUT) != LAYOUT:
            raise self._unusable(f"its shards are of layout {read.get(_LAYOUT)}, this version's of {LAYOUT}")
        return read

    def _unusable(self, error: object) -> Exception:
        return picture_error(f"{self.path}/plan.json", f"cannot be used ({error})", "delete that folder")

    def leased(self, row: int, col: int) -> Any:
        """Excludes other processes from a shard."""
        problem = f"another process is making the shard {row}-{col}"
        busy = picture_error(self.path, problem, "wait for it, or give the processes different parts")
        return self._store.leased(_name(row, col), busy)

    def finishing(self) -> Any:
        """Excludes other processes from the end of the picture."""
        busy = picture_error(self.path, "another process finishes this picture", "wait for it")
        return self._store.leased("finish", busy)

    def is_done(self, row: int, col: int) -> bool:
        """Whether a shard has a record and its files are those that the record describes."""
        return self.read_whole(row, col) is not None

    def read_whole(self, row: int, col: int) -> dict[str, Any] | None:
        """The record of a shard whose files are those that it describes, else None.

        Descriptions of the "files" by their names, and the "processor" that made it.
        """
        try:
            record = json.loads(self._store.read(_record(row, col)))
            written = record["files"]
            whole = bool(written) and all(self._store.is_as_described(*file) for file in written.items())
            return record if whole and "processor" in record else None
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            return None

    def forget(self, row: int, col: int) -> None:
        """Removes the record of a shard that is made again."""
        self._store.remove(_record(row, col))

    def write(self, planned: Plan, row: int, col: int, pixels: np.ndarray, processor: str) -> None:
        """Writes the files of a shard, and then its record."""
        written: dict[str, bytes] = {}
        for level in range(self.own_levels(planned)):
            written |= self._encoding(planned).encode((level, row, col), pixels)
            pixels = pyramid.halved(pixels)
        buffer = io.BytesIO()
        np.save(buffer, pixels)
        written[_reduced(row, col)] = buffer.getvalue()
        self._store.write(written)
        described = {name: self._store.describe(name, content) for name, content in written.items()}
        self._store.replace(_record(row, col), json.dumps({"files": described, "processor": processor}).encode())

    def write_above(self, planned: Plan, index: Index, pixels: np.ndarray) -> None:
        """Writes a shard of a level above those that the shards' own processes made."""
        self._store.write(self._encoding(planned).encode(index, pixels))

    def reduced(self, row: int, col: int) -> np.ndarray:
        """What a shard shows on the first level that its own process did not make."""
        return np.load(io.BytesIO(self._store.read(_reduced(row, col))), allow_pickle=False)

    def levels(self, planned: Plan) -> list[tuple[int, int]]:
        """Height and width of each level in pixels."""
        return planned.levels(self._kind.single.to_one_pixel)

    def own_levels(self, planned: Plan) -> int:
        """Number of levels, of which a shard's own process makes its part."""
        return min(planned.halvings + 1, len(self.levels(planned)))

    def _encoding(self, planned: Plan) -> ShardFormat:
        if self._format is None:
            self._format = self._kind(planned, Path(self.out).stem)
        return self._format

    def assemble(self, planned: Plan, progress: Any) -> None:
        """Writes what describes the picture; a format of a single file is put together now.

        Args:
          progress: updated with the number of bytes.
        """
        if isinstance(self._store, stores.ObjectStore):  # its files are in their final place
            self._mark_complete(planned)
        self._store.write(self._encoding(planned).about())
        if self._kind is GeoTiff:
            with self._store.writing(PICTURE) as stream:
                for copied in geotiff.write(stream, planned, self._store.read):
                    progress.update(copied)

    def check_space(self, planned: Plan) -> None:
        """Raises InputError where the disk has no room for the shards without a record, and the overviews."""
        if isinstance(self._store, stores.ObjectStore):
            return
        missing = [index for index in planned.shards() if not self._store.has(_record(*index))]
        pixels = sum(math.prod(planned.extent(*index)) for index in missing)
        self._store.check_space(pixels * (4 / 3 * self._kind.disk_per_pixel + 3 / 4 ** self.own_levels(planned)))

    def check_free(self) -> None:
        """Raises PictureError where the final name is taken."""
        if path := self._store.taken():
            finishing = self._store.has("plan.json") and self.is_published
            raise picture_error(
                path, "exists already", "finish it" if finishing else "delete it or choose another file"
            )

    @property
    def is_published(self) -> bool:
        """Whether the picture has its final name, so that only this folder is left to remove."""
        return self._store.is_published and bool(self._read_plan().get(_COMPLETE))

    def publish(self, planned: Plan) -> None:
        """Gives the picture its final name."""
        if isinstance(self._store, stores.FolderStore):
            self._mark_complete(planned)
        self._store.publish()

    def _mark_complete(self, planned: Plan) -> None:
        plan = _content(planned) | {_COMPLETE: True}
        self._store.replace("plan.json", json.dumps(plan).encode())

    @property
    def is_removed(self) -> bool:
        """Whether `remove` was interrupted after its last file."""
        return self._store.is_removed

    def remove(self) -> None:
        """Removes the folder."""
        self._store.remove_all()


def _name(row: int, col: int) -> str:
    return f"{row}-{col}"


def _record(row: int, col: int) -> str:
    return f"records/{_name(row, col)}.json"


def _reduced(row: int, col: int) -> str:
    return f"records/{_name(row, col)}.npy"


def _content(planned: Plan) -> dict[str, Any]:
    """The content of plan.json."""
    return dataclasses.asdict(planned) | {_LAYOUT: LAYOUT}


def _flat(planned: Plan) -> dict[str, str]:
    values = {name: str(value) for name, value in dataclasses.asdict(planned).items() if name != "identity"}
    return values | dict(planned.identity)
