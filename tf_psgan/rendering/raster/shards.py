"""A picture of any extent made by many processes: shards are planned, each is rendered by one, and one finishes it.

The processes share a folder, `name.parts` beside the picture, and nothing else: no process talks to another. A shard is
a square of pixels whose files only its own process writes, under a lease (a file lock that ends with its process). Its
record, written when the files are on the disk, has their SHA-256; so a shard that is there is skipped, and a broken one
is made again. In an object store (`stores.ObjectStore`) there is no lease: whoever makes a shard puts the same bytes.

The pixels are those of `writer.write`, whoever made which shard.
"""

import collections
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tf_psgan.errors import PictureError, SettingError
from tf_psgan.latents.arguments import integer
from tf_psgan.rendering.raster import pyramid, stores, writer
from tf_psgan.rendering.raster.plan import Plan
from tf_psgan.rendering.raster.shard_folder import ShardFolder
from tf_psgan.rendering.raster.shard_formats import FORMATS
from tf_psgan.rendering.raster.stores import picture_error
from tf_psgan.runtime import files
from tf_psgan.runtime.processor import instructions
from tf_psgan.runtime.progress import Progress
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.runtime.threads import cores

logger = logging.getLogger(__name__)

SHARD = 4096
"""Default side of a shard in pixels: 48 MB without compression."""

LARGEST_SHARD = 16384
"""A process holds a shard in memory: 800 MB at this side."""

MOST_PARTS = 1_000_000

CHECKED = 16
"""Shards whose files are read at a time: an object store answers late, and many at once."""

OpenView = Callable[[], writer.View]
"""Opens the view of a picture in a worker of an engine; it is sent there by pickle."""

Engine = Callable[[Path | str, Plan, OpenView], None]
"""Makes all shards of a picture by processes of its own."""


def plan(height: int, width: int, identity: Mapping[str, str], *, shard: int = SHARD, side: int = writer.SIDE) -> Plan:
    """Divides a picture into shards.

    Args:
      height, width: extent in pixels.
      identity: everything that determines the pixels, as text by name.
      shard: side of a shard in pixels, a multiple of `side`.
      side: of a block in pixels, a multiple of 16.

    Raises:
      SettingError: an extent or a shard out of range.
    """
    for name, value in (("height", height), ("width", width)):
        integer(name, value, 1, writer.LONGEST)
    if not side <= shard <= LARGEST_SHARD or shard % side:
        allowed = f"choose a multiple of {side} up to {LARGEST_SHARD}"
        raise SettingError("shard", f"{shard} pixels", allowed, value=shard, settings=("shard",))
    return Plan(height, width, shard, side, dict(identity))


def check(out: Path | str, inputs: Iterable[str | Path] = ()) -> None:
    """Checks that processes can make a picture under a name or an address, before any work.

    Raises:
      InputError: another suffix, as `outputs.check`, or a picture of that name exists.
    """
    _check_suffix(out)
    writer.check_installed(Path(out))
    stores.opened(out).check(inputs)
    ShardFolder(out).check_free()


def render_part(
    out: Path | str,
    planned: Plan,
    view: writer.View,
    part: int = 0,
    parts: int = 1,
    *,
    processor: str | None = None,
    progress: bool = False,
) -> int:
    """Makes the shards of one part that are missing or broken. The same call again makes only what is missing then.

    Args:
      out: the picture, a .zarr, .dzi or .tif; a path, or an address that fsspec knows.
      planned: equal in all processes.
      view: computes a part of the picture.
      part: number of this part, from 0.
      parts: number of parts.
      processor: what the pixels may depend on beside the plan, by default the processor's instruction sets; `finish`
        warns if it differs between shards.
      progress: draws a progress bar if standard error is a terminal.

    Returns:
      How many shards were made.

    Raises:
      InputError: as `check`, also where the picture is finished meanwhile; another plan is under way there; another
        process makes one of these shards; no room for all shards that are missing.
      OSError: the disk is full or fails; the same call continues.
      KeyboardInterrupt: Ctrl-C or SIGTERM; the same call continues.
    """
    integer("parts", parts, 1, MOST_PARTS)
    integer("part", part, 0, parts - 1)
    maker = ShardMaker(out, planned, view, processor)
    wanted = list(planned.shards(part, parts))
    with ThreadPoolExecutor(CHECKED, "check") as checkers:
        done_before = checkers.map(lambda index: maker.folder.is_done(*index), wanted)
        missing = [index for index, is_done in zip(wanted, done_before, strict=True) if not is_done]
    maker.folder.check_free()
    total = sum(int(np.prod(planned.extent(*index))) for index in missing)
    if missing:
        maker.folder.check_space(planned)
    with (
        files.naming(maker.folder.path),
        Progress(total, "pixels", display=progress) as done,
        StopSignals() as stopping,
    ):
        for made, index in enumerate(missing):
            if not maker.make(*index, stopping, done):
                text = f"{out}: stopped after {made} of {len(missing)} shards; run the same again to continue."
                raise KeyboardInterrupt(text)
    return len(missing)


class ShardMaker:
    """Makes single shards; arguments as for `render_part`.

    Raises:
      InputError: as `check`; or another plan is under way there.
    """

    def __init__(self, out: Path | str, planned: Plan, view: writer.View, processor: str | None = None) -> None:
        check(out)
        self.folder, self._planned, self._view = ShardFolder(out), planned, view
        self._processor = ", ".join(instructions()) if processor is None else processor
        self.folder.begin(planned)

    def make(self, row: int, col: int, stopping: StopSignals, progress: Progress | None = None) -> bool:
        """Makes a shard unless it is there and whole; false where a stop signal came before its end.

        Raises:
          InputError: the picture is finished meanwhile, or another process makes the shard.
        """
        self.folder.check_free()
        with self.folder.leased(row, col):
            if self.folder.is_done(row, col):
                return True
            self.folder.check_free()  # its files were moved to the finished picture, perhaps
            self.folder.forget(row, col)
            pixels = _pixels(self._planned, self._view, row, col, stopping, progress)
            if pixels is None:
                return False
            self.folder.write(self._planned, row, col, pixels, self._processor)
            return True


def finish(out: Path | str, *, progress: bool = False) -> None:
    """Makes the overviews, checks every shard, and gives the picture its final name. The same call again continues.

    Raises:
      PictureError: no picture is under way there; its final name is taken; or shards are missing or broken, with
        their names.
      InputError: another process finishes it.
      OSError: the disk is full or fails.
    """
    _check_suffix(out)
    folder = ShardFolder(out)
    if folder.is_removed:
        folder.remove()
        return
    planned = folder.read_plan()
    with folder.finishing(), files.naming(folder.path):
        if not folder.is_published:
            folder.check_free()
            _check_shards(folder, planned, progress)
            _make_overviews(folder, planned, progress)
            with Progress(None, "bytes", description="putting together", display=progress) as done:
                folder.assemble(planned, done)
        folder.publish(planned)
    folder.remove()


def _check_shards(folder: ShardFolder, planned: Plan, display: bool) -> None:
    """Raises PictureError where shards are missing or broken; warns where processors of different kinds made them."""
    bad, processors = [], set()
    with (
        ThreadPoolExecutor(CHECKED, "check") as checkers,
        Progress(planned.count, "shards", description="checking", display=display) as done,
    ):
        for index, record in _ahead(checkers, folder.read_whole, planned.shards()):
            if record is None:
                bad.append(index)
            else:
                processors.add(record["processor"])
            done.update()
    if bad:
        raise _missing(folder.path, planned, bad)
    if len(processors) > 1 and planned.identity.get("dtype") == "bfloat16":
        logger.warning(
            "%s: processors with %s made shards in bfloat16; pixels at their edges may differ by one 8-bit value. "
            "float32 on all of them avoids it.",
            folder.out,
            " and ".join(sorted(processors)),
        )


def _make_overviews(folder: ShardFolder, planned: Plan, display: bool) -> None:
    """Writes the levels that no shard's own process made, in memory that does not grow with the picture."""
    own = folder.own_levels(planned)
    levels = folder.levels(planned)[own - 1 :]
    if len(levels) == 1:
        return
    overviews = pyramid.Overviews(levels, planned.shard_at(own - 1), {})
    with (
        ThreadPoolExecutor(CHECKED, "read") as readers,
        Progress(planned.count, "shards", description="overviews", display=display) as done,
    ):
        for index, reduced in _ahead(readers, folder.reduced, planned.shards()):
            for (level, row, col), pixels in overviews.add(*index, reduced):
                folder.write_above(planned, (level + own - 1, row, col), pixels)
            done.update()


def _ahead(
    pool: ThreadPoolExecutor, read: Callable[[int, int], Any], indices: Iterable[tuple[int, int]]
) -> Iterator[tuple[tuple[int, int], Any]]:
    """Indices with what is read for them, in order; several threads are a little ahead."""
    waiting: collections.deque[tuple[tuple[int, int], Future]] = collections.deque()
    for index in indices:
        waiting.append((index, pool.submit(read, *index)))
        if len(waiting) > 2 * CHECKED:
            first, found = waiting.popleft()
            yield first, found.result()
    for first, found in waiting:
        yield first, found.result()


def _pixels(
    planned: Plan,
    view: writer.View,
    row: int,
    col: int,
    stopping: StopSignals,
    progress: Progress | None,
) -> np.ndarray | None:
    """The pixels of a shard, made in blocks by several threads; None after a stop signal."""
    height, width = planned.extent(row, col)
    pixels, side = np.empty((height, width, 3), np.uint8), planned.side

    def make(block: tuple[int, int]) -> int:
        if stopping.requested:
            return 0
        top, left = block[0] * side, block[1] * side
        part = pixels[top : top + side, left : left + side]
        part[:] = view(row * planned.shard + top, col * planned.shard + left, *part.shape[:2])
        return part.shape[0] * part.shape[1]

    with ThreadPoolExecutor(min(writer.MOST_THREADS, cores()), "block") as makers:
        for count in makers.map(make, pyramid.order(*pyramid.grid((height, width), side))):
            if progress:
                progress.update(count)
    return None if stopping.requested else pixels


def _missing(path: Path | str, planned: Plan, bad: list[tuple[int, int]]) -> PictureError:
    numbers = {index: number for number, index in enumerate(planned.shards())}
    details = tuple(
        f"shard {row}-{col}, number {numbers[row, col] + 1} of {planned.count}: from row {row * planned.shard} and "
        f"column {col * planned.shard} on."
        for row, col in bad
    )
    problem = f"{len(bad)} of {planned.count} shards are missing or broken"
    allowed = "run their parts again, or a single part of one, which makes all that is missing"
    return PictureError(str(path), problem, allowed, settings=("part",), details=details)


def _check_suffix(out: Path | str) -> None:
    if (suffix := Path(out).suffix.lower()) not in FORMATS:
        problem = f"several processes cannot write the suffix {suffix!r}"
        raise picture_error(out, problem, f"use one of {', '.join(FORMATS)}")
