"""A view in squares of several blocks: for what computes several blocks together faster than one after the other."""

import collections
import threading

import numpy as np

from tf_psgan.rendering.raster.writer import SIDE, View

SPAN = 4 * SIDE
"""Side of a square in pixels."""

KEPT = 4
"""Squares in memory, of 12 MB each."""


def batched(view: View, batch: int, height: int, width: int) -> View:
    """A view for `writer.write` and `shards.render_part`, of a plane that computes so many chunks together.

    Args:
      view: of the picture.
      batch: `TexturePlane.batch`.
      height, width: of the picture, in pixels.
    """
    return view if batch == 1 else Spans(view, height, width, SPAN)


class Spans:
    """A `View` that asks another one for whole squares and cuts what it is asked for from them.

    Neighbouring blocks, one after the other or from several threads, need one square: the first thread that asks for it
    computes it, the others wait; meanwhile what comes from earlier squares is encoded.

    Args:
      view: of the picture.
      height, width: of the picture, in pixels.
      side: of a square in pixels. What is asked for must not cross its grid.
    """

    def __init__(self, view: View, height: int, width: int, side: int) -> None:
        self._view, self._extent, self._side = view, (height, width), side
        self._kept: collections.OrderedDict[tuple[int, int], _Square] = collections.OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, top: int, left: int, height: int, width: int) -> np.ndarray:
        """uint8 [height, width, 3]."""
        row, down = divmod(top, self._side)
        col, right = divmod(left, self._side)
        with self._lock:
            square = self._kept.setdefault((row, col), _Square())
            self._kept.move_to_end((row, col))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        with square.lock:
            if square.pixels is None:
                at = row * self._side, col * self._side
                extent = (min(self._side, whole - first) for whole, first in zip(self._extent, at, strict=True))
                square.pixels = self._view(*at, *extent)
            return square.pixels[down : down + height, right : right + width]


class _Square:
    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pixels: np.ndarray | None = None
