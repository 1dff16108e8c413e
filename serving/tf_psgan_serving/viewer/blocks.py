"""Windows of planes, put together from blocks of 512 x 512 pixels that are requested once and kept for a while.

A model computes chunks of about 512 x 512 pixels, so a block costs the server no more than each of the four map tiles
that are cut from it. A fixed number of blocks is requested at a time; further ones wait here, since the server rejects
what does not fit its admission queue.
"""

import asyncio
import collections
import dataclasses
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

import numpy as np

from tf_psgan_serving.client.views import Morph, Piece, Scene, Window, split
from tf_psgan_serving.viewer import parameters
from tf_psgan_serving.viewer.models import Version

SIDE = 512
"""Preferred side of a block in pixels."""

Key = tuple[Version, Window | Morph]
"""A block: the version that makes it, and its view."""


@dataclasses.dataclass
class _Flight:
    """A block on its way."""

    task: "asyncio.Task[np.ndarray]"
    waiters: int = 0


class Blocks:
    """Blocks of all planes.

    Args:
      render: requests the pixels of a view.
      parallel: requests at a time.
      most_bytes: of the pixels that are kept; the least recently used ones go first.
    """

    def __init__(
        self, render: Callable[[Version, Any], Awaitable[np.ndarray]], *, parallel: int, most_bytes: int
    ) -> None:
        self._render, self._most_bytes = render, most_bytes
        self._slots = asyncio.Semaphore(parallel)
        self._kept: collections.OrderedDict[Key, np.ndarray] = collections.OrderedDict()
        self._bytes = 0
        self._flights: dict[Key, _Flight] = {}

    async def window(self, version: Version, view: Window | Morph, reduce: int = 1) -> np.ndarray:
        """The pixels of a window, or of a window of a morph.

        Args:
          version: of the model.
          view: the window; its position and extent are multiples of `reduce`.
          reduce: side of the squares of pixels that become one, their mean; a power of two, at most a block's side.

        Returns:
          uint8 [height / reduce, width / reduce, 3].

        Raises:
          ServingError: a block cannot be made. Cancelling the call cancels what only this call waits for.
        """
        pixels = np.empty((view.height // reduce, view.width // reduce, 3), np.uint8)
        side = (
            SIDE if version.limits.allow(SIDE, SIDE) else max(reduce, version.limits.piece_pixels() // reduce * reduce)
        )

        async def place(piece: Piece) -> None:
            rows, cols, part = piece
            top, left = part.top // side * side, part.left // side * side
            block = await self._block((version, dataclasses.replace(part, top=top, left=left, height=side, width=side)))
            down, right = part.top - top, part.left - left
            cut = block[down : down + part.height, right : right + part.width]
            found = await asyncio.to_thread(average, cut, reduce) if reduce > 1 else cut
            pixels[rows.start // reduce : rows.stop // reduce, cols.start // reduce : cols.stop // reduce] = found

        await _all(place(piece) for piece in split(view, side))
        return pixels

    async def scene(self, version: Version, view: Scene, reduce: int = 1) -> np.ndarray:
        """The pixels of a scene, uint8 [height / reduce, width / reduce, 3]; not kept.

        Args:
          version, view, reduce: as of `window`.
        """
        pixels = np.empty((view.height, view.width, 3), np.uint8)

        async def place(piece: Piece) -> None:
            rows, cols, part = piece
            async with self._slots:
                pixels[rows, cols] = await self._render(version, part)

        side = SIDE if version.limits.allow(SIDE, SIDE) else version.limits.piece_pixels()
        if version.detail != "none" and view.period_height and version.limits.allow(view.height, view.width):
            side = 2 * parameters.MAX_PIXEL  # each piece would cost the whole torus
        await _all(place(piece) for piece in split(view, side))
        return await asyncio.to_thread(average, pixels, reduce) if reduce > 1 else pixels

    async def tile(self, version: Version, view: Any) -> np.ndarray:
        """The pixels of a seamless tile, in one request; not kept."""
        async with self._slots:
            return await self._render(version, view)

    async def _block(self, key: Key) -> np.ndarray:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = _Flight(asyncio.ensure_future(self._fetch(key)))
        flight.waiters += 1
        try:
            return await asyncio.shield(flight.task)
        finally:
            flight.waiters -= 1
            if not flight.waiters:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]

    async def _fetch(self, key: Key) -> np.ndarray:
        async with self._slots:
            block = await self._render(*key)
        self._bytes += block.nbytes - (self._kept[key].nbytes if key in self._kept else 0)
        self._kept[key] = block
        while self._bytes > self._most_bytes:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return block


async def _all(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Waits for all; the first error ends the others."""
    try:
        async with asyncio.TaskGroup() as group:
            for work in works:
                group.create_task(work)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def average(pixels: np.ndarray, side: int) -> np.ndarray:
    """The means of squares of pixels, rounded to even.

    Args:
      pixels: uint8 [height, width, 3], multiples of `side`.
    """
    height, width, _ = pixels.shape
    sums = pixels.reshape(height // side, side, width // side, side, 3).sum(axis=(1, 3), dtype=np.uint32)
    return np.rint(sums / side**2).astype(np.uint8)
