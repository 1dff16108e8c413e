"""The lattice of rectified photographs: the phase of each of their pixels, and the pixels with a wanted phase."""

import numpy as np
import tensorflow as tf

from tf_psgan.detail import block_maps

BITS = 32
"""Phases are integers, in turns of 2**-BITS."""

SLACK = 0.75
"""Pixels by which the phase of a copy that continues another one may be off."""

PARTS = 1 << 12
"""Steps of a pixel in which vectors of the lattice are known."""

MOST = 1 << 14
"""Most pixels of a vector of a lattice, so that products stay inside of int64."""

_UNIT = PARTS << BITS
"""Steps of a pixel in which distances are computed."""


class Lattice(tf.Module):
    """The phases of blocks of photographs, in integers, so that they are exact on every device.

    Args:
      waves: float [2, 2], `Exemplar.waves`.
      ahead: float [photographs, 2], `Exemplar.ahead`.
      places: `Exemplar.places`.
      side: of a block in pixels; the phase of a block is that of the pixel in its middle.
      beyond: pixels around a copied block that have to lie inside of the photograph.

    Attributes:
      vectors: float64 [2, 2], (row, col) pixels from a place to two places like it.
    """

    def __init__(self, waves: np.ndarray, ahead: np.ndarray, places: np.ndarray, side: int, beyond: int) -> None:
        super().__init__()
        self._places, self._side, self._beyond, self._middle = places, side, beyond, (side - 1) // 2
        self._steps = np.round(waves * 2**BITS).astype(np.int64)
        self._ahead = np.round(ahead % 1.0 * 2**BITS).astype(np.int64)
        (a, b), (c, d) = waves
        self.vectors = np.array([[d, -c], [-b, a]]) / (a * d - b * c)
        self._moves = np.round(self.vectors * PARTS).astype(np.int64)

    def periods(self, down: float, right: float) -> np.ndarray:
        """The vectors from a place to all places like it, so far down and right at most; shortest first.

        Args:
          down, right: pixels.

        Returns:
          int64 [n, 2], in pixels / PARTS.
        """
        most = int(np.ceil(np.abs(np.linalg.inv(self.vectors)).sum() * max(down, right)))
        steps = np.arange(-most, most + 1)
        found = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1).reshape(-1, 2) @ self._moves
        found = found[(np.abs(found) <= (int(down * PARTS), int(right * PARTS))).all(axis=1)]
        return found[np.argsort((found**2).sum(axis=1), kind="stable")]

    def aligned(self, copies: tf.Tensor, wanted: tf.Tensor, numbers: tf.Tensor | None = None) -> tf.Tensor:
        """The first pixels of the nearest blocks with the wanted phases, within half a pixel: int32 [..., 2].

        Args:
          copies: int32 [..., 2], first pixels of blocks.
          wanted: int64 [..., 2], phases, `wanted_phases`.
          numbers: int32 [...], of the photographs, where blocks may lie outside of them.
        """
        return copies + _whole_pixels(self._off(copies, wanted, self._numbers(copies, numbers)))

    def alike(self, copies: tf.Tensor, wanted: tf.Tensor, numbers: tf.Tensor, periods: np.ndarray) -> tf.Tensor:
        """The first pixels of all blocks with the wanted phases that are some periods away: int32 [..., n, 2].

        Args:
          copies, wanted, numbers: as of `aligned`.
          periods: int64 [n, 2], from `periods`.
        """
        off = self._off(copies, wanted, numbers)[..., tf.newaxis, :] + periods * (_UNIT // PARTS)
        return copies[..., tf.newaxis, :] + _whole_pixels(off)

    def followed(self, copies: tf.Tensor, wanted: tf.Tensor, numbers: tf.Tensor | None = None) -> tf.Tensor:
        """`aligned` where blocks are off by more than `SLACK`: on seamless tiles, to which the lattice is stretched.

        Elsewhere what continues a copy continues it exactly. Blocks that would leave their photograph stay, too.
        """
        numbers = self._numbers(copies, numbers)
        off = self._off(copies, wanted, numbers)
        aligned = copies + _whole_pixels(off)
        photographs = tf.unstack(tf.gather(tf.constant(self._places), numbers), axis=-1)
        moves = block_maps.are_inside(tf.unstack(aligned, axis=-1), photographs, self._side, self._beyond)
        moves &= tf.reduce_max(tf.abs(off), axis=-1) > int(SLACK * _UNIT)
        return tf.where(moves[..., tf.newaxis], aligned, copies)

    def _numbers(self, copies: tf.Tensor, numbers: tf.Tensor | None) -> tf.Tensor:
        return block_maps.numbers_of(copies[..., 0], self._places) if numbers is None else numbers

    def _off(self, copies: tf.Tensor, wanted: tf.Tensor, numbers: tf.Tensor) -> tf.Tensor:
        """How far blocks lie before the nearest place with the wanted phases: int64 [..., 2], pixels / _UNIT."""
        rows = copies[..., 0] - tf.gather(tf.constant(self._places[:, 0]), numbers)
        row, col = (tf.cast(part + self._middle, tf.int64)[..., tf.newaxis] for part in (rows, copies[..., 1]))
        found = row * self._steps[:, 0] + col * self._steps[:, 1] + tf.gather(tf.constant(self._ahead), numbers)
        half = 1 << (BITS - 1)
        apart = tf.bitwise.bitwise_and(wanted - found + half, (1 << BITS) - 1) - half  # less than half a turn
        return apart[..., :1] * self._moves[0] + apart[..., 1:] * self._moves[1]


def _whole_pixels(off: tf.Tensor) -> tf.Tensor:
    """The nearest whole pixels, int32, of pixels / _UNIT, int64."""
    return tf.cast((off + _UNIT // 2) // _UNIT, tf.int32)


def wanted_phases(rows: tf.Tensor, cols: tf.Tensor, side: int) -> tf.Tensor:
    """The phases that the blocks of a picture should have: int64 [rows, cols, 2], turns of 2**-BITS.

    Args:
      rows, cols: int64 [pixels, 2], whose sum is the phase of a pixel in turns of 2**-64.
      side: of a block in pixels.
    """
    rows, cols = (part[(side - 1) // 2 :: side] for part in (rows, cols))
    return tf.bitwise.bitwise_and(tf.bitwise.right_shift(rows[:, tf.newaxis] + cols, 64 - BITS), (1 << BITS) - 1)
