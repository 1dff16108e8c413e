"""Pictures of any size, made and written tile by tile in memory that does not grow with them.

Tiles are made by a few threads that look a little ahead, and are counted in one fixed order. Now
and then what was written is brought to the disk, then the count is: a job killed at any moment goes
on from there, makes no counted tile again, and ends with the file of one that was never killed.
"""

import collections
import contextlib
import importlib.util
import itertools
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from tf_psgan.rendering.raster import pyramid
from tf_psgan.rendering.raster.formats import FORMATS, DeepZoom, Tiff, Zarr
from tf_psgan.rendering.raster.journal import Journal, Partial
from tf_psgan.runtime.progress import Progress
from tf_psgan.runtime.signals import StopSignals
from tf_psgan.runtime.threads import cores

logger = logging.getLogger(__name__)

SIDE = 512
"""Side of a tile in pixels: the plane's own."""

SUFFIXES = tuple(FORMATS)
LONGEST = 10_000_000
"""Largest extent in pixels; libvips opens no longer ones."""

MOST_THREADS = 16
"""Tiles in the making at once, on machines with many cores; each holds some tens of megabytes."""

KEEP_SECONDS = 0.25
"""Least time between two journals: what a kill costs."""

View = Callable[[int, int, int, int], np.ndarray]
"""Top, left, height and width within the picture -> uint8 [height, width, 3]; asked from several threads."""


def check(out: Path, height: int, width: int, side: int = SIDE) -> None:
    """Refuses what could not be written, before any work is lost on it.

    Raises:
      ValueError: another suffix, a missing package or folder, something in the way, an extent out of range, or less
        free space than the picture takes.
    """
    kind = _kind(out)
    if kind.package and importlib.util.find_spec(kind.package) is None:
        raise ValueError(f"{out}: needs {kind.package}; pip install 'tf_psgan[large]'.")
    for name, value in (("height", height), ("width", width)):
        if not 1 <= value <= LONGEST:
            raise ValueError(f"{name}: {value} is outside 1 .. {LONGEST}; choose a value inside.")
    parent = out.absolute().parent
    if not parent.is_dir():
        raise ValueError(f"{out}: the folder {out.parent} is missing; make it or correct --out.")
    partial, target = Partial(out), kind.target(out)
    side, levels = _levels(kind, height, width, side)
    tiles, done = _tiles(levels, side), partial.done()
    only_to_tidy = done == tiles and not partial.picture.exists()
    if target.is_dir() and not only_to_tidy:
        raise ValueError(f"{target}: is there already; delete it or choose another --out.")
    needed = kind.bytes_per_pixel * sum(np.prod(pyramid.grid(level, side)) for level in levels) * side**2
    needed *= 1 - (done or 0) / tiles
    free = shutil.disk_usage(parent).free
    if needed > free:
        raise ValueError(
            f"{out}: takes up to {_amount(needed)} and there are {_amount(free)} free in {out.parent}; "
            "make room, or choose fewer pixels or another --out."
        )


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
    """Writes a picture and its overviews, or goes on where that was cut off.

    Args:
      out: ends in one of `SUFFIXES`; appears when it is whole. Until then there is `out`.partial.
      view: what the picture shows.
      height, width: extent in pixels.
      identity: what makes it this picture and no other; kept in the picture.
      side: of a tile in pixels, a multiple of 16; a smaller picture has one smaller tile.
      progress: draws a progress bar if standard error is a terminal.

    Raises:
      ValueError: as `check`, or an unfinished picture is another one's, damaged, or made by another process now.
      OSError: the disk is full or fails; the same call goes on from the last journal.
      KeyboardInterrupt: an end was asked for; the same call goes on.
    """
    check(out, height, width, side)
    kind, partial = _kind(out), Partial(out)
    side, levels = _levels(kind, height, width, side)
    tiles = _tiles(levels, side)
    job = {"format": kind.__name__, "height": str(height), "width": str(width), "tile": str(side), **identity}
    with partial.locked(), StopSignals() as stopping, _naming(partial.path):
        journal = partial.read(job)
        if journal.done < tiles:
            if journal.done and not partial.picture.exists():
                raise ValueError(f"{partial.path}: its picture is gone; delete that folder or choose another --out.")
            if journal.done:
                logger.info("%s: going on from tile %d of %d.", out, journal.done, tiles)
            partial.write(job, journal)
            with contextlib.closing(kind(partial.picture, levels, side, identity)) as files:
                run = _Run(view, files, levels, side, journal, lambda newer: partial.write(job, newer), progress)
                run.go(stopping)
            if run.done < tiles:
                raise KeyboardInterrupt(
                    f"{out}: stopped after tile {run.done} of {tiles}; the same command goes on from there."
                )
        kind.publish(partial.picture, out)
        partial.remove()


class _Run:
    """One process's part of a picture."""

    def __init__(
        self,
        view: View,
        files: Tiff | Zarr | DeepZoom,
        levels: list[tuple[int, int]],
        side: int,
        journal: Journal,
        keep: Callable[[Journal], None],
        display: bool,
    ) -> None:
        self.done = journal.done
        self._view, self._files, self._keep = view, files, keep
        self._extent, self._side = levels[0], side
        self._overviews = pyramid.Overviews(levels, side, dict(journal.waiting))
        self._writes: list[Future] = []
        self._keeping: Future | None = None
        self._kept = time.monotonic()
        self._display = display

    def go(self, stopping: StopSignals) -> None:
        """Makes what is missing, or ends earlier, with all that was begun, when asked to."""
        threads = min(MOST_THREADS, cores())
        places = pyramid.order(*pyramid.grid(self._extent, self._side))
        before = sum(self._pixels(row, col) for row, col in itertools.islice(places, self.done))
        pixels = self._extent[0] * self._extent[1]
        ahead: collections.deque[tuple[int, int, Future]] = collections.deque()
        with (
            Progress(pixels, "pixels", display=self._display, initial=before) as progress,
            ThreadPoolExecutor(1, "journal") as keeper,
            ThreadPoolExecutor(threads, "tile") as makers,
        ):
            try:
                while True:
                    wanted = 0 if stopping.asked else 2 * threads - len(ahead)
                    for place in itertools.islice(places, wanted):
                        ahead.append((*place, makers.submit(self._make, *place)))
                    if not ahead:
                        break
                    row, col, made = ahead.popleft()
                    for above, half in self._overviews.add(row, col, made.result()):
                        self._writes.append(makers.submit(self._files.put, *above, half))
                    self.done += 1
                    progress.update(self._pixels(row, col))
                    self._journal(keeper)
                self._journal(keeper, last=True)
            except BaseException:
                makers.shutdown(wait=False, cancel_futures=True)
                raise

    def _make(self, row: int, col: int) -> np.ndarray:
        """Makes and writes a tile of level 0; it at half size."""
        height, width = self._cut(row, col)
        pixels = self._view(row * self._side, col * self._side, height, width)
        self._files.put(0, row, col, pixels)
        return pyramid.halved(pixels)

    def _cut(self, row: int, col: int) -> tuple[int, int]:
        """A tile's extent within the picture."""
        height, width = self._extent
        return min(self._side, height - row * self._side), min(self._side, width - col * self._side)

    def _pixels(self, row: int, col: int) -> int:
        height, width = self._cut(row, col)
        return height * width

    def _journal(self, keeper: ThreadPoolExecutor, last: bool = False) -> None:
        """Brings what is done so far to the disk, beside the making of further tiles, and the last time waits."""
        if self._keeping and (last or self._keeping.done()):
            self._keeping.result()
            self._keeping = None
        if last or (self._keeping is None and time.monotonic() >= self._kept + KEEP_SECONDS):
            self._kept = time.monotonic()
            writes, self._writes = self._writes, []
            self._keeping = keeper.submit(self._commit, writes, Journal(self.done, dict(self._overviews.waiting)))
        if last and self._keeping:
            self._keeping.result()

    def _commit(self, writes: list[Future], journal: Journal) -> None:
        for write in writes:
            write.result()
        self._files.sync()
        self._keep(journal)


def _kind(out: Path) -> type[Tiff | Zarr | DeepZoom]:
    suffix = out.suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(f"{out}: cannot write the suffix {suffix!r} tile by tile; use one of {', '.join(FORMATS)}.")
    return FORMATS[suffix]


def _levels(
    kind: type[Tiff | Zarr | DeepZoom], height: int, width: int, side: int
) -> tuple[int, list[tuple[int, int]]]:
    """The side of the tiles and the extent of each level."""
    side = min(side, -(-max(height, width) // 16) * 16)  # libvips refuses a tile many times as large as the picture
    return side, pyramid.extents(height, width, 1 if kind.to_one_pixel else side)


def _tiles(levels: list[tuple[int, int]], side: int) -> int:
    rows, cols = pyramid.grid(levels[0], side)
    return rows * cols


def _amount(number: float) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.1f} MB"


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Names the place of an error of the disk."""
    try:
        yield
    except OSError as error:
        if error.filename or not error.errno:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
