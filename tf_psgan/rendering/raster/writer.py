"""Writes pictures of any extent block by block, in memory that does not grow with the picture.

A few threads compute blocks slightly ahead; blocks are counted in one fixed order. From time to time everything written
is synced to the disk, then the count is. A killed job continues from the count, computes no counted block again,
and produces the same file as an uninterrupted job.
"""

import collections
import contextlib
import importlib.util
import itertools
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tf_psgan.errors import PictureError
from tf_psgan.latents.arguments import integer
from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster.formats import FORMATS, DeepZoom, Tiff, Zarr
from tf_psgan.rendering.raster.journal import PARTIAL, REMEDY, Journal, Partial
from tf_psgan.runs import outputs
from tf_psgan.runtime import files
from tf_psgan.runtime.progress import Progress
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.runtime.threads import cores

logger = logging.getLogger(__name__)

SIDE = 512
"""Side of a block in pixels; that of a chunk of the plane."""

SUFFIXES = tuple(FORMATS)
LONGEST = 10_000_000
"""Largest height or width in pixels; libvips opens nothing larger."""

MOST_THREADS = 16
"""Blocks computed at a time at most; each takes some tens of megabytes."""

JOURNAL_SECONDS = 0.25
"""Least time between two journals, and so about the work that a kill costs."""

View = Callable[[int, int, int, int], np.ndarray]
"""Top, left, height and width within the picture -> uint8 [height, width, 3]; called from several threads."""


def check(out: Path, height: int, width: int, side: int = SIDE, inputs: Iterable[str | Path] = ()) -> None:
    """Checks that a picture can be written, before any work.

    Args:
      inputs: files that are read.

    Raises:
      InputError: another suffix, a missing package, as `outputs.check`, an existing folder of that name, an extent out
        of range, or less free space than the picture takes.
    """
    kind = check_installed(out)
    for name, value in (("height", height), ("width", width)):
        integer(name, value, 1, LONGEST)
    outputs.check(out, inputs, extra=len(PARTIAL), as_folder=True)
    partial, target = Partial(out), kind.target(out)
    side, levels = _levels(kind, height, width, side)
    blocks, done = _blocks(levels, side), partial.done()
    is_published = done == blocks and not partial.picture.exists()  # only the folder of the job is left to remove
    if target.is_dir() and not is_published:
        raise _error(target, "exists already", "delete it or choose another file")
    needed = kind.bytes_per_pixel * sum(np.prod(pyramid.grid(level, side)) for level in levels) * side**2
    allowed = "make room, or choose fewer pixels or another file"
    outputs.check_space(out, needed * (1 - (done or 0) / blocks), allowed, ("out", "height", "width"))


def write(
    out: Path,
    view: View,
    height: int,
    width: int,
    identity: Mapping[str, str],
    *,
    side: int = SIDE,
    progress: bool = False,
) -> None:
    """Writes a picture and its overviews, or continues an interrupted call.

    Args:
      out: ends in one of `SUFFIXES`; appears when it is complete. Until then there is the folder `out`.partial.
      view: computes a part of the picture.
      height, width: extent in pixels.
      identity: everything that determines the pixels, as text by name; stored in the picture.
      side: of a block in pixels, a multiple of 16; a smaller picture has one smaller block.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      InputError: as `check`; or the unfinished picture belongs to another job, is damaged, or is being made by another
        process.
      OSError: the disk is full or fails; the same call continues from the last journal.
      KeyboardInterrupt: Ctrl-C or SIGTERM; the same call continues.
    """
    check(out, height, width, side)
    kind, partial = check_installed(out), Partial(out)
    side, levels = _levels(kind, height, width, side)
    blocks = _blocks(levels, side)
    job = {"format": kind.__name__, "height": str(height), "width": str(width), "tile": str(side), **identity}
    with partial.locked(), StopSignals() as stopping, files.naming(partial.path):
        journal = partial.read(job)
        if journal.done < blocks:
            if journal.done and not partial.picture.exists():
                raise _error(partial.path, "its picture is missing", REMEDY)
            if journal.done:
                logger.info("%s: continuing after block %d of %d.", out, journal.done, blocks)
            partial.write(job, journal)
            with contextlib.closing(kind(partial.picture, levels, side, identity)) as target:
                run = _Run(view, target, levels, side, journal, lambda newer: partial.write(job, newer), progress)
                run.go(stopping)
            if run.done < blocks:
                raise KeyboardInterrupt(
                    f"{out}: stopped after block {run.done} of {blocks}; run the same again to continue."
                )
        kind.publish(partial.picture, out)
        partial.remove()


class _Run:
    """The part of a picture that one process makes."""

    def __init__(
        self,
        view: View,
        target: Tiff | Zarr | DeepZoom,
        levels: list[tuple[int, int]],
        side: int,
        journal: Journal,
        write_journal: Callable[[Journal], None],
        display: bool,
    ) -> None:
        self.done = journal.done
        self._view, self._target, self._write_journal = view, target, write_journal
        self._extent, self._side = levels[0], side
        self._overviews = pyramid.Overviews(levels, side, dict(journal.waiting))
        self._writes: list[Future] = []
        self._committing: Future | None = None
        self._committed = time.monotonic()
        self._display = display

    def go(self, stopping: StopSignals) -> None:
        """Makes the missing blocks; after a stop signal only those already begun."""
        threads = min(MOST_THREADS, cores())
        indices = pyramid.order(*pyramid.grid(self._extent, self._side))
        before = sum(self._pixels(row, col) for row, col in itertools.islice(indices, self.done))
        pixels = self._extent[0] * self._extent[1]
        ahead: collections.deque[tuple[int, int, Future]] = collections.deque()
        with (
            Progress(pixels, "pixels", display=self._display, initial=before) as progress,
            ThreadPoolExecutor(1, "journal") as committer,
            ThreadPoolExecutor(threads, "block") as makers,
        ):
            try:
                while True:
                    wanted = 0 if stopping.requested else 2 * threads - len(ahead)
                    for index in itertools.islice(indices, wanted):
                        ahead.append((*index, makers.submit(self._make, *index)))
                    if not ahead:
                        break
                    row, col, made = ahead.popleft()
                    for above, half in self._overviews.add(row, col, made.result()):
                        self._writes.append(makers.submit(self._target.put, *above, half))
                    self.done += 1
                    progress.update(self._pixels(row, col))
                    self._save(committer)
                self._save(committer, last=True)
            except BaseException:
                makers.shutdown(wait=False, cancel_futures=True)
                raise

    def _make(self, row: int, col: int) -> np.ndarray:
        """Makes and writes a block of level 0; returns it reduced to half size."""
        height, width = self._cut(row, col)
        pixels = self._view(row * self._side, col * self._side, height, width)
        self._target.put(0, row, col, pixels)
        return pyramid.halved(pixels)

    def _cut(self, row: int, col: int) -> tuple[int, int]:
        """Height and width of a block within the picture."""
        height, width = self._extent
        return min(self._side, height - row * self._side), min(self._side, width - col * self._side)

    def _pixels(self, row: int, col: int) -> int:
        height, width = self._cut(row, col)
        return height * width

    def _save(self, committer: ThreadPoolExecutor, last: bool = False) -> None:
        """Syncs what is finished and writes the journal, while further blocks are made; waits for it if `last`."""
        if self._committing and (last or self._committing.done()):
            self._committing.result()
            self._committing = None
        if last or (self._committing is None and time.monotonic() >= self._committed + JOURNAL_SECONDS):
            self._committed = time.monotonic()
            writes, self._writes = self._writes, []
            journal = Journal(self.done, dict(self._overviews.waiting))
            self._committing = committer.submit(self._commit, writes, journal)
        if last and self._committing:
            self._committing.result()

    def _commit(self, writes: list[Future], journal: Journal) -> None:
        for write in writes:
            write.result()
        self._target.sync()
        self._write_journal(journal)


def check_installed(out: Path) -> type[Tiff | Zarr | DeepZoom]:
    """The format of a picture; PictureError for another suffix or a missing package."""
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise _error(out, f"cannot write the suffix {suffix!r} block by block", f"use one of {', '.join(FORMATS)}")
    kind = FORMATS[suffix]
    if kind.package and importlib.util.find_spec(kind.package) is None:
        raise _error(out, f"needs the package {kind.package}", "pip install 'tf_psgan[large]'")
    return kind


def _levels(
    kind: type[Tiff | Zarr | DeepZoom], height: int, width: int, side: int
) -> tuple[int, list[tuple[int, int]]]:
    """The side of the blocks, and height and width of each level."""
    side = min(side, -(-max(height, width) // 16) * 16)  # libvips opens no tile many times larger than the picture
    return side, pyramid.extents(height, width, 1 if kind.to_one_pixel else side)


def _blocks(levels: list[tuple[int, int]], side: int) -> int:
    rows, cols = pyramid.grid(levels[0], side)
    return rows * cols


def _error(path: Path, problem: str, allowed: str) -> PictureError:
    return PictureError(str(path), problem, allowed, settings=("out",))
