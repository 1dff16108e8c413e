"""The folder that the processes of a picture share: its plan, leases, records, and the unfinished picture.

A shard has a lease, a file whose lock ends with its process; and, once its files are on the disk, a record with their
SHA-256. Beside the record the shard is kept reduced to half its size.
"""

import dataclasses
import hashlib
import io
import itertools
import json
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan.errors import PictureError
from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster.formats import DeepZoom, Zarr
from tf_psgan.rendering.raster.pyramid import Index
from tf_psgan.runs import outputs
from tf_psgan.runtime import files, locks

PARTS = ".parts"
"""What the name of the shared folder has more than that of the picture."""

FORMATS: dict[str, type[Zarr | DeepZoom]] = {".zarr": Zarr, ".dzi": DeepZoom}
"""Formats whose files can be written by several processes: a shard is a file of its own, or several."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What all processes of a picture agree on; the content of `plan.json`.

    Args:
      height, width: extent in pixels.
      shard: side of a shard in pixels, a multiple of `side`.
      side: of a block within a shard, in pixels.
      identity: everything that determines the pixels, as text by name; stored in the picture.
    """

    height: int
    width: int
    shard: int
    side: int
    identity: Mapping[str, str]

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of shards."""
        return pyramid.grid((self.height, self.width), self.shard)

    @property
    def count(self) -> int:
        """Number of shards."""
        rows, cols = self.grid
        return rows * cols

    def shards(self, part: int = 0, parts: int = 1) -> Iterator[tuple[int, int]]:
        """Row and column of the shards of a part: neighbours, and each shard in one part only."""
        first, last = part * self.count // parts, (part + 1) * self.count // parts
        return itertools.islice(pyramid.order(*self.grid), first, last)

    def extent(self, row: int, col: int) -> tuple[int, int]:
        """Height and width of a shard within the picture."""
        return min(self.shard, self.height - row * self.shard), min(self.shard, self.width - col * self.shard)


def place(out: Path) -> Path:
    """The folder that the processes of a picture share."""
    return out.with_name(f"{out.name}{PARTS}")


class ShardFolder:
    """The folder that the processes of a picture share."""

    def __init__(self, out: Path) -> None:
        self.out, self.path = out, place(out)
        self._picture, self._plan = self.path / out.name, self.path / "plan.json"
        self._kind = FORMATS[out.suffix.lower()]
        self._target: Zarr | DeepZoom | None = None

    def begin(self, planned: Plan) -> None:
        """Makes the folder with the plan, or compares the plan with that of the processes before.

        Raises:
          PictureError: it is another one.
          InputError: the disk has no room for a new picture.
        """
        if not self._plan.exists():
            self.check_space(planned)
            self._make(planned)
        ours, theirs = _flat(planned), _flat(self.read_plan())
        for name in (*ours, *theirs):
            if ours.get(name) != theirs.get(name):
                problem = f"begun as another picture ({name} {theirs.get(name)} there, {ours.get(name)} here)"
                allowed = "use the same settings in all processes, or delete that folder or choose another file"
                raise picture_error(self.path, problem, allowed)

    def _make(self, planned: Plan) -> None:
        """Makes the folder unless another process did so at the same moment; the plan is in it from the beginning."""
        try:
            with files.replacing(self.path) as folder:
                for path in (folder, folder / "leases", folder / "records"):
                    path.mkdir()
                (folder / "plan.json").write_text(json.dumps(dataclasses.asdict(planned)), encoding="utf-8")
        except OSError:
            if self._plan.exists():
                return
            if self.path.is_dir() and any(self.path.iterdir()):
                raise picture_error(self.path, "has no plan.json", "delete that folder") from None
            raise

    def read_plan(self) -> Plan:
        """The plan; PictureError where there is none."""
        try:
            return Plan(**json.loads(self._plan.read_text(encoding="utf-8")))
        except FileNotFoundError:
            raise picture_error(self.path, "no picture is under way there", "make its parts first") from None
        except (OSError, ValueError, TypeError) as error:
            raise picture_error(self._plan, f"cannot be used ({error})", "delete that folder") from None

    def leased(self, row: int, col: int) -> Any:
        """Excludes other processes from a shard."""
        problem = f"another process is making the shard {row}-{col}"
        busy = picture_error(self.path, problem, "wait for it, or give the processes different parts")
        return locks.locked(self.path / "leases" / _name(row, col), busy)

    def is_done(self, row: int, col: int) -> bool:
        """Whether a shard has a record and its files are those that the record describes."""
        try:
            written = self.read_record(row, col)["files"]
            return bool(written) and all(_digest(self.path / name) == digest for name, digest in written.items())
        except (OSError, ValueError, LookupError, AttributeError, TypeError):
            return False

    def read_record(self, row: int, col: int) -> dict[str, Any]:
        """SHA-256 of the "files" of a shard by their names, and the "processor" that made it."""
        return json.loads(self._record(row, col).read_text(encoding="utf-8"))

    def forget(self, row: int, col: int) -> None:
        """Removes the record of a shard that is made again."""
        self._record(row, col).unlink(missing_ok=True)

    def write(self, planned: Plan, row: int, col: int, pixels: np.ndarray, processor: str) -> None:
        """Writes the files of a shard, brings them to the disk, and then writes its record."""
        target = self.target(planned)
        written = put(target, planned, (0, row, col), pixels)
        target.sync()
        half = self._half(row, col)
        buffer = io.BytesIO()
        np.save(buffer, pyramid.halved(pixels))
        files.write(half, buffer.getbuffer())
        digests = {path.relative_to(self.path).as_posix(): _digest(path) for path in (*written, half)}
        record = {"files": digests, "processor": processor}
        files.write(self._record(row, col), json.dumps(record))

    def half(self, row: int, col: int) -> np.ndarray:
        """A shard reduced to half its size."""
        return np.load(self._half(row, col), allow_pickle=False)

    def target(self, planned: Plan) -> Zarr | DeepZoom:
        """The unfinished picture, laid out by the first process that comes."""
        if self._target is None:
            try:
                self._target = self._open(planned)
            except OSError:  # another process laid it out at the same moment
                if not self._picture.exists():
                    raise
                self._target = self._open(planned)
        return self._target

    def _open(self, planned: Plan) -> Zarr | DeepZoom:
        extents = levels(self._kind, planned)
        if self._kind is Zarr:
            return Zarr(self._picture, extents, planned.shard, planned.identity, planned.side)
        return DeepZoom(self._picture, extents, planned.side, planned.identity)

    def check_space(self, planned: Plan) -> None:
        """Raises InputError where the disk has no room for the shards without a record, their halves and overviews."""
        recorded = {path.stem for path in self._record(0, 0).parent.glob("*.json")}
        missing = [index for index in planned.shards() if _name(*index) not in recorded]
        pixels = sum(math.prod(planned.extent(*index)) for index in missing)
        needed = pixels * (4 / 3 * self._kind.bytes_per_pixel + 3 / 4)
        outputs.check_space(self.path, needed, "make room, or choose fewer pixels or another file", ("out", "height"))

    def check_free(self) -> None:
        """Raises PictureError where the final name is taken."""
        for path in (self.out, self._kind.target(self.out)):
            if path.exists():
                allowed = (
                    "finish it" if self._plan.exists() and self.is_published else "delete it or choose another file"
                )
                raise picture_error(path, "exists already", allowed)

    @property
    def is_published(self) -> bool:
        """Whether the picture has its final name, so that only this folder is left to remove."""
        return not self._picture.exists() and self._kind.target(self.out).is_dir()

    def publish(self) -> None:
        """Gives the picture its final name."""
        self._kind.publish(self._picture, self.out)

    @property
    def is_removed(self) -> bool:
        """Whether `remove` was interrupted after its last file."""
        return self.out.exists() and self.path.is_dir() and not any(self.path.iterdir())

    def remove(self) -> None:
        """Removes the folder, the plan last: until then `finish` finds what it has to continue."""
        for path in self.path.iterdir():
            if path.is_dir():
                shutil.rmtree(path)
            elif path != self._plan:
                path.unlink()
        self._plan.unlink(missing_ok=True)
        self.path.rmdir()
        files.sync(self.path.absolute().parent)

    def _record(self, row: int, col: int) -> Path:
        return self.path / "records" / f"{_name(row, col)}.json"

    def _half(self, row: int, col: int) -> Path:
        return self.path / "records" / f"{_name(row, col)}.npy"


def put(target: Zarr | DeepZoom, planned: Plan, index: Index, pixels: np.ndarray) -> list[Path]:
    """Writes a shard of a level, uint8 [height, width, 3]; the files that it consists of."""
    level, row, col = index
    if isinstance(target, Zarr):
        target.file(level, row, col).unlink(missing_ok=True)  # or zarr would read a broken one
        target.put(level, row, col, pixels)
        return [target.file(level, row, col)]
    written, side, across = [], planned.side, planned.shard // planned.side
    for i, j in itertools.product(*map(range, pyramid.grid(pixels.shape[:2], side))):
        block = pixels[i * side : (i + 1) * side, j * side : (j + 1) * side]
        place = level, row * across + i, col * across + j
        target.put(*place, block)
        written.append(target.file(*place))
    return written


def levels(kind: type[Zarr | DeepZoom], planned: Plan) -> list[tuple[int, int]]:
    """Height and width of each level in pixels."""
    return pyramid.extents(planned.height, planned.width, 1 if kind.to_one_pixel else planned.side)


def _name(row: int, col: int) -> str:
    return f"{row}-{col}"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _flat(planned: Plan) -> dict[str, str]:
    values = {name: str(value) for name, value in dataclasses.asdict(planned).items() if name != "identity"}
    return values | dict(planned.identity)


def picture_error(path: Path, problem: str, allowed: str) -> PictureError:
    """An error about the file of the picture or its folder."""
    return PictureError(str(path), problem, allowed, settings=("out",))
