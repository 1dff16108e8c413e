"""Finished pixels of planes, kept in square pieces, so that neighbouring windows compute only what is new."""

import collections
import threading
from collections.abc import Callable

import numpy as np

from tf_psgan.latents.scene import Scene

Make = Callable[[int, int, int, int], np.ndarray]
"""Computes top, left, height and width, all multiples of a piece's side: uint8 [height, width, 3]."""


class FinishedPixels:
    """The most recently used pieces. May be used from several threads.

    Args:
      side: of a piece, in pixels.
      block: largest side of what is computed at once, in pixels; a multiple of `side`.
      capacity: largest number of pieces that are kept.
    """

    def __init__(self, side: int, block: int, capacity: int) -> None:
        self._side, self._block, self._capacity = side, block, capacity
        self._pieces: collections.OrderedDict[tuple[Scene, int, int], np.ndarray] = collections.OrderedDict()
        self._lock = threading.Lock()

    def clear(self) -> None:
        """Forgets all pieces."""
        with self._lock:
            self._pieces.clear()

    def window(self, scene: Scene, height: int, width: int, top: int, left: int, make: Make) -> np.ndarray:
        """A window, of which `make` computes only rectangles around the pieces that are not kept.

        Args:
          scene: the plane.
          height, width, top, left: the window, in pixels.
          make: computes pixels of the scene.

        Returns:
          uint8 [height, width, 3].
        """
        picture = np.empty((height, width, 3), np.uint8)
        side, step = self._side, self._block // self._side
        rows, cols = ((at // side, (at + extent - 1) // side + 1) for at, extent in ((top, height), (left, width)))
        for row in range(*rows, step):
            for col in range(*cols, step):
                last_row, last_col = min(row + step, rows[1]), min(col + step, cols[1])
                for (at_row, at_col), piece in self._gather(scene, row, last_row, col, last_col, make).items():
                    _paste(picture, piece, at_row * side - top, at_col * side - left)
        return picture

    def _gather(
        self, scene: Scene, row: int, last_row: int, col: int, last_col: int, make: Make
    ) -> dict[tuple[int, int], np.ndarray]:
        """The pieces of rows row .. last_row - 1 and columns col .. last_col - 1, by their place."""
        places = [(i, j) for i in range(row, last_row) for j in range(col, last_col)]
        found: dict[tuple[int, int], np.ndarray] = {}
        with self._lock:
            for place in places:
                if (scene, *place) in self._pieces:
                    self._pieces.move_to_end((scene, *place))
                    found[place] = self._pieces[scene, *place]
        if missing := [place for place in places if place not in found]:
            side = self._side
            (top, left), (bottom, right) = (np.min(missing, axis=0), np.max(missing, axis=0) + 1)
            made = make(*(int(value) * side for value in (top, left, bottom - top, right - left)))
            for i, j in missing:
                down, across = (i - int(top)) * side, (j - int(left)) * side
                found[i, j] = made[down : down + side, across : across + side].copy()
            with self._lock:
                self._pieces.update({(scene, *place): found[place] for place in missing})
                while len(self._pieces) > self._capacity:
                    self._pieces.popitem(last=False)
        return found


def _paste(picture: np.ndarray, piece: np.ndarray, down: int, right: int) -> None:
    """Copies the part of a piece that lies inside a picture; its corner is at (down, right), which may be outside."""
    top, left = max(0, -down), max(0, -right)
    target = picture[max(0, down) :, max(0, right) :][: len(piece) - top, : len(piece) - left]
    target[...] = piece[top : top + target.shape[0], left : left + target.shape[1]]
